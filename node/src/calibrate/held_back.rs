//! Whether a calibration would have located the places that it was not learned from.

use std::collections::BTreeMap;
use std::sync::Arc;

use locate::fit::{Survey, SurveyEpoch};
use locate::{Locator, Model, ModelOptions, Track};
use serde::{Deserialize, Serialize};
use site::{Calibration, FloorIndex, Site};

use super::cancel::{Cancel, Cancelled};

/// Places from which a survey can be checked: with fewer, what is held back is most of it.
pub const PLACES_MIN: usize = 4;

/// Parts into which places are dealt: each part is located by what the others teach.
const FOLDS: usize = 5;

/// Side of a place in metres: readings within it see the same shadows and stay together.
const PLACE_M: f64 = 2.0;

/// Epochs located in the check; of more, every so manieth.
const EPOCHS_MAX: usize = 4_000;

/// By how much the median may rise while the RMSE falls.
const MEDIAN_TOLERANCE: f64 = 1.05;

/// Readings at a known place, with its floor.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The floor.
    pub floor: FloorIndex,
    /// Place, client and readings.
    pub epoch: SurveyEpoch,
}

/// How far fixes were from where the client was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Half of the fixes are nearer than this, in metres.
    pub median_m: f64,
    /// Root of the mean squared distance, in metres.
    pub rmse_m: f64,
    /// Share of fixes on the right floor.
    pub floor_share: f64,
}

/// Errors at held-back places, without any calibration and with the one learned elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Places.
    pub places: usize,
    /// Fixes.
    pub fixes: usize,
    /// Without calibration.
    pub before: Errors,
    /// With it.
    pub after: Errors,
}

impl HeldBack {
    /// Whether the calibration is worth keeping: the RMSE falls, and neither the median nor the
    /// floors pay for it.
    pub fn improves(&self) -> bool {
        self.after.rmse_m < self.before.rmse_m && !self.harms()
    }

    /// Whether somebody would be located worse.
    pub fn harms(&self) -> bool {
        self.after.rmse_m > self.before.rmse_m * 1.02
            || self.after.median_m > self.before.median_m * MEDIAN_TOLERANCE
            || self.after.floor_share < self.before.floor_share - 0.005
    }
}

/// How many places there are, counting as one what lies within two metres on one floor.
pub fn places(survey: &[Placed]) -> usize {
    by_place(survey).len()
}

/// Locates every place with what `learn` makes of the others; `None` with too few places, or where
/// no place has a fix.
///
/// Cost: a radio map for each of up to five parts.
///
/// # Errors
/// [`Cancelled`] when it was called off between two parts.
pub fn check(
    site: &Site,
    survey: &[Placed],
    learn: impl Fn(&Survey) -> Calibration,
    cancel: &Cancel,
) -> Result<Option<HeldBack>, Cancelled> {
    let by_place = by_place(survey);
    if by_place.len() < PLACES_MIN {
        return Ok(None);
    }
    let folds = FOLDS.min(by_place.len());
    let mut located = Vec::new();
    let mut unlearned = locator(site, &Calibration::default());
    for fold in 0..folds {
        cancel.check()?;
        let is_held = |place: usize| place % folds == fold;
        let teaching = by_place
            .iter()
            .enumerate()
            .filter(|(place, _)| !is_held(*place));
        let teaching = Survey {
            epochs: teaching
                .flat_map(|(_, epochs)| epochs.iter().map(|placed| placed.epoch.clone()))
                .collect(),
        };
        let mut learned = locator(site, &learn(&teaching));
        let held = by_place
            .iter()
            .enumerate()
            .filter(|(place, _)| is_held(*place));
        for placed in held.flat_map(|(_, epochs)| epochs) {
            located.push((miss(&mut unlearned, placed), miss(&mut learned, placed)));
        }
    }
    cancel.check()?;
    Ok(summary(by_place.len(), &located))
}

/// Locates every place without and with a calibration that was not learned from them.
pub fn compare(site: &Site, survey: &[Placed], calibration: &Calibration) -> Option<HeldBack> {
    let mut unlearned = locator(site, &Calibration::default());
    let mut learned = locator(site, calibration);
    let located: Vec<_> = thinned(survey)
        .map(|placed| (miss(&mut unlearned, placed), miss(&mut learned, placed)))
        .collect();
    summary(places(survey), &located)
}

/// Distance in the plan and whether the floor is right.
type Miss = (f64, bool);

fn miss(locator: &mut Locator, placed: &Placed) -> Option<Miss> {
    let fix = locator.locate(&placed.epoch.sightings, &mut Track::default(), 1.0)?;
    let away = fix.position_in_site.xy() - placed.epoch.position_in_site.xy();
    Some((away.norm(), fix.floor == placed.floor))
}

fn summary(places: usize, located: &[(Option<Miss>, Option<Miss>)]) -> Option<HeldBack> {
    let both: Vec<(Miss, Miss)> = located
        .iter()
        .filter_map(|(before, after)| Some(((*before)?, (*after)?)))
        .collect();
    Some(HeldBack {
        places,
        fixes: both.len(),
        before: Errors::of(both.iter().map(|it| it.0))?,
        after: Errors::of(both.iter().map(|it| it.1))?,
    })
}

impl Errors {
    fn of(misses: impl Iterator<Item = Miss>) -> Option<Self> {
        let misses: Vec<Miss> = misses.collect();
        let mut distances_m: Vec<f64> = misses.iter().map(|miss| miss.0).collect();
        distances_m.sort_by(f64::total_cmp);
        let count = misses.len() as f64;
        let squares: f64 = distances_m.iter().map(|away_m| away_m * away_m).sum();
        let right = misses.iter().filter(|miss| miss.1).count() as f64;
        Some(Self {
            median_m: *distances_m.get(distances_m.len() / 2)?,
            rmse_m: (squares / count).sqrt(),
            floor_share: right / count,
        })
    }
}

fn locator(site: &Site, calibration: &Calibration) -> Locator {
    let model = Model::new(site, calibration, &ModelOptions::default());
    Locator::new(Arc::new(model))
}

/// The epochs of each place; places that lie beside each other follow one another, so that dealing
/// them in turn spreads every part over the whole site.
fn by_place(survey: &[Placed]) -> Vec<Vec<&Placed>> {
    let mut by_place: BTreeMap<(u8, i64, i64), Vec<&Placed>> = BTreeMap::new();
    for placed in thinned(survey) {
        let cell =
            (placed.epoch.position_in_site.coords / PLACE_M).map(|value| value.floor() as i64);
        by_place
            .entry((placed.floor.0, cell.x, cell.y))
            .or_default()
            .push(placed);
    }
    by_place.into_values().collect()
}

fn thinned(survey: &[Placed]) -> impl Iterator<Item = &Placed> {
    survey
        .iter()
        .step_by(survey.len().div_ceil(EPOCHS_MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(median_m: f64, rmse_m: f64, floor_share: f64) -> Errors {
        Errors {
            median_m,
            rmse_m,
            floor_share,
        }
    }

    #[test]
    fn only_what_locates_better_is_kept() {
        let check = |after, improves| {
            let held = HeldBack {
                places: 10,
                fixes: 40,
                before: errors(2.0, 3.0, 0.95),
                after,
            };
            assert_eq!(held.improves(), improves, "{after:?}");
        };
        check(errors(1.5, 2.0, 0.95), true);
        check(errors(2.05, 2.9, 0.95), true);
        check(errors(2.0, 3.0, 0.95), false);
        check(errors(2.5, 2.9, 0.95), false);
        check(errors(1.5, 2.0, 0.90), false);
        check(errors(1.5, 3.1, 1.0), false);
    }

    #[test]
    fn errors_are_those_of_the_distances() {
        let of = Errors::of([(3.0, true), (4.0, false), (0.0, true)].into_iter()).unwrap();
        assert_eq!(of.median_m, 3.0);
        assert!((of.rmse_m - (25.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((of.floor_share - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(Errors::of([].into_iter()), None);
    }
}
