//! A place from distances alone: robust multilateration in two and three dimensions, without a
//! grid.
//!
//! Student-t errors, minimised by Gauss-Newton steps with Levenberg-Marquardt damping. Robust costs
//! have several minima, so the descent starts at several places, with a wide error first that
//! narrows to the stated one.

use nalgebra::{Matrix3, Point3, Vector3};

use crate::limits::SOLVER_RANGES_MAX;

mod start;

/// Degrees of freedom of the error: three is robust and still nearly Gaussian for good ranges.
const DEGREES: f64 = 3.0;

/// Factors on the stated deviations, from a nearly quadratic cost to the true one.
///
/// # Source
/// Graduated non-convexity: Blake and Zisserman, Visual Reconstruction (1987).
const WIDENING: [f64; 3] = [8.0, 3.0, 1.0];

const STEPS_MAX: usize = 60;
const STEP_END_M: f64 = 1e-10;

/// Another place that explains the ranges this nearly as well makes the answer ambiguous, in nats.
const RIVAL_NATS: f64 = 2.0;

/// Residual in deviations from which a range is suspected to hide a better place.
const GROSS: f64 = 4.0;

/// Variance in square metres given to a direction about which nothing is known.
const UNKNOWN_VARIANCE_M2: f64 = 1e6;

/// One distance to a known place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Where the anchor is, in the site's frame, in metres.
    pub anchor: Point3<f64>,
    /// Distance in metres, bias and slope already removed; may be negative.
    pub distance_m: f64,
    /// Scale of its error in metres; above zero.
    pub deviation_m: f64,
}

/// What is known of the height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Height {
    /// Exactly this: a problem in the plane.
    Known {
        /// Height in metres.
        z_m: f64,
    },
    /// About this.
    About {
        /// Height in metres.
        z_m: f64,
        /// Standard deviation in metres; above zero.
        deviation_m: f64,
    },
    /// Nothing.
    Free,
}

/// What was known of the place before, as a Gaussian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Mean in the site's frame.
    pub mean: Point3<f64>,
    /// Inverse of the covariance, in 1/m^2; zero in directions about which nothing is known.
    pub information: Matrix3<f64>,
}

/// The best place, with its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// Where.
    pub position: Point3<f64>,
    /// Covariance in square metres; zero in z where the height was known.
    pub covariance_m2: Matrix3<f64>,
    /// Negative log-likelihood of the ranges there, in nats, without constants and without prior.
    pub cost_nats: f64,
    /// Whether the anchors' geometry leaves the place open: too few, all in a line, or a mirror
    /// image that explains the ranges as well.
    pub is_degenerate: bool,
}

/// The place that explains the ranges best; `None` with fewer than two usable ranges.
///
/// Ranges that are not finite, or without a positive deviation, are passed over; at most
/// [`SOLVER_RANGES_MAX`] are used. No allocation. The answer does not depend on the order of the
/// ranges and moves with the frame.
///
/// # Source
/// Lange, Little and Taylor, Robust statistical modeling using the t distribution, JASA 84 (1989);
/// Levenberg-Marquardt after Madsen, Nielsen and Tingleff (2004).
pub fn solve(ranges: &[Range], height: Height, prior: Option<&Prior>) -> Option<Solution> {
    let mut usable = [Range {
        anchor: Point3::origin(),
        distance_m: 0.0,
        deviation_m: 1.0,
    }; SOLVER_RANGES_MAX];
    let mut count = 0;
    for range in ranges
        .iter()
        .filter(|range| is_usable(range))
        .take(SOLVER_RANGES_MAX)
    {
        usable[count] = *range;
        count += 1;
    }
    let ranges = &usable[..count];
    if count < 2 {
        return None;
    }
    let problem = Problem {
        ranges,
        height,
        prior,
    };
    let geometry = start::Geometry::of(ranges, height);
    let found = problem.search(&geometry);
    let rival = problem.descend(geometry.mirrored(found), 1.0);
    let position = problem.better(found, rival);
    let other = if position == found { rival } else { found };
    Some(problem.solution(position, other, &geometry))
}

fn is_usable(range: &Range) -> bool {
    range.anchor.iter().all(|value| value.is_finite())
        && range.distance_m.is_finite()
        && range.deviation_m.is_finite()
        && range.deviation_m > 0.0
}

struct Problem<'a> {
    ranges: &'a [Range],
    height: Height,
    prior: Option<&'a Prior>,
}

impl Problem<'_> {
    /// The best place of several descents; where a range contradicts it grossly, also of those that
    /// leave each range out at the start.
    fn search(&self, geometry: &start::Geometry) -> Point3<f64> {
        let mut best = self.descend_widely(geometry.off_plane(geometry.middle));
        if let Some(linear) = geometry.linear_solution(self.ranges, None) {
            best = self.better(best, self.descend_widely(geometry.off_plane(linear)));
        }
        if let Some(prior) = self.prior {
            best = self.better(best, self.descend_widely(prior.mean));
        }
        let is_gross = |range: &Range| {
            let off_m = (best - range.anchor).norm() - range.distance_m;
            off_m.abs() > GROSS * range.deviation_m
        };
        if self.ranges.iter().any(is_gross) {
            for left_out in 0..self.ranges.len() {
                if let Some(linear) = geometry.linear_solution(self.ranges, Some(left_out)) {
                    best = self.better(best, self.descend(geometry.off_plane(linear), 1.0));
                }
            }
        }
        best
    }

    /// Descends with wide errors first, then with narrower ones.
    fn descend_widely(&self, from: Point3<f64>) -> Point3<f64> {
        WIDENING
            .iter()
            .fold(self.onto_height(from), |place, &factor| {
                self.descend(place, factor)
            })
    }

    fn descend(&self, from: Point3<f64>, widening: f64) -> Point3<f64> {
        let mut place = self.onto_height(from);
        let mut cost = self.cost(place, widening);
        let mut damping = 1e-3;
        for _ in 0..STEPS_MAX {
            let (gradient, curvature) = self.slope(place, widening);
            let damped = curvature + Matrix3::from_diagonal(&curvature.diagonal()) * damping;
            let Some(step) = damped.cholesky().map(|factor| factor.solve(&gradient)) else {
                break;
            };
            let next = place - step;
            let next_cost = self.cost(next, widening);
            if next_cost <= cost {
                place = next;
                cost = next_cost;
                damping = (damping * 0.1).max(1e-12);
                if step.norm() < STEP_END_M {
                    break;
                }
            } else {
                damping *= 10.0;
                if damping > 1e9 {
                    break;
                }
            }
        }
        place
    }

    fn better(&self, one: Point3<f64>, other: Point3<f64>) -> Point3<f64> {
        if self.cost(other, 1.0) < self.cost(one, 1.0) {
            other
        } else {
            one
        }
    }

    fn onto_height(&self, place: Point3<f64>) -> Point3<f64> {
        match self.height {
            Height::Known { z_m } => Point3::new(place.x, place.y, z_m),
            Height::About { .. } | Height::Free => place,
        }
    }

    fn cost(&self, place: Point3<f64>, widening: f64) -> f64 {
        self.cost_of_ranges(place, widening) + self.cost_of_priors(place)
    }

    fn cost_of_ranges(&self, place: Point3<f64>, widening: f64) -> f64 {
        let cost_of = |range: &Range| {
            let scaled =
                (range.distance_m - (place - range.anchor).norm()) / (range.deviation_m * widening);
            0.5 * (DEGREES + 1.0) * (scaled * scaled / DEGREES).ln_1p()
        };
        self.ranges.iter().map(cost_of).sum()
    }

    fn cost_of_priors(&self, place: Point3<f64>) -> f64 {
        let mut cost = 0.0;
        if let Height::About { z_m, deviation_m } = self.height {
            cost += 0.5 * ((place.z - z_m) / deviation_m).powi(2);
        }
        if let Some(prior) = self.prior {
            let away = place - prior.mean;
            cost += 0.5 * away.dot(&(prior.information * away));
        }
        cost
    }

    /// Gradient and Gauss-Newton curvature of the cost, the error's weights held fixed.
    fn slope(&self, place: Point3<f64>, widening: f64) -> (Vector3<f64>, Matrix3<f64>) {
        let (mut gradient, mut curvature) = self.slope_of_ranges(place, widening);
        if let Height::About { z_m, deviation_m } = self.height {
            let information = deviation_m.powi(-2);
            gradient.z += information * (place.z - z_m);
            curvature.m33 += information;
        }
        if let Some(prior) = self.prior {
            gradient += prior.information * (place - prior.mean);
            curvature += prior.information;
        }
        if let Height::Known { .. } = self.height {
            gradient.z = 0.0;
            curvature.set_column(2, &Vector3::z());
            curvature.set_row(2, &Vector3::z().transpose());
        }
        // Keeps the step defined along directions in which no range says anything.
        curvature += Matrix3::identity() * UNKNOWN_VARIANCE_M2.recip();
        (gradient, curvature)
    }

    fn slope_of_ranges(&self, place: Point3<f64>, widening: f64) -> (Vector3<f64>, Matrix3<f64>) {
        let mut gradient = Vector3::zeros();
        let mut curvature = Matrix3::zeros();
        for range in self.ranges {
            let away = place - range.anchor;
            let distance_m = away.norm().max(1e-9);
            let direction = away / distance_m;
            let residual_m = distance_m - range.distance_m;
            let scale = range.deviation_m * widening;
            let weight = (DEGREES + 1.0) / (DEGREES * scale * scale + residual_m * residual_m);
            gradient += direction * (weight * residual_m);
            curvature += direction * direction.transpose() * weight;
        }
        (gradient, curvature)
    }

    fn solution(
        &self,
        position: Point3<f64>,
        rival: Point3<f64>,
        geometry: &start::Geometry,
    ) -> Solution {
        let covariance_m2 = self.covariance_m2(position);
        let away_m = (rival - position).norm();
        let spread_m = covariance_m2.trace().max(0.0).sqrt();
        let is_rival_as_good = self.cost(rival, 1.0) - self.cost(position, 1.0) < RIVAL_NATS
            && away_m > 3.0 * spread_m;
        let is_undetermined = self.prior.is_none() && geometry.is_degenerate;
        Solution {
            position,
            covariance_m2,
            cost_nats: self.cost_of_ranges(position, 1.0),
            is_degenerate: is_undetermined || is_rival_as_good,
        }
    }

    /// Inverse of the information: the curvature counts an inlier (n + 1) / n times its variance's
    /// inverse, its Fisher information is (n + 1) / (n + 3) of it (Lange, Little and Taylor 1989).
    fn covariance_m2(&self, place: Point3<f64>) -> Matrix3<f64> {
        let of_ranges = self.slope_of_ranges(place, 1.0).1 * (DEGREES / (DEGREES + 3.0));
        let all = self.slope(place, 1.0).1;
        let mut information = all - self.slope_of_ranges(place, 1.0).1 + of_ranges;
        if let Height::Known { .. } = self.height {
            information.set_column(2, &Vector3::z());
            information.set_row(2, &Vector3::z().transpose());
        }
        let unknown = Matrix3::identity() * UNKNOWN_VARIANCE_M2;
        let mut covariance = information.try_inverse().unwrap_or(unknown);
        if let Height::Known { .. } = self.height {
            covariance.set_column(2, &Vector3::zeros());
            covariance.set_row(2, &Vector3::zeros().transpose());
        }
        covariance
    }
}

#[cfg(test)]
mod tests;
