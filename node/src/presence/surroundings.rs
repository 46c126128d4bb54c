//! What presence looks at besides fixes, and whom it tells that a client is to be forgotten.

use std::sync::Arc;
use std::time::Instant;

use ingest::Pipeline;
use site::Calibration;
use wire::ClientId;

use super::ended::Ended;
use super::forgetting::Forgetting;
use crate::calibrate::desk::Desk;
use crate::http::Door;
use crate::latest::Hub;

/// The node around presence.
#[derive(Debug)]
pub struct Surroundings {
    pipeline: Arc<Pipeline>,
    desk: Arc<Desk>,
    hub: Arc<Hub>,
    ended: Arc<Ended>,
    sites: Vec<String>,
    door: Arc<Door>,
    forgetting: Forgetting,
}

impl Surroundings {
    /// Those of sites with these ids, in the order of their numbers.
    pub(crate) fn new(
        pipeline: Arc<Pipeline>,
        desk: Arc<Desk>,
        hub: Arc<Hub>,
        ended: Arc<Ended>,
        sites: Vec<String>,
        door: Arc<Door>,
    ) -> Self {
        Self {
            pipeline,
            desk,
            hub,
            ended,
            sites,
            door,
            forgetting: Forgetting::default(),
        }
    }

    /// The clock of sessions, and of fixes unless those are of a recording: microseconds since 1970.
    pub(super) fn now_us(&self) -> u64 {
        self.pipeline.time().now_us()
    }

    /// Agents with a session, each with its site's number.
    pub(super) fn agents(&self) -> Vec<(usize, String)> {
        let index = |site: &str| self.sites.iter().position(|known| known == site);
        let snapshot = self.pipeline.snapshot();
        let connected = snapshot.agents().filter(|agent| agent.session.is_some());
        connected
            .filter_map(|agent| Some((index(agent.site.as_str())?, agent.agent.to_string())))
            .collect()
    }

    /// Consumers with valid tokens, with the marks of these.
    pub(super) fn tokens(&self) -> Vec<(String, String)> {
        self.door.tokens()
    }

    /// The calibration that a site uses.
    pub(super) fn calibration(&self, site: usize) -> Arc<Calibration> {
        self.desk.in_force(site).calibration
    }

    /// A client is to be forgotten by readers of fixes and by its worker, and its late fixes with it.
    pub(super) fn forget(&mut self, site: usize, client: ClientId) {
        self.ended.add(site, client, Instant::now());
        self.hub.forget(site, client);
        self.forgetting.add(site, client);
    }

    /// The same, and it is not to be heard until the key rotates.
    pub(super) fn silence(&mut self, site: usize, client: ClientId) {
        self.ended.add_until_rotation(site, client);
        self.hub.forget(site, client);
        self.forgetting.add(site, client);
    }

    /// Tells workers whom to forget; waits for none.
    pub(super) fn hand_over(&mut self) {
        let pipeline = &self.pipeline;
        self.forgetting
            .hand_over(|site, clients| pipeline.forget(site, clients));
    }

    /// The key of a site has rotated.
    pub(super) fn rotated(&self, site: usize) {
        self.ended.rotate(site, Instant::now());
    }

    /// Called once in a second or so.
    pub(super) fn tick(&mut self) {
        self.ended.sweep(Instant::now());
        // Agents with older lists go on to tell of them, and so their workers begin tracks anew.
        for (site, client) in self.ended.take_heard() {
            self.forgetting.add(site, client);
        }
        self.hand_over();
    }
}
