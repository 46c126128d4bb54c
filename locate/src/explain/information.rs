//! What each reading tells of a place: Fisher information, as a mean over where the client may be.
//!
//! Under an anchor the slope of its signal vanishes while a step aside tells much: hence the mean,
//! to which what was known before is added.
//!
//! # Source
//! The sum of expected and prior information: Van Trees, Detection, Estimation, and Modulation
//! Theory I (1968), section 2.4.
//! Patwari et al., IEEE Trans. Signal Processing 51 (2003), for signal strength and ranges with
//! known constants; an offset with a Gaussian prior makes the residuals' covariance
//! `S + H P H'`, whose inverse the Woodbury identity relates to that of `S`; the information of a
//! location under Student-t errors of `v` degrees is `(v + 1) / (v + 3)` of the Gaussian one:
//! Lange, Little and Taylor, JASA 84 (1989).

use std::f64::consts::LN_10;

use nalgebra::{DMatrix, DVector, Matrix2, Point3, Vector2};

/// Correlation of the residuals of two bands of one AP; that of the estimator.
const BAND_CORRELATION: f64 = 0.6;

/// Degrees of freedom of a range's error; those of the estimator.
const RANGE_DEGREES: f64 = 3.0;

/// Shortest distance of the model in metres; that of the estimator.
const DISTANCE_MIN_M: f64 = 0.5;

/// A signal strength that was or might be heard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RssiSource {
    pub(crate) anchor: u16,
    pub(crate) anchor_in_site: Point3<f64>,
    /// Which of the client's two offsets applies.
    pub(crate) offset: usize,
    /// Path-loss exponent about the place.
    pub(crate) exponent: f64,
    pub(crate) deviation_db: f64,
}

/// A range that was or might be measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeSource {
    pub(crate) anchor_in_site: Point3<f64>,
    pub(crate) deviation_m: f64,
}

/// Everything that tells of the place, and what is known of the client's offsets without it.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) rssi: Vec<RssiSource>,
    pub(crate) ranges: Vec<RangeSource>,
    pub(crate) offsets_db2: Matrix2<f64>,
    /// What a signal strength counts for: less beside ranges, which share its obstructions.
    pub(crate) rssi_share: f64,
    /// Where the client may be: the information is the mean over these places.
    pub(crate) places: Vec<Point3<f64>>,
}

impl RssiSource {
    /// Change of the expected signal with the place, in dB per metre.
    pub(crate) fn slope_db_per_m(&self, place: Point3<f64>) -> Vector2<f64> {
        let way = place - self.anchor_in_site;
        let squared = way.norm_squared().max(DISTANCE_MIN_M.powi(2));
        way.xy() * (-10.0 * self.exponent / LN_10 / squared)
    }
}

impl Sources {
    /// Information about the place, in 1/m^2.
    pub(crate) fn information(&self) -> Matrix2<f64> {
        let ranges: Matrix2<f64> = self.ranges.iter().map(|range| self.of_range(range)).sum();
        self.of_rssi(None) + ranges
    }

    /// What signal strength number `left_out` adds to the others, in 1/m^2.
    pub(crate) fn of_one_rssi(&self, left_out: usize) -> Matrix2<f64> {
        self.of_rssi(None) - self.of_rssi(Some(left_out))
    }

    /// What one range adds, in 1/m^2.
    pub(crate) fn of_range(&self, range: &RangeSource) -> Matrix2<f64> {
        let share = (RANGE_DEGREES + 1.0) / (RANGE_DEGREES + 3.0);
        self.mean(|place| {
            let way = place - range.anchor_in_site;
            let slope = way.xy() / way.norm().max(DISTANCE_MIN_M);
            slope * slope.transpose() * (share / range.deviation_m.powi(2))
        })
    }

    fn mean(&self, of: impl Fn(Point3<f64>) -> Matrix2<f64>) -> Matrix2<f64> {
        let sum: Matrix2<f64> = self.places.iter().map(|&place| of(place)).sum();
        sum / self.places.len().max(1) as f64
    }

    fn of_rssi(&self, left_out: Option<usize>) -> Matrix2<f64> {
        let kept: Vec<&RssiSource> = self
            .rssi
            .iter()
            .enumerate()
            .filter(|(number, _)| Some(*number) != left_out)
            .map(|(_, source)| source)
            .collect();
        let covariance = DMatrix::from_fn(kept.len(), kept.len(), |i, j| {
            let (one, other) = (kept[i], kept[j]);
            let alike = if i == j {
                1.0
            } else if one.anchor == other.anchor {
                BAND_CORRELATION
            } else {
                0.0
            };
            alike * one.deviation_db * other.deviation_db
                + self.offsets_db2[(one.offset, other.offset)]
        });
        let Some(cholesky) = covariance.cholesky() else {
            return Matrix2::zeros();
        };
        self.mean(|place| {
            let column = |axis: usize| {
                let slopes = kept.iter().map(|source| source.slope_db_per_m(place)[axis]);
                DVector::from_iterator(kept.len(), slopes)
            };
            let slopes = [column(0), column(1)];
            let weighted = slopes.each_ref().map(|slope| cholesky.solve(slope));
            Matrix2::from_fn(|row, column| slopes[row].dot(&weighted[column]))
        }) * self.rssi_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signal of 1 dB^2/m^2 of slope in the direction of the anchor, 5 dB of deviation.
    fn source(anchor: u16, x: f64, y: f64) -> RssiSource {
        RssiSource {
            anchor,
            anchor_in_site: Point3::new(x, y, 0.0),
            offset: 0,
            exponent: LN_10 / 10.0 * x.hypot(y),
            deviation_db: 5.0,
        }
    }

    fn sources(rssi: &[RssiSource], offset_db: f64) -> Sources {
        Sources {
            rssi: rssi.to_vec(),
            ranges: Vec::new(),
            offsets_db2: Matrix2::repeat(offset_db * offset_db),
            rssi_share: 1.0,
            places: vec![Point3::origin()],
        }
    }

    /// `(10 n / ln 10 / s)^2 u u' / d^4` with a known offset, by hand: n = 2.5, s = 5, d = 4.
    #[test]
    fn the_information_of_one_signal_is_the_published_one() {
        let mut one = source(0, 4.0, 0.0);
        one.exponent = 2.5;
        let expected = (25.0 / LN_10 / 5.0_f64).powi(2) / 16.0;
        let information = sources(&[one], 0.0).information();
        assert!((information - Matrix2::new(expected, 0.0, 0.0, 0.0)).norm() < 1e-12);
    }

    #[test]
    fn independent_signals_add_up() {
        let two = sources(&[source(0, 3.0, 0.0), source(1, 0.0, 8.0)], 0.0);
        let expected = Matrix2::new(1.0, 0.0, 0.0, 1.0) / 25.0;
        assert!((two.information() - expected).norm() < 1e-12);
        assert!((two.of_one_rssi(1) - Matrix2::new(0.0, 0.0, 0.0, 0.04)).norm() < 1e-12);
    }

    /// An offset of which nothing is known leaves only differences: signals of slopes 1 and -1 are
    /// worth `(1 + 1)^2 / (2 s^2)`, two of slope 1 nothing.
    #[test]
    fn with_an_unknown_power_only_differences_tell() {
        let opposite = sources(&[source(0, 3.0, 0.0), source(1, -6.0, 0.0)], 1.0e4);
        assert!((opposite.information().m11 - 4.0 / 50.0).abs() < 1e-4);
        let alike = sources(&[source(0, 3.0, 0.0), source(1, 6.0, 0.0)], 1.0e4);
        assert!(alike.information().m11.abs() < 1e-6);
    }

    #[test]
    fn a_second_band_of_one_anchor_is_worth_a_quarter_of_another_anchor() {
        let one = sources(&[source(0, 3.0, 0.0)], 0.0).information().m11;
        let pair = [source(0, 3.0, 0.0), source(0, 3.0, 0.0)];
        let gain = sources(&pair, 0.0).information().m11 / one - 1.0;
        assert!((gain - 0.25).abs() < 1e-9, "{gain}");
    }

    /// Two thirds of the Gaussian information in the direction of the anchor, nothing across.
    #[test]
    fn a_range_tells_the_distance_to_its_anchor() {
        let range = RangeSource {
            anchor_in_site: Point3::new(5.0, 0.0, 0.0),
            deviation_m: 2.0,
        };
        let information = sources(&[], 0.0).of_range(&range);
        let expected = Matrix2::new(2.0 / 3.0 / 4.0, 0.0, 0.0, 0.0);
        assert!((information - expected).norm() < 1e-12);
    }
}
