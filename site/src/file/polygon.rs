//! Polygons of a file: enough corners, an area, no edge that crosses another.

use nalgebra::Point2;

use crate::geometry::{Polygon, side};
use crate::limits;
use crate::reader::Value;
use crate::reader::number;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table;

/// Less than a sheet of paper is a slip of the pen.
const AREA_M2_MIN: f64 = 0.01;

/// A polygon from a list of corners; a last corner that repeats the first is dropped.
pub(crate) fn read(
    value: &Value<'_>,
    key: &str,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Polygon> {
    let mut corners = points(value, key, limits::CORNERS_MAX, place, problems)?;
    if corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    let polygon = Polygon { corners };
    let Some((fault, what_to_do)) = fault(&polygon) else {
        return Some(polygon);
    };
    let what = place.says(format_args!("{key}: {fault}"));
    problems.add(value.span(), what, what_to_do);
    None
}

/// As [`read`], for an area that must have a part of the storey's outline.
pub(crate) fn read_within(
    value: &Value<'_>,
    key: &str,
    outline: Option<&Polygon>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Polygon> {
    let polygon = read(value, key, place, problems)?;
    let (min, max) = polygon.bounds();
    let Some((outline_min, outline_max)) = outline.map(Polygon::bounds) else {
        return Some(polygon);
    };
    if min.x < outline_max.x
        && outline_min.x < max.x
        && min.y < outline_max.y
        && outline_min.y < max.y
    {
        return Some(polygon);
    }
    let what = place.says(format_args!("{key} lies outside the floor's outline"));
    problems.add(value.span(), what, "move it, or put it on another floor");
    None
}

/// Whether a value looks like one polygon where a list of them is wanted.
pub(crate) fn is_single(value: &Value<'_>) -> bool {
    let number = value
        .get_ref()
        .get(0)
        .and_then(|corner| corner.get_ref().get(0));
    number.is_some_and(|number| number.get_ref().is_integer() || number.get_ref().is_float())
}

/// A list of points.
pub(crate) fn points(
    value: &Value<'_>,
    key: &str,
    count_max: usize,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Vec<Point2<f64>>> {
    let values = table::list(value, key, count_max, place, problems)?;
    let points: Vec<Option<_>> = values
        .iter()
        .map(|value| number::point(value, key, place, problems))
        .collect();
    points.into_iter().collect()
}

/// What keeps a polygon from being simple, and what to do about it.
fn fault(polygon: &Polygon) -> Option<(String, &'static str)> {
    let corners = &polygon.corners;
    let count = corners.len();
    if count < 3 {
        let what = format!("{count} different corners do not close an area");
        return Some((
            what,
            "give at least three corners [x, y]; the last joins the first",
        ));
    }
    for (index, (from, to)) in polygon.edges().enumerate() {
        if from == to {
            let next = (index + 1) % count + 1;
            let what = format!("corner {next} repeats corner {}", index + 1);
            return Some((what, "remove one of them"));
        }
    }
    if let Some((one, other)) = crossing_edges(polygon) {
        let what = format!("its edges {} and {} meet", one + 1, other + 1);
        return Some((what, "order the corners along the border"));
    }
    if polygon.area_m2() < AREA_M2_MIN {
        return Some((
            "it has no area".to_owned(),
            "give corners that are not on one line",
        ));
    }
    None
}

/// Two edges that meet beyond the corner that neighbours share; edge 0 begins at corner 0.
fn crossing_edges(polygon: &Polygon) -> Option<(usize, usize)> {
    let edges: Vec<_> = polygon.edges().collect();
    let count = edges.len();
    for (one, &first) in edges.iter().enumerate() {
        for (other, &second) in edges.iter().enumerate().skip(one + 1) {
            let meet = if other == one + 1 {
                turns_back(first, second)
            } else if one == 0 && other == count - 1 {
                turns_back(second, first)
            } else {
                share_a_point(first, second)
            };
            if meet {
                return Some((one, other));
            }
        }
    }
    None
}

type Edge = (Point2<f64>, Point2<f64>);

/// Whether the second of two successive edges runs back along the first.
fn turns_back(first: Edge, second: Edge) -> bool {
    let (before, after) = (first.1 - first.0, second.1 - second.0);
    before.perp(&after) == 0.0 && before.dot(&after) < 0.0
}

/// Whether two segments, ends included, have a point in common.
fn share_a_point(first: Edge, second: Edge) -> bool {
    let sides =
        |edge: Edge, other: Edge| (side(edge.0, edge.1, other.0), side(edge.0, edge.1, other.1));
    let (second_from, second_to) = sides(first, second);
    let (first_from, first_to) = sides(second, first);
    let apart = |one: f64, other: f64| one.max(other) < 0.0 || one.min(other) > 0.0;
    if apart(second_from, second_to) || apart(first_from, first_to) {
        return false;
    }
    // On one line, or touching: then the boxes decide.
    let (first_min, first_max) = (first.0.inf(&first.1), first.0.sup(&first.1));
    let (second_min, second_max) = (second.0.inf(&second.1), second.0.sup(&second.1));
    first_min <= second_max && second_min <= first_max
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(corners: &[[f64; 2]]) -> Option<String> {
        let corners = corners.iter().map(|&[x, y]| Point2::new(x, y)).collect();
        fault(&Polygon { corners }).map(|(what, _)| what)
    }

    #[test]
    fn a_simple_polygon_has_no_fault() {
        let check = |corners: &[[f64; 2]]| assert_eq!(fault_of(corners), None, "{corners:?}");
        check(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]);
        // Clockwise, concave, and with a corner on a straight edge.
        check(&[[0.0, 0.0], [0.0, 2.0], [2.0, 2.0], [1.0, 1.0], [2.0, 0.0]]);
        check(&[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]);
    }

    #[test]
    fn each_fault_is_named() {
        let check = |corners: &[[f64; 2]], expected: &str| {
            assert_eq!(fault_of(corners).as_deref(), Some(expected), "{corners:?}");
        };
        check(&[], "0 different corners do not close an area");
        check(
            &[[0.0, 0.0], [1.0, 0.0]],
            "2 different corners do not close an area",
        );
        check(
            &[[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
            "corner 3 repeats corner 2",
        );
        check(
            &[[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]],
            "its edges 1 and 3 meet",
        );
        check(
            &[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]],
            "its edges 1 and 3 meet",
        );
        check(
            &[[0.0, 0.0], [4.0, 0.0], [2.0, 0.0], [2.0, 2.0]],
            "its edges 1 and 2 meet",
        );
        check(
            &[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 0.0], [0.0, 4.0]],
            "its edges 1 and 3 meet",
        );
        check(&[[0.0, 0.0], [0.01, 0.0], [0.0, 0.01]], "it has no area");
    }
}
