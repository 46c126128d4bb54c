//! The ranges that can be used, in one order and in coordinates of their own.

use nalgebra::{Point3, Vector3};

use super::{DEGREES, Range};
use crate::limits::{RANGE_MAX_M, SOLVER_RANGES_MAX};

/// Deviation in metres below which a range counts as this fine: no radio measures better, and
/// squares stay numbers.
const DEVIATION_MIN_M: f64 = 1e-4;

/// Deviation in metres above which a range says nothing on any site.
const DEVIATION_MAX_M: f64 = 1e4;

/// Largest coordinate in metres: more than any frame on Earth has.
const COORDINATE_MAX_M: f64 = 1e8;

/// One range, ready for arithmetic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    /// The anchor, from the middle of all of them.
    pub(super) anchor: Vector3<f64>,
    pub(super) distance_m: f64,
    /// Degrees of freedom times the squared deviation.
    pub(super) spread_m2: f64,
}

/// The usable ranges of a problem.
///
/// Shortest first, ties by the anchor's coordinates: whatever order they come in, the arithmetic
/// that follows is the same to the last bit. A range given twice stands here once.
#[derive(Debug)]
pub(super) struct Terms {
    /// Middle of the anchors, in the site's frame: origin of all coordinates here.
    pub(super) origin: Point3<f64>,
    terms: [Term; SOLVER_RANGES_MAX],
    len: usize,
}

impl Terms {
    pub(super) fn new(ranges: &[Range]) -> Self {
        let mut kept = [NOTHING; SOLVER_RANGES_MAX];
        let mut len = 0;
        for range in ranges.iter().filter(|range| is_usable(range)) {
            let place = kept[..len].partition_point(|other| key(other) < key(range));
            let is_known = place < len && key(&kept[place]) == key(range);
            if is_known || place == SOLVER_RANGES_MAX {
                continue;
            }
            len = (len + 1).min(SOLVER_RANGES_MAX);
            kept.copy_within(place..len - 1, place + 1);
            kept[place] = *range;
        }
        let kept = &kept[..len];
        let sum: Vector3<f64> = kept.iter().map(|range| range.anchor.coords).sum();
        let origin = Point3::from(sum / len.max(1) as f64);
        let mut terms = [Term::of(&NOTHING, origin); SOLVER_RANGES_MAX];
        for (term, range) in terms.iter_mut().zip(kept) {
            *term = Term::of(range, origin);
        }
        Self { origin, terms, len }
    }

    pub(super) fn as_slice(&self) -> &[Term] {
        &self.terms[..self.len]
    }
}

impl Term {
    fn of(range: &Range, origin: Point3<f64>) -> Self {
        Self {
            anchor: range.anchor - origin,
            distance_m: range.distance_m,
            spread_m2: spread_m2(range.deviation_m),
        }
    }
}

pub(super) fn spread_m2(deviation_m: f64) -> f64 {
    DEGREES * deviation_m.max(DEVIATION_MIN_M).powi(2)
}

const NOTHING: Range = Range {
    anchor: Point3::new(0.0, 0.0, 0.0),
    distance_m: 0.0,
    deviation_m: 1.0,
};

/// Numbers that are compared one after the other; all of them are finite.
fn key(range: &Range) -> [f64; 5] {
    let [x, y, z]: [f64; 3] = range.anchor.coords.into();
    [range.distance_m, x, y, z, range.deviation_m]
}

/// Written so that NaN fails.
pub(super) fn is_usable(range: &Range) -> bool {
    range
        .anchor
        .iter()
        .all(|value| value.abs() <= COORDINATE_MAX_M)
        && range.distance_m.abs() <= RANGE_MAX_M
        && range.deviation_m > 0.0
        && range.deviation_m <= DEVIATION_MAX_M
}
