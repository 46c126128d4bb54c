//! A place from distances alone: robust multilateration in two and three dimensions, without a
//! grid.
//!
//! Student-t errors have several minima. Sixteen descents run side by side in single precision,
//! from linear solutions with and without each range, from the middle of the anchors, and from
//! mirror images; the best place, and the best of the others where it is nearly as good, are then
//! taken to the bottom in double precision. What the geometry leaves open is said
//! ([`Determinacy`]). [`block`] solves plain problems of sixteen clients at a time.

use nalgebra::{Matrix3, Point3, Vector3};

pub mod block;

mod descent;
mod scouts;
mod start;
mod symmetric;
mod terms;

use descent::{Problem, Quadratic};
use scouts::Found;
use start::Geometry;
use symmetric::Symmetric;
use terms::Terms;

/// Degrees of freedom of the error: three is robust and still nearly Gaussian for good ranges.
const DEGREES: f64 = 3.0;

/// Another place that explains the ranges this nearly as well makes the answer ambiguous, in nats.
const RIVAL_NATS: f64 = 2.0;

/// Other places that are taken to the bottom.
const RIVALS_MAX: usize = 2;

/// What single precision and few steps may have left above the bottom, in nats.
const SCOUT_NATS: f64 = 1.0;

/// Two places this many standard deviations apart are two.
const APART: f64 = 3.0;

/// Variance in square metres given to a direction about which nothing is known.
const UNKNOWN_VARIANCE_M2: f64 = 1e6;

/// Variance in square metres from which a place counts as open.
const OPEN_VARIANCE_M2: f64 = 1e4;

/// Variance of the anchors' places in square metres below which they stand at one point.
const POINT_M2: f64 = 1e-6;

/// Spread of the anchors across their main direction, relative to the spread along it, below which
/// they count as standing in a line.
const FLATNESS: f64 = 0.02;

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

/// What the ranges and their anchors' geometry can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Determinacy {
    /// One place.
    Determined,
    /// Two places: another one, most often a mirror image, explains the ranges as well.
    Ambiguous,
    /// Two places in the plan or a circle of them in space: the anchors stand in a line.
    Collinear,
    /// A circle or sphere of places: the anchors stand at one point.
    Coincident,
    /// Fewer ranges than a place takes: three in the plan, four in space.
    TooFew,
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
    /// What the ranges, the anchors' geometry and the prior can tell. Where a prior of the place
    /// settles what the anchors leave open, the place is determined.
    pub determinacy: Determinacy,
}

impl Solution {
    /// Whether the ranges leave the place open.
    pub fn is_degenerate(&self) -> bool {
        self.determinacy != Determinacy::Determined
    }

    /// Weight that the error's distribution gave to a range, from 0, rejected, to 1, exactly as
    /// expected; 0 for ranges that cannot be used.
    ///
    /// # Source
    /// Lange, Little and Taylor (1989), as the weights of least squares, over their value at 0.
    pub fn weight(&self, range: &Range) -> f64 {
        if !terms::is_usable(range) {
            return 0.0;
        }
        let residual_m = (self.position - range.anchor).norm() - range.distance_m;
        let spread_m2 = terms::spread_m2(range.deviation_m);
        spread_m2 / (spread_m2 + residual_m * residual_m)
    }
}

/// The place that explains the ranges best; `None` with fewer than two usable ranges, or with a
/// height that is no number.
///
/// Ranges that are not finite, absurdly long ([`crate::limits::RANGE_MAX_M`]) or without a positive
/// deviation are passed over; the same range given twice (anchor, distance and deviation) counts
/// once; the shortest [`crate::limits::SOLVER_RANGES_MAX`] are used. A prior that is not finite
/// counts as none. No allocation. The answer is the same to the last bit in whatever order the
/// ranges come, and moves with the frame.
///
/// # Source
/// Lange, Little and Taylor, Robust statistical modeling using the t distribution, JASA 84 (1989).
pub fn solve(ranges: &[Range], height: Height, prior: Option<&Prior>) -> Option<Solution> {
    let terms = Terms::new(ranges);
    if terms.as_slice().len() < 2 {
        return None;
    }
    let (plane_z_m, height) = height_of(height, terms.origin.z)?;
    let prior = prior.and_then(|prior| quadratic(prior, &terms));
    let problem = Problem {
        terms: terms.as_slice(),
        priors: [height.prior, prior],
        is_height_free: height.is_free,
    };
    let geometry = Geometry::new(problem.terms, plane_z_m);
    let mut starts = geometry.starts(problem.terms, prior.map(|prior| prior.mean));
    if !problem.is_height_free {
        starts
            .places
            .iter_mut()
            .for_each(|place| place.z = plane_z_m.unwrap_or(place.z));
    }
    let found = scouts::descend(&problem, &starts);
    let Bottom {
        place,
        covariance_m2,
        is_ambiguous,
    } = settle(&problem, &found)?;
    let is_open = prior.is_none() || covariance_m2.trace() > OPEN_VARIANCE_M2;
    let determinacy = match geometry.determinacy {
        Determinacy::Determined if is_ambiguous => Determinacy::Ambiguous,
        from_anchors if is_open => from_anchors,
        _ if is_ambiguous => Determinacy::Ambiguous,
        _ => Determinacy::Determined,
    };
    Some(Solution {
        position: terms.origin + place,
        covariance_m2,
        cost_nats: problem.cost_of_ranges(&place),
        determinacy,
    })
}

/// The lowest place.
struct Bottom {
    place: Vector3<f64>,
    covariance_m2: Matrix3<f64>,
    /// Whether another place is nearly as low.
    is_ambiguous: bool,
}

/// Takes the best of the places found, and others nearly as good, to the bottom; `None` where none
/// of them is a number.
fn settle(problem: &Problem<'_>, found: &Found) -> Option<Bottom> {
    let lead = found.best(|_| true)?;
    let mut best = problem.descend(found.place(lead));
    let mut covariance_m2 = problem.covariance_m2(&best);
    let apart_m = APART * covariance_m2.trace().max(0.0).sqrt();
    let is_apart = |one: &Vector3<f64>, other: &Vector3<f64>| (one - other).norm() > apart_m;
    let limit_nats = found.cost_nats(lead) + RIVAL_NATS + SCOUT_NATS;
    let mut rivals = [best; RIVALS_MAX + 1];
    for count in 1..rivals.len() {
        let others = found.best(|place| rivals[..count].iter().all(|known| is_apart(place, known)));
        let Some(lane) = others.filter(|&lane| found.cost_nats(lane) < limit_nats) else {
            break;
        };
        rivals[count] = problem.descend(found.place(lane));
        if problem.cost(&rivals[count]) < problem.cost(&best) {
            best = rivals[count];
            covariance_m2 = problem.covariance_m2(&best);
        }
    }
    let cost_nats = problem.cost(&best);
    let is_rival = |rival: &Vector3<f64>| {
        is_apart(rival, &best) && problem.cost(rival) - cost_nats < RIVAL_NATS
    };
    let is_ambiguous = rivals.iter().any(is_rival);
    Some(Bottom {
        place: best,
        covariance_m2,
        is_ambiguous,
    })
}

/// What is known of the height, as a cost and as an unknown or not.
struct HeightPrior {
    prior: Option<Quadratic>,
    is_free: bool,
}

/// The height at which the problem is one of the plan, and what it costs to leave it; `None` where
/// it is no number.
fn height_of(height: Height, origin_z_m: f64) -> Option<(Option<f64>, HeightPrior)> {
    let near = |z_m: f64| {
        let z_m = z_m - origin_z_m;
        (z_m.abs() <= crate::limits::RANGE_MAX_M).then_some(z_m)
    };
    match height {
        Height::Known { z_m } => {
            let prior = HeightPrior {
                prior: None,
                is_free: false,
            };
            Some((Some(near(z_m)?), prior))
        }
        Height::About { z_m, deviation_m } => {
            let z_m = near(z_m)?;
            let zz = deviation_m.max(DEVIATION_MIN_M).powi(-2);
            let is_number = deviation_m > 0.0 && zz.is_finite();
            let prior = Quadratic {
                mean: Vector3::new(0.0, 0.0, z_m),
                information: Symmetric {
                    zz,
                    ..Symmetric::default()
                },
            };
            let prior = HeightPrior {
                prior: Some(prior),
                is_free: true,
            };
            is_number.then_some((Some(z_m), prior))
        }
        Height::Free => Some((
            None,
            HeightPrior {
                prior: None,
                is_free: true,
            },
        )),
    }
}

/// The prior in the terms' coordinates; `None` where it holds anything but sensible numbers.
fn quadratic(prior: &Prior, terms: &Terms) -> Option<Quadratic> {
    let mean = prior.mean - terms.origin;
    let is_near = mean
        .iter()
        .all(|value| value.abs() <= crate::limits::RANGE_MAX_M);
    let is_sane = prior
        .information
        .iter()
        .all(|value| value.abs() <= DEVIATION_MIN_M.powi(-2));
    (is_near && is_sane).then(|| Quadratic {
        mean,
        information: Symmetric::of(&prior.information),
    })
}

/// Smallest standard deviation of a prior in metres.
const DEVIATION_MIN_M: f64 = 1e-4;

#[cfg(test)]
mod tests;
