//! Residuals of a survey, continued to places in between.
//!
//! A survey tells at its places by how much each radio is stronger or weaker than its two constants
//! say. Walls, furniture and bodies make those residuals alike within some metres: the best linear
//! predictor of a stationary field carries them on, and says how much it knows there.
//!
//! # Source
//! Kriging: Matheron, Economic Geology 58 (1963); Rasmussen and Williams, Gaussian Processes for
//! Machine Learning (2006), algorithm 2.1. Exponential covariance: Gudmundson (1991).

use std::collections::BTreeMap;

use nalgebra::{Cholesky, DMatrix, DVector, Dyn, Point3};
use site::{Kernel, Shadow};

/// Places within so many correlation lengths count; beyond, less than 1 % of the correlation is
/// left.
const REACH_LENGTHS: f64 = 5.0;

/// Most surveyed places that predict one place: the nearest. Those behind them are hidden by them.
const NEIGHBOURS_MAX: usize = 24;

/// Variance of a radio's level between the survey and today, in dB^2: 1 dB for new neighbours, other
/// firmware, moved furniture.
const DRIFT_DB2: f64 = 1.0;

/// Least share of a residual that does not continue: what a hand-edited file leaves out would make
/// two places next to each other contradict.
const NOISE_SHARE_MIN: f64 = 0.05;

/// Places this far apart in height are on different floors, whose residuals are not alike.
const STOREY_M: f64 = 1.5;

/// One quantity (signal strength or range) of all radios, ready to be continued.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    kernel: Kernel,
    places: Vec<Point3<f64>>,
    /// Per radio: index and weight of the places where it was heard, in the order of the places.
    weights: Vec<Vec<(u32, f64)>>,
    /// Variance that comes back since the survey.
    drift: f64,
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
        Self::new(shadow, shadow.rssi?, &residuals, DRIFT_DB2)
    }

    /// Prepares ranges; `None` where the calibration has none.
    pub(crate) fn of_ranges(shadow: &Shadow) -> Option<Self> {
        let residuals: Vec<_> = shadow.radios.iter().map(|radio| &radio.range_m).collect();
        Self::new(shadow, shadow.range?, &residuals, 0.0)
    }

    fn new(
        shadow: &Shadow,
        kernel: Kernel,
        residuals: &[&Vec<(u32, f64)>],
        drift: f64,
    ) -> Option<Self> {
        let kernel = Kernel {
            noise: kernel.noise.max(NOISE_SHARE_MIN * kernel.deviation),
            ..kernel
        };
        let places = shadow.places.clone();
        // Radios heard at the same places share the one costly step.
        let mut factors: BTreeMap<Vec<u32>, Option<Factor>> = BTreeMap::new();
        let weights: Vec<Vec<(u32, f64)>> = residuals
            .iter()
            .map(|residuals| {
                let mut known: Vec<(u32, f64)> = residuals
                    .iter()
                    .copied()
                    .filter(|(place, residual)| {
                        (*place as usize) < places.len() && residual.is_finite()
                    })
                    .collect();
                known.sort_unstable_by_key(|(place, _)| *place);
                known.dedup_by_key(|(place, _)| *place);
                let heard: Vec<u32> = known.iter().map(|(place, _)| *place).collect();
                let factor = factors
                    .entry(heard)
                    .or_insert_with_key(|heard| factor(&kernel, &places, heard));
                factor
                    .as_ref()
                    .map_or_else(Vec::new, |factor| solved(factor, &known))
            })
            .collect();
        let tells = kernel.deviation > 0.0 && weights.iter().any(|weights| !weights.is_empty());
        tells.then_some(Self {
            kernel,
            places,
            weights,
            drift,
        })
    }

    /// Whether the survey heard a radio.
    pub(crate) fn knows(&self, radio: usize) -> bool {
        self.weights
            .get(radio)
            .is_some_and(|weights| !weights.is_empty())
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
        let Some(mut weights) = self.weights.get(radio).map(Vec::as_slice) else {
            return 0.0;
        };
        let mut sum = 0.0;
        // Both lists go by place: one walk along both.
        for &(place, share) in &nearby.places {
            let behind = weights.partition_point(|&(known, _)| (known as usize) < place);
            weights = &weights[behind..];
            match weights.first() {
                Some(&(known, weight)) if known as usize == place => sum += share * weight,
                Some(_) => {}
                None => break,
            }
        }
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
        ((all - known + self.drift) / all).clamp(0.05, 1.0)
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

/// Covariance of the residuals at some places, factored.
type Factor = Cholesky<f64, Dyn>;

/// Factors the covariance of the residuals at the places that heard a radio; `None` where it is not
/// one.
fn factor(kernel: &Kernel, places: &[Point3<f64>], heard: &[u32]) -> Option<Factor> {
    let (field, noise) = (kernel.deviation.powi(2), kernel.noise.powi(2));
    let place = |index: usize| &places[heard[index] as usize];
    let covariance = DMatrix::from_fn(heard.len(), heard.len(), |row, column| {
        let at_place = if row == column { noise } else { 0.0 };
        field * correlation(kernel, place(row), place(column)) + at_place
    });
    covariance.cholesky()
}

/// Weights of one radio's residuals: `(K + noise^2 I)^-1 r`.
fn solved(factor: &Factor, known: &[(u32, f64)]) -> Vec<(u32, f64)> {
    let residuals = known.iter().map(|&(_, residual)| residual);
    let solution = factor.solve(&DVector::from_iterator(known.len(), residuals));
    let places = known.iter().map(|&(place, _)| place);
    places.zip(solution.iter().copied()).collect()
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
        check(0.0, 0.0, 4.259_868_92, 0.319_872_97);
        check(1.0, 0.5, 2.301_144_11, 0.612_203_29);
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
