//! What a worker tells the rest of the process, a few times a second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use wire::frame::Counted;
use wire::{AgentName, SiteName};

use crate::books::Books;
use crate::ledger::SessionKey;
use crate::outlet::latency_histogram;

/// The state of a worker at one time.
#[derive(Debug, Clone)]
pub struct WorkerSnapshot {
    /// Agents that have ever had a session with this worker, in order of their names.
    pub agents: Vec<AgentSnapshot>,
    /// Clients remembered, by index of the site.
    pub clients_by_site: Vec<(usize, usize)>,
    /// Fixes made.
    pub fixes_made: u64,
    /// Fixes dropped because readers were slow.
    pub fixes_dropped: u64,
    /// Rounds of the sweep skipped because the worker was busy.
    pub rounds_skipped: u64,
    /// From hearing to the first fix that uses it, in microseconds; a sample.
    pub latency_us: Histogram<u64>,
    /// From hearing to folding, in microseconds; a sample.
    pub folded_us: Histogram<u64>,
    /// Processor time of the worker's thread, where the system tells it.
    pub cpu: Option<Duration>,
    /// The part of it that the worker's ticks took: sweeping and solving. The shell measures it.
    pub solve_cpu: Option<Duration>,
}

/// An agent and its books.
#[derive(Debug, Clone)]
pub struct AgentSnapshot {
    /// The agent, by its certificate.
    pub agent: AgentName,
    /// Its site, by its certificate.
    pub site: SiteName,
    /// Its living session, if it has one.
    pub session: Option<SessionKey>,
    /// That session's connection, as far as the shell has told.
    pub connection: Option<Connection>,
    /// When anything last came from it, in microseconds of the node's clock.
    pub heard_at_us: u64,
    /// All its sessions with this worker.
    pub books: Books,
    /// Devices that it only counts, in the last interval that it told of.
    pub counted: Option<Counted>,
}

/// A living connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection {
    /// Where the agent's datagrams come from.
    pub remote: SocketAddr,
    /// Smoothed round trip.
    pub rtt: Duration,
}

/// The state of all workers.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Worker by worker. They are shared: with a thousand agents a copy is a megabyte.
    pub workers: Vec<Arc<WorkerSnapshot>>,
}

impl Snapshot {
    /// All agents.
    pub fn agents(&self) -> impl Iterator<Item = &AgentSnapshot> {
        self.workers.iter().flat_map(|worker| &worker.agents)
    }

    /// The books of the node.
    pub fn books(&self) -> Books {
        self.agents().fold(Books::default(), |mut sum, agent| {
            sum += agent.books;
            sum
        })
    }

    /// Fixes made.
    pub fn fixes_made(&self) -> u64 {
        self.workers.iter().map(|worker| worker.fixes_made).sum()
    }

    /// Fixes dropped because readers were slow.
    pub fn fixes_dropped(&self) -> u64 {
        self.workers.iter().map(|worker| worker.fixes_dropped).sum()
    }

    /// Latencies of all workers, in microseconds.
    pub fn latency_us(&self) -> Histogram<u64> {
        self.sum_us(|worker| &worker.latency_us)
    }

    /// Times from hearing to folding of all workers, in microseconds.
    pub fn folded_us(&self) -> Histogram<u64> {
        self.sum_us(|worker| &worker.folded_us)
    }

    fn sum_us(&self, of: impl Fn(&WorkerSnapshot) -> &Histogram<u64>) -> Histogram<u64> {
        let mut sum = latency_histogram();
        for worker in &self.workers {
            // The bounds of all workers' histograms are the same constants.
            let _ = sum.add(of(worker));
        }
        sum
    }
}
