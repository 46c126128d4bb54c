//! Every limit of this crate: unit, default, why that value, and what happens when it is met.

/// Radios used in one fix; the strongest are kept.
///
/// Beyond two dozen radios their errors are common and add little; the arrays on the stack stay
/// small.
pub const FIX_RADIOS_MAX: usize = 32;

/// Memory of a radio map in bytes: 256 MiB.
///
/// The map grows with area times radios. A site that would need more gets larger cells
/// ([`CELL_SIDE_MAX_M`] at most), so that a node with several sites has a bound it can add up.
pub const MAP_BYTES_MAX: usize = 256 << 20;

/// Side of a fine cell in metres where the memory allows it.
///
/// A posterior is rarely narrower than 1 m, so half of that wastes nothing.
pub const CELL_SIDE_MIN_M: f64 = 0.5;

/// Side of a fine cell in metres at most; a site too large for it exceeds [`MAP_BYTES_MAX`].
pub const CELL_SIDE_MAX_M: f64 = 8.0;

/// Tiles whose cells are looked at one by one in a fix.
///
/// A posterior that spreads over more tiles than this is broader than a tile, so the coarse value
/// of the rest says enough: from six to twenty tiles, no error on eleven real sets moves by more
/// than 2 %, while the cost of a fix doubles; with eight the covariance is up to 10 % off, with
/// twelve less than 5 %.
pub const FINE_TILES_MAX: usize = 12;

/// Ranges that the continuous solver takes; the shortest are kept.
pub const SOLVER_RANGES_MAX: usize = FIX_RADIOS_MAX;

/// Ranges of one client that a block of sixteen clients takes; the rest are passed over.
///
/// Twice what a client's line holds; the lanes of one block then fit a first-level cache.
pub const BLOCK_RANGES_MAX: usize = 16;

/// Longest range, and widest set of anchors, that the continuous solvers take, in metres: 100 km.
///
/// Anything longer is a broken reading; it is passed over.
pub const RANGE_MAX_M: f64 = 1e5;

/// Longest silence of a client in seconds that its track survives.
///
/// After half a minute a walker is anywhere on the floor: the old place misleads more than it
/// helps.
pub const TRACK_SILENCE_MAX_S: f64 = 30.0;

/// Clients of one site that are in a zone or near one: 100 MB. Further ones enter no zone until
/// others have left, and are counted.
pub const ZONE_CLIENTS_MAX: usize = 1_000_000;

/// Zones in or near which one client is at a time: what overlaps more than that is a mistake.
pub const ZONES_PER_CLIENT_MAX: usize = 32;

const _: () = assert!(CELL_SIDE_MIN_M <= CELL_SIDE_MAX_M);
const _: () = assert!(FIX_RADIOS_MAX <= SOLVER_RANGES_MAX);
