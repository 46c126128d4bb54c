//! The HTTP face: resources, streams, health, metrics and the map page.
//!
//! It only reads: the hub's latest fixes, a status snapshot, the sites. Nothing here can slow a
//! worker. Start from [`HttpState::new`] and [`serve`].

mod accept;
mod connection;
mod error;
mod etag;
mod fixes;
mod health;
pub mod limits;
mod page;
mod routes;
mod sites;
mod stall;
mod state;
mod status;
mod stream;
mod truth;

pub use connection::serve;
pub use error::ApiError;
pub use health::Health;
pub use routes::router;
pub use state::{HttpState, SiteEntry};

#[cfg(test)]
mod tests;
