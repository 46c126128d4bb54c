//! Limits of the simulation: what each bounds, why its value, and what happens when it is met.

use std::time::Duration;

/// How far back [`crate::World::truth_at`] answers; older truth is forgotten.
///
/// Fixes are scored at their own time, which lies a window and a solve behind the present: a few
/// seconds, so ten leave room for late batches.
pub const TRUTH_HISTORY: Duration = Duration::from_secs(10);

/// Hearings that wait for [`crate::World::hear`]; further ones are dropped and counted.
///
/// A thousand clients among thirty radios make about 60,000 a second: half a minute of them.
pub const HEARINGS_WAITING_MAX: usize = 2_000_000;

/// Packets on their way through a [`crate::Network`]; further ones are dropped and counted, as a
/// full router queue would.
pub const PACKETS_IN_FLIGHT_MAX: usize = 65_536;
