//! The ledger of a node, as `/api/v1/ledger` tells it.

use std::ops::Sub;

use serde::{Deserialize, Serialize};

/// The parts of the ledger that a run needs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct LedgerBody {
    /// All sites together.
    pub total: BooksBody,
    /// Each site.
    pub sites: Vec<SiteBody>,
    /// Each agent.
    pub agents: Vec<AgentBody>,
    /// Time from the radio to the fix.
    pub latency: LatencyBody,
    /// Time from the radio to the client's window, from nodes that tell it.
    #[serde(default)]
    pub folded_latency: Option<LatencyBody>,
    /// Each worker thread.
    pub workers: Vec<WorkerBody>,
}

/// Where every observation went.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct BooksBody {
    offered: Tally,
    dropped_at_agent: Tally,
    lost: Tally,
    unknown: Tally,
    received: Tally,
    dropped_at_node: Tally,
    folded: Tally,
}

/// An amount counted both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct Tally {
    observations: u64,
    datagrams: u64,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SiteBody {
    /// Its id.
    pub site: String,
    /// Its books.
    pub books: BooksBody,
    /// What became of its fixes.
    pub fixes: FixCounts,
}

/// What became of a site's fixes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct FixCounts {
    /// Handed to readers since the node's start.
    pub published: u64,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AgentBody {
    /// Whether it has a session.
    pub connected: bool,
}

/// Time from the radio on, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct LatencyBody {
    /// Half are faster.
    pub p50_ms: f64,
    /// Nine of ten are faster.
    pub p90_ms: f64,
    /// All but one in a hundred are faster.
    pub p99_ms: f64,
    /// All but one in a thousand are faster, from nodes that tell it.
    #[serde(default)]
    pub p999_ms: Option<f64>,
    /// The slowest.
    pub max_ms: f64,
}

/// A worker thread.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct WorkerBody {
    /// Clients in its tables.
    pub clients: u64,
    /// Fixes made.
    pub fixes: u64,
    /// Processor time of sweeping and solving, in seconds, from nodes that tell it.
    #[serde(default)]
    pub solve_cpu_s: Option<f64>,
    /// Rounds of the sweep skipped for lack of time, from nodes that tell it.
    #[serde(default)]
    pub rounds_skipped: Option<u64>,
}

/// The books in observations or in datagrams, as reports show them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// What agents had to send.
    pub offered: u64,
    /// What agents dropped.
    pub dropped_agent: u64,
    /// What the network lost.
    pub lost: u64,
    /// What a crash hides.
    pub unknown: u64,
    /// What reached the node.
    pub received: u64,
    /// What the node dropped.
    pub dropped_node: u64,
    /// What changed the state of a client.
    pub folded: u64,
    /// What the equations leave open; 0 at rest.
    pub residual: i64,
}

impl LedgerBody {
    /// Agents with a session.
    pub fn connected(&self) -> usize {
        self.agents.iter().filter(|agent| agent.connected).count()
    }

    /// Fixes made by all workers.
    pub fn fixes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.fixes).sum()
    }

    /// Clients in the tables of all workers.
    pub fn clients(&self) -> u64 {
        self.workers.iter().map(|worker| worker.clients).sum()
    }

    /// Fixes of a site that were handed to readers.
    pub fn published(&self, site: &str) -> u64 {
        self.sites
            .iter()
            .find(|body| body.site == site)
            .map_or(0, |body| body.fixes.published)
    }
}

impl BooksBody {
    /// The books in observations.
    pub fn observations(&self) -> Flow {
        self.flow(|tally| tally.observations)
    }

    /// The books in datagrams.
    pub fn datagrams(&self) -> Flow {
        self.flow(|tally| tally.datagrams)
    }

    fn flow(&self, pick: fn(Tally) -> u64) -> Flow {
        Flow {
            offered: pick(self.offered),
            dropped_agent: pick(self.dropped_at_agent),
            lost: pick(self.lost),
            unknown: pick(self.unknown),
            received: pick(self.received),
            dropped_node: pick(self.dropped_at_node),
            folded: pick(self.folded),
            residual: 0,
        }
        .closed()
    }
}

impl Flow {
    /// Both equations' gaps, added without letting one hide the other.
    fn closed(self) -> Self {
        let at_agent = self.dropped_agent + self.lost + self.unknown + self.received;
        let at_node = self.dropped_node + self.folded;
        let gap = self.offered.abs_diff(at_agent) + self.received.abs_diff(at_node);
        Self {
            residual: i64::try_from(gap).unwrap_or(i64::MAX),
            ..self
        }
    }
}

/// What came on top of an earlier ledger.
impl Sub for Flow {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            offered: self.offered.saturating_sub(earlier.offered),
            dropped_agent: self.dropped_agent.saturating_sub(earlier.dropped_agent),
            lost: self.lost.saturating_sub(earlier.lost),
            unknown: self.unknown.saturating_sub(earlier.unknown),
            received: self.received.saturating_sub(earlier.received),
            dropped_node: self.dropped_node.saturating_sub(earlier.dropped_node),
            folded: self.folded.saturating_sub(earlier.folded),
            residual: 0,
        }
        .closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"time":"2026-11-20T10:15:00.250Z","total":{
        "offered":{"observations":100,"datagrams":10},
        "dropped_at_agent":{"observations":5,"datagrams":0,"by_reason":{"queue_full":5}},
        "lost":{"observations":20,"datagrams":2},"unknown":{"observations":0,"datagrams":0},
        "received":{"observations":75,"datagrams":8},
        "dropped_at_node":{"observations":5,"datagrams":0,"by_reason":{}},
        "folded":{"observations":70,"datagrams":8},"residual":0},
        "sites":[{"site":"hq","books":{
            "offered":{"observations":9,"datagrams":1},
            "dropped_at_agent":{"observations":0,"datagrams":0},
            "lost":{"observations":0,"datagrams":0},"unknown":{"observations":0,"datagrams":0},
            "received":{"observations":9,"datagrams":1},
            "dropped_at_node":{"observations":0,"datagrams":0},
            "folded":{"observations":9,"datagrams":1},"residual":0},"fixes":{"clients":1,"published":9,"expired":0}}],
        "agents":[{"agent":"a","connected":true},{"agent":"b","connected":false}],
        "latency":{"p50_ms":1.5,"p90_ms":2,"p99_ms":3,"max_ms":4},
        "workers":[{"cpu_s":0.5,"clients":3,"fixes":9},
            {"clients":1,"fixes":2,"solve_cpu_s":0.25,"rounds_skipped":3}]}"#;

    #[test]
    fn a_ledger_is_read() {
        let ledger: LedgerBody = serde_json::from_str(BODY).unwrap();
        let flow = ledger.total.observations();
        assert_eq!(
            (flow.offered, flow.dropped_agent, flow.folded, flow.residual),
            (100, 5, 70, 0)
        );
        assert_eq!(ledger.total.datagrams().residual, 0);
        assert_eq!((ledger.connected(), ledger.fixes()), (1, 11));
        assert_eq!((ledger.published("hq"), ledger.published("x")), (9, 0));
        assert_eq!(ledger.clients(), 4);
        assert_eq!(ledger.sites[0].books.observations().folded, 9);
    }

    #[test]
    fn what_older_nodes_do_not_tell_is_none() {
        let ledger: LedgerBody = serde_json::from_str(BODY).unwrap();
        assert_eq!(
            (ledger.folded_latency, ledger.latency.p999_ms),
            (None, None)
        );
        let solving = |worker: usize| ledger.workers[worker].solve_cpu_s;
        assert_eq!((solving(0), solving(1)), (None, Some(0.25)));
        assert_eq!(ledger.workers[1].rounds_skipped, Some(3));
    }

    #[test]
    fn gaps_of_both_equations_add_up() {
        let flow = Flow {
            offered: 9,
            received: 8,
            folded: 9,
            ..Flow::default()
        };
        assert_eq!(flow.closed().residual, 2);
        let later = Flow {
            offered: 12,
            received: 11,
            folded: 12,
            ..Flow::default()
        };
        assert_eq!((later - flow).residual, 0);
    }
}
