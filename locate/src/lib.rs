//! Sightings in, fixes out: radio map, posterior, multilateration, track. Pure arithmetic.

pub mod fit;
pub mod fix;
pub mod limits;
pub mod locator;
pub mod model;
pub mod multilaterate;
pub mod track;

mod evidence;
mod grid;
mod lanes;
mod path_loss;
mod posterior;
mod radio_map;
mod uncertainty;

#[cfg(test)]
mod example;

pub use fix::{Fix, Flags, RangeReading, Sighting, Source};
pub use locator::Locator;
pub use model::{Model, ModelOptions};
pub use track::Track;
