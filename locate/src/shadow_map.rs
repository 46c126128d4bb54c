//! Residuals of a survey, continued to places in between.
//!
//! A survey tells at its places by how much each radio is stronger or weaker than its two constants
//! say. Walls, furniture and bodies make those residuals alike within some metres: the best linear
//! predictor of a stationary field carries them on, and says how much it knows there.
//!
//! # Source
//! Kriging: Matheron, Economic Geology 58 (1963); Rasmussen and Williams, Gaussian Processes for
//! Machine Learning (2006), algorithm 2.1. Exponential covariance: Gudmundson (1991).

use nalgebra::{DMatrix, DVector, Point3};
use site::{Kernel, Shadow};

/// Places within so many correlation lengths count; beyond, less than 1 % of the correlation is
/// left.
const REACH_LENGTHS: f64 = 5.0;

/// Most surveyed places that predict one place: the nearest. Those behind them are hidden by them.
const NEIGHBOURS_MAX: usize = 24;

/// Places this far apart in height are on different floors, whose residuals are not alike.
const STOREY_M: f64 = 1.5;

/// One quantity (signal strength or range) of all radios, ready to be continued.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    kernel: Kernel,
    places: Vec<Point3<f64>>,
    /// Weight of each place for each radio: radio after radio, 0 where it was not heard.
    weights: Vec<f64>,
    radios: usize,
}

/// What reaches one place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nearby {
    /// Surveyed places within reach, with their correlation.
    places: Vec<(usize, f64)>,
}

impl Field {
    /// Prepares signal strengths; `None` where the calibration has none.
    pub(crate) fn of_rssi(shadow: &Shadow) -> Option<Self> {
        let residuals: Vec<_> = shadow.radios.iter().map(|radio| &radio.rssi_db).collect();
        Self::new(shadow, shadow.rssi?, &residuals)
    }

    /// Prepares ranges; `None` where the calibration has none.
    pub(crate) fn of_ranges(shadow: &Shadow) -> Option<Self> {
        let residuals: Vec<_> = shadow.radios.iter().map(|radio| &radio.range_m).collect();
        Self::new(shadow, shadow.range?, &residuals)
    }

    fn new(shadow: &Shadow, kernel: Kernel, residuals: &[&Vec<(u32, f64)>]) -> Option<Self> {
        let places = shadow.places.clone();
        let mut weights = vec![0.0; places.len() * residuals.len()];
        for (radio, residuals) in residuals.iter().enumerate() {
            let known: Vec<(usize, f64)> = residuals
                .iter()
                .map(|&(place, residual)| (place as usize, residual))
                .filter(|&(place, residual)| place < places.len() && residual.is_finite())
                .collect();
            for ((place, _), weight) in known.iter().zip(solved(&kernel, &places, &known)) {
                weights[radio * places.len() + place] = weight;
            }
        }
        let tells = kernel.deviation > 0.0 && weights.iter().any(|&weight| weight != 0.0);
        tells.then_some(Self {
            kernel,
            places,
            weights,
            radios: residuals.len(),
        })
    }

    /// Variance of a residual far from any survey, in dB^2 or m^2.
    pub(crate) fn variance(&self) -> f64 {
        self.kernel.deviation.powi(2) + self.kernel.noise.powi(2)
    }

    /// How far surveyed places reach, in metres.
    fn reach_m(&self) -> f64 {
        REACH_LENGTHS * self.kernel.length_m
    }

    /// The surveyed places that say something about an area around `middle`.
    pub(crate) fn candidates(&self, middle: Point3<f64>, radius_m: f64) -> Vec<usize> {
        let reach_m = self.reach_m() + radius_m;
        let is_near = |place: &Point3<f64>| {
            (place.z - middle.z).abs() < STOREY_M && (place.xy() - middle.xy()).norm() < reach_m
        };
        (0..self.places.len())
            .filter(|&index| is_near(&self.places[index]))
            .collect()
    }

    /// What reaches a place, of these candidates.
    pub(crate) fn nearby(&self, place: Point3<f64>, candidates: &[usize], out: &mut Nearby) {
        out.places.clear();
        out.places.extend(candidates.iter().filter_map(|&index| {
            let share = correlation(&self.kernel, &self.places[index], &place);
            (share > 0.0).then_some((index, share))
        }));
    }

    /// Expected residual of a radio there, in dB or metres.
    pub(crate) fn residual(&self, radio: usize, nearby: &Nearby) -> f64 {
        if radio >= self.radios {
            return 0.0;
        }
        let weights = &self.weights[radio * self.places.len()..][..self.places.len()];
        let sum: f64 = nearby
            .places
            .iter()
            .map(|&(place, share)| share * weights[place])
            .sum();
        self.kernel.deviation.powi(2) * sum
    }

    /// How much of a residual's variance is left there, beside `other` that no survey removes (dB^2
    /// or m^2): 1 far from the survey, least at its places.
    pub(crate) fn variance_left(&self, nearby: &mut Nearby, other: f64) -> f64 {
        let (field, noise) = (self.kernel.deviation.powi(2), self.kernel.noise.powi(2));
        let nearest = nearest(&mut nearby.places);
        let count = nearest.len();
        let covariance = DMatrix::from_fn(count, count, |row, column| {
            let (a, b) = (nearest[row].0, nearest[column].0);
            let at_place = if row == column { noise } else { 0.0 };
            field * correlation(&self.kernel, &self.places[a], &self.places[b]) + at_place
        });
        let reached = DVector::from_fn(count, |row, _| field * nearest[row].1);
        let known = covariance
            .cholesky()
            .map_or(0.0, |factor| reached.dot(&factor.solve(&reached)));
        let all = field + noise + other;
        ((all - known) / all).clamp(0.05, 1.0)
    }
}

/// Keeps the strongest neighbours.
fn nearest(places: &mut [(usize, f64)]) -> &[(usize, f64)] {
    if places.len() > NEIGHBOURS_MAX {
        places.select_nth_unstable_by(NEIGHBOURS_MAX - 1, |a, b| {
            b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
        });
        return &places[..NEIGHBOURS_MAX];
    }
    places
}

/// Correlation of the residuals at two places; 0 out of reach and on different floors.
pub(crate) fn correlation(kernel: &Kernel, a: &Point3<f64>, b: &Point3<f64>) -> f64 {
    let lengths = (a.xy() - b.xy()).norm() / kernel.length_m;
    if lengths > REACH_LENGTHS || (a.z - b.z).abs() >= STOREY_M {
        return 0.0;
    }
    (-lengths).exp()
}

/// Solves for the weights of one radio's residuals: `(K + noise^2 I)^-1 r`.
fn solved(kernel: &Kernel, places: &[Point3<f64>], known: &[(usize, f64)]) -> Vec<f64> {
    let (field, noise) = (kernel.deviation.powi(2), kernel.noise.powi(2));
    let count = known.len();
    let covariance = DMatrix::from_fn(count, count, |row, column| {
        let (a, b) = (known[row].0, known[column].0);
        let at_place = if row == column { noise + 1e-9 } else { 0.0 };
        field * correlation(kernel, &places[a], &places[b]) + at_place
    });
    let residuals = DVector::from_iterator(count, known.iter().map(|&(_, residual)| residual));
    covariance.cholesky().map_or_else(
        || vec![0.0; count],
        |factor| factor.solve(&residuals).as_slice().to_vec(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use site::RadioShadow;

    fn shadow() -> Shadow {
        let at = |x, y| Point3::new(x, y, 1.2);
        Shadow {
            places: vec![at(0.0, 0.0), at(2.0, 0.0), at(0.0, 3.0), at(50.0, 0.0)],
            rssi: Some(Kernel {
                length_m: 2.5,
                deviation: 4.0,
                noise: 1.5,
            }),
            range: None,
            radios: vec![RadioShadow {
                rssi_db: vec![(0, 5.0), (1, 2.0), (2, -3.0)],
                range_m: Vec::new(),
            }],
        }
    }

    /// Compared with a Gaussian-process regression in numpy (`reference/kriging.py`).
    #[test]
    fn residuals_are_continued_as_kriging_does() {
        let field = Field::of_rssi(&shadow()).unwrap();
        let check = |x: f64, y: f64, residual: f64, left: f64| {
            let place = Point3::new(x, y, 1.2);
            let mut nearby = Nearby::default();
            field.nearby(place, &field.candidates(place, 0.0), &mut nearby);
            assert!((field.residual(0, &nearby) - residual).abs() < 1e-6);
            let variance_left = field.variance_left(&mut nearby, 1.0);
            assert!((variance_left - left).abs() < 1e-6, "{variance_left}");
        };
        check(0.0, 0.0, 4.259_868_92, 0.267_924_92);
        check(1.0, 0.5, 2.301_144_11, 0.560_255_24);
        check(25.0, 0.0, 0.0, 1.0);
    }

    #[test]
    fn other_floors_and_far_places_say_nothing() {
        let field = Field::of_rssi(&shadow()).unwrap();
        let upstairs = Point3::new(0.0, 0.0, 4.2);
        assert!(field.candidates(upstairs, 1.0).is_empty());
        assert!(Field::of_ranges(&shadow()).is_none());
    }
}
