//! What a survey tells beyond two numbers per radio: residuals at the surveyed places.

use nalgebra::Point3;

/// Residuals of a survey at its places, and how they continue between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shadow {
    /// The surveyed places, in the site's frame.
    pub places: Vec<Point3<f64>>,
    /// How residuals of signal strengths in dB continue; `None` where none were learned.
    pub rssi: Option<Kernel>,
    /// The same for ranges, in metres.
    pub range: Option<Kernel>,
    /// Per radio, in the order of the site's radios.
    pub radios: Vec<RadioShadow>,
}

/// Residuals of one radio: index of the place, and by how much more was heard (dB) or measured (m)
/// there than the radio's constants say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RadioShadow {
    /// Of its signal strength, in dB.
    pub rssi_db: Vec<(u32, f64)>,
    /// Of its ranges, in metres.
    pub range_m: Vec<(u32, f64)>,
}

/// Covariance of residuals at two places of one floor: `deviation^2 * exp(-distance / length_m)`,
/// and `noise^2` more at one and the same place.
///
/// # Source
/// Exponential autocorrelation of shadowing: Gudmundson, Electronics Letters 27 (1991).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    /// Distance in metres at which the correlation has fallen to 1/e.
    pub length_m: f64,
    /// Standard deviation of what continues, in dB or metres.
    pub deviation: f64,
    /// Standard deviation of what does not, in dB or metres.
    pub noise: f64,
}
