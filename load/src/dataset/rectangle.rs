//! Boxes in the plan.

use std::fmt::{self, Display, Formatter};

/// A box in the plan, in metres; as text, its corners.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rectangle {
    pub(super) low: [f64; 2],
    pub(super) high: [f64; 2],
}

impl Rectangle {
    /// The smallest box around the points and so much more on each side; an empty one of none.
    pub(super) fn around(points: impl Iterator<Item = [f64; 2]>, margin_m: f64) -> Self {
        let nothing = Self {
            low: [f64::INFINITY; 2],
            high: [f64::NEG_INFINITY; 2],
        };
        points.fold(nothing, |of, [x, y]| {
            of.joined(Self {
                low: [x - margin_m, y - margin_m],
                high: [x + margin_m, y + margin_m],
            })
        })
    }

    /// The smallest box that holds both.
    pub(super) fn joined(&self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|axis| self.low[axis].min(other.low[axis])),
            high: std::array::from_fn(|axis| self.high[axis].max(other.high[axis])),
        }
    }
}

impl Display for Rectangle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ([x0, y0], [x1, y1]) = (self.low, self.high);
        write!(
            f,
            "[[{x0}, {y0}], [{x1}, {y0}], [{x1}, {y1}], [{x0}, {y1}]]"
        )
    }
}
