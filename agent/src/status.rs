//! What an agent tells those who run it: while it runs, and at the end.

mod detail;
mod socket;
mod value;

use tokio::sync::watch;
use wire::Session;
use wire::frame::Counters;

use crate::privacy;
use crate::source::{SourceError, SourceHealth};

pub use detail::AgentDetail;
pub use socket::{DEFAULT_SOCKET, Format, StatusSocket, ask};

/// How an agent is doing; changes with each report and whenever a session begins or ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentStatus {
    /// The session that runs; `None` while there is no connection.
    pub session: Option<Session>,
    /// Sessions that began so far.
    pub sessions: u32,
    /// Counters of all sessions and of the time between them.
    pub counters: Counters,
}

/// Follows an agent that runs elsewhere; clones follow the same agent.
#[derive(Debug, Clone)]
pub struct StatusHandle(watch::Receiver<AgentStatus>);

impl StatusHandle {
    pub(crate) fn new() -> (watch::Sender<AgentStatus>, Self) {
        let (sender, receiver) = watch::channel(AgentStatus::default());
        (sender, Self(receiver))
    }

    /// The latest status.
    pub fn now(&self) -> AgentStatus {
        *self.0.borrow()
    }

    /// Waits until the status is as wanted; returns the last one should the agent end before.
    pub async fn wait_for(&mut self, wanted: impl FnMut(&AgentStatus) -> bool) -> AgentStatus {
        let status = self.0.wait_for(wanted).await.ok().map(|status| *status);
        status.unwrap_or_else(|| self.now())
    }
}

/// Why an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to.
    Shutdown,
    /// Every source has given out all it had.
    SourcesFinished,
}

/// What is left of an agent that has ended.
#[derive(Debug)]
pub struct AgentOutcome {
    /// Why it ended.
    pub ending: Ending,
    /// The node has booked the final report.
    pub settled: bool,
    /// Sessions in all.
    pub sessions: u32,
    /// Counters of all sessions and of the time between them; nothing waits any more.
    pub counters: Counters,
    /// What the privacy stage let through and dropped.
    pub privacy: privacy::Counters,
    /// What each source went through.
    pub sources: Vec<SourceHealth>,
    /// Sources that could not go on.
    pub source_errors: Vec<SourceError>,
}
