//! Accuracy on a real recording, and what must hold of any site and any sightings.

#![expect(
    clippy::unwrap_used,
    reason = "a file that cannot be read is a failed test"
)]

mod danis;
mod plan;
mod properties;
mod recording;
mod survey;
