//! The world: a site, the clients in it, and time.

use std::time::Duration;

use nalgebra::Point3;
use site::{Band, FloorIndex, Site};

use crate::beacon::Beacons;
use crate::config::WorldConfig;
use crate::device::Device;
use crate::limits::{HEARINGS_WAITING_MAX, TRUTH_HISTORY};
use crate::links::Links;
use crate::radio::{Hearing, Receivers};
use crate::walk::{Terrain, Walk, Whereabouts};

/// A seeded world.
///
/// Equal sites and configurations give equal worlds, and the size of the steps in which time
/// advances does not matter: every client has its own random numbers and its own clock.
#[derive(Debug)]
pub struct World {
    config: WorldConfig,
    terrain: Terrain,
    receivers: Receivers,
    links: Links,
    beacons: Beacons,
    bands: Vec<Band>,
    clients: Vec<Walker>,
    now: Duration,
    waiting: Vec<Hearing>,
    hearings_dropped: u64,
}

/// A client that walks.
#[derive(Debug)]
pub struct Walker {
    /// Where it is, in the site's frame.
    pub position_in_site: Point3<f64>,
    /// The storey on which it is; on stairs the nearer one.
    pub floor: FloorIndex,
    /// Its address; the locally administered bit tells a randomised one.
    pub address: [u8; 6],
    walk: Walk,
    device: Device,
}

impl World {
    /// A world at time zero, with every client at a random place.
    ///
    /// # Panics
    /// When there is no place in the site where a client could walk.
    pub fn new(site: Site, config: WorldConfig) -> Self {
        let terrain = Terrain::new(&site, &config);
        let receivers = Receivers::new(&site, &config);
        let links = Links::new(site, &terrain.ground, &config);
        Self {
            clients: (0..config.clients)
                .map(|client| Walker::new(&terrain, &config, client))
                .collect(),
            beacons: Beacons::new(&receivers, &links, &config),
            bands: receivers.bands(),
            terrain,
            receivers,
            links,
            now: Duration::ZERO,
            waiting: Vec::new(),
            hearings_dropped: 0,
            config,
        }
    }

    /// Time since the world began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// All clients, in a fixed order.
    pub fn clients(&self) -> &[Walker] {
        &self.clients
    }

    /// Lets time pass: clients walk and transmit, radios hear.
    pub fn advance(&mut self, dt: Duration) {
        self.now += dt;
        for client in 0..self.clients.len() {
            while self.clients[client].device.sends_next_at <= self.now {
                self.transmit(client);
            }
            let walker = &mut self.clients[client];
            let here = walker.walk.walk_until(&mut self.terrain, self.now);
            walker.position_in_site = here.position_in_site;
            walker.floor = here.floor;
            self.drop_excess();
        }
        self.beacons
            .send(&self.receivers, self.now, &mut self.waiting);
        self.drop_excess();
    }

    /// Appends what radios heard since the last call, in order of time.
    pub fn hear(&mut self, out: &mut Vec<Hearing>) {
        self.waiting
            .sort_unstable_by_key(|hearing| (hearing.heard_at, hearing.from, hearing.radio));
        out.append(&mut self.waiting);
    }

    /// Hearings dropped, because nobody called [`World::hear`] before [`HEARINGS_WAITING_MAX`].
    pub fn hearings_dropped(&self) -> u64 {
        self.hearings_dropped
    }

    /// Where a client was at a time of the last [`TRUTH_HISTORY`]; `None` before and after.
    pub fn truth_at(&self, client: usize, time: Duration) -> Option<(Point3<f64>, FloorIndex)> {
        if time > self.now || time + TRUTH_HISTORY < self.now {
            return None;
        }
        let Whereabouts {
            position_in_site,
            floor,
            ..
        } = self.clients.get(client)?.walk.at(time)?;
        Some((position_in_site, floor))
    }

    fn drop_excess(&mut self) {
        let excess = self.waiting.len().saturating_sub(HEARINGS_WAITING_MAX);
        self.hearings_dropped += excess as u64;
        self.waiting.truncate(HEARINGS_WAITING_MAX);
    }

    /// One transmission, heard by all radios of one band, from where the client is by then.
    fn transmit(&mut self, client: usize) {
        let Walker { walk, device, .. } = &mut self.clients[client];
        let heard_at = device.sends_next_at;
        if self.bands.is_empty() {
            device.sends_next_at = Duration::MAX;
            return;
        }
        let here = walk.walk_until(&mut self.terrain, heard_at);
        let band = device.take_turn(&self.bands, self.config.transmissions_per_second);
        self.receivers.hear_client(
            (client, device),
            (band, here.position_in_site, heard_at),
            self.links.at(&self.terrain.ground, &here),
            &mut self.waiting,
        );
    }
}

impl Walker {
    fn new(terrain: &Terrain, config: &WorldConfig, client: usize) -> Self {
        let walk = Walk::new(terrain, config, client);
        let device = Device::new(config, client);
        let here = walk.start();
        Self {
            position_in_site: here.position_in_site,
            floor: here.floor,
            address: device.address,
            walk,
            device,
        }
    }
}

#[cfg(test)]
mod tests;
