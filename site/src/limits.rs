//! What a site file may hold: every limit with its reason.
//!
//! A file over a limit is refused with a problem that names it; nothing is cut off silently.
//! Together the limits bound the time of a parse: the worst file known takes five seconds.

/// Bytes of a site or calibration file: a site of 1,000 anchors and 20,000 walls takes 2 MiB.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// Storeys: a [`FloorIndex`](crate::FloorIndex) is a `u8`; the tallest tower has 163.
pub const FLOORS_MAX: usize = 255;

/// Radios of a site: a [`RadioIndex`](crate::RadioIndex) is a `u16`.
pub const RADIOS_MAX: usize = 65_535;

/// Radios of one agent, over all its anchors: a batch names its radio by a `u8`.
pub const AGENT_RADIOS_MAX: usize = 255;

/// Straight walls of one storey: each path between two points tests them all.
pub const FLOOR_WALLS_MAX: usize = 20_000;

/// Zones of one storey, and areas of one `allowed` or `blocked` list: each test visits them all.
pub const FLOOR_AREAS_MAX: usize = 1_000;

/// Numbers of clients that one zone tells of: each is looked at when somebody enters or leaves.
pub const ZONE_OCCUPANCY_MAX: usize = 16;

/// Stairs and lifts of a site.
pub const STAIRS_MAX: usize = 1_000;

/// Corners of one polygon: the search for crossing edges takes the square of it.
pub const CORNERS_MAX: usize = 500;

/// Surveyed places of a calibration: they are solved for together, in seconds up to here; a fit merges
/// places that are closer to each other than that needs.
pub const SURVEYED_PLACES_MAX: usize = 2_000;

/// Points of one wall path.
pub const WALL_POINTS_MAX: usize = 1_000;

/// Networks of one anchor: three radios with sixteen each, and some to spare.
pub const BSSIDS_MAX: usize = 64;

/// Bytes of an id: a site or agent name must fit into a DNS label of a certificate.
pub const ID_BYTES_MAX: usize = 63;

/// Characters of a name for people: one line on a map.
pub const NAME_CHARS_MAX: usize = 100;

/// Problems reported of one file: nobody reads more, and a file of noise must not fill memory.
pub const PROBLEMS_MAX: usize = 100;

/// Distance from an outline, in metres, at which an anchor still hangs on its outer wall.
pub const ANCHOR_OUTSIDE_M_MAX: f64 = 0.5;

/// An interval of numbers that make sense, both ends included, with the unit that errors show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) unit: &'static str,
}

impl Interval {
    const fn new(min: f64, max: f64, unit: &'static str) -> Self {
        Self { min, max, unit }
    }

    /// Whether a number lies within; never for NaN.
    pub(crate) fn holds(&self, number: f64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

/// Plan coordinates: the largest buildings span 2 km; beyond 10 km the frame is not local.
pub(crate) const COORDINATE: Interval = Interval::new(-10_000.0, 10_000.0, " m");
/// Walking surfaces over the site's origin.
pub(crate) const ELEVATION: Interval = Interval::new(-10_000.0, 10_000.0, " m");
/// Storeys; hangars reach 60 m.
pub(crate) const STOREY_HEIGHT: Interval = Interval::new(1.0, 200.0, " m");
/// Walls, from sheet metal to a bunker.
pub(crate) const THICKNESS: Interval = Interval::new(0.0005, 3.0, " m");
/// Loss of one wall or slab.
pub(crate) const LOSS: Interval = Interval::new(0.0, 200.0, " dB");
/// Anchors over their floor; the ceiling is checked apart.
pub(crate) const ANCHOR_HEIGHT: Interval = Interval::new(0.0, 200.0, " m");
/// Probabilities at which clients enter and leave zones: nothing is certain.
pub(crate) const ZONE_PROBABILITY: Interval = Interval::new(0.01, 0.99, "");
/// Times of zones: at once to a day, after which pseudonyms change anyway.
pub(crate) const ZONE_TIME: Interval = Interval::new(0.0, 86_400.0, " s");
/// Silences: shorter ones are pauses between two packets of a sleeping phone.
pub(crate) const ZONE_SILENCE: Interval = Interval::new(5.0, 86_400.0, " s");
/// Clients in a zone: more than a node remembers at a site make no sense.
pub(crate) const ZONE_OCCUPANCY: Interval = Interval::new(1.0, 4_000_000.0, " clients");
/// Transmit power, from a UWB tag's to the most that any rule allows.
pub(crate) const TX_POWER: Interval = Interval::new(-60.0, 40.0, " dBm");
/// Path-loss exponents: wave guides lie below 2, diffuse paths near 4.
pub(crate) const EXPONENT: Interval = Interval::new(0.5, 10.0, "");
/// Excess loss of the diffuse path at 1 m.
pub(crate) const DIFFUSE_EXCESS: Interval = Interval::new(0.0, 40.0, " dB");

/// Signal strength at 1 m; nothing of ours sends or hears more.
pub(crate) const RSSI_AT_1M: Interval = Interval::new(-120.0, 20.0, " dBm");
/// Standard deviations of signal strengths.
pub(crate) const DEVIATION_DB: Interval = Interval::new(0.1, 40.0, " dB");
/// Constant error of ranges: uncalibrated devices are tens of metres off.
pub(crate) const RANGE_BIAS: Interval = Interval::new(-1_000.0, 1_000.0, " m");
/// Metres measured per metre.
pub(crate) const RANGE_SLOPE: Interval = Interval::new(0.1, 10.0, "");
/// Scale of the residual of ranges.
pub(crate) const RANGE_DEVIATION: Interval = Interval::new(0.001, 1_000.0, " m");
/// How far residuals reach.
pub(crate) const SHADOW_LENGTH: Interval = Interval::new(0.05, 1_000.0, " m");
/// Spread of residuals, in dB or metres.
pub(crate) const SHADOW_DEVIATION: Interval = Interval::new(0.0, 1_000.0, "");
/// Residuals at surveyed places, in dB or metres.
pub(crate) const RESIDUAL: Interval = Interval::new(-1_000.0, 1_000.0, "");
/// Factors on the stated radii.
pub(crate) const REGION_SCALE: Interval = Interval::new(0.05, 20.0, "");

const _: () = assert!(FLOORS_MAX <= u8::MAX as usize, "a floor index is a u8");
const _: () = assert!(RADIOS_MAX <= u16::MAX as usize, "a radio index is a u16");
