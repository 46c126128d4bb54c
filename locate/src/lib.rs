//! Sightings in, fixes out: radio map, posterior, multilateration, track. Pure arithmetic.
//!
//! No IO, no clock, no randomness, no threads: time is an argument, and equal inputs give equal
//! fixes. The crate does not collect sightings, does not know agents or sessions, and never changes
//! a site.
//!
//! Start from [`Model`], a site made ready (radio map and constants, shared by all workers),
//! [`Locator`], which turns sightings into a [`Fix`], and [`Track`], what is remembered of a client
//! between fixes. [`fit`] learns a site's constants from a survey, [`multilaterate`] solves ranges
//! without any site.
//!
//! # Invariants
//!
//! - A fix allocates nothing and never panics, whatever the sightings hold.
//! - Both solvers give the same type. Signal strength and coarse ranges go to the posterior over
//!   the cells of the allowed area, ranges finer than a cell to the continuous solver.
//! - The floor is a class with a probability; the height within it is a prior unless ranges say
//!   more.
//! - A client's transmit power is never known: it is integrated out, and learned slowly along a
//!   track.
//! - The stated radii hold the truth in 50 and 90 % of cases, as far as measured; the constants
//!   that widen them say so.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use locate::{Locator, Model, ModelOptions, Sighting, Track};
//! use site::{Calibration, RadioIndex, Site};
//!
//! let site = Site::parse(
//!     r#"
//!     site = "shop"
//!     name = "Shop"
//!     floor = [{ id = "0", name = "Shop", elevation_m = 0, height_m = 3,
//!                outline = [[0, 0], [20, 0], [20, 10], [0, 10]] }]
//!     anchor = [
//!       { id = "door", floor = "0", position = [1, 1], height_m = 2.5, radios = ["5"] },
//!       { id = "till", floor = "0", position = [19, 2], height_m = 2.5, radios = ["5"] },
//!       { id = "store", floor = "0", position = [10, 9], height_m = 2.5, radios = ["5"] },
//!     ]
//!     "#,
//! )
//! .expect("the file is valid");
//! let model = Model::new(&site, &Calibration::default(), &ModelOptions::default());
//! let mut locator = Locator::new(Arc::new(model));
//!
//! // The door hears the client loudest.
//! let sightings = [-48.0, -71.0, -66.0].iter().zip(0..).map(|(&rssi_dbm, radio)| Sighting {
//!     radio: RadioIndex(radio),
//!     rssi_dbm: Some(rssi_dbm),
//!     count: 2,
//!     age_s: 0.3,
//!     range: None,
//! });
//! let sightings: Vec<Sighting> = sightings.collect();
//! let mut track = Track::default();
//! let fix = locator.locate(&sightings, &mut track, 12.5).expect("three radios heard it");
//! assert!(fix.position_in_site.x < 6.0);
//! assert!(fix.r50_m < fix.r90_m);
//! ```

pub mod explain;
pub mod fit;
pub mod fix;
pub mod limits;
pub mod locator;
pub mod model;
pub mod multilaterate;
pub mod outlook;
pub mod self_calibration;
pub mod track;
pub mod zone;

mod evidence;
mod grid;
mod lanes;
mod path_loss;
mod posterior;
mod radio_map;
mod shadow_map;
mod uncertainty;
mod wide;

#[cfg(test)]
mod example;

pub use fix::{Fix, Flags, RangeReading, Sighting, Source};
pub use locator::Locator;
pub use model::{Model, ModelOptions};
pub use track::Track;
