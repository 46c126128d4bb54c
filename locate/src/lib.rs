//! Sightings in, fixes out: radio map, posterior, multilateration, track. Pure arithmetic.

pub mod fix;

pub use fix::{Fix, Flags, RangeReading, Sighting, Source};
