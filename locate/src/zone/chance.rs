//! The probability that a normally distributed place lies in a polygon.

use std::f64::consts::{FRAC_PI_2, TAU};

use nalgebra::{Matrix2, Point2, Vector2};
use site::Polygon;

/// Beyond so many deviations from a line, what lies behind it is less than 4e-6.
const FAR: f64 = 4.5;

/// Outside by so many deviations along x or y, a place is inside with less than 0.7 %: below every
/// probability at which a zone is entered or left.
const OUT_OF_REACH: f64 = 2.5;

/// Deviations where the integrand along a ray begins to fall: the quadrature is split there.
const KNEE: f64 = 1.2;

/// Least variance in square metres: nobody is located better than to a centimetre.
const VARIANCE_MIN_M2: f64 = 1e-4;

/// Most variance: a place that is known to 10 km is not known.
const VARIANCE_MAX_M2: f64 = 1e8;

/// Nodes and weights of the Gauss-Legendre rule of eight points, on -1 to 1; the other half
/// mirrors them.
const NODES: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

/// A place as a normal distribution, made ready: finite, positive definite.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    mean: Point2<f64>,
    deviation_m: Vector2<f64>,
    /// Cholesky factor of the covariance: `deviation_m.x`, then this row.
    lower: (f64, f64),
}

impl Place {
    /// `None` for what is no place: a coordinate or variance that is no number.
    pub(super) fn new(mean: Point2<f64>, covariance_m2: &Matrix2<f64>) -> Option<Self> {
        let finite = mean
            .iter()
            .chain(covariance_m2.iter())
            .all(|n| n.is_finite());
        if !finite {
            return None;
        }
        let variance = |m2: f64| m2.clamp(VARIANCE_MIN_M2, VARIANCE_MAX_M2);
        let deviation_m = Vector2::new(
            variance(covariance_m2.m11).sqrt(),
            variance(covariance_m2.m22).sqrt(),
        );
        let common =
            (covariance_m2.m12 / 2.0 + covariance_m2.m21 / 2.0) / (deviation_m.x * deviation_m.y);
        let common = common.clamp(-0.999, 0.999);
        let lower = (
            common * deviation_m.y,
            (1.0 - common * common).sqrt() * deviation_m.y,
        );
        Some(Self {
            mean,
            deviation_m,
            lower,
        })
    }

    /// Whether a box is so far away that nothing inside it is probable.
    pub(super) fn is_far_from(&self, (low, high): &(Point2<f64>, Point2<f64>)) -> bool {
        let reach = self.deviation_m * OUT_OF_REACH;
        self.mean.x < low.x - reach.x
            || self.mean.x > high.x + reach.x
            || self.mean.y < low.y - reach.y
            || self.mean.y > high.y + reach.y
    }

    /// Whether the probability within an area may be as high as `bar` asks, by bounds that cost next
    /// to nothing: what lies on one side of a line, and the highest density times the area.
    pub(super) fn may_reach(&self, bar: &Bar) -> bool {
        let depth = self.deviation_m * bar.depth;
        let (low, high) = (bar.low, bar.high);
        let is_deep = self.mean.x >= low.x + depth.x
            && self.mean.x <= high.x - depth.x
            && self.mean.y >= low.y + depth.y
            && self.mean.y <= high.y - depth.y;
        is_deep && bar.area_m2 >= bar.probability * TAU * self.deviation_m.x * self.lower.1
    }

    /// The probability of a place within a polygon.
    pub(super) fn probability_in(&self, area: &Polygon) -> f64 {
        let Some(last) = area.corners.last() else {
            return 0.0;
        };
        let mut before = self.whitened(last);
        let mut sum = 0.0;
        for corner in &area.corners {
            let corner = self.whitened(corner);
            sum += sector(before, corner);
            before = corner;
        }
        // The direction of the corners gives the sign.
        sum.abs().min(1.0)
    }

    /// A point of the plan where this place is the standard normal distribution.
    fn whitened(&self, point: &Point2<f64>) -> Vector2<f64> {
        let from_mean = point - self.mean;
        let x = from_mean.x / self.deviation_m.x;
        Vector2::new(x, (from_mean.y - self.lower.0 * x) / self.lower.1)
    }
}

/// A probability that an area asks for, made ready for [`Place::may_reach`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    probability: f64,
    low: Point2<f64>,
    high: Point2<f64>,
    area_m2: f64,
    /// So many deviations inside of each side of the box the mean must be; negative: outside.
    depth: f64,
}

impl Bar {
    pub(super) fn new(area: &Polygon, probability: f64) -> Self {
        let (low, high) = area.bounds();
        Self {
            probability,
            low,
            high,
            area_m2: area.area_m2(),
            // A little less, for what the bisection leaves open.
            depth: quantile(probability) - 1e-3,
        }
    }
}

/// Where the standard normal distribution function has this value, by bisection; -4 to 4.
fn quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-4.0, 4.0);
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if normal(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The standard normal distribution function, by the rule above: 1e-7 from -4 to 4.
fn normal(at: f64) -> f64 {
    let density = |x: f64| (-x * x / 2.0).exp() / TAU.sqrt();
    let half = at / 4.0;
    // Two panels on the way from 0.
    let panels = [half, 3.0 * half].map(|middle| {
        let points = NODES.iter().map(|(node, weight)| {
            weight * (density(middle + half * node) + density(middle - half * node))
        });
        points.sum::<f64>() * half
    });
    0.5 + panels.iter().sum::<f64>()
}

/// The probability that a place with this mean and covariance lies in a polygon, within 0.001.
///
/// Straight lines stay straight where the covariance becomes the identity, and there the integral
/// over a polygon is the sum of those over the triangles between the mean and each edge, signed by
/// the way around. Of a triangle whose edge passes the mean at the distance `h`, seen under the angles
/// `a` to `b` from the perpendicular, it is the integral over the angle of
/// `(1 - exp(-h^2 / (2 cos^2 angle))) / 2 pi`: the radial part is in closed form, the rest takes a
/// quadrature of 16 points at each end (Owen's function T). A bounding box that is out of reach
/// along x or y counts as 0 without any of that. The variance along x and y is kept between 1 cm and
/// 10 km squared, the correlation within 0.999. What is no place (infinite, no number) is nowhere.
///
/// # Source
/// D. B. Owen, "Tables for computing bivariate normal probabilities", Ann. Math. Stat. 27 (1956).
pub fn area_probability(area: &Polygon, mean: Point2<f64>, covariance_m2: &Matrix2<f64>) -> f64 {
    match Place::new(mean, covariance_m2) {
        Some(place) if !place.is_far_from(&area.bounds()) => place.probability_in(area),
        _ => 0.0,
    }
}

/// Signed probability of the triangle between the origin and an edge, for a standard normal place.
fn sector(from: Vector2<f64>, to: Vector2<f64>) -> f64 {
    let along = to - from;
    let length = along.norm();
    let cross = from.perp(&to);
    // An edge through the mean or of no length spans no triangle; neither does one that is no edge.
    if !(length > 0.0 && cross != 0.0 && cross.is_finite()) {
        return 0.0;
    }
    let distance = cross.abs() / length;
    let angle = |end: Vector2<f64>| (end.dot(&along) / length).atan2(distance);
    let (first, last) = (angle(from), angle(to));
    let beyond = owen(distance, last) - owen(distance, first);
    ((last - first) / TAU - beyond).copysign(cross)
}

/// The integral of `exp(-h^2 / (2 cos^2 angle)) / 2 pi` from 0 to an angle within a right one.
fn owen(distance: f64, angle: f64) -> f64 {
    if distance >= FAR {
        return 0.0;
    }
    // Beyond this angle the edge is too far away to matter.
    let end = angle.abs().min((distance / FAR).acos());
    let knee = if distance < KNEE {
        (distance / KNEE).acos().min(end)
    } else {
        0.0
    };
    let half_square = distance * distance / 2.0;
    let integral = quadrature(half_square, 0.0, knee) + quadrature(half_square, knee, end);
    (integral / TAU).copysign(angle)
}

fn quadrature(half_square: f64, from: f64, to: f64) -> f64 {
    let half = (to - from) / 2.0;
    if half <= 0.0 {
        return 0.0;
    }
    let middle = from + half;
    let at = |angle: f64| {
        let cosine = angle.min(FRAC_PI_2).cos();
        (-half_square / (cosine * cosine)).exp()
    };
    let sum: f64 = (NODES.iter())
        .map(|(node, weight)| weight * (at(middle + half * node) + at(middle - half * node)))
        .sum();
    sum * half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (probability, expected) in [
            (0.5, 0.0),
            (0.6, 0.253_35),
            (0.99, 2.326_35),
            (0.01, -2.326_35),
        ] {
            let found = quantile(probability);
            assert!((found - expected).abs() < 1e-4, "{probability}: {found}");
        }
    }

    /// The bounds never hide a probability that is high enough.
    #[test]
    fn what_may_not_reach_does_not_reach() {
        let area = Polygon {
            corners: [[0.0, 0.0], [4.0, 0.0], [4.0, 1.5], [2.0, 3.0], [0.0, 3.0]]
                .map(|[x, y]| Point2::new(x, y))
                .to_vec(),
        };
        let mut refused = 0;
        for round in 0..4_000 {
            let part = |shift: u32, count: u32| {
                f64::from(((round * 2_654_435_761_u64) >> shift) as u32 % count) / f64::from(count)
            };
            let mean = Point2::new(part(3, 101) * 8.0 - 2.0, part(9, 103) * 7.0 - 2.0);
            let (x_m, y_m, common) = (
                0.1 + part(5, 19) * 2.0,
                0.1 + part(7, 23) * 2.0,
                part(11, 29) * 1.8 - 0.9,
            );
            let covariance =
                Matrix2::new(x_m * x_m, common * x_m * y_m, common * x_m * y_m, y_m * y_m);
            let place = Place::new(mean, &covariance).unwrap();
            for probability in [0.05, 0.3, 0.6, 0.9] {
                let bar = Bar::new(&area, probability);
                if !place.may_reach(&bar) {
                    refused += 1;
                    let found = place.probability_in(&area);
                    assert!(
                        found < probability + 1e-3,
                        "{found} at {mean} for {probability}"
                    );
                }
            }
        }
        assert!(refused > 4_000, "{refused}");
    }
}
