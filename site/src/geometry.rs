//! Plane geometry of floors: polygons and which points they hold.

use nalgebra::Point2;

use crate::building::{Floor, FloorIndex, Site};

/// A simple closed polygon in the plan, in metres; the last corner joins the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// Corners in order; at least three, not repeated at the end.
    pub corners: Vec<Point2<f64>>,
}

impl Polygon {
    /// The rectangle between two opposite corners, anticlockwise from its lowest corner.
    pub fn rectangle(one: Point2<f64>, other: Point2<f64>) -> Self {
        let (min, max) = (one.inf(&other), one.sup(&other));
        let corners = vec![
            min,
            Point2::new(max.x, min.y),
            max,
            Point2::new(min.x, max.y),
        ];
        Self { corners }
    }

    /// Whether a point lies inside.
    ///
    /// The border is half-open: of two polygons that share an edge, exactly one holds a point on
    /// it, so tiles neither overlap nor leave a gap.
    /// # Source
    /// Crossing number with the upward-downward edge rule: W. R. Franklin, PNPOLY.
    pub fn contains(&self, point: Point2<f64>) -> bool {
        let mut inside = false;
        for (from, to) in self.edges() {
            if (from.y > point.y) != (to.y > point.y) {
                // The canonical direction makes neighbours agree to the last bit.
                let (low, high) = if from.y < to.y {
                    (from, to)
                } else {
                    (to, from)
                };
                inside ^= side(low, high, point) > 0.0;
            }
        }
        inside
    }

    /// Area in square metres, whatever the direction of the corners.
    pub fn area_m2(&self) -> f64 {
        self.signed_area_m2().abs()
    }

    /// Lowest and highest x and y of the corners; the origin twice when there are none.
    pub fn bounds(&self) -> (Point2<f64>, Point2<f64>) {
        bounds_of(self.corners.iter().copied()).unwrap_or((Point2::origin(), Point2::origin()))
    }

    /// Edges from corner to corner; the last one leads back to the first corner.
    pub fn edges(&self) -> impl Iterator<Item = (Point2<f64>, Point2<f64>)> + '_ {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().zip(next).map(|(from, to)| (*from, *to))
    }

    /// Centre of the area; the mean of the corners where there is no area.
    pub fn centroid(&self) -> Point2<f64> {
        // Relative to the first corner, so that far coordinates do not cancel digits.
        let Some(anchor) = self.corners.first().copied() else {
            return Point2::origin();
        };
        let mut doubled_area = 0.0;
        let mut weighted = nalgebra::Vector2::zeros();
        for (from, to) in self.edges() {
            let (from, to) = (from - anchor, to - anchor);
            let cross = from.perp(&to);
            doubled_area += cross;
            weighted += (from + to) * cross;
        }
        if doubled_area == 0.0 {
            let sum: nalgebra::Vector2<f64> = self.corners.iter().map(|c| c - anchor).sum();
            return anchor + sum / self.corners.len() as f64;
        }
        anchor + weighted / (3.0 * doubled_area)
    }

    /// Distance of a point from the area, in metres; 0 inside.
    pub fn distance_m(&self, point: Point2<f64>) -> f64 {
        if self.contains(point) {
            return 0.0;
        }
        let distances = self
            .edges()
            .map(|(from, to)| distance_to_segment_m(from, to, point));
        distances.fold(f64::INFINITY, f64::min)
    }

    fn signed_area_m2(&self) -> f64 {
        let Some(anchor) = self.corners.first().copied() else {
            return 0.0;
        };
        self.edges()
            .map(|(from, to)| (from - anchor).perp(&(to - anchor)))
            .sum::<f64>()
            / 2.0
    }
}

impl Floor {
    /// Whether a client may stand here: inside the outline and an allowed area, in no blocked one.
    pub fn is_allowed(&self, point: Point2<f64>) -> bool {
        let holds = |area: &Polygon| area.contains(point);
        self.outline.contains(point)
            && (self.allowed.is_empty() || self.allowed.iter().any(holds))
            && !self.blocked.iter().any(holds)
    }

    /// Whether a height, counted from the site's origin, is within this storey.
    pub fn holds_height(&self, z_m: f64) -> bool {
        (self.elevation_m..self.elevation_m + self.height_m).contains(&z_m)
    }
}

impl Site {
    /// The storey at a height: the highest one whose walking surface is not above it.
    ///
    /// Below the lowest walking surface it is the lowest storey.
    pub fn floor_at(&self, z_m: f64) -> FloorIndex {
        let below = self
            .floors
            .partition_point(|floor| floor.elevation_m <= z_m);
        FloorIndex(u8::try_from(below.saturating_sub(1)).unwrap_or(u8::MAX))
    }

    /// Lowest and highest x and y of all outlines.
    pub fn bounds(&self) -> (Point2<f64>, Point2<f64>) {
        let corners = self
            .floors
            .iter()
            .flat_map(|floor| floor.outline.corners.iter().copied());
        bounds_of(corners).unwrap_or((Point2::origin(), Point2::origin()))
    }
}

/// Twice the signed area of a triangle: positive when `point` is left of the way `from` - `to`.
pub(crate) fn side(from: Point2<f64>, to: Point2<f64>, point: Point2<f64>) -> f64 {
    (to - from).perp(&(point - from))
}

fn distance_to_segment_m(from: Point2<f64>, to: Point2<f64>, point: Point2<f64>) -> f64 {
    let along = to - from;
    let length_squared = along.norm_squared();
    if length_squared == 0.0 {
        return (point - from).norm();
    }
    let way = (point - from).dot(&along) / length_squared;
    (point - (from + along * way.clamp(0.0, 1.0))).norm()
}

fn bounds_of(points: impl Iterator<Item = Point2<f64>>) -> Option<(Point2<f64>, Point2<f64>)> {
    points
        .map(|p| (p, p))
        .reduce(|(min, max), (p, _)| (min.inf(&p), max.sup(&p)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(corners: &[[f64; 2]]) -> Polygon {
        Polygon {
            corners: corners.iter().map(|&[x, y]| Point2::new(x, y)).collect(),
        }
    }

    fn l_shape() -> Polygon {
        polygon(&[
            [0.0, 0.0],
            [4.0, 0.0],
            [4.0, 1.0],
            [1.0, 1.0],
            [1.0, 3.0],
            [0.0, 3.0],
        ])
    }

    #[test]
    fn contains_follows_a_concave_outline() {
        let check = |x, y, expected| {
            assert_eq!(
                l_shape().contains(Point2::new(x, y)),
                expected,
                "at ({x}, {y})"
            );
        };
        check(0.5, 0.5, true);
        check(3.5, 0.5, true);
        check(0.5, 2.5, true);
        check(2.0, 2.0, false);
        check(-0.1, 0.5, false);
        check(5.0, 0.5, false);
        check(0.5, 1.0, true);
    }

    #[test]
    fn a_point_on_a_shared_edge_is_in_exactly_one_tile() {
        let left = polygon(&[[0.0, 0.0], [1.0, 0.0], [1.3, 1.0], [0.0, 1.0]]);
        let right = polygon(&[[1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.3, 1.0]]);
        for step in 0..100 {
            let way = f64::from(step) / 100.0;
            let point = Point2::new(1.0 + 0.3 * way, way);
            assert_ne!(left.contains(point), right.contains(point), "at {point}");
        }
    }

    #[test]
    fn distance_is_to_the_nearest_edge_and_zero_inside() {
        let check = |x, y, expected: f64| {
            let distance_m = l_shape().distance_m(Point2::new(x, y));
            assert!(
                (distance_m - expected).abs() < 1e-12,
                "at ({x}, {y}): {distance_m}"
            );
        };
        check(0.5, 0.5, 0.0);
        check(2.0, 3.0, 1.0);
        check(7.0, -4.0, 5.0);
        check(-1.5, 2.0, 1.5);
    }

    #[test]
    fn area_and_centroid_ignore_the_direction_of_the_corners() {
        let mut reversed = l_shape();
        reversed.corners.reverse();
        for shape in [l_shape(), reversed] {
            assert_eq!(shape.area_m2(), 6.0);
            // Two rectangles by hand: (4 m2 at 2, 0.5) and (2 m2 at 0.5, 2).
            assert!((shape.centroid() - Point2::new(1.5, 1.0)).norm() < 1e-12);
        }
    }

    #[test]
    fn a_rectangle_has_the_bounds_it_was_made_of() {
        let (low, high) = (Point2::new(-1.0, 2.0), Point2::new(3.0, 5.0));
        let shape = Polygon::rectangle(Point2::new(3.0, 2.0), Point2::new(-1.0, 5.0));
        assert_eq!(shape.bounds(), (low, high));
        assert_eq!(shape.area_m2(), 12.0);
        assert_eq!(shape.edges().count(), 4);
    }

    #[test]
    fn a_polygon_without_area_has_its_corners_mean_as_centroid() {
        let line = polygon(&[[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]);
        assert_eq!(line.area_m2(), 0.0);
        assert_eq!(line.centroid(), Point2::new(2.0, 2.0));
    }
}
