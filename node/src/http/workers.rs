//! What the routes ask of the workers. All of it waits for an answer: not for an async task.

use std::sync::Arc;

use ingest::{AskError, BeaconReading, ClientWindow};
use locate::Model;
use wire::ClientId;

use super::error::ApiError;

/// Workers as the routes see them: the node's, or a stand-in in tests.
///
/// Each question fails with [`AskError`] when the worker does not answer.
#[allow(
    clippy::missing_errors_doc,
    reason = "told once, of all of them, above"
)]
pub trait Workers: Send + Sync {
    /// The window of a client's next fix, or what is still held of its last one.
    fn window(&self, site: usize, client: ClientId) -> Result<ClientWindow, AskError>;
    /// The windows of a site's next fixes, so many at most.
    fn sample(&self, site: usize, len: usize) -> Result<Vec<ClientWindow>, AskError>;
    /// What a site's anchors hear of each other.
    fn beacons(&self, site: usize) -> Result<Vec<BeaconReading>, AskError>;
    /// The model that a site's worker uses.
    fn model(&self, site: usize) -> Result<Arc<Model>, AskError>;
    /// The workers' clock, in microseconds since 1970.
    fn now_us(&self) -> u64;
}

/// Why a worker gave no answer, for who asked over HTTP: only what it does not know is not found.
pub(super) fn unanswered(why: AskError) -> ApiError {
    match why {
        AskError::Unknown => ApiError::not_found(
            "no access point of this site has heard this client in the last minute",
            "take a client from /api/v1/sites/{site}/fixes",
        ),
        AskError::Stopped => ApiError::unavailable(
            "the site's worker has stopped",
            "look into the node's log, and start it again",
        ),
        _ => ApiError::unavailable(
            "the site's worker is too busy to answer",
            "try again in some seconds",
        ),
    }
}
