//! Seeded randomness: independent streams per purpose, and the distributions that the world needs.

use std::f64::consts::TAU;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for; streams of different purposes never meet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Walk = 1,
    Transmit,
    Device,
    Receiver,
    Wall,
    Slab,
    Shadow,
    Beacon,
    Loss,
    Delay,
    Detour,
    DeviceModel,
}

/// The stream of one thing (a client, a radio, a wall), independent of the order of all others.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 48) ^ index);
    rng
}

/// A standard normal number.
///
/// # Source
/// G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates" (1958).
pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = rng.random();
    (-2.0 * (1.0 - radius).ln()).sqrt() * (TAU * angle).cos()
}

/// An exponentially distributed number with mean 1.
pub(crate) fn exponential(rng: &mut impl Rng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}

/// `N` standard normal numbers, each pair of which correlates by `correlation`.
pub(crate) fn correlated<const N: usize>(rng: &mut impl Rng, correlation: f64) -> [f64; N] {
    let common = correlation.sqrt() * normal(rng);
    std::array::from_fn(|_| common + (1.0 - correlation).sqrt() * normal(rng))
}

#[cfg(test)]
pub(crate) mod statistics {
    //! Moments of samples, for the tests of this crate.

    pub(crate) fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    pub(crate) fn deviation(values: &[f64]) -> f64 {
        covariance(values, values).sqrt()
    }

    pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
        covariance(a, b) / (deviation(a) * deviation(b))
    }

    fn covariance(a: &[f64], b: &[f64]) -> f64 {
        let (mean_a, mean_b) = (mean(a), mean(b));
        let sum: f64 = a
            .iter()
            .zip(b)
            .map(|(a, b)| (a - mean_a) * (b - mean_b))
            .sum();
        sum / a.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::statistics::{correlation, deviation, mean};
    use super::*;

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = stream(1, Purpose::Walk, 0);
        let normals: Vec<f64> = (0..100_000).map(|_| normal(&mut rng)).collect();
        assert!(mean(&normals).abs() < 0.01);
        assert!((deviation(&normals) - 1.0).abs() < 0.01);
        let exponentials: Vec<f64> = (0..100_000).map(|_| exponential(&mut rng)).collect();
        assert!((mean(&exponentials) - 1.0).abs() < 0.01);
        assert!((deviation(&exponentials) - 1.0).abs() < 0.02);
    }

    #[test]
    fn correlated_numbers_correlate() {
        let mut rng = stream(2, Purpose::Walk, 0);
        let pairs: Vec<[f64; 2]> = (0..100_000).map(|_| correlated(&mut rng, 0.8)).collect();
        let side = |index: usize| pairs.iter().map(|pair| pair[index]).collect::<Vec<f64>>();
        assert!((correlation(&side(0), &side(1)) - 0.8).abs() < 0.01);
        assert!((deviation(&side(1)) - 1.0).abs() < 0.01);
    }

    #[test]
    fn streams_are_repeatable_and_differ() {
        let draw = |seed, purpose, index| stream(seed, purpose, index).random::<u64>();
        assert_eq!(draw(1, Purpose::Walk, 2), draw(1, Purpose::Walk, 2));
        assert_ne!(draw(1, Purpose::Walk, 2), draw(1, Purpose::Walk, 3));
        assert_ne!(draw(1, Purpose::Walk, 2), draw(1, Purpose::Device, 2));
        assert_ne!(draw(1, Purpose::Walk, 2), draw(2, Purpose::Walk, 2));
    }
}
