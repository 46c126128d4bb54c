//! A seeded world: clients that walk, radios that hear them, a network that loses.
//!
//! It knows nothing of estimation and shares no code with it: what [`World`] says is the truth, and
//! an estimator sees only what [`Hearing`]s tell. It opens no socket, reads no clock and draws no
//! entropy; names, pseudonyms and batches are others' work.
//!
//! Start from [`World`] with a [`WorldConfig`], and [`Network`] with a [`NetworkConfig`].
//!
//! Invariants:
//! - Equal seeds give equal worlds, to the last bit, and the size of time steps does not matter.
//! - Clients stay on allowed ground, cross no wall and change storeys on stairs only.
//! - The true losses of walls, the powers of devices and the errors of radios are drawn around
//!   what the site file says; the estimator cannot know them.
//! - Every place keeps its shadowing: two clients at one place see the same.
//! - Whatever is dropped is counted.
//!
//! ```
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = include_str!("../../sites/office.toml");
//! let office = site::Site::parse(text).map_err(|problems| problems[0].to_string())?;
//!
//! let config = sim::WorldConfig { seed: 7, clients: 3, ..Default::default() };
//! let mut world = sim::World::new(office, config);
//! let mut network = sim::Network::new(sim::NetworkConfig {
//!     loss: sim::Loss::Bursts { share: 0.1, burst_packets: 3.0 },
//!     ..Default::default()
//! })?;
//!
//! let mut heard = Vec::new();
//! world.advance(Duration::from_secs(10));
//! world.hear(&mut heard);
//! assert!(heard.len() > 100);
//! for hearing in &heard {
//!     if let sim::Transmitter::Client(client) = hearing.from {
//!         let (truth, _floor) = world.truth_at(client, hearing.heard_at).ok_or("forgotten")?;
//!         assert!(truth.z >= 1.2);
//!     }
//!     network.handle_packet(&[hearing.channel], hearing.heard_at);
//! }
//! let arrived = std::iter::from_fn(|| network.poll_delivery(Duration::MAX)).count();
//! assert_eq!(arrived as u64 + network.counters().lost, heard.len() as u64);
//! # Ok(())
//! # }
//! ```

mod beacon;
mod chance;
mod config;
mod device;
mod ground;
pub mod limits;
mod links;
mod loss;
mod network;
mod path_loss;
mod radio;
mod ranging;
mod route;
mod shadow;
mod walk;
mod walls;
mod world;

#[cfg(test)]
mod fixture;

pub use config::WorldConfig;
pub use loss::{Loss, LossError, LossModel};
pub use network::{Network, NetworkConfig, NetworkCounters};
pub use radio::{Hearing, Transmitter};
pub use ranging::RangeHearing;
pub use world::{Walker, World};
