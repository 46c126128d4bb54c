//! The continuous solver inside a building: corrected ranges, one height prior per floor.

use nalgebra::{Matrix2, Matrix3, Point2, Point3};
use site::FloorIndex;

use crate::evidence::RangeTerm;
use crate::limits::FIX_RADIOS_MAX;
use crate::model::Model;
use crate::multilaterate::{self, Height, Prior, Range, Solution};
use crate::posterior::PlacePrior;

/// Fewest ranges with which the continuous solver is asked.
const RANGES_MIN: usize = 3;

/// Ranges at least this fine, in cells of the grid, gain from a solver without cells.
const FINE_IN_CELLS: f64 = 0.7;

/// Deviation of the height of a client that is carried, worn or flown, in metres.
const HEIGHT_DEVIATION_M: f64 = 0.6;

/// What the continuous solver needs beside the ranges.
pub(super) struct Ranging<'a> {
    pub(super) model: &'a Model,
    pub(super) floors_log: &'a [f32],
}

/// Its answer on the best floor.
pub(super) struct RangeAnswer {
    pub(super) solution: Solution,
    pub(super) floor: FloorIndex,
    pub(super) floor_probability: f64,
    /// How much worse than without the prior the ranges are explained with it, in nats.
    pub(super) surprise_nats: f32,
}

impl Ranging<'_> {
    /// A place from ranges alone; `None` where they are too few, too coarse or badly placed.
    pub(super) fn solve(
        &self,
        terms: &[RangeTerm],
        place: Option<PlacePrior>,
        temper: f64,
    ) -> Option<RangeAnswer> {
        let fine_m = FINE_IN_CELLS * self.model.cell_m();
        let fine = terms
            .iter()
            .filter(|term| f64::from(term.deviation_m) <= fine_m)
            .count();
        if fine < RANGES_MIN {
            return None;
        }
        let mut ranges = [corrected(terms.first()?, temper); FIX_RADIOS_MAX];
        for (range, term) in ranges.iter_mut().zip(terms) {
            *range = corrected(term, temper);
        }
        self.best_floor(&ranges[..terms.len().min(FIX_RADIOS_MAX)], place)
    }

    fn best_floor(&self, ranges: &[Range], place: Option<PlacePrior>) -> Option<RangeAnswer> {
        let mut best: Option<(FloorIndex, Solution, f64)> = None;
        // Of all floors, relative to the best: absurd ranges cost more nats than an exponential has.
        let mut total = 0.0;
        for (index, floor_log) in self.floors_log.iter().enumerate() {
            let floor = FloorIndex(index as u8);
            let Some(solution) = self.on_floor(ranges, floor, place) else {
                continue;
            };
            let z_m = self.model.carrying_z_m(floor);
            let away = (solution.position.z - z_m) / HEIGHT_DEVIATION_M;
            let log = f64::from(*floor_log) - solution.cost_nats - 0.5 * away * away;
            let best_log = best.map_or(f64::NEG_INFINITY, |(_, _, best_log)| best_log);
            if log > best_log {
                total = total * (best_log - log).exp() + 1.0;
                best = Some((floor, solution, log));
            } else {
                total += (log - best_log).exp();
            }
        }
        let (floor, solution, _) = best?;
        if solution.is_degenerate() {
            return None;
        }
        let free = match place {
            Some(_) => self.on_floor(ranges, floor, None)?,
            None => solution,
        };
        Some(RangeAnswer {
            solution,
            floor,
            floor_probability: total.recip(),
            surprise_nats: (solution.cost_nats - free.cost_nats) as f32,
        })
    }

    fn on_floor(
        &self,
        ranges: &[Range],
        floor: FloorIndex,
        place: Option<PlacePrior>,
    ) -> Option<Solution> {
        let z_m = self.model.carrying_z_m(floor);
        let height = Height::About {
            z_m,
            deviation_m: HEIGHT_DEVIATION_M,
        };
        let prior = place.and_then(|place| {
            let information = information_of(&place)?;
            Some(Prior {
                mean: raised(place.mean_in_site, z_m),
                information,
            })
        });
        multilaterate::solve(ranges, height, prior.as_ref())
    }
}

/// Bias is already taken off; slope and the share of news go into distance and deviation.
fn corrected(term: &RangeTerm, temper: f64) -> Range {
    let slope = f64::from(term.slope);
    Range {
        anchor: term.anchor_in_site,
        distance_m: f64::from(term.distance_m) / slope,
        deviation_m: f64::from(term.deviation_m) / slope / temper.max(0.05).sqrt(),
    }
}

/// A plane Gaussian as information in space.
fn information_of(place: &PlacePrior) -> Option<Matrix3<f64>> {
    let inverse: Matrix2<f64> = place.covariance_m2.try_inverse()?;
    let mut information = Matrix3::zeros();
    information.fixed_view_mut::<2, 2>(0, 0).copy_from(&inverse);
    Some(information)
}

/// A place in the plan at a height.
fn raised(place: Point2<f64>, z_m: f64) -> Point3<f64> {
    Point3::new(place.x, place.y, z_m)
}
