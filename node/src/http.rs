//! The HTTP face: resources, streams, health, metrics and the map page.
//!
//! It reads the hub's latest fixes, a status snapshot, the sites, and takes orders to calibrate.
//! Nothing here can slow a worker. Start from [`HttpState::new`] and [`serve`].
//!
//! A request passes the hosts under which the node is known (`guard`), then the gate of its route and
//! method (`gate`): the token that it shows (`door`), the pace of its consumer (`paces`), the policy of
//! the table (`routes`, `policy`).

mod accept;
mod accuracy;
mod alerts;
mod calibration;
mod connection;
pub(crate) mod door;
mod error;
mod etag;
mod explain;
mod fixes;
mod gate;
mod guard;
mod health;
pub mod limits;
mod messages;
mod paces;
mod page;
pub(crate) mod policy;
mod presence;
mod request;
mod routes;
mod sites;
mod stall;
mod state;
mod status;
mod stream;
mod survey;
mod tls;
mod truth;
mod workers;

pub use connection::serve;
pub use door::{Door, LOOK_INTERVAL, Unlisted};
pub use error::ApiError;
pub use health::Health;
pub use routes::router;
pub use state::{Face, HttpState, SiteEntry};
pub use tls::{Tls, TlsError, TlsFiles};

pub(crate) use tls::reload_on_hangup;
pub use workers::Workers;

#[cfg(test)]
mod tests;
