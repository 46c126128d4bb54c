//! How residuals continue from place to place: the likeliest exponential covariance.

use nalgebra::{DMatrix, DVector, Point3};
use site::Kernel;

use crate::shadow_map::correlation;

/// Correlation lengths that are tried, in metres.
///
/// What continues further than 8 m is the constants' business.
const LENGTHS_M: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0];

/// Shares of the variance that do not continue, for signal strengths: a survey sees each place with
/// one body, one hand and one state of the doors, so a third is never believed to last.
pub(super) const RSSI_NOISE_SHARES: &[f64] = &[0.35, 0.5, 0.7, 0.9];

/// The same for ranges, whose errors are the walls'.
pub(super) const RANGE_NOISE_SHARES: &[f64] = &[0.1, 0.2, 0.35, 0.5, 0.7, 0.9];

/// Places from which a radio's residuals say how they continue.
const PLACES_MIN: usize = 8;

/// Most places of a radio, and most radios, that take part: more change nothing but the time.
const PLACES_MAX: usize = 100;
const RADIOS_MAX: usize = 24;

/// Residuals of one radio at their places.
pub(super) type Residuals = Vec<(Point3<f64>, f64)>;

/// The covariance under which the residuals of all radios together are likeliest, each radio a draw
/// of its own; `None` where too few places were surveyed.
///
/// # Source
/// Marginal likelihood of a Gaussian process with its variance profiled out: Rasmussen and Williams
/// (2006), section 5.4.1.
pub(super) fn likeliest(radios: &[Residuals], noise_shares: &[f64]) -> Option<Kernel> {
    let enough: Vec<&Residuals> = radios
        .iter()
        .filter(|residuals| residuals.len() >= PLACES_MIN)
        .collect();
    let thinned: Vec<Residuals> = every(enough.len(), RADIOS_MAX)
        .map(|radio| {
            let residuals = enough[radio];
            every(residuals.len(), PLACES_MAX)
                .map(|place| residuals[place])
                .collect()
        })
        .collect();
    let candidates = LENGTHS_M
        .iter()
        .flat_map(|&length_m| noise_shares.iter().map(move |&share| (length_m, share)));
    let scored = candidates.filter_map(|(length_m, share)| score(&thinned, length_m, share));
    scored
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, kernel)| kernel)
}

/// Indices of at most so many of `count` things, evenly.
fn every(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let step = count.div_ceil(most).max(1);
    (0..count).step_by(step)
}

fn score(radios: &[Residuals], length_m: f64, noise_share: f64) -> Option<(f64, Kernel)> {
    let unit = Kernel {
        length_m,
        deviation: 1.0,
        noise: 0.0,
    };
    let (mut squares, mut log_determinant, mut count) = (0.0, 0.0, 0.0);
    for residuals in radios {
        let len = residuals.len();
        let covariance = DMatrix::from_fn(len, len, |row, column| {
            let share = correlation(&unit, &residuals[row].0, &residuals[column].0);
            let at_place = if row == column { noise_share } else { 0.0 };
            (1.0 - noise_share) * share + at_place
        });
        let values = DVector::from_iterator(len, residuals.iter().map(|&(_, value)| value));
        let factor = covariance.cholesky()?;
        squares += values.dot(&factor.solve(&values));
        log_determinant += 2.0
            * factor
                .l_dirty()
                .diagonal()
                .iter()
                .map(|value| value.ln())
                .sum::<f64>();
        count += len as f64;
    }
    if count == 0.0 || squares <= 0.0 {
        return None;
    }
    let variance: f64 = squares / count;
    let kernel = Kernel {
        length_m,
        deviation: ((1.0 - noise_share) * variance).sqrt(),
        noise: (noise_share * variance).sqrt(),
    };
    Some((-0.5 * (count * variance.ln() + log_determinant), kernel))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Draws of a field with a known covariance, by its Cholesky factor.
    #[test]
    fn the_covariance_of_a_drawn_field_is_found() {
        let truth = Kernel {
            length_m: 3.0,
            deviation: 4.0,
            noise: 2.0,
        };
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut normal = || (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0;
        let places: Vec<Point3<f64>> = (0..80)
            .map(|n| Point3::new(f64::from(n % 10) * 1.3, f64::from(n / 10) * 1.3, 1.2))
            .collect();
        let covariance = DMatrix::from_fn(80, 80, |row, column| {
            let at_place = if row == column { 4.0 } else { 0.0 };
            16.0 * correlation(&truth, &places[row], &places[column]) + at_place
        });
        let factor = covariance.cholesky().unwrap();
        let radios: Vec<Residuals> = (0..12)
            .map(|_| {
                let drawn = factor.l() * DVector::from_fn(80, |_, _| normal());
                places.iter().copied().zip(drawn.iter().copied()).collect()
            })
            .collect();
        let found = likeliest(&radios, RANGE_NOISE_SHARES).unwrap();
        assert_eq!(found.length_m, 3.0);
        assert!((found.deviation - 4.0).abs() < 0.6, "{found:?}");
        assert!((found.noise - 2.0).abs() < 0.6, "{found:?}");
    }

    #[test]
    fn few_places_say_nothing() {
        let few = vec![(Point3::origin(), 1.0); PLACES_MIN - 1];
        assert_eq!(likeliest(&[few], RANGE_NOISE_SHARES), None);
    }
}
