//! What the routes ask of the workers. All of it waits for an answer: not for an async task.

use std::sync::Arc;

use ingest::{BeaconReading, ClientWindow, Pipeline};
use locate::Model;
use wire::ClientId;

/// Workers as the routes see them: a pipeline, or a stand-in in tests.
pub trait Workers: Send + Sync {
    /// The window of a client's next fix, or what is still held of its last one.
    fn window(&self, site: usize, client: ClientId) -> Option<ClientWindow>;
    /// The windows of a site's next fixes, so many at most.
    fn sample(&self, site: usize, len: usize) -> Vec<ClientWindow>;
    /// What a site's anchors hear of each other.
    fn beacons(&self, site: usize) -> Vec<BeaconReading>;
    /// The model that a site's worker uses.
    fn model(&self, site: usize) -> Option<Arc<Model>>;
    /// The workers' clock, in microseconds since 1970.
    fn now_us(&self) -> u64;
}

impl Workers for Pipeline {
    fn window(&self, site: usize, client: ClientId) -> Option<ClientWindow> {
        self.ask_client(site, client)
    }

    fn sample(&self, site: usize, len: usize) -> Vec<ClientWindow> {
        self.ask_sample(site, len)
    }

    fn beacons(&self, site: usize) -> Vec<BeaconReading> {
        Self::beacons(self, site)
    }

    fn model(&self, site: usize) -> Option<Arc<Model>> {
        Self::model(self, site)
    }

    fn now_us(&self) -> u64 {
        self.time().now_us()
    }
}
