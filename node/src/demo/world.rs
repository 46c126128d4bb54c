//! The simulated world, moved on in real time, and its truth for map and score.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use agent::address::Address;
use agent::pseudonym::Pseudonymiser;
use sim::{Hearing, World, WorldConfig};
use site::Site;
use wire::ClientId;
use wire::frame::PseudonymKey;

use super::fleet::Ears;
use crate::body::truth::Truth;
use crate::cli::DemoArgs;
use crate::node::TruthSource;

/// How often the world moves on: what it adds to the latency of a reading is at most this.
const STEP: Duration = Duration::from_millis(20);

/// Mean time between beacons of a radio that the others tell: a real one sends ten a second, of
/// which an agent tells few.
const BEACON_EVERY: Duration = Duration::from_secs(5);

/// The world, who is who in it, and when it began.
pub(super) struct Stage {
    world: Mutex<World>,
    /// The pseudonym of each client of the world, known here because the demo drew the key.
    ids: Vec<ClientId>,
    addresses: Vec<[u8; 6]>,
    by_id: HashMap<ClientId, usize>,
    floors: Vec<String>,
    began_us: AtomicU64,
}

impl Stage {
    pub(super) fn new(site: &Site, args: &DemoArgs, key: &PseudonymKey) -> Self {
        let config = WorldConfig {
            seed: args.seed,
            clients: args.clients as usize,
            pause_mean: Duration::from_secs(5),
            beacon_every: Some(BEACON_EVERY),
            ..WorldConfig::default()
        };
        let world = World::new(site.clone(), config);
        let mut pseudonyms = Pseudonymiser::new(key);
        let ids: Vec<ClientId> = world
            .clients()
            .iter()
            .map(|client| pseudonyms.client_id(&Address::new(client.address)))
            .collect();
        Self {
            addresses: world
                .clients()
                .iter()
                .map(|client| client.address)
                .collect(),
            by_id: ids
                .iter()
                .enumerate()
                .map(|(index, id)| (*id, index))
                .collect(),
            ids,
            floors: site.floors.iter().map(|floor| floor.id.clone()).collect(),
            world: Mutex::new(world),
            began_us: AtomicU64::new(0),
        }
    }

    /// Time zero of the world is now, by the node's clock.
    pub(super) fn begin(&self, now_us: u64) {
        self.began_us.store(now_us, Ordering::Release);
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The made-up address of a client of the world.
    pub(super) fn address(&self, client: usize) -> [u8; 6] {
        self.addresses[client]
    }

    /// Which client of the world has this pseudonym.
    pub(super) fn client(&self, id: ClientId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// A time of the node's clock as a time of the world.
    pub(super) fn world_time(&self, node_us: u64) -> Duration {
        let began_us = self.began_us.load(Ordering::Acquire);
        Duration::from_micros(node_us.saturating_sub(began_us))
    }

    /// Where everybody really is, for the map.
    pub(super) fn truth_source(self: &Arc<Self>) -> TruthSource {
        let stage = self.clone();
        Box::new(move || {
            let world = stage.world();
            let clients = world.clients().iter().zip(&stage.ids);
            let truth = clients.map(|(client, id)| Truth {
                client: id.to_string(),
                position_in_site: client.position_in_site.coords.into(),
                floor: stage.floors[usize::from(client.floor.0)].clone(),
            });
            truth.collect()
        })
    }
}

/// The thread that moves the world on.
pub(super) struct Driver {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Driver {
    /// Moves the world on in real time from `began`, and gives the radios' hearings to the agents.
    pub(super) fn start(stage: Arc<Stage>, ears: Ears, began: Instant) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name("world".into())
            .spawn(move || {
                let mut heard: Vec<Hearing> = Vec::new();
                while !told.load(Ordering::Acquire) {
                    step(&stage, &mut heard, began);
                    for hearing in heard.drain(..) {
                        ears.hear(&stage, &hearing);
                    }
                    std::thread::sleep(STEP);
                }
            })?;
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        // A panic of the world was told by its thread.
        let _ = self.thread.join();
    }
}

fn step(stage: &Stage, heard: &mut Vec<Hearing>, began: Instant) {
    let mut world = stage.world();
    let ahead = began.elapsed().saturating_sub(world.now());
    world.advance(ahead);
    world.hear(heard);
}
