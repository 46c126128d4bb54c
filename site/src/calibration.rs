//! What was learned about a site's radios: a readable file next to the site file.

mod file;

use crate::building::RadioIndex;

/// Learned constants of a site. What is absent falls back to the physics of the site file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration {
    /// Per radio, in the order of the site's radios; `None` where nothing was learned.
    pub radios: Vec<Option<RadioModel>>,
    /// Standard deviation of the client population's transmit offset, in dB.
    pub client_offset_deviation_db: Option<f64>,
}

/// Learned constants of one radio.
///
/// Mean signal strength at distance d (3D, metres, at least 0.5):
/// `rssi_at_1m_dbm - 10 * exponent * log10(d) - walls and slabs`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadioModel {
    /// Signal strength of a nominal client at 1 m, in dBm.
    pub rssi_at_1m_dbm: f64,
    /// Path-loss exponent.
    pub exponent: f64,
    /// Standard deviation of the residual, in dB.
    pub deviation_db: f64,
    /// Ranges: `measured = bias_m + slope * distance`; `None` where the radio does not range.
    pub range: Option<RangeModel>,
}

/// Learned constants of a radio's ranges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeModel {
    /// Constant error in metres.
    pub bias_m: f64,
    /// Metres measured per metre of distance.
    pub slope: f64,
    /// Scale of the residual in metres.
    pub deviation_m: f64,
}

impl Calibration {
    /// What was learned about a radio, if anything.
    pub fn radio(&self, index: RadioIndex) -> Option<&RadioModel> {
        self.radios.get(usize::from(index.0))?.as_ref()
    }
}
