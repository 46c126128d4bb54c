//! What goes in and what comes out: sightings and fixes.

use nalgebra::{Matrix2, Point3};
use site::{FloorIndex, RadioIndex};

/// What one radio told about a client since the last fix, or longer ago.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Which radio.
    pub radio: RadioIndex,
    /// Mean signal strength in dBm; `None` where the radio only ranges.
    pub rssi_dbm: Option<f32>,
    /// How many observations the mean holds; at least 1.
    pub count: u16,
    /// Age of the newest of them in seconds, at the time of the fix; not negative.
    pub age_s: f32,
    /// Measured distance, if any.
    pub range: Option<RangeReading>,
}

/// A distance as measured: bias and slope are the model's business.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeReading {
    /// Distance in metres; may be negative.
    pub distance_m: f32,
    /// Standard deviation that the source states, in metres, if it does.
    pub deviation_m: Option<f32>,
}

/// One estimated position with its error, floor and evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// Most likely place in the site's frame, in metres.
    pub position_in_site: Point3<f64>,
    /// Covariance of x and y in square metres: symmetric, positive definite.
    pub covariance_m2: Matrix2<f64>,
    /// Standard deviation of z in metres.
    pub height_deviation_m: f64,
    /// The most probable floor.
    pub floor: FloorIndex,
    /// Its probability, in (0, 1].
    pub floor_probability: f64,
    /// Radius that holds the truth in half of the cases, in metres.
    pub r50_m: f64,
    /// Radius that holds the truth in nine of ten cases, in metres.
    pub r90_m: f64,
    /// Radios used.
    pub radios: u16,
    /// Observations behind them.
    pub observations: u32,
    /// Mean age of the sightings used, in seconds, when the fix was made.
    pub age_s: f64,
    /// Which solver answered.
    pub source: Source,
    /// What a reader must know before trusting it.
    pub flags: Flags,
}

/// Which solver made a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Posterior mean on the masked grid.
    Grid,
    /// Continuous multilateration of ranges.
    Range,
}

/// Cautions that come with a fix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// A jump beyond the motion model that the likelihood does not explain.
    pub teleport: bool,
    /// The anchors' geometry does not determine the place, and nothing else does: they stand at one
    /// point or in a line (as one or two anchors always do), and in the direction that this leaves
    /// open the place is uncertain by more than 1.5 m, one standard deviation. A narrow allowed
    /// area, a survey or a track that settles the place takes the flag away.
    pub degenerate: bool,
    /// All evidence is older than the last interval.
    pub stale: bool,
    /// The place lies outside the site's outline.
    pub outside: bool,
}
