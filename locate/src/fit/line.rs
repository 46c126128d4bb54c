//! A straight line through weighted points, drawn towards a line known before.

use nalgebra::{Matrix2, Vector2};

/// `y = level + slope * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) level: f64,
    pub(super) slope: f64,
}

/// How far a line may stray from the one known before: standard deviations of its two numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leash {
    pub(super) level: f64,
    pub(super) slope: f64,
}

/// One point with its weight: the inverse of its variance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) weight: f64,
}

impl Line {
    pub(super) fn at(&self, x: f64) -> f64 {
        self.level + self.slope * x
    }

    /// The line that weighs the points against the leash: the mean of the Gaussian posterior.
    pub(super) fn through(points: impl Iterator<Item = Point>, prior: Self, leash: Leash) -> Self {
        let (level, slope) = (leash.level.powi(-2), leash.slope.powi(-2));
        let mut information = Matrix2::from_diagonal(&Vector2::new(level, slope));
        let mut right = Vector2::new(level * prior.level, slope * prior.slope);
        for point in points {
            let row = Vector2::new(1.0, point.x);
            information += row * row.transpose() * point.weight;
            right += row * (point.y * point.weight);
        }
        information.cholesky().map_or(prior, |factor| {
            let solution = factor.solve(&right);
            Self {
                level: solution.x,
                slope: solution.y,
            }
        })
    }
}
