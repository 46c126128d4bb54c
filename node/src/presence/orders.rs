//! What others may ask of presence.

use std::sync::Arc;
use std::sync::mpsc;

use wire::ClientId;
use wire::frame::PseudonymKey;

use super::inbox::{Counted, Inbox, Order};
use super::limits::ORDER_TIMEOUT;
use super::write::{EndReason, KeyId};
use crate::names::Names;
use crate::sites::LoadedSite;

/// Gives orders to the presence thread; clones are the same.
#[derive(Debug, Clone)]
pub struct Orders {
    pub(super) inbox: Arc<Inbox>,
    pub(super) names: Arc<Names>,
    sites: Arc<[String]>,
}

/// An order was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The node does not serve the site.
    #[error("this node serves no such site; see /api/v1/sites")]
    Site,
    /// The text is neither a name in force nor sixteen digits.
    #[error(
        "no client is called so; use sixteen hexadecimal digits, or the name of a named client"
    )]
    Client,
    /// The store did not answer in time. Readers of fixes have forgotten the client.
    #[error(
        "the client is forgotten here, but the store does not answer, so consumers are not told yet; \
         ask again"
    )]
    Store,
}

impl Orders {
    /// For these sites, in the order of their numbers; they wait for
    /// [`Presence::start`](super::Presence::start).
    pub fn new(names: Arc<Names>, sites: &[LoadedSite]) -> Self {
        let has_zones = |loaded: &LoadedSite| {
            loaded
                .site
                .floors
                .iter()
                .any(|floor| !floor.zones.is_empty())
        };
        Self {
            inbox: Arc::new(Inbox::new(sites.iter().map(has_zones).collect())),
            names,
            sites: sites.iter().map(|loaded| loaded.site.id.clone()).collect(),
        }
    }

    /// Forgets a client: its latest fix, its visits, and by `client.erased` what consumers know.
    /// Returns when that is durable; waits up to [`ORDER_TIMEOUT`]: not for an async task.
    ///
    /// A client that goes on to be heard comes back after two minutes, for agents still tell of it:
    /// who does not want that opts it out there.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn erase(&self, site: &str, client: &str) -> Result<(), OrderError> {
        let site = self.sites.iter().position(|known| known == site);
        let site = site.ok_or(OrderError::Site)?;
        let client = self.names.find(client).ok_or(OrderError::Client)?;
        let (answer, answered) = mpsc::sync_channel(1);
        let order = Order::End {
            site,
            clients: vec![client],
            reason: EndReason::Erased,
            answer: Some(answer),
        };
        if !self.inbox.order(order) {
            return Err(OrderError::Store);
        }
        match answered.recv_timeout(ORDER_TIMEOUT) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(OrderError::Store),
        }
    }

    /// These clients opted out, an agent says; returns at once.
    pub fn opt_out(&self, site: usize, clients: &[ClientId]) {
        let order = Order::End {
            site,
            clients: clients.to_vec(),
            reason: EndReason::OptedOut,
            answer: None,
        };
        if !self.inbox.order(order) {
            // Logged once for each frame, of which a session has few.
            tracing::error!("presence: too many orders wait; opt-outs are told again later");
        }
    }

    /// Another pseudonym key is about to be in force at a site; returns at once.
    pub fn rotate(&self, site: usize, key: &PseudonymKey) {
        let key = KeyId::of(key);
        self.inbox.order(Order::Rotate { site, key });
    }

    /// How presence fares.
    pub fn counts(&self) -> Counted {
        self.inbox.counts.read()
    }

    /// Who is in which zone of the first site, by the trackers.
    #[cfg(test)]
    pub(crate) fn truth(&self) -> std::collections::BTreeSet<(String, u64)> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.inbox.order(Order::Truth(answer));
        answered.recv().expect("presence runs")
    }
}
