//! The cost of a place, and the way down to its nearest minimum.

use nalgebra::{Matrix3, Vector3};

use super::symmetric::Symmetric;
use super::terms::Term;
use super::{DEGREES, UNKNOWN_VARIANCE_M2};

const STEPS_MAX: usize = 60;

/// Length in metres of a Newton step after which the next one would be below rounding.
const NEWTON_END_M: f64 = 1e-8;

/// The same for a damped Gauss-Newton step, which converges by a factor only.
const DAMPED_END_M: f64 = 1e-11;

const DAMPING_MIN: f64 = 1e-4;
const DAMPING_MAX: f64 = 1e9;

/// Relative error of a cost.
const ROUNDING: f64 = 1e-14;

/// Ranges whose likelihoods are multiplied before a logarithm is taken: their product stays below
/// the largest number, as each factor is below 1e18.
const LOGARITHM_EVERY: usize = 16;

/// A quadratic cost: `(p - mean)' information (p - mean) / 2`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quadratic {
    pub(super) mean: Vector3<f64>,
    pub(super) information: Symmetric,
}

impl Quadratic {
    pub(super) fn cost(&self, place: &Vector3<f64>) -> f64 {
        let away = place - self.mean;
        0.5 * away.dot(&self.information.times(&away))
    }
}

/// What is minimised.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    pub(super) terms: &'a [Term],
    /// What was known before: of the height, of the place.
    pub(super) priors: [Option<Quadratic>; 2],
    /// Whether the height is one of the unknowns.
    pub(super) is_height_free: bool,
}

/// Derivatives of the cost at a place.
struct Slope {
    gradient: Vector3<f64>,
    /// Curvature with the weights held fixed and distances linear: never negative.
    gauss_newton: Symmetric,
    /// True curvature.
    newton: Symmetric,
}

impl Problem<'_> {
    /// Negative log-likelihood of the ranges in nats, without constants.
    ///
    /// # Source
    /// Density of Student's t: `(n + 1) / 2 ln(1 + t^2 / n)` with `t` the residual in deviations.
    pub(super) fn cost_of_ranges(&self, place: &Vector3<f64>) -> f64 {
        let mut sum = 0.0;
        for terms in self.terms.chunks(LOGARITHM_EVERY) {
            let factor = |term: &Term| {
                let residual_m = (place - term.anchor).norm() - term.distance_m;
                1.0 + residual_m * residual_m / term.spread_m2
            };
            sum += terms.iter().map(factor).product::<f64>().ln();
        }
        0.5 * (DEGREES + 1.0) * sum
    }

    pub(super) fn cost(&self, place: &Vector3<f64>) -> f64 {
        let priors = self.priors.iter().flatten();
        self.cost_of_ranges(place) + priors.map(|prior| prior.cost(place)).sum::<f64>()
    }

    /// The minimum that a place leads to: Newton steps where the cost is convex, damped
    /// Gauss-Newton steps elsewhere.
    ///
    /// # Source
    /// Damping after Marquardt as in Madsen, Nielsen and Tingleff, Methods for non-linear least
    /// squares problems (2004).
    pub(super) fn descend(&self, from: Vector3<f64>) -> Vector3<f64> {
        let mut place = from;
        let mut cost = self.cost(&place);
        let mut damping = DAMPING_MIN;
        let mut tries_newton = true;
        for _ in 0..STEPS_MAX {
            let slope = self.slope(&place);
            let newton = tries_newton
                .then(|| slope.newton.solve(&slope.gradient))
                .flatten();
            let is_newton = newton.is_some();
            let step = newton
                .or_else(|| slope.damped(damping))
                .unwrap_or_else(Vector3::zeros);
            let next = place - step;
            let next_cost = self.cost(&next);
            let is_last = step.norm()
                < if is_newton {
                    NEWTON_END_M
                } else {
                    DAMPED_END_M
                };
            // At the bottom the costs differ by rounding only.
            if next_cost <= cost + ROUNDING * cost || is_last {
                place = next;
                cost = next_cost;
                tries_newton = true;
                if !is_newton {
                    damping = (0.1 * damping).max(DAMPING_MIN);
                }
            } else if is_newton {
                tries_newton = false;
            } else {
                damping *= 10.0;
            }
            if is_last || damping > DAMPING_MAX {
                break;
            }
        }
        place
    }

    fn slope(&self, place: &Vector3<f64>) -> Slope {
        let mut gradient = Vector3::zeros();
        let mut gauss_newton = Symmetric::default();
        let mut bend = Symmetric::default();
        let mut round = 0.0;
        for term in self.terms {
            let away = place - term.anchor;
            let squared_m2 = away.norm_squared().max(1e-18);
            let distance_m = squared_m2.sqrt();
            let residual_m = distance_m - term.distance_m;
            let error_m2 = residual_m * residual_m;
            let by = 1.0 / ((term.spread_m2 + error_m2) * squared_m2);
            let share = (DEGREES + 1.0) * by;
            let pull = share * residual_m * distance_m;
            gradient += away * pull;
            gauss_newton.add_outer(share, &away);
            // Second derivatives of the error along the way to the anchor, of the way across it.
            let stiff = share * by * squared_m2 * (term.spread_m2 - error_m2);
            bend.add_outer(stiff - pull / squared_m2, &away);
            round += pull;
        }
        let mut newton = bend;
        newton.add_diagonal(&Vector3::repeat(round));
        for prior in self.priors.iter().flatten() {
            gradient += prior.information.times(&(place - prior.mean));
            gauss_newton.add(1.0, &prior.information);
            newton.add(1.0, &prior.information);
        }
        if !self.is_height_free {
            gradient.z = 0.0;
            gauss_newton = gauss_newton.without_z();
            newton = newton.without_z();
        }
        Slope {
            gradient,
            gauss_newton,
            newton,
        }
    }

    /// Inverse of the information: the curvature counts an inlier `(n + 1) / n` times its
    /// variance's inverse, its Fisher information is `(n + 1) / (n + 3)` of it.
    ///
    /// # Source
    /// Lange, Little and Taylor, JASA 84 (1989), appendix B.
    pub(super) fn covariance_m2(&self, place: &Vector3<f64>) -> Matrix3<f64> {
        let mut information = Symmetric::default();
        for term in self.terms {
            let away = place - term.anchor;
            let squared_m2 = away.norm_squared().max(1e-18);
            let residual_m = squared_m2.sqrt() - term.distance_m;
            let weight = (DEGREES + 1.0) / (term.spread_m2 + residual_m * residual_m);
            information.add_outer(weight * DEGREES / (DEGREES + 3.0) / squared_m2, &away);
        }
        for prior in self.priors.iter().flatten() {
            information.add(1.0, &prior.information);
        }
        information.add_diagonal(&Vector3::repeat(UNKNOWN_VARIANCE_M2.recip()));
        if !self.is_height_free {
            information = information.without_z();
        }
        let unknown = Matrix3::identity() * UNKNOWN_VARIANCE_M2;
        let mut covariance_m2 = information.inverse().unwrap_or(unknown);
        if !self.is_height_free {
            covariance_m2.set_column(2, &Vector3::zeros());
            covariance_m2.set_row(2, &Vector3::zeros().transpose());
        }
        covariance_m2
    }
}

impl Slope {
    fn damped(&self, damping: f64) -> Option<Vector3<f64>> {
        let mut matrix = self.gauss_newton;
        // The constant keeps the step defined where no range says anything.
        let least = Vector3::repeat(UNKNOWN_VARIANCE_M2.recip());
        matrix.add_diagonal(&(self.gauss_newton.diagonal() * damping + least));
        matrix.solve(&self.gradient)
    }
}
