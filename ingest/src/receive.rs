//! The shell of a worker: one thread, one socket, one runtime; it reads, calls the worker, writes.
//!
//! Everything of a worker happens on its thread, so that the [`Worker`] needs no lock: a
//! [`RefCell`] that is never borrowed across an `await`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::Receiver;
use link::{AgentLink, Arriving, ControlReader, ControlWriter, NodeEndpoint};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, timeout};
use wire::Frame;
use wire::frame::{Configure, Hello, PseudonymKey, Report, Welcome};

use crate::ledger::SessionKey;
use crate::limits::{
    DATAGRAMS_PER_TURN_MAX, HELLO_TIMEOUT, PARTING_TIMEOUT, QUESTIONS_PER_TICK_MAX,
};
use crate::pipeline::{Owner, PipelineConfig, SessionNote, Shared, StartError};
use crate::question::Question;
use crate::session::Refusal;
use crate::snapshot::Connection;
use crate::worker::Worker;

/// How often agents report.
const REPORT_INTERVAL_MS: u32 = 1_000;

/// How often the sweep looks whether a segment is due: 256 times a second, a segment at a time.
const TICK: Duration = Duration::from_micros(3_900);

/// Ticks between two snapshots for readers.
const TICKS_PER_SNAPSHOT: u32 = 32;

/// What a worker's thread needs from outside.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: Commands,
    pub(crate) questions: Receiver<Question>,
}

/// What the process tells its workers.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    phase: Arc<watch::Sender<Phase>>,
    keys: Arc<Vec<watch::Sender<PseudonymKey>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Stopped,
}

impl Commands {
    pub(crate) fn new(keys: impl Iterator<Item = PseudonymKey>) -> Self {
        Self {
            phase: Arc::new(watch::Sender::new(Phase::Running)),
            keys: Arc::new(keys.map(watch::Sender::new).collect()),
        }
    }

    pub(crate) fn set_pseudonym_key(&self, site: usize, key: PseudonymKey) {
        self.keys[site].send_replace(key);
    }

    pub(crate) fn drain(&self) {
        self.phase.send_if_modified(|phase| {
            let forward = *phase < Phase::Draining;
            *phase = (*phase).max(Phase::Draining);
            forward
        });
    }

    pub(crate) fn stop(&self) {
        self.phase.send_replace(Phase::Stopped);
    }
}

/// A worker's socket, bound before its thread starts.
#[derive(Debug)]
pub(crate) struct Endpoint {
    runtime: tokio::runtime::Runtime,
    endpoint: NodeEndpoint,
    address: SocketAddr,
}

impl Endpoint {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Binds one socket per worker.
pub(crate) fn bind(config: &PipelineConfig, workers: usize) -> Result<Vec<Endpoint>, StartError> {
    let first = config.listen.port();
    (0..workers)
        .map(|index| {
            let ports = StartError::Ports { workers, first };
            let offset = if first == 0 {
                0
            } else {
                u16::try_from(index).unwrap_or(u16::MAX)
            };
            let port = first.checked_add(offset).ok_or(ports)?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let entered = runtime.enter();
            let listen = SocketAddr::new(config.listen.ip(), port);
            let endpoint = NodeEndpoint::bind(
                listen,
                &config.credentials,
                &config.reset_key,
                &config.knobs,
            )?;
            drop(entered);
            let address = endpoint.local_addr();
            Ok(Endpoint {
                runtime,
                endpoint,
                address,
            })
        })
        .collect()
}

/// Runs a worker until it is told to stop.
pub(crate) fn run(endpoint: Endpoint, worker: Worker, door: Door) {
    let Endpoint {
        runtime, endpoint, ..
    } = endpoint;
    let hall = Rc::new(Hall {
        worker: RefCell::new(worker),
        links: RefCell::default(),
        endpoint,
        door,
    });
    LocalSet::new().block_on(&runtime, hall.clone().serve());
    hall.publish();
}

/// Where the connections of one worker meet it.
struct Hall {
    worker: RefCell<Worker>,
    links: RefCell<HashMap<SessionKey, Rc<AgentLink>>>,
    endpoint: NodeEndpoint,
    door: Door,
}

impl Hall {
    async fn serve(self: Rc<Self>) {
        let accepting = spawn_local(self.clone().accept());
        let mut phase = self.door.commands.phase.subscribe();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut count = 0u32;
        while *phase.borrow_and_update() != Phase::Stopped {
            self.take_questions();
            let more = self.worker.borrow_mut().handle_tick(self.now_us());
            count = count.wrapping_add(1);
            if count.is_multiple_of(TICKS_PER_SNAPSHOT) {
                self.publish();
            }
            if more {
                tokio::task::yield_now().await;
            } else {
                ticks.tick().await;
            }
        }
        accepting.abort();
        self.endpoint.close("the node stops");
        self.endpoint.idle().await;
    }

    fn take_questions(&self) {
        for question in self.door.questions.try_iter().take(QUESTIONS_PER_TICK_MAX) {
            self.worker
                .borrow_mut()
                .handle_question(question, self.now_us());
        }
    }

    async fn accept(self: Rc<Self>) {
        while let Some(arriving) = self.endpoint.accept().await {
            spawn_local(self.clone().welcome(arriving));
        }
    }

    async fn welcome(self: Rc<Self>, arriving: Arriving) {
        let link = match arriving.finish().await {
            Ok(link) => Rc::new(link),
            Err(refused) => {
                self.door.shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("{refused}");
                return;
            }
        };
        let opening = async {
            let (mut reader, writer) = link.accept_control().await.ok()?;
            match reader.read().await {
                Ok(Some(Frame::Hello(hello))) => Some((reader, writer, hello)),
                _ => None,
            }
        };
        let Ok(Some((reader, writer, hello))) = timeout(HELLO_TIMEOUT, opening).await else {
            tracing::warn!("{} said no hello; closed", describe(&link));
            link.close("no hello on the control stream");
            return;
        };
        self.open(link, reader, writer, hello).await;
    }

    /// Answers a hello: welcome, redirect or reject.
    async fn open(
        self: Rc<Self>,
        link: Rc<AgentLink>,
        reader: ControlReader,
        writer: ControlWriter,
        hello: Hello,
    ) {
        let identity = link.identity().clone();
        let shared = self.door.shared.clone();
        let Some(&owner) = shared.owners.get(&identity.site) else {
            return self
                .reject(&link, writer, Refusal::Site(identity.site.clone()))
                .await;
        };
        if owner.worker != self.door.index {
            let port = shared.addresses[owner.worker].port();
            let redirect = Frame::Redirect {
                address: format!(":{port}"),
            };
            return part(&link, writer, redirect, "served on another port").await;
        }
        let session = shared.next_session();
        let opened = self.worker.borrow_mut().handle_hello(
            &identity.agent,
            &identity.site,
            &hello,
            session,
            self.now_us(),
        );
        let opened = match opened {
            Ok(opened) => opened,
            Err(refusal) => return self.reject(&link, writer, refusal).await,
        };
        let note = SessionNote {
            session,
            identity: &identity,
            remote: link.remote_address(),
            hello: &hello,
        };
        shared.listener.session(&note);
        tracing::info!(
            "{} connected with {} radios",
            describe(&link),
            hello.radios.len()
        );
        if !opened.unknown_radios.is_empty() {
            tracing::warn!(
                "{}: not in the site file, observations will be dropped: {}",
                describe(&link),
                opened.unknown_radios.join(", ")
            );
        }
        if let Some(older) = opened
            .replaces
            .and_then(|key| self.links.borrow_mut().remove(&key))
        {
            tracing::warn!(
                "{} replaces its connection from {}; if this goes on, two access points share a \
                 certificate: issue one for each",
                describe(&link),
                older.remote_address()
            );
            older.close("a newer connection of the same agent replaces this one");
        }
        shared.connected.fetch_add(1, Ordering::AcqRel);
        self.links.borrow_mut().insert(opened.key, link.clone());
        let call = Call {
            hall: self.clone(),
            link,
            key: opened.key,
            session,
            owner,
        };
        call.run(reader, writer).await;
        shared.connected.fetch_sub(1, Ordering::AcqRel);
    }

    async fn reject(&self, link: &AgentLink, writer: ControlWriter, refusal: Refusal) {
        self.door.shared.refused.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("{} refused: {refusal}", describe(link));
        part(
            link,
            writer,
            Frame::Reject {
                reason: refusal.to_string(),
            },
            "refused",
        )
        .await;
    }

    fn publish(&self) {
        let mut snapshot = self.worker.borrow().snapshot();
        let links = self.links.borrow();
        for agent in &mut snapshot.agents {
            let link = agent.session.and_then(|key| links.get(&key));
            agent.connection = link.map(|link| Connection {
                remote: link.remote_address(),
                rtt: link.stats().rtt,
            });
        }
        snapshot.cpu = thread_cpu();
        self.door.shared.publish(self.door.index, snapshot);
    }

    fn now_us(&self) -> u64 {
        self.door.shared.time.now_us()
    }
}

/// One agent's connection while its session lasts.
struct Call {
    hall: Rc<Hall>,
    link: Rc<AgentLink>,
    key: SessionKey,
    session: wire::Session,
    owner: Owner,
}

impl Call {
    async fn run(self, reader: ControlReader, writer: ControlWriter) {
        let call = Rc::new(self);
        let datagrams = spawn_local(call.clone().receive_datagrams());
        let ending = call.clone().converse(reader, writer).await;
        // The transport may still hold datagrams that arrived before the end.
        let _ = datagrams.await;
        let hall = &call.hall;
        let received = call.link.stats().datagrams_received;
        hall.worker
            .borrow_mut()
            .handle_closed(call.key, received, hall.now_us());
        hall.links.borrow_mut().remove(&call.key);
        hall.publish();
        tracing::info!("{} left: {ending}", describe(&call.link));
    }

    async fn receive_datagrams(self: Rc<Self>) {
        while let Ok(bytes) = self.link.read_datagram().await {
            self.handle_datagram(&bytes);
            self.handle_ready(DATAGRAMS_PER_TURN_MAX);
            tokio::task::yield_now().await;
        }
    }

    fn handle_ready(&self, at_most: usize) {
        for _ in 0..at_most {
            match self.link.try_read_datagram() {
                Some(bytes) => self.handle_datagram(&bytes),
                None => return,
            }
        }
    }

    fn handle_datagram(&self, bytes: &[u8]) {
        let now_us = self.hall.now_us();
        self.hall
            .door
            .shared
            .listener
            .datagram(self.session, bytes, now_us);
        self.hall
            .worker
            .borrow_mut()
            .handle_datagram(self.key, bytes, now_us);
    }

    /// Talks on the control stream until the connection ends; says how it ended.
    async fn converse(
        self: Rc<Self>,
        mut reader: ControlReader,
        mut writer: ControlWriter,
    ) -> String {
        let commands = &self.hall.door.commands;
        let mut phase = commands.phase.subscribe();
        let mut key = commands.keys[self.owner.site].subscribe();
        let welcome = Frame::Welcome(Welcome {
            session: self.session,
            agent: self.link.identity().agent.clone(),
            report_interval_ms: REPORT_INTERVAL_MS,
            configure: Configure {
                pseudonym_key: key.borrow_and_update().clone(),
            },
        });
        if writer.write(&welcome).await.is_err() {
            return self.link.closed().await.to_string();
        }
        if *phase.borrow_and_update() >= Phase::Draining {
            let _ = writer.write(&Frame::Drain {}).await;
        }
        loop {
            tokio::select! {
                frame = reader.read() => match frame {
                    Ok(Some(frame)) => self.handle_frame(frame, &mut writer).await,
                    Ok(None) => return self.link.closed().await.to_string(),
                    Err(error) => {
                        self.link.close("control frame not understood");
                        return error.to_string();
                    }
                },
                _ = key.changed() => {
                    let pseudonym_key = key.borrow_and_update().clone();
                    let _ = writer.write(&Frame::Configure(Configure { pseudonym_key })).await;
                }
                _ = phase.changed() => {
                    if *phase.borrow_and_update() == Phase::Draining {
                        let _ = writer.write(&Frame::Drain {}).await;
                    }
                }
                closed = self.link.closed() => return closed.to_string(),
            }
        }
    }

    /// Books a report, after what arrived before it.
    fn handle_report(&self, report: &Report) {
        self.handle_ready(usize::MAX);
        let received = self.link.stats().datagrams_received;
        let now_us = self.hall.now_us();
        self.hall
            .worker
            .borrow_mut()
            .handle_report(self.key, report, received, now_us);
    }

    async fn handle_frame(&self, frame: Frame, writer: &mut ControlWriter) {
        match frame {
            Frame::Report(report) => {
                self.handle_report(&report);
                if report.last {
                    self.hall.publish();
                    let _ = writer.write(&Frame::Settled {}).await;
                }
            }
            Frame::Names { names } => {
                self.hall
                    .door
                    .shared
                    .listener
                    .names(self.owner.site, self.session, &names);
            }
            // Frames of later versions, and those that only a node sends, mean nothing here.
            _ => {}
        }
    }
}

/// Says a last word and waits until the agent has left with it.
async fn part(link: &AgentLink, mut writer: ControlWriter, word: Frame, reason: &str) {
    let parting = async {
        if writer.write(&word).await.is_ok() {
            writer.finish();
            link.closed().await;
        }
    };
    let _ = timeout(PARTING_TIMEOUT, parting).await;
    link.close(reason);
}

/// Processor time of this thread, where the system has a schedstat file (Linux).
fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace()
        .next()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}

fn describe(link: &AgentLink) -> String {
    let identity = link.identity();
    format!(
        "agent {} of site {} at {}",
        identity.agent,
        identity.site,
        link.remote_address()
    )
}
