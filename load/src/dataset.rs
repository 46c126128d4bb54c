//! What is made of a data set: its two parts, a site, a calibration, the errors of fixes.
//!
//! Replays and accuracy runs share it, so that both score the same thing.

pub(crate) mod errors;
pub(crate) mod ground;
pub(crate) mod split;
pub(crate) mod survey;

mod mask;
mod rectangle;
mod storeys;
