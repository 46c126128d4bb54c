//! What an explanation consists of.

use site::{Band, RadioIndex};

use super::change::Change;
use super::way::Way;
use crate::fix::RangeReading;

/// What can be said about a fix.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Each reading, by falling weight.
    pub radios: Vec<RadioPart>,
    /// Share of the information about the place that came from the client's track, in [0, 1]; the
    /// radios' weights are the rest.
    pub track_weight: f64,
    /// Probability of every floor, in the site's order.
    pub floors: Vec<f64>,
    /// The client's transmit offsets against the nominal client, at 2.4 GHz and above, in dB, each
    /// with its standard deviation; `None` where none was learned.
    pub offsets_db: Option<[(f64, f64); 2]>,
    /// What would have made the fix better, the most helpful first; each by itself.
    pub changes: Vec<Change>,
}

/// One radio's part in a fix.
#[derive(Debug, Clone, PartialEq)]
pub struct RadioPart {
    /// Which radio; it may be one that the site does not have.
    pub radio: RadioIndex,
    /// Index of its anchor in [`Site::anchors`](site::Site::anchors) and its band; `None` for a radio that the site does
    /// not have.
    pub anchor: Option<(usize, Band)>,
    /// The straight way from the anchor to the fix.
    pub way: Option<Way>,
    /// Observations behind the reading.
    pub count: u16,
    /// Age of the newest in seconds at the time of the fix.
    pub age_s: f64,
    /// Its signal strength.
    pub rssi: Option<RssiPart>,
    /// Its range.
    pub range: Option<RangePart>,
    /// Share of the information about the place that came from this reading, in [0, 1].
    pub weight: f64,
    /// How far the fix moves when this reading is left out, in metres; `None` where there is no fix
    /// without it, or the reading was not used.
    pub moves_m: Option<f64>,
    /// Why it was not used, or not believed.
    pub rejected: Option<Rejection>,
}

/// A signal strength as the estimator sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RssiPart {
    /// As heard, in dBm.
    pub heard_dbm: f64,
    /// Minus the client's learned offset, in dBm: comparable with `expected_dbm`.
    pub corrected_dbm: f64,
    /// What the radio would hear of a nominal client at the fix, in dBm.
    pub expected_dbm: f64,
    /// Corrected minus expected, in dB.
    pub residual_db: f64,
    /// Standard deviation that the estimator grants it, in dB.
    pub deviation_db: f64,
}

/// A range as the estimator sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangePart {
    /// As measured.
    pub measured: RangeReading,
    /// Without what was learned of its bias and slope, in metres: comparable with `expected_m`.
    pub corrected_m: f64,
    /// Distance from the anchor to the fix, in metres.
    pub expected_m: f64,
    /// Corrected minus expected, in metres.
    pub residual_m: f64,
    /// Scale of its error that the estimator grants it, in metres.
    pub deviation_m: f64,
}

/// Why a reading did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The site has no such radio.
    UnknownRadio,
    /// Neither signal strength nor range is in the range of nature, or its age or count is not.
    Impossible,
    /// Another reading of the same radio is younger.
    Repeated,
    /// Weaker than the [`FIX_RADIOS_MAX`](crate::limits::FIX_RADIOS_MAX) strongest, which are all that a fix takes.
    Weak,
    /// Older than the window.
    Old,
    /// Its range is so far off that it hardly counts.
    Outlier,
}
