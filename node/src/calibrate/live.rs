//! What learning asks of the workers.

use std::sync::Arc;

use ingest::{AskError, BeaconReading, ClientWindow, ReplaceError};
use locate::{Model, Sighting};
use wire::ClientId;

/// What was heard of a client at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardClient {
    /// Which client.
    pub client: ClientId,
    /// What each radio heard.
    pub sightings: Vec<Sighting>,
    /// The time to which the sightings' ages count, in microseconds of the node's clock.
    pub at_us: u64,
    /// A fix was made of it just now; otherwise it is what is left of an older one.
    pub is_fresh: bool,
}

impl From<ClientWindow> for HeardClient {
    fn from(window: ClientWindow) -> Self {
        Self {
            client: window.client,
            sightings: window.sightings,
            at_us: window.at_us,
            is_fresh: window.fix.is_some(),
        }
    }
}

/// The workers as learning sees them: the node's, or a stand-in in tests.
pub trait Live: Send + Sync {
    /// What a client's next fix is made of; waits for it.
    ///
    /// # Errors
    /// [`AskError`] when the worker does not answer, or does not know the client.
    fn window(&self, site: usize, client: ClientId) -> Result<HeardClient, AskError>;
    /// What the site's next fixes are made of; waits for them.
    ///
    /// # Errors
    /// [`AskError`] when the worker does not answer.
    fn sample(&self, site: usize, len: usize) -> Result<Vec<HeardClient>, AskError>;
    /// What anchors hear of each other.
    ///
    /// # Errors
    /// [`AskError`] when the worker does not answer.
    fn beacons(&self, site: usize) -> Result<Vec<BeaconReading>, AskError>;
    /// Makes fixes with another model from now on.
    ///
    /// # Errors
    /// [`ReplaceError`] when the worker keeps its model.
    fn replace_model(&self, site: usize, model: Arc<Model>) -> Result<(), ReplaceError>;
}
