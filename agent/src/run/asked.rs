//! What a running agent does about what others ask of it.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::inbox::{Change, Desk, Inbox, Requests};
use crate::intake::{Flow, SourcesError};
use crate::status::{AgentDetail, AgentStatus};

/// Where requests come in, and what is left to be done about them on a link.
#[derive(Debug)]
pub(super) struct Asked {
    desk: Desk,
    names_changed: bool,
    radios_changed: bool,
}

impl Asked {
    pub(super) fn new(desk: Desk) -> Self {
        Self {
            desk,
            names_changed: false,
            radios_changed: false,
        }
    }

    /// To wait for requests without borrowing anything else.
    pub(super) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.desk.inbox)
    }

    /// A `hello` tells of the radios as they are now.
    pub(super) fn handle_hello(&mut self) {
        self.radios_changed = false;
    }

    /// Whether the node must be greeted again, since it does not know all radios.
    pub(super) fn wants_hello(&self) -> bool {
        self.radios_changed
    }

    /// Whether the names of clients have to be told again; once.
    pub(super) fn take_names_changed(&mut self) -> bool {
        std::mem::take(&mut self.names_changed)
    }
}

impl Core {
    /// Does what was asked for since this was last called.
    pub(super) fn handle_requests(&mut self, now_us: u64) {
        let Requests { change, detail } = self.asked.desk.inbox.take();
        if let Some((change, followed)) = change {
            // Who does not wait for the answer does not want it.
            let _ = followed.send(self.follow(change));
        }
        if detail {
            let detail = self.detail(now_us);
            self.asked.desk.details.send_replace(detail);
        }
    }

    /// Follows a change whole or not at all.
    fn follow(&mut self, change: Change) -> Result<(), SourcesError> {
        if let Some(sources) = change.sources {
            self.asked.radios_changed |= self.intake.replace_sources(sources)?;
            self.session.set_radios(self.intake.radios().to_vec());
            self.flow = Flow::Now;
        }
        self.intake.set_rules(change.privacy);
        self.set_coalescing(change.coalesce);
        self.set_pace(change.cpu_percent);
        self.asked.names_changed = true;
        Ok(())
    }

    fn detail(&mut self, now_us: u64) -> AgentDetail {
        let pace = self.pace.as_ref();
        let (rests, rested) = pace.map_or((0, Duration::ZERO), |pace| pace.rests());
        AgentDetail {
            status: AgentStatus {
                session: self.session.session(),
                sessions: self.session.sessions(),
                counters: self.session.total(&self.batcher),
            },
            running: Duration::from_micros(now_us),
            node: self.node.clone(),
            remote: self.remote,
            waiting: self.batcher.waiting() as u64,
            sources: self.intake.health(),
            privacy: self.intake.privacy(),
            counted: self.intake.counted(now_us),
            coalesced: self.intake.coalesced(),
            rests,
            rested,
        }
    }
}
