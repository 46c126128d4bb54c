//! Where the anchors of a fix stand in the plan: what their geometry alone leaves open.

use nalgebra::{Matrix2, Point2, Vector2};

/// Variance of the anchors' places in square metres below which they stand at one point.
const POINT_M2: f64 = 0.01;

/// Spread of the anchors across their main direction, relative to the spread along it, below which
/// they count as standing in a line: signal strengths and ranges of a metre do not tell the sides
/// of a line from less.
const FLATNESS: f64 = 0.1;

/// Shape of the set of anchors.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Layout {
    /// They span an area: one place explains what they heard.
    Area,
    /// They stand in a line: a place and its mirror image are alike.
    Line {
        /// Unit vector of the direction in which places mirror.
        across: Vector2<f64>,
    },
    /// They stand at one point: a circle of places is alike.
    #[default]
    Point,
}

impl Layout {
    /// The shape of these places, each counted as often as it comes.
    pub(crate) fn of(places: impl Iterator<Item = Point2<f64>> + Clone) -> Self {
        let count = places.clone().count().max(1) as f64;
        let sum: Vector2<f64> = places.clone().map(|place| place.coords).sum();
        let scatter: Matrix2<f64> = places
            .map(|place| place.coords - sum / count)
            .map(|away| away * away.transpose())
            .sum();
        let half_sum = 0.5 * scatter.trace() / count;
        let half_gap = 0.5 * (scatter.m11 - scatter.m22) / count;
        let xy = scatter.m12 / count;
        let root = half_gap.hypot(xy);
        let (least, most) = ((half_sum - root).max(0.0), half_sum + root);
        if most < POINT_M2 {
            return Self::Point;
        }
        if least >= FLATNESS * FLATNESS * most {
            return Self::Area;
        }
        let across = if half_gap > 0.0 {
            Vector2::new(-xy, half_gap + root)
        } else {
            Vector2::new(root - half_gap, -xy)
        };
        Self::Line {
            across: across.normalize(),
        }
    }

    /// Variance of a place in the directions about which the anchors say nothing or two things, in
    /// square metres; 0 where they span an area.
    pub(crate) fn open_variance_m2(&self, covariance_m2: &Matrix2<f64>) -> f64 {
        match self {
            Self::Area => 0.0,
            Self::Line { across } => across.dot(&(covariance_m2 * across)),
            Self::Point => covariance_m2.symmetric_eigenvalues().max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(places: &[(f64, f64)]) -> Layout {
        Layout::of(places.iter().map(|&(x, y)| Point2::new(x, y)))
    }

    #[test]
    fn points_lines_and_areas_are_told_apart() {
        assert_eq!(layout(&[]), Layout::Point);
        assert_eq!(layout(&[(1e4, -1e4); 5]), Layout::Point);
        assert_eq!(layout(&[(0.0, 0.0), (9.0, 0.0), (4.0, 5.0)]), Layout::Area);
        // A corridor with anchors on both sides.
        let corridor = [(0.0, 0.0), (10.0, 2.0), (20.0, 0.0), (30.0, 2.0)];
        assert!(matches!(layout(&corridor), Layout::Line { .. }));
    }

    #[test]
    fn the_variance_across_a_line_is_open() {
        let covariance_m2 = Matrix2::new(9.0, 0.0, 0.0, 4.0);
        let check = |places: &[(f64, f64)], expected_m2: f64| {
            let open_m2 = layout(places).open_variance_m2(&covariance_m2);
            assert!((open_m2 - expected_m2).abs() < 1e-9, "{places:?} {open_m2}");
        };
        check(&[(0.0, 0.0), (5.0, 0.0)], 4.0);
        check(&[(7.0, 1.0), (7.0, 3.0), (7.0, 8.0)], 9.0);
        check(&[(0.0, 0.0), (1.0, 1.0)], 6.5);
        check(&[(3.0, 3.0)], 9.0);
        check(&[(0.0, 0.0), (5.0, 0.0), (0.0, 5.0)], 0.0);
    }
}
