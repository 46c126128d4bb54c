//! The books as readers see them.

use serde::{Serialize, Serializer};

use super::relay::RelayBody;
use super::rounded;
use super::time::rfc3339;
use crate::latest::HubCounts;
use crate::status::{AgentView, Books, LatencyView, StatusView, Tally, WorkerView};

/// The whole ledger; names and reasons are those of the view, since a thousand agents have many.
#[derive(Debug, Serialize)]
pub struct LedgerBody<'a> {
    /// When this was written.
    pub time: String,
    /// All sites together.
    pub total: BooksBody<'a>,
    /// Each site.
    pub sites: Vec<SiteBooksBody<'a>>,
    /// Each agent.
    pub agents: Vec<AgentBody<'a>>,
    /// Time from the radio to the first fix that uses an observation.
    pub latency: LatencyBody,
    /// Time from the radio to the client's window.
    pub folded_latency: LatencyBody,
    /// Each worker thread.
    pub workers: Vec<WorkerBody>,
    /// Who sends messages on.
    pub relays: Vec<RelayBody<'a>>,
}

/// A site's part of the ledger.
#[derive(Debug, Serialize)]
pub struct SiteBooksBody<'a> {
    /// Id of the site.
    pub site: &'a str,
    /// Its books.
    pub books: BooksBody<'a>,
    /// What became of its fixes.
    pub fixes: FixCountsBody,
}

/// What became of a site's fixes.
#[derive(Debug, Serialize)]
pub struct FixCountsBody {
    /// Clients with a fix now.
    pub clients: u64,
    /// Fixes published since the start.
    pub published: u64,
    /// Clients forgotten for their age.
    pub expired: u64,
    /// Fixes not kept because too many clients were known.
    pub refused: u64,
    /// Fixes that slow readers of a stream lost.
    pub lagged: u64,
}

/// One agent.
#[derive(Debug, Serialize)]
pub struct AgentBody<'a> {
    /// Its name.
    pub agent: &'a str,
    /// Id of its site.
    pub site: &'a str,
    /// Whether a session is open.
    pub connected: bool,
    /// Address of its last connection.
    pub remote: &'a str,
    /// Round trip in milliseconds.
    pub rtt_ms: f64,
    /// Seconds since it was last heard.
    pub last_heard_s: f64,
    /// Its books.
    pub books: BooksBody<'a>,
    /// Devices with a made-up address and without association that it counted and did not tell;
    /// absent until it has told of an interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_counted: Option<CountedBody>,
}

/// What an agent counted in the last interval that is over.
#[derive(Debug, Serialize)]
pub struct CountedBody {
    /// Length of the interval in seconds.
    pub length_s: f64,
    /// Different addresses by signal class, strongest first: at least -50, -65, -80 dBm, weaker.
    pub devices_by_class: [u32; 4],
    /// Their frames, by the same classes.
    pub frames_by_class: [u32; 4],
}

/// Where every observation went.
#[derive(Debug, Default, Serialize)]
pub struct BooksBody<'a> {
    /// What agents had to send.
    pub offered: TallyBody,
    /// What agents discarded.
    pub dropped_at_agent: AgentDropsBody<'a>,
    /// What the network lost.
    pub lost: TallyBody,
    /// What a crash of either end hides.
    pub unknown: TallyBody,
    /// What reached the node.
    pub received: TallyBody,
    /// What the node discarded.
    pub dropped_at_node: NodeDropsBody<'a>,
    /// What changed a client's window.
    pub folded: TallyBody,
    /// Observations offered that no other entry explains.
    pub residual: u64,
}

/// An amount counted both ways.
#[derive(Debug, Default, Serialize)]
pub struct TallyBody {
    /// Observations.
    pub observations: u64,
    /// Datagrams.
    pub datagrams: u64,
}

/// What agents discarded.
#[derive(Debug, Default, Serialize)]
pub struct AgentDropsBody<'a> {
    /// Observations in all.
    pub observations: u64,
    /// Datagrams in all.
    pub datagrams: u64,
    /// Observations by reason.
    #[serde(serialize_with = "counts")]
    pub by_reason: &'a [(&'static str, u64)],
}

/// What the node discarded.
#[derive(Debug, Default, Serialize)]
pub struct NodeDropsBody<'a> {
    /// Observations in all.
    pub observations: u64,
    /// Datagrams in all.
    pub datagrams: u64,
    /// By reason.
    #[serde(serialize_with = "tallies")]
    pub by_reason: &'a [(&'static str, Tally)],
}

fn counts<S: Serializer>(
    by_reason: &[(&'static str, u64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(by_reason.iter().copied())
}

fn tallies<S: Serializer>(
    by_reason: &[(&'static str, Tally)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let bodies = by_reason
        .iter()
        .map(|&(reason, tally)| (reason, TallyBody::from(tally)));
    serializer.collect_map(bodies)
}

/// How long observations waited since they were heard, in milliseconds; a sample.
#[derive(Debug, Serialize)]
pub struct LatencyBody {
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
#[derive(Debug, Serialize)]
pub struct WorkerBody {
    /// Processor time in seconds; 0 where the system does not tell.
    pub cpu_s: f64,
    /// The part of it that sweeping and solving took.
    pub solve_cpu_s: f64,
    /// Clients in its tables.
    pub clients: u64,
    /// Fixes made.
    pub fixes: u64,
    /// Fixes dropped because the queue to the readers was full.
    pub queue_dropped_fixes: u64,
    /// Rounds of the sweep skipped because the worker was busy.
    pub rounds_skipped: u64,
}

impl<'a> LedgerBody<'a> {
    /// The ledger at `now_us`, with these of its agents, for sites with their ids and the hub's
    /// counts. A site without books has empty ones: nobody has spoken for it yet.
    pub fn new(
        status: &'a StatusView,
        agents: &'a [AgentView],
        sites: &[(&'a str, HubCounts)],
        now_us: u64,
    ) -> Self {
        let site = |&(site, counts): &(&'a str, HubCounts)| SiteBooksBody {
            site,
            books: status
                .ledger
                .site(site)
                .map(BooksBody::from)
                .unwrap_or_default(),
            fixes: counts.into(),
        };
        Self {
            time: rfc3339(now_us),
            total: (&status.ledger.total).into(),
            sites: sites.iter().map(site).collect(),
            agents: agents.iter().map(AgentBody::from).collect(),
            latency: status.latency.into(),
            folded_latency: status.folded_latency.into(),
            workers: status.workers.iter().map(WorkerBody::from).collect(),
            relays: status.relays.iter().map(RelayBody::from).collect(),
        }
    }
}

impl From<Tally> for TallyBody {
    fn from(tally: Tally) -> Self {
        Self {
            observations: tally.observations,
            datagrams: tally.datagrams,
        }
    }
}

impl<'a> From<&'a Books> for BooksBody<'a> {
    fn from(books: &'a Books) -> Self {
        Self {
            offered: books.offered.into(),
            dropped_at_agent: AgentDropsBody {
                observations: books.dropped_agent.observations,
                datagrams: books.dropped_agent.datagrams,
                by_reason: &books.dropped_agent_by_reason,
            },
            lost: books.lost.into(),
            unknown: books.unknown.into(),
            received: books.received.into(),
            dropped_at_node: NodeDropsBody {
                observations: books.dropped_node.observations,
                datagrams: books.dropped_node.datagrams,
                by_reason: &books.dropped_node_by_reason,
            },
            folded: books.folded.into(),
            residual: books.residual.observations,
        }
    }
}

impl<'a> From<&'a AgentView> for AgentBody<'a> {
    fn from(view: &'a AgentView) -> Self {
        Self {
            agent: &view.agent,
            site: &view.site,
            connected: view.connected,
            remote: &view.remote,
            rtt_ms: rounded(view.rtt_ms, 2),
            last_heard_s: rounded(view.last_heard_s, 1),
            books: (&view.books).into(),
            only_counted: view.counted.map(|counted| CountedBody {
                length_s: rounded(f64::from(counted.length_ms) * 1e-3, 1),
                devices_by_class: counted.devices,
                frames_by_class: counted.frames,
            }),
        }
    }
}

impl From<HubCounts> for FixCountsBody {
    fn from(counts: HubCounts) -> Self {
        let HubCounts {
            clients,
            published,
            expired,
            refused,
            lagged,
        } = counts;
        Self {
            clients,
            published,
            expired,
            refused,
            lagged,
        }
    }
}

impl From<LatencyView> for LatencyBody {
    fn from(latency: LatencyView) -> Self {
        Self {
            p50_ms: rounded(latency.p50_ms, 2),
            p90_ms: rounded(latency.p90_ms, 2),
            p99_ms: rounded(latency.p99_ms, 2),
            p999_ms: rounded(latency.p999_ms, 2),
            max_ms: rounded(latency.max_ms, 2),
        }
    }
}

impl From<&WorkerView> for WorkerBody {
    fn from(worker: &WorkerView) -> Self {
        Self {
            cpu_s: rounded(worker.cpu_s, 3),
            solve_cpu_s: rounded(worker.solve_cpu_s, 3),
            clients: worker.clients,
            fixes: worker.fixes,
            queue_dropped_fixes: worker.queue_dropped_fixes,
            rounds_skipped: worker.rounds_skipped,
        }
    }
}
