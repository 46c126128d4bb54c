//! Where people walk: what lies near known places, as rectangles for a site file.

use std::collections::BTreeMap;

use super::rectangle::Rectangle;

/// How far from a known place a client may be, in metres.
pub(super) const REACH_M: f64 = 1.0;

/// Side of the finest raster in metres: half of the cells in which places are sought.
const RASTER_M: f64 = 0.25;

/// Most rectangles of one floor; where it takes more, the raster is coarser. A site file takes
/// 1,000.
const RECTANGLES_MAX: usize = 900;

/// The union of the discs around the places, on a raster whose cells lie about `origin`.
///
/// A raster cell belongs to it when its middle does, so borders are right within half a raster.
pub(super) fn near(places: &[[f64; 2]], origin: [f64; 2]) -> Vec<Rectangle> {
    let mut raster_m = RASTER_M;
    loop {
        let rectangles = rectangles(places, origin, raster_m);
        if rectangles.len() <= RECTANGLES_MAX {
            return rectangles;
        }
        raster_m *= 2.0;
    }
}

/// Columns from one to before the other.
type Run = (i64, i64);

fn rectangles(places: &[[f64; 2]], origin: [f64; 2], raster_m: f64) -> Vec<Rectangle> {
    let edge_m = |axis: usize, cell: i64| origin[axis] + (cell as f64 - 0.5) * raster_m;
    let mut done = Vec::new();
    // Where the rectangles that grow with each row began.
    let mut growing: BTreeMap<Run, i64> = BTreeMap::new();
    let mut finish = |(begin, end): Run, from: i64, to: i64| {
        done.push(Rectangle {
            low: [edge_m(0, begin), edge_m(1, from)],
            high: [edge_m(0, end), edge_m(1, to)],
        });
    };
    let mut last = i64::MIN;
    for (row, runs) in runs_by_row(places, origin, raster_m) {
        let before = std::mem::take(&mut growing);
        for (run, from) in before {
            if row == last + 1 && runs.contains(&run) {
                growing.insert(run, from);
            } else {
                finish(run, from, last + 1);
            }
        }
        for run in runs {
            growing.entry(run).or_insert(row);
        }
        last = row;
    }
    for (run, from) in growing {
        finish(run, from, last + 1);
    }
    done
}

/// Cells with their middle within reach of a place, as runs that do not touch each other.
fn runs_by_row(places: &[[f64; 2]], origin: [f64; 2], raster_m: f64) -> BTreeMap<i64, Vec<Run>> {
    let mut rows: BTreeMap<i64, Vec<Run>> = BTreeMap::new();
    for &[x, y] in places {
        let (x, y) = ((x - origin[0]) / raster_m, (y - origin[1]) / raster_m);
        let reach = REACH_M / raster_m;
        // A place between two rows of a coarse raster has at least its own cell.
        let own = y.round() as i64;
        for row in ((y - reach).ceil() as i64).min(own)..=((y + reach).floor() as i64).max(own) {
            let half = (reach.powi(2) - (row as f64 - y).powi(2)).max(0.0).sqrt();
            let middle = x.round() as i64;
            let begin = ((x - half).ceil() as i64).min(middle);
            let end = ((x + half).floor() as i64).max(middle) + 1;
            rows.entry(row).or_default().push((begin, end));
        }
    }
    for runs in rows.values_mut() {
        runs.sort_unstable();
        let mut joined: Vec<Run> = Vec::new();
        for &(begin, end) in runs.iter() {
            match joined.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((begin, end)),
            }
        }
        *runs = joined;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(areas: &[Rectangle], [x, y]: [f64; 2]) -> usize {
        let holds =
            |of: &&Rectangle| of.low[0] <= x && x < of.high[0] && of.low[1] <= y && y < of.high[1];
        areas.iter().filter(holds).count()
    }

    #[test]
    fn the_union_of_discs_and_nothing_twice() {
        let places = [[0.3, 0.1], [1.7, 0.4], [9.0, -3.0]];
        let areas = near(&places, [-4.0, -5.0]);
        for n in 0..4_000 {
            let point = [
                -3.0 + f64::from(n % 80) * 0.17,
                -5.0 + f64::from(n / 80) * 0.13,
            ];
            let away_m = places
                .iter()
                .map(|place| (place[0] - point[0]).hypot(place[1] - point[1]))
                .fold(f64::INFINITY, f64::min);
            let inside = holds(&areas, point);
            assert!(inside <= 1, "{point:?}");
            // Half the diagonal of a raster cell.
            if (away_m - REACH_M).abs() > 0.18 {
                assert_eq!(inside == 1, away_m < REACH_M, "{point:?}");
            }
        }
        let sum_m2: f64 = areas
            .iter()
            .map(|of| (of.high[0] - of.low[0]) * (of.high[1] - of.low[1]))
            .sum();
        assert!(
            (sum_m2 - 3.0 * std::f64::consts::PI + 0.79).abs() < 0.6,
            "{sum_m2}"
        );
    }

    #[test]
    fn a_corridor_along_an_axis_is_few_rectangles() {
        let corridor: Vec<[f64; 2]> = (0..400).map(|n| [5.0, f64::from(n) * 0.25]).collect();
        assert!(near(&corridor, [0.0, 0.0]).len() < 20);
    }

    #[test]
    fn many_places_fit_into_a_site_file() {
        let scattered: Vec<[f64; 2]> = (0..2_000)
            .map(|n| {
                [
                    f64::from(n % 50) * 2.3,
                    f64::from(n / 50) * 2.3 + f64::from(n % 7) * 0.1,
                ]
            })
            .collect();
        let areas = near(&scattered, [0.0, 0.0]);
        assert!(areas.len() <= RECTANGLES_MAX, "{}", areas.len());
        assert!(scattered.iter().all(|&place| holds(&areas, place) == 1));
    }
}
