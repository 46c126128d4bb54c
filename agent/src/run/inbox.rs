//! What others ask of a running agent: to follow another configuration, or to tell how it is doing.
//!
//! The agent has one task, and everybody else asks it from beside; so there is a place for one
//! request of each kind, and a bell.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};

use crate::intake::SourcesError;
use crate::privacy::Rules;
use crate::source::Source;
use crate::status::AgentDetail;

/// What may change while an agent runs.
pub struct Change {
    /// These rules hold from now on.
    pub privacy: Rules,
    /// Observations are gathered for so long.
    pub coalesce: Option<Duration>,
    /// The share of a processor, in percent.
    pub cpu_percent: Option<u8>,
    /// These sources instead of those that are open.
    pub sources: Option<Vec<Box<dyn Source>>>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("privacy", &self.privacy)
            .field("sources", &self.sources.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// Asks a running agent; clones ask the same one.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    inbox: Arc<Inbox>,
    details: watch::Receiver<AgentDetail>,
}

/// The agent's end.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) inbox: Arc<Inbox>,
    pub(super) details: watch::Sender<AgentDetail>,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    bell: Notify,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) change: Option<(Change, oneshot::Sender<Result<(), SourcesError>>)>,
    pub(super) detail: bool,
}

impl Inbox {
    /// Returns when there may be a request. Nothing is lost when dropped unready.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    pub(super) fn take(&self) -> Requests {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *requests)
    }

    fn put(&self, put: impl FnOnce(&mut Requests)) {
        put(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_one();
    }
}

impl Desk {
    pub(super) fn new() -> (Self, AgentHandle) {
        let inbox = Arc::new(Inbox::default());
        let (sender, details) = watch::channel(AgentDetail::default());
        let desk = Self {
            inbox: Arc::clone(&inbox),
            details: sender,
        };
        (desk, AgentHandle { inbox, details })
    }
}

impl AgentHandle {
    /// How the agent is doing now; `None` when it has ended.
    pub async fn detail(&self) -> Option<AgentDetail> {
        let mut details = self.details.clone();
        details.mark_unchanged();
        self.inbox.put(|requests| requests.detail = true);
        details.changed().await.ok()?;
        Some(details.borrow().clone())
    }

    /// Has the agent follow a change, whole or not at all; `None` when it has ended.
    ///
    /// # Errors
    /// [`SourcesError`] when the new sources cannot work together, or not with what was before.
    pub async fn change(&self, change: Change) -> Option<Result<(), SourcesError>> {
        let (sender, followed) = oneshot::channel();
        self.inbox
            .put(|requests| requests.change = Some((change, sender)));
        let mut details = self.details.clone();
        tokio::select! {
            followed = followed => followed.ok(),
            // The agent's end is gone, and the request lies there for good.
            _ = details.wait_for(|_| false) => None,
        }
    }
}
