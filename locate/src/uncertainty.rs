//! Radii that hold the truth, from a covariance.

use nalgebra::Matrix2;

/// Standard normal quantile of 0.9.
const NORMAL_90: f64 = 1.281_551_565_544_6;

/// Radii in metres around the mean that hold a plane Gaussian in half and in nine of ten cases.
///
/// The squared distance is a sum of two scaled chi-squares. It is matched by one chi-square of the
/// same mean and variance, whose quantiles come from the cube-root normal approximation: within 3 %
/// of the exact radius for any shape, from a circle to a line.
///
/// # Source
/// Satterthwaite, Biometrics Bulletin 2 (1946); Wilson and Hilferty, PNAS 17 (1931).
pub(crate) fn radii_m(covariance_m2: &Matrix2<f64>) -> (f64, f64) {
    let trace = covariance_m2.trace();
    let squares = covariance_m2.norm_squared();
    if squares <= 0.0 || !squares.is_finite() {
        return (0.0, 0.0);
    }
    let degrees = trace * trace / squares;
    let spread = 2.0 / (9.0 * degrees);
    let quantile = |normal: f64| trace * (1.0 - spread + normal * spread.sqrt()).powi(3);
    (quantile(0.0).sqrt(), quantile(NORMAL_90).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exact radii: Rayleigh quantiles for a circle, normal quantiles for a line; in between by
    /// numerical integration with scipy (`reference/radii.py`).
    #[test]
    fn radii_are_close_to_exact_ones() {
        let check = |variances: (f64, f64), exact: (f64, f64)| {
            let (r50, r90) = radii_m(&Matrix2::new(variances.0, 0.0, 0.0, variances.1));
            assert!((r50 / exact.0 - 1.0).abs() < 0.03, "{variances:?}: {r50}");
            assert!((r90 / exact.1 - 1.0).abs() < 0.03, "{variances:?}: {r90}");
        };
        check((1.0, 1.0), (1.177_41, 2.145_97));
        check((1.0, 0.0), (0.674_49, 1.644_85));
        check((4.0, 1.0), (1.740_83, 3.474_16));
        check((9.0, 1.0), (2.304_83, 5.043_50));
        check((1.0, 0.05), (0.714_42, 1.660_53));
    }
}
