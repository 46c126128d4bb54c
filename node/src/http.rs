//! The HTTP face: resources, streams, health, metrics and the map page.
//!
//! It reads the hub's latest fixes, a status snapshot, the sites, and takes orders to calibrate.
//! Nothing here can slow a worker. Start from [`HttpState::new`] and [`serve`].

mod accept;
mod accuracy;
mod calibration;
mod connection;
mod error;
mod etag;
mod explain;
mod fixes;
mod guard;
mod health;
pub mod limits;
mod page;
mod request;
mod routes;
mod sites;
mod stall;
mod state;
mod status;
mod stream;
mod survey;
mod truth;
mod workers;

pub use connection::serve;
pub use error::ApiError;
pub use health::Health;
pub use routes::router;
pub use state::{HttpState, SiteEntry};
pub use workers::Workers;

#[cfg(test)]
mod tests;
