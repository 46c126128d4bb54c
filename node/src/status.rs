//! What readers outside the workers see of the node: books, agents, workers, latency.
//!
//! A snapshot is plain values, made by whoever owns the counters and shown by the HTTP face.

/// Everything that the ledger, the metrics and the page show, taken at one moment.
#[derive(Debug, Clone, Default)]
pub struct StatusView {
    /// The books.
    pub ledger: LedgerView,
    /// Time from the radio to the fix.
    pub latency: LatencyView,
    /// Time from the radio to the client's window.
    pub folded_latency: LatencyView,
    /// The workers, in order of their index.
    pub workers: Vec<WorkerView>,
    /// Who sends messages on, in the order of the configuration.
    pub relays: Vec<outbox::relay::RelayHealth>,
}

/// The books: in all, per site and per agent.
#[derive(Debug, Clone, Default)]
pub struct LedgerView {
    /// All sites together.
    pub total: Books,
    /// Per site, under its id.
    pub sites: Vec<(String, Books)>,
    /// Per agent, connected or away.
    pub agents: Vec<AgentView>,
}

impl LedgerView {
    /// The books of the site with this id, once any of its agents has been seen.
    pub fn site(&self, id: &str) -> Option<&Books> {
        self.sites
            .iter()
            .find(|(site, _)| site == id)
            .map(|(_, books)| books)
    }
}

/// An amount counted both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Observations.
    pub observations: u64,
    /// Datagrams.
    pub datagrams: u64,
}

/// Where every observation went.
///
/// `offered = dropped_agent + lost + unknown + received` and `received = dropped_node + folded`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// What agents had to send.
    pub offered: Tally,
    /// What agents discarded.
    pub dropped_agent: Tally,
    /// What the network lost.
    pub lost: Tally,
    /// What a crash of either end hides.
    pub unknown: Tally,
    /// What reached the node.
    pub received: Tally,
    /// What the node discarded.
    pub dropped_node: Tally,
    /// What changed a client's window.
    pub folded: Tally,
    /// Observations and datagrams that these entries leave open; zero at rest.
    pub residual: Tally,
    /// Observations of `dropped_agent`, by reason.
    pub dropped_agent_by_reason: Vec<(&'static str, u64)>,
    /// `dropped_node`, by reason.
    pub dropped_node_by_reason: Vec<(&'static str, Tally)>,
}

impl Books {
    /// The seven entries in the order of the flow, with the names that readers see.
    pub fn stages(&self) -> [(&'static str, Tally); 7] {
        [
            ("offered", self.offered),
            ("dropped_at_agent", self.dropped_agent),
            ("lost", self.lost),
            ("unknown", self.unknown),
            ("received", self.received),
            ("dropped_at_node", self.dropped_node),
            ("folded", self.folded),
        ]
    }
}

/// One agent as the node knows it.
#[derive(Debug, Clone, Default)]
pub struct AgentView {
    /// Name in its certificate.
    pub agent: String,
    /// Site in its certificate.
    pub site: String,
    /// Whether a session is open now.
    pub connected: bool,
    /// Its books over all sessions of this process.
    pub books: Books,
    /// Address of its last connection; empty before the first.
    pub remote: String,
    /// Round trip of its connection in milliseconds.
    pub rtt_ms: f64,
    /// Seconds since the last datagram or control frame.
    pub last_heard_s: f64,
    /// Devices that it only counts, in the last interval that it told of.
    pub counted: Option<CountedView>,
}

/// Devices with a made-up address and without association that an agent counted and did not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountedView {
    /// Number of the interval since the agent started.
    pub interval: u32,
    /// Its length in milliseconds.
    pub length_ms: u32,
    /// Different addresses by signal class: at least -50, -65, -80 dBm, weaker.
    pub devices: [u32; 4],
    /// Their frames, by the same classes.
    pub frames: [u32; 4],
}

/// How long observations waited since they were heard, in milliseconds; a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LatencyView {
    /// Half of them waited less.
    pub p50_ms: f64,
    /// Nine of ten waited less.
    pub p90_ms: f64,
    /// All but one in a hundred waited less.
    pub p99_ms: f64,
    /// All but one in a thousand waited less.
    pub p999_ms: f64,
    /// The longest wait.
    pub max_ms: f64,
}

/// One worker thread.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorkerView {
    /// Processor time of its thread in seconds; 0 where the system does not tell.
    pub cpu_s: f64,
    /// The part of it that sweeping and solving took.
    pub solve_cpu_s: f64,
    /// Clients in its tables.
    pub clients: u64,
    /// Fixes that it made.
    pub fixes: u64,
    /// Fixes that it dropped because the queue to the readers was full.
    pub queue_dropped_fixes: u64,
    /// Rounds of the sweep that it skipped because it was busy.
    pub rounds_skipped: u64,
}
