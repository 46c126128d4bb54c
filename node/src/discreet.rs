//! Workers as the rest of the node asks them: of clients that ended they tell nothing.
//!
//! Agents learn one after the other who opted out, so a worker may still hear of such a client.

use std::sync::Arc;

use ingest::{AskError, BeaconReading, ClientWindow, Pipeline, ReplaceError};
use locate::Model;
use wire::ClientId;

use crate::calibrate::live::{HeardClient, Live};
use crate::http::Workers;
use crate::presence::ended::Ended;

/// A pipeline that tells nothing of clients that ended.
#[derive(Debug)]
pub(crate) struct Discreet {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) ended: Arc<Ended>,
}

impl Discreet {
    /// A client's window, unless it ended, perhaps while the question waited.
    fn ask_client(&self, site: usize, client: ClientId) -> Result<ClientWindow, AskError> {
        let window = self.pipeline.ask_client(site, client)?;
        match self.ended.has(site, client) {
            // As of a client that nobody has heard.
            true => Err(AskError::Unknown),
            false => Ok(window),
        }
    }

    fn ask_sample(&self, site: usize, len: usize) -> Result<Vec<ClientWindow>, AskError> {
        let mut windows = self.pipeline.ask_sample(site, len)?;
        windows.retain(|window| !self.ended.has(site, window.client));
        Ok(windows)
    }
}

impl Workers for Discreet {
    fn window(&self, site: usize, client: ClientId) -> Result<ClientWindow, AskError> {
        self.ask_client(site, client)
    }

    fn sample(&self, site: usize, len: usize) -> Result<Vec<ClientWindow>, AskError> {
        self.ask_sample(site, len)
    }

    fn beacons(&self, site: usize) -> Result<Vec<BeaconReading>, AskError> {
        self.pipeline.beacons(site)
    }

    fn model(&self, site: usize) -> Result<Arc<Model>, AskError> {
        self.pipeline.model(site)
    }

    fn now_us(&self) -> u64 {
        self.pipeline.time().now_us()
    }
}

impl Live for Discreet {
    fn window(&self, site: usize, client: ClientId) -> Result<HeardClient, AskError> {
        self.ask_client(site, client).map(Into::into)
    }

    fn sample(&self, site: usize, len: usize) -> Result<Vec<HeardClient>, AskError> {
        let windows = self.ask_sample(site, len)?;
        Ok(windows.into_iter().map(Into::into).collect())
    }

    fn beacons(&self, site: usize) -> Result<Vec<BeaconReading>, AskError> {
        self.pipeline.beacons(site)
    }

    fn replace_model(&self, site: usize, model: Arc<Model>) -> Result<(), ReplaceError> {
        self.pipeline.replace_model(site, model)
    }
}
