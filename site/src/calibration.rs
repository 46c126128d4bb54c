//! What was learned about a site's radios: a readable file next to the site file.

mod file;
mod shadow;

use crate::building::{FloorIndex, RadioIndex};
use crate::material::BandLoss;

pub use shadow::{Kernel, RadioShadow, Shadow};

/// Learned constants of a site. What is absent falls back to the physics of the site file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration {
    /// Per radio, in the order of the site's radios; `None` where nothing was learned.
    pub radios: Vec<Option<RadioModel>>,
    /// Standard deviation of the client population's transmit offset, in dB.
    pub client_offset_deviation_db: Option<f64>,
    /// Per floor, the loss of the slab under it; empty, or `None`, where nothing was learned.
    pub slabs: Vec<Option<BandLoss>>,
    /// What walls and furniture do beyond the constants, where a survey tells it.
    pub shadow: Option<Shadow>,
    /// How honest the stated errors were at held-back places.
    pub regions: Regions,
}

/// Factors on the stated radii, by the kind of evidence behind a fix; 1 where nothing was learned.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Regions {
    /// Of fixes from signal strengths.
    pub rssi: RegionScale,
    /// Of fixes from ranges.
    pub range: RegionScale,
    /// Of fixes from both.
    pub both: RegionScale,
}

/// By how much the radii of a posterior have to grow to hold the truth as often as they say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionScale {
    /// Of the radius that holds it in half of the cases.
    pub r50: f64,
    /// Of the radius that holds it in nine of ten cases.
    pub r90: f64,
}

impl Default for RegionScale {
    fn default() -> Self {
        Self { r50: 1.0, r90: 1.0 }
    }
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

    /// What was learned about the slab under a floor, if anything.
    pub fn slab(&self, floor: FloorIndex) -> Option<&BandLoss> {
        self.slabs.get(usize::from(floor.0))?.as_ref()
    }
}
