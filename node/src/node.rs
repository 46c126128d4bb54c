//! A running node: pipeline, readers, HTTP face, put together and taken apart in order.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ingest::pipeline::{Listener, PipelineSite, SessionNote};
use ingest::registrar::Registrar;
use ingest::{Pipeline, PipelineConfig, SentFix, Snapshot, WorkerConfig};
use outbox::relay::{Relay, RelayConfig};
use outbox::{Component, Store};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use wire::recording::Entry;
use wire::{ClientId, ClientName, Session};

use crate::alerts::{AlertsParts, Lookout};
use crate::body::truth::Truth;
use crate::calibrate::desk::Desk;
use crate::discreet::Discreet;
use crate::fan_out::FanOut;
use crate::http::{self, Door, Health, HttpState, SiteEntry, Tls};
use crate::latest::Hub;
use crate::messages::{self, Listening, MessagesParts};
use crate::names::Names;
use crate::periods::{Calendar, KeyKeeper};
use crate::presence::ended::Ended;
use crate::presence::{Orders, Presence, PresenceParts, Surroundings};
use crate::record::{RecordSender, Recording};
use crate::sites::LoadedSite;
use crate::view::status_view;

/// Threads that serve HTTP: enough for many slow readers, few enough to leave the cores to workers.
const HTTP_THREADS: usize = 2;

/// How often the node looks whether a new pseudonym period has begun.
const KEY_LOOK: Duration = Duration::from_secs(60);

/// How long work of the HTTP face may go on after everything else has stopped: what is being learned
/// is called off at its next part, and does not write a file any more.
const WORK_STOP_MAX: Duration = Duration::from_secs(5);

/// How often the node looks whether somebody changed a calibration file.
const CALIBRATION_LOOK: Duration = Duration::from_secs(2);

/// Tables that a node keeps beside its messages, in the same store.
pub const COMPONENTS: [Component; 3] = [
    crate::presence::COMPONENT,
    outbox::alerts::COMPONENT,
    outbox::relay::COMPONENT,
];

/// Reads every portion of fixes besides the hub, on the fan-out's thread.
pub type FixReader = Box<dyn Fn(&[SentFix]) + Send>;

/// Tells where simulated clients really are.
pub type TruthSource = Box<dyn Fn() -> Vec<Truth> + Send + Sync>;

/// Everything that a node is made of.
pub struct NodeParts {
    /// Address of the first worker.
    pub listen: SocketAddr,
    /// Worker threads.
    pub workers: usize,
    /// How each behaves.
    pub worker: WorkerConfig,
    /// Certificate and authority.
    pub credentials: link::NodeCredentials,
    /// Who certifies agents, if this node can.
    pub registrar: Option<Arc<dyn Registrar>>,
    /// Secret of stateless resets.
    pub reset_key: link::ResetKey,
    /// The sites.
    pub sites: Vec<LoadedSite>,
    /// When pseudonyms change.
    pub calendar: Calendar,
    /// Where their keys are kept.
    pub keeper: KeyKeeper,
    /// File to record into.
    pub record: Option<PathBuf>,
    /// Where to serve HTTP, if at all.
    pub http: Option<SocketAddr>,
    /// With TLS.
    pub http_tls: Option<Tls>,
    /// Further hosts under which HTTP is reached, besides loopback ones.
    pub http_hosts: Vec<String>,
    /// Who is let in, on both listeners.
    pub door: Arc<Door>,
    /// What must not be lost.
    pub store: Option<Store>,
    /// When something about messages is unusual; it needs the store.
    pub alerts: AlertsParts,
    /// Who sends messages on; they need the store.
    pub relays: Vec<RelayConfig>,
    /// Where to serve messages, if at all; it needs the store.
    pub messages: Option<MessagesParts>,
    /// A further reader of all fixes.
    pub reader: Option<FixReader>,
    /// The truth, in the demo.
    pub truth: Option<TruthSource>,
}

impl std::fmt::Debug for NodeParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeParts")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    pipeline: Arc<Pipeline>,
    desk: Arc<Desk>,
    presence: Option<Presence>,
    fan_out: Option<FanOut>,
    recording: Option<Recording>,
    health: Arc<Health>,
    http_address: Option<SocketAddr>,
    messages: Option<Listening>,
    lookout: Option<Lookout>,
    relays: Vec<Relay>,
    closing: watch::Sender<bool>,
    runtime: Runtime,
}

impl Node {
    /// Starts a node; it serves when this returns.
    ///
    /// # Errors
    /// Tells which socket, file or key could not be had, and what to do.
    pub fn start(parts: NodeParts) -> anyhow::Result<Self> {
        let http_listener = parts.http.map(bind_http).transpose()?;
        let recording = parts.record.as_deref().map(Recording::begin).transpose()?;
        let names = Arc::new(Names::default());
        let orders = (parts.store.is_some()).then(|| Orders::new(names.clone(), &parts.sites));
        let listener = Ears {
            names: names.clone(),
            orders: orders.clone(),
            record: recording.as_ref().map(Recording::sender),
        };
        let sites = pipeline_sites(&parts)?;
        let pipeline = Arc::new(Pipeline::start(
            PipelineConfig {
                listen: parts.listen,
                workers: parts.workers,
                worker: with_secret(parts.worker)?,
                credentials: parts.credentials,
                reset_key: parts.reset_key,
                registrar: parts.registrar.clone(),
                knobs: link::Knobs::default(),
                first_session: random_u64()? & (u64::MAX >> 1),
            },
            &sites,
            Arc::new(listener),
        )?);
        let hub = Arc::new(Hub::new(sites.len()));
        // Without HTTP nobody reads the hub, and nobody sweeps it.
        let is_read = http_listener.is_some() || parts.messages.is_some();
        let readers_hub = is_read.then(|| hub.clone());
        let ended = Arc::new(Ended::default());
        let workers = Arc::new(Discreet {
            pipeline: pipeline.clone(),
            ended: ended.clone(),
        });
        let desk = Arc::new(Desk::new(&parts.sites, workers.clone()));
        let presence = match (parts.store.clone(), orders.clone()) {
            (Some(store), Some(orders)) => Some(Presence::start(PresenceParts {
                store,
                sites: &parts.sites,
                keys: sites
                    .iter()
                    .map(|site| site.pseudonym_key.clone())
                    .collect(),
                orders,
                is_recording: parts.worker.recording_agents.is_some(),
                surroundings: Surroundings::new(
                    pipeline.clone(),
                    desk.clone(),
                    hub.clone(),
                    ended.clone(),
                    sites.iter().map(|site| site.name.to_string()).collect(),
                    parts.door.clone(),
                ),
            })?),
            _ => None,
        };
        let feed = presence.as_ref().map(Presence::feed);
        let reader = parts.reader;
        let fan_out = FanOut::start(pipeline.fixes().clone(), move |fixes| {
            let fixes = &*ended.filter(fixes);
            if let Some(hub) = &readers_hub {
                hub.publish(fixes);
            }
            if let Some(feed) = &feed {
                feed.give(fixes);
            }
            if let Some(reader) = &reader {
                reader(fixes);
            }
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(HTTP_THREADS)
            .thread_name("http")
            .enable_all()
            .build()?;
        let closing = watch::Sender::new(false);
        let health = Arc::new(Health::default());
        let entries = parts.sites.iter().map(|l| SiteEntry {
            site: l.site.as_ref().clone(),
        });
        let relays = start_relays(parts.store.as_ref(), &parts.relays)?;
        let relay_healths: Vec<_> = relays.iter().map(Relay::health_reader).collect();
        let status = pipeline.clone();
        let mut state = HttpState::new(Arc::new(entries.collect()), hub, move || {
            let mut view = status_view(&status.snapshot(), status.time().now_us());
            view.relays = relay_healths.iter().map(|health| health()).collect();
            Arc::new(view)
        })
        .with_names(names)
        .with_hosts(&parts.http_hosts)
        .with_door(parts.door.clone())
        .with_workers(workers)
        .with_desk(desk.clone())
        .with_health(health.clone());
        if let (Some(store), Some(orders)) = (&parts.store, &orders) {
            state = state.with_presence(store.clone(), orders.clone());
        }
        let lookout = match &parts.store {
            Some(store) => {
                let door = parts.door.clone();
                let lookout = Lookout::start(parts.alerts, store.clone(), door)?;
                state = state.with_board(lookout.board());
                Some(lookout)
            }
            None => None,
        };
        if let Some(messages) = &parts.messages {
            state = state.with_pace(messages.pace);
        }
        if let Some(truth) = parts.truth {
            state = state.with_truth(truth);
        }
        let messages_tls = parts.messages.as_ref().and_then(|parts| parts.tls.clone());
        let certificates: Vec<Tls> = parts.http_tls.iter().cloned().chain(messages_tls).collect();
        if let Some(store) = parts.store.clone() {
            runtime.spawn(messages::look_after(store, health.clone()));
        }
        let messages = match (parts.messages, parts.store) {
            (Some(parts), Some(store)) => Some(Listening::start(parts, store, &state)?),
            _ => None,
        };
        let http_address = match http_listener {
            None => None,
            Some(listener) => {
                let address = listener.local_addr()?;
                serve_http(
                    &runtime,
                    listener,
                    state,
                    parts.http_tls,
                    closing.subscribe(),
                )?;
                Some(address)
            }
        };
        runtime.spawn(http::door::look_after(parts.door));
        runtime.spawn(http::reload_on_hangup(certificates));
        let names: Vec<String> = sites.iter().map(|site| site.name.to_string()).collect();
        runtime.spawn(rotate_keys(
            pipeline.clone(),
            parts.calendar,
            parts.keeper,
            names,
            orders,
        ));
        runtime.spawn(watch_calibrations(desk.clone()));
        health.set_started();
        health.set_ready(true);
        Ok(Self {
            pipeline,
            desk,
            presence,
            fan_out: Some(fan_out),
            recording,
            health,
            http_address,
            messages,
            lookout,
            relays,
            closing,
            runtime,
        })
    }

    /// Where agents connect.
    pub fn quic_address(&self) -> SocketAddr {
        self.pipeline.addresses()[0]
    }

    /// Where HTTP is served, if it is.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// Zones and access points, if there is a store.
    pub fn presence(&self) -> Option<&Presence> {
        self.presence.as_ref()
    }

    /// Where messages are served, if they are.
    pub fn messages_address(&self) -> Option<SocketAddr> {
        self.messages.as_ref().map(Listening::address)
    }

    /// The workers.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Waits for Ctrl-C or SIGTERM, at most so long if a time is given.
    ///
    /// # Errors
    /// When the system lets nobody listen for signals.
    pub fn wait_for_signal(&self, at_most: Option<Duration>) -> anyhow::Result<()> {
        self.runtime
            .block_on(async {
                let signal = crate::signals::terminate();
                match at_most {
                    // Waited long enough: as good as a signal.
                    Some(at_most) => tokio::time::timeout(at_most, signal)
                        .await
                        .unwrap_or(Ok(())),
                    None => signal.await,
                }
            })
            .context("cannot listen for signals")
    }

    /// Asks agents for their last reports, waits for them at most so long, stops everything in
    /// order and returns the last snapshot.
    pub fn stop(mut self, at_most: Duration) -> Snapshot {
        self.health.set_ready(false);
        self.desk.stop();
        if !self.pipeline.drain(at_most) {
            tracing::warn!("{} agents did not leave in time", self.pipeline.connected());
        }
        let snapshot = self.pipeline.stop();
        self.fan_out = None;
        // Whoever is inside stays so: a stop is no leaving.
        self.presence = None;
        self.recording = None;
        self.closing.send_replace(true);
        self.messages = None;
        self.lookout = None;
        self.relays.clear();
        self.runtime.shutdown_timeout(WORK_STOP_MAX);
        snapshot
    }
}

/// What the rest of the node hears from its workers.
struct Ears {
    names: Arc<Names>,
    orders: Option<Orders>,
    record: Option<RecordSender>,
}

impl Listener for Ears {
    fn session(&self, opened: &SessionNote<'_>) {
        if let Some(record) = &self.record {
            record.send(Entry::Session {
                session: opened.session,
                agent: opened.identity.agent.clone(),
                site: opened.identity.site.clone(),
                clock: opened.hello.clock,
                radios: opened.hello.radios.clone(),
            });
        }
    }

    fn names(&self, _site: usize, session: Session, names: &[(u64, ClientName)]) {
        let refused = names
            .iter()
            .filter(|(id, name)| !self.names.insert(ClientId(*id), name.clone()));
        match refused.count() {
            0 => {}
            count => {
                tracing::warn!("too many named clients; {count} of them are shown by their ids")
            }
        }
        if let Some(record) = &self.record {
            record.send(Entry::Names {
                session,
                names: names.to_vec(),
            });
        }
    }

    fn opted_out(&self, site: usize, clients: &[ClientId]) {
        if let Some(orders) = &self.orders {
            orders.opt_out(site, clients);
        }
    }

    fn define(&self, session: Session, first: u32, clients: &[ClientId]) {
        if let Some(record) = &self.record {
            record.send_define(session, first, clients);
        }
    }

    fn datagram(&self, session: Session, bytes: &[u8], received_us: u64) {
        if let Some(record) = &self.record {
            record.send_datagram(session, bytes, received_us);
        }
    }
}

fn pipeline_sites(parts: &NodeParts) -> anyhow::Result<Vec<PipelineSite>> {
    let period = parts.calendar.current();
    let mut sites = Vec::with_capacity(parts.sites.len());
    for loaded in &parts.sites {
        sites.push(PipelineSite {
            name: loaded.name.clone(),
            site: loaded.site.clone(),
            model: loaded.model.clone(),
            pseudonym_key: parts.keeper.key(loaded.name.as_str(), period)?,
        });
    }
    Ok(sites)
}

async fn rotate_keys(
    pipeline: Arc<Pipeline>,
    calendar: Calendar,
    keeper: KeyKeeper,
    sites: Vec<String>,
    orders: Option<Orders>,
) {
    let mut in_force = calendar.current();
    loop {
        // The system's clock may be set meanwhile, and a key that could not be kept is tried again.
        tokio::time::sleep(calendar.current_remaining().min(KEY_LOOK)).await;
        let period = calendar.current();
        if period == in_force {
            continue;
        }
        let mut changed = true;
        for (index, site) in sites.iter().enumerate() {
            match keeper.key(site, period) {
                Ok(key) => {
                    // First, so that nobody is counted twice.
                    if let Some(orders) = &orders {
                        orders.rotate(index, &key);
                    }
                    pipeline.set_pseudonym_key(index, key);
                }
                Err(error) => {
                    changed = false;
                    tracing::error!("site {site} keeps its old pseudonyms for now: {error}");
                }
            }
        }
        if changed {
            in_force = period;
            tracing::info!("pseudonym period {period} begins");
        } else {
            tokio::time::sleep(KEY_LOOK).await;
        }
    }
}

/// Uses calibration files that somebody edits.
async fn watch_calibrations(desk: Arc<Desk>) {
    let mut looks = tokio::time::interval(CALIBRATION_LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        for site in 0..desk.count() {
            let desk = desk.clone();
            // It cannot panic in earnest, and if it did, the next look would be another try.
            let _ = tokio::task::spawn_blocking(move || desk.look(site)).await;
        }
    }
}

fn start_relays(store: Option<&Store>, configs: &[RelayConfig]) -> anyhow::Result<Vec<Relay>> {
    let Some(store) = store else {
        return Ok(Vec::new());
    };
    let start = |config: &RelayConfig| {
        let relay = Relay::start(store.clone(), config);
        let relay = relay.with_context(|| format!("relay {}", config.name))?;
        tracing::info!("relay {} sends messages to {}", config.name, config.url);
        Ok(relay)
    };
    configs.iter().map(start).collect()
}

fn bind_http(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("cannot serve HTTP on {address}; choose another port with --http or http.listen")
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve_http(
    runtime: &Runtime,
    listener: TcpListener,
    state: HttpState,
    tls: Option<Tls>,
    mut closing: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let shutdown = async move {
        let _ = closing.wait_for(|closing| *closing).await;
    };
    runtime.spawn(http::serve(listener, state, tls, shutdown));
    Ok(())
}

/// The number that keeps agents from choosing ids that collide.
fn with_secret(mut worker: WorkerConfig) -> anyhow::Result<WorkerConfig> {
    worker.shard.secret = random_u64()?;
    Ok(worker)
}

fn random_u64() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(u64::from_le_bytes(bytes))
}
