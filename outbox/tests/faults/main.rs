//! The n-th operation fails, for every n until none is left: writes and synchronisations of the disk,
//! statements and commits of the database, answers of the feed.
//!
//! The same work is done each time: state changes with their messages, given again with the same ids
//! until they are acknowledged; a feed; an inbox and its effects. At the end nothing is missing and
//! nothing is there twice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod disk;
mod statements;
mod vfs;
mod work;

#[cfg(unix)]
mod wire;

/// Every so many operations, so that it ends soon; `FAULT_STEP=1` tries each.
fn step(usual: usize) -> usize {
    std::env::var("FAULT_STEP").map_or(usual, |text| text.parse().unwrap())
}
