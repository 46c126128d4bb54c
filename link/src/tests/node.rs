//! A node for tests: a port on a thread of its own, asked from async code.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use wire::Frame;

use crate::{
    ControlError, Engine, Event, Identity, LinkClosed, LinkId, LinkStats, Port, PortWaker, Refused,
};

/// Something to be tried after each round, until it is done.
type Job = Box<dyn FnMut(&mut State) -> bool + Send>;

/// What the node's thread has.
pub(crate) struct State {
    port: Port,
    now: Instant,
    arrivals: VecDeque<Result<LinkId, Refused>>,
    enrolments: VecDeque<LinkId>,
    /// Datagrams and control frames were announced, for whichever link.
    spoken: bool,
    closed: HashMap<LinkId, LinkClosed>,
}

/// A running node; dropping it and its links ends it without a word, as a crash does.
#[derive(Clone)]
pub(crate) struct Node(Arc<Thread>);

struct Thread {
    address: SocketAddr,
    waker: PortWaker,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.jobs = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Node {
    pub(crate) fn run(port: Port) -> Self {
        let (sender, jobs) = mpsc::channel();
        let (address, waker) = (port.local_addr(), port.waker());
        let state = State {
            port,
            now: Instant::now(),
            arrivals: VecDeque::new(),
            enrolments: VecDeque::new(),
            spoken: false,
            closed: HashMap::new(),
        };
        let thread = std::thread::spawn(move || state.serve(&jobs));
        Self(Arc::new(Thread {
            address,
            waker,
            jobs: Some(sender),
            thread: Some(thread),
        }))
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.0.address
    }

    /// Waits until the node has an answer.
    async fn ask<T: Send + 'static>(
        &self,
        mut question: impl FnMut(&mut State) -> Option<T> + Send + 'static,
    ) -> T {
        let (sender, answer) = oneshot::channel();
        let mut sender = Some(sender);
        let job = move |state: &mut State| {
            let Some(answer) = question(state) else {
                return false;
            };
            if let Some(sender) = sender.take() {
                let _ = sender.send(answer);
            }
            true
        };
        let jobs = self.0.jobs.as_ref().unwrap();
        jobs.send(Box::new(job)).unwrap();
        self.0.waker.wake();
        answer.await.unwrap()
    }

    /// Does something with the engine.
    pub(crate) async fn engine<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Engine, Instant) -> T + Send + 'static,
    ) -> T {
        let mut act = Some(act);
        self.ask(move |state| act.take().map(|act| act(state.port.engine(), state.now)))
            .await
    }

    /// Waits until something is so of the engine.
    pub(crate) async fn until<T: Send + 'static>(
        &self,
        mut so: impl FnMut(&mut Engine) -> Option<T> + Send + 'static,
    ) -> T {
        self.ask(move |state| so(state.port.engine())).await
    }

    /// The next agent that came in or was refused.
    pub(crate) async fn arrival(&self) -> Result<AtNode, Refused> {
        let id = self.ask(|state| state.arrivals.pop_front()).await?;
        Ok(AtNode {
            node: self.clone(),
            id,
        })
    }
}

impl Node {
    /// The next request to enrol.
    pub(crate) async fn enrolment(&self) -> LinkId {
        self.ask(|state| state.enrolments.pop_front()).await
    }

    /// How a link ended.
    pub(crate) async fn closed(&self, id: LinkId) -> LinkClosed {
        self.ask(move |state| state.closed.get(&id).cloned()).await
    }

    /// The next link that ended, when nobody knows its number.
    pub(crate) async fn any_closed(&self) -> LinkClosed {
        self.ask(|state| state.closed.values().next().cloned())
            .await
    }

    /// Whether anybody was let in, enrolled or spoke.
    pub(crate) async fn has_heard_anything(&self) -> bool {
        self.ask(|state| {
            let arrived = state.arrivals.iter().any(Result::is_ok);
            Some(state.spoken || arrived || !state.enrolments.is_empty())
        })
        .await
    }
}

impl State {
    fn serve(mut self, jobs: &mpsc::Receiver<Job>) {
        let mut waiting: Vec<Job> = Vec::new();
        loop {
            let until = Instant::now() + Duration::from_secs(1);
            self.now = self.port.receive(until).unwrap();
            while let Some(event) = self.port.engine().poll_event() {
                match event {
                    Event::Opened(id) => self.arrivals.push_back(Ok(id)),
                    Event::Refused(refused) => self.arrivals.push_back(Err(refused)),
                    Event::Closed(id, closed) => drop(self.closed.insert(id, closed)),
                    Event::Enrolment(id) => self.enrolments.push_back(id),
                    Event::Datagrams(_) | Event::Control(_) => self.spoken = true,
                    Event::Room(_) => {}
                }
            }
            loop {
                match jobs.try_recv() {
                    Ok(job) => waiting.push(job),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            waiting.retain_mut(|job| !job(&mut self));
            self.port.transmit().unwrap();
        }
    }
}

/// A link, seen from the node.
pub(crate) struct AtNode {
    node: Node,
    id: LinkId,
}

impl AtNode {
    pub(crate) async fn identity(&self) -> Identity {
        let id = self.id;
        self.node
            .until(move |engine| engine.identity(id).cloned())
            .await
    }

    pub(crate) async fn remote_address(&self) -> SocketAddr {
        let id = self.id;
        self.node
            .until(move |engine| engine.remote_address(id))
            .await
    }

    pub(crate) async fn stats(&self) -> LinkStats {
        let id = self.id;
        self.node.until(move |engine| engine.stats(id)).await
    }

    pub(crate) async fn read_datagram(&self) -> Result<Bytes, LinkClosed> {
        let id = self.id;
        self.node
            .ask(move |state| {
                let datagram = state.port.engine().read_datagram(id).map(Ok);
                datagram.or_else(|| state.closed.get(&id).cloned().map(Err))
            })
            .await
    }

    pub(crate) async fn try_read_datagram(&self) -> Option<Bytes> {
        let id = self.id;
        self.node
            .engine(move |engine, _| engine.read_datagram(id))
            .await
    }

    pub(crate) async fn read_frame(&self) -> Result<Frame, ControlError> {
        let id = self.id;
        self.node
            .until(move |engine| engine.read_frame(id).transpose())
            .await
    }

    pub(crate) async fn write_frame(&self, frame: &Frame) {
        let (id, frame) = (self.id, frame.clone());
        self.node
            .engine(move |engine, _| engine.write_frame(id, &frame))
            .await
            .unwrap();
    }

    pub(crate) async fn finish_control(&self) {
        let id = self.id;
        self.node
            .engine(move |engine, _| engine.finish_control(id))
            .await;
    }

    pub(crate) async fn close(&self, reason: &'static str) {
        let id = self.id;
        self.node
            .engine(move |engine, now| engine.close(id, now, reason))
            .await;
    }
}
