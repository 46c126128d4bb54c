//! Workers with their threads, sockets and time: start, look, drain, stop.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use link::{Knobs, NodeCredentials, ResetKey};
use wire::frame::PseudonymKey;
use wire::{ClientId, ClientName, Session, SiteName};

use crate::beacons::BeaconReading;
use crate::limits::{FIX_QUEUE_LEN, FORGOTTEN_AT_ONCE_MAX};
use crate::outlet::{FixQueue, latency_histogram};
use crate::question::{Ask, AskError, Asker, ClientWindow, ReplaceError};
use crate::receive::{self, Commands, Door};
use crate::registrar::{Registrar, Registry};
use crate::snapshot::{Snapshot, WorkerSnapshot};
use crate::worker::{ServedSite, Worker, WorkerConfig};

/// How a pipeline is made.
#[derive(Debug)]
pub struct PipelineConfig {
    /// Address of the first worker; the others take the ports after it, or any where it is 0.
    pub listen: SocketAddr,
    /// Worker threads.
    pub workers: usize,
    /// How each worker behaves.
    pub worker: WorkerConfig,
    /// The node's certificate and the authority of its agents.
    pub credentials: NodeCredentials,
    /// Secret that lets a restarted node end old connections at once.
    pub reset_key: ResetKey,
    /// Who certifies agents, if the node can; `credentials` say whether new ones may ask.
    pub registrar: Option<Arc<dyn Registrar>>,
    /// Transport settings.
    pub knobs: Knobs,
    /// Number from which sessions are counted; random, so that no two processes share numbers.
    pub first_session: u64,
}

/// A site and what its agents need.
#[derive(Debug, Clone)]
pub struct PipelineSite {
    /// Name, as certificates spell it.
    pub name: SiteName,
    /// The building.
    pub site: Arc<site::Site>,
    /// Its radio map.
    pub model: Arc<locate::Model>,
    /// Key of its running pseudonym period.
    pub pseudonym_key: PseudonymKey,
}

/// What the rest of the process wants to hear of, besides fixes. Called on a worker's thread: it
/// must return at once.
pub trait Listener: Send + Sync {
    /// An agent has opened a session at a site.
    fn session(&self, _opened: &SessionNote<'_>) {}
    /// An agent has named clients.
    fn names(&self, _site: usize, _session: Session, _names: &[(u64, ClientName)]) {}
    /// An agent has said that clients opted out.
    fn opted_out(&self, _site: usize, _clients: &[ClientId]) {}
    /// An agent has said what its short ids from `first` on stand for, and the node took it in.
    fn define(&self, _session: Session, _first: u32, _clients: &[ClientId]) {}
    /// A datagram has arrived, at this Unix time in microseconds.
    fn datagram(&self, _session: Session, _bytes: &[u8], _received_us: u64) {}
}

/// Nobody listens.
impl Listener for () {}

/// A session as a [`Listener`] hears of it.
#[derive(Debug)]
pub struct SessionNote<'a> {
    /// Its number.
    pub session: Session,
    /// The agent and its site, by the certificate.
    pub identity: &'a link::Identity,
    /// Where the agent's datagrams come from.
    pub remote: SocketAddr,
    /// What the agent said.
    pub hello: &'a wire::frame::Hello,
}

/// Why a pipeline did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A socket could not be had.
    #[error(transparent)]
    Bind(#[from] link::BindError),
    /// A thread could not be had.
    #[error("cannot start a worker thread")]
    Thread(#[from] std::io::Error),
    /// More workers than there are ports above the first.
    #[error(
        "{workers} workers need ports {first} and above, which end at 65535; choose a lower one"
    )]
    Ports {
        /// Workers asked for.
        workers: usize,
        /// Port of the first.
        first: u16,
    },
}

/// What all workers of a pipeline share; nothing of it is touched per observation.
pub(crate) struct Shared {
    pub(crate) owners: HashMap<SiteName, Owner>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) time: NodeTime,
    pub(crate) connected: AtomicUsize,
    pub(crate) refused: AtomicU64,
    snapshots: Vec<Mutex<Arc<WorkerSnapshot>>>,
    next_session: AtomicU64,
}

/// Which worker owns a site, and the site's number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) worker: usize,
    pub(crate) site: usize,
}

/// The node's clock: monotonic, and Unix time at its start.
#[derive(Debug, Clone, Copy)]
pub struct NodeTime {
    began: Instant,
    began_unix_us: u64,
}

impl NodeTime {
    /// A clock that begins now.
    pub fn begin() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            began: Instant::now(),
            began_unix_us: unix.as_micros() as u64,
        }
    }

    /// Microseconds since 1970, never going back.
    pub fn now_us(&self) -> u64 {
        self.at_us(Instant::now())
    }

    /// The same for a time read before; the clock's beginning for one before that.
    pub(crate) fn at_us(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.began);
        self.began_unix_us + since.as_micros() as u64
    }
}

impl Shared {
    pub(crate) fn next_session(&self) -> Session {
        Session(self.next_session.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn publish(&self, worker: usize, snapshot: WorkerSnapshot) {
        let snapshot = Arc::new(snapshot);
        *self.snapshots[worker]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Running workers.
#[derive(Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
    asker: Asker,
    commands: Commands,
    fixes: Arc<FixQueue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pipeline {
    /// Binds the sockets and starts the workers.
    ///
    /// # Errors
    /// [`StartError`] when a socket or thread cannot be had; nothing is left running.
    pub fn start(
        config: PipelineConfig,
        sites: &[PipelineSite],
        listener: Arc<dyn Listener>,
    ) -> Result<Self, StartError> {
        let workers = config.workers.max(1);
        let gates = receive::bind(&config, workers)?;
        let shared = Arc::new(Shared {
            owners: owners(sites, workers),
            addresses: gates.iter().map(receive::Gate::address).collect(),
            listener,
            time: NodeTime::begin(),
            connected: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            snapshots: (0..workers)
                .map(|_| Mutex::new(Arc::new(nothing_yet())))
                .collect(),
            next_session: AtomicU64::new(config.first_session),
        });
        let commands = Commands::new(
            sites.iter().map(|site| site.pseudonym_key.clone()),
            gates.iter().map(receive::Gate::waker).collect(),
        );
        let fixes = Arc::new(FixQueue::new(FIX_QUEUE_LEN));
        let (asker, questions) = Asker::new(workers);
        // Dropped on an error below, it stops the workers that run by then.
        let pipeline = Self {
            shared,
            asker,
            commands,
            fixes,
            threads: Mutex::default(),
        };
        for ((index, gate), questions) in gates.into_iter().enumerate().zip(questions) {
            let served = served_sites(sites, index, workers);
            let worker = Worker::new(config.worker, served, pipeline.fixes.clone());
            let door = Door {
                index,
                shared: pipeline.shared.clone(),
                commands: pipeline.commands.clone(),
                questions,
                registry: Registry::new(config.registrar.clone(), gate.waker()),
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || receive::run(gate, worker, door))?;
            let mut threads = pipeline
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            threads.push(thread);
        }
        Ok(pipeline)
    }

    /// Where the workers listen; agents need only the first.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses
    }

    /// The fixes, for one reader.
    pub fn fixes(&self) -> &Arc<FixQueue> {
        &self.fixes
    }

    /// The clock of fixes.
    pub fn time(&self) -> NodeTime {
        self.shared.time
    }

    /// Living connections.
    pub fn connected(&self) -> usize {
        self.shared.connected.load(Ordering::Acquire)
    }

    /// Connections refused since the start: certificate, site or hello was wrong.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// What the workers last told: at most a quarter of a second old.
    pub fn snapshot(&self) -> Snapshot {
        let read = |slot: &Mutex<Arc<WorkerSnapshot>>| {
            Arc::clone(&slot.lock().unwrap_or_else(PoisonError::into_inner))
        };
        Snapshot {
            workers: self.shared.snapshots.iter().map(read).collect(),
        }
    }

    /// The window of a client's next fix, and that fix; when none is made within
    /// [`WATCH_MAX`](crate::limits::WATCH_MAX), what its line still holds of its last window.
    ///
    /// Waits up to [`ANSWER_TIMEOUT`](crate::limits::ANSWER_TIMEOUT): not for an async task.
    ///
    /// # Errors
    /// [`AskError::Unknown`] for a client that the site's worker does not know; else why the worker
    /// does not answer.
    pub fn ask_client(&self, site: usize, client: ClientId) -> Result<ClientWindow, AskError> {
        self.asker.ask(site, |answer| Ask::Client(client, answer))
    }

    /// The windows of the site's next fixes, at most so many (bounded by
    /// [`SAMPLE_LEN_MAX`](crate::limits::SAMPLE_LEN_MAX)), and of each client one or two at most
    /// where it has more clients than that; fewer where fewer are made in time. Waits like
    /// [`Pipeline::ask_client`].
    ///
    /// # Errors
    /// [`AskError`] when the worker does not answer.
    pub fn ask_sample(&self, site: usize, len: usize) -> Result<Vec<ClientWindow>, AskError> {
        self.asker.ask(site, |answer| Ask::Sample(len, answer))
    }

    /// What the radios of a site's anchors lately heard of each other's beacons; empty where they
    /// hear none.
    ///
    /// # Errors
    /// [`AskError`] when the worker does not answer.
    pub fn beacons(&self, site: usize) -> Result<Vec<BeaconReading>, AskError> {
        self.asker.ask(site, Ask::Beacons)
    }

    /// The model with which a site's fixes are made.
    ///
    /// # Errors
    /// [`AskError`] when the worker does not answer.
    pub fn model(&self, site: usize) -> Result<Arc<locate::Model>, AskError> {
        self.asker.ask(site, Ask::Model)
    }

    /// Lets a site's worker make its fixes with another model of the same building from its next
    /// tick on; clients and tracks survive. The old model is freed on the caller's thread, unless the
    /// worker answers only after the caller gave up.
    ///
    /// # Errors
    /// [`ReplaceError`] when the worker keeps its model, since the building is another, or does not
    /// answer.
    pub fn replace_model(
        &self,
        site: usize,
        model: Arc<locate::Model>,
    ) -> Result<(), ReplaceError> {
        let locator = Box::new(locate::Locator::new(model));
        let replaced = self
            .asker
            .ask(site, |answer| Ask::Replace(locator, answer))
            .map_err(|why| ReplaceError::unanswered(site, why))?;
        drop(replaced.unused);
        replaced.outcome
    }

    /// Lets a site's worker forget clients, their lines and tracks; at most
    /// [`FORGOTTEN_AT_ONCE_MAX`] of them. Returns at once; who goes on to be heard is a new client to
    /// the worker.
    ///
    /// # Errors
    /// [`AskError::Busy`] when too much waits for the worker: order it again later.
    pub fn forget(&self, site: usize, mut clients: Vec<ClientId>) -> Result<(), AskError> {
        clients.truncate(FORGOTTEN_AT_ONCE_MAX);
        self.asker.order(site, Ask::Forget(clients))
    }

    /// A new pseudonym period begins at a site: its agents get the key.
    pub fn set_pseudonym_key(&self, site: usize, key: PseudonymKey) {
        self.commands.set_pseudonym_key(site, key);
    }

    /// Asks all agents to send their last report and leave; waits until they have, at most so long.
    /// Returns whether they all did.
    pub fn drain(&self, at_most: Duration) -> bool {
        self.commands.drain();
        let until = Instant::now() + at_most;
        while self.connected() > 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Stops the workers; returns their last words.
    pub fn stop(&self) -> Snapshot {
        self.join();
        self.snapshot()
    }

    fn join(&self) {
        self.commands.stop();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A worker that panicked has said so; the others' snapshots still count.
            let _ = thread.join();
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.join();
    }
}

/// Sites are dealt to the workers in turn, in the order of the configuration.
fn owners(sites: &[PipelineSite], workers: usize) -> HashMap<SiteName, Owner> {
    let owner = |site| Owner {
        worker: site % workers,
        site,
    };
    sites
        .iter()
        .enumerate()
        .map(|(site, served)| (served.name.clone(), owner(site)))
        .collect()
}

fn served_sites(sites: &[PipelineSite], worker: usize, workers: usize) -> Vec<ServedSite> {
    sites
        .iter()
        .enumerate()
        .filter(|(index, _)| index % workers == worker)
        .map(|(index, served)| ServedSite {
            index,
            name: served.name.clone(),
            site: served.site.clone(),
            model: served.model.clone(),
        })
        .collect()
}

fn nothing_yet() -> WorkerSnapshot {
    WorkerSnapshot {
        agents: Vec::new(),
        clients_by_site: Vec::new(),
        fixes_made: 0,
        fixes_dropped: 0,
        rounds_skipped: 0,
        latency_us: latency_histogram(),
        folded_us: latency_histogram(),
        cpu: None,
        solve_cpu: None,
    }
}
