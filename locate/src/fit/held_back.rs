//! What a survey is worth at places that it did not see: every choice of the fit is made by it.
//!
//! Places are dealt into parts; each part in turn is held back, everything is fitted to the rest,
//! and the held-back readings are located as the product would. What does not lower the error there
//! is left out, and how far the truth lies from the stated radii becomes a factor on them.
//!
//! # Source
//! Cross-validation: Stone, J. R. Stat. Soc. B 36 (1974).

use std::sync::Arc;

use site::{Calibration, RegionScale, Site};

use super::{Population, Survey, SurveyEpoch, learn, places};
use crate::fix::Sighting;
use crate::locator::Locator;
use crate::model::{Model, ModelOptions};
use crate::track::Track;

/// Parts into which the places are dealt.
const PARTS: u64 = 4;

/// Places closer than this are held back together, in metres.
const PLACE_M: f64 = 1.0;

/// Readings of a part that are located; more change nothing but the time.
const EPOCHS_MAX: usize = 200;

/// Memory of the radio maps of the check: fine cells up to a large floor.
const MAP_BYTES_MAX: usize = 24 << 20;

/// Spreads of the clients' offsets that are tried, in dB: even a known device is held and carried
/// in other ways than in the survey.
const OFFSET_DEVIATIONS_DB: [f64; 3] = [2.0, 4.0, 6.0];

/// Fixes as many as a factor of 1 counts beside those of the check.
const REGION_PRIOR: f64 = 20.0;

/// Fewest fixes from which anything is concluded.
const FIXES_MIN: usize = 12;

/// What kind of evidence a fix is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Rssi,
    Range,
    Both,
}

const WAYS: [Way; 3] = [Way::Rssi, Way::Range, Way::Both];

/// Error of a fix with its stated radii, in metres.
#[derive(Debug, Clone, Copy)]
struct Miss {
    error_m: f64,
    r50_m: f64,
    r90_m: f64,
}

/// Fixes at held-back places with one choice of parameters.
#[derive(Debug, Default, Clone)]
struct Trial {
    by_way: [Vec<Miss>; 3],
}

/// Leaves out of a calibration what does not help at held-back places, and sets its regions.
///
/// `fitted` holds everything that the whole survey tells.
pub(super) fn choose(
    site: &Site,
    survey: &Survey,
    population: Population,
    mut fitted: Calibration,
) -> Calibration {
    let spreads: &[f64] = match population {
        Population::Surveyed => &OFFSET_DEVIATIONS_DB,
        Population::Unknown => &[],
    };
    let columns = spreads.len().max(1);
    // Without shadows first, then with them; each for every spread.
    let mut trials = vec![Trial::default(); 2 * columns];
    for part in 0..PARTS {
        let (rest, held) = split(survey, part);
        if rest.epochs.is_empty() || held.is_empty() {
            continue;
        }
        let with = learn(site, &rest, population);
        let without = Calibration {
            shadow: None,
            ..with.clone()
        };
        for (calibration, trials) in [without, with].iter().zip(trials.chunks_mut(columns)) {
            try_spreads(site, calibration, spreads, &held, trials);
        }
    }
    let best = |way: Way, range: std::ops::Range<usize>| {
        range.min_by(|&a, &b| trials[a].error(way).total_cmp(&trials[b].error(way)))
    };
    let (plain, shadowed) = (0..columns, columns..2 * columns);
    let best_plain = best(Way::Rssi, plain).unwrap_or(0);
    let best_shadowed = best(Way::Rssi, shadowed).unwrap_or(columns);
    let rssi_helps = trials[best_shadowed].error(Way::Rssi) < trials[best_plain].error(Way::Rssi);
    let chosen = if rssi_helps {
        best_shadowed
    } else {
        best_plain
    };
    let range_helps = trials[columns].error(Way::Range) < trials[0].error(Way::Range);
    if let Some(shadow) = &mut fitted.shadow {
        if !rssi_helps {
            shadow.rssi = None;
            shadow
                .radios
                .iter_mut()
                .for_each(|radio| radio.rssi_db.clear());
        }
        if !range_helps {
            shadow.range = None;
            shadow
                .radios
                .iter_mut()
                .for_each(|radio| radio.range_m.clear());
        }
        if !rssi_helps && !range_helps {
            fitted.shadow = None;
        }
    }
    if let Some(&spread) = spreads.get(chosen % columns)
        && trials[chosen].by_way[0].len() >= FIXES_MIN
    {
        fitted.client_offset_deviation_db = Some(spread);
    }
    let of_ranges = if range_helps { columns } else { 0 };
    fitted.regions.rssi = trials[chosen].region(Way::Rssi);
    fitted.regions.range = trials[of_ranges].region(Way::Range);
    fitted.regions.both = trials[chosen].region(Way::Both);
    fitted
}

/// The survey without a part of its places, and that part, thinned out.
fn split(survey: &Survey, part: u64) -> (Survey, Vec<&SurveyEpoch>) {
    let is_held = |epoch: &&SurveyEpoch| part_of(epoch) == part;
    let held: Vec<&SurveyEpoch> = survey.epochs.iter().filter(is_held).collect();
    let step = held.len().div_ceil(EPOCHS_MAX).max(1);
    let rest = survey.epochs.iter().filter(|epoch| part_of(epoch) != part);
    (
        Survey {
            epochs: rest.cloned().collect(),
        },
        held.into_iter().step_by(step).collect(),
    )
}

/// Deals places by a hash of where they are.
///
/// # Source
/// Finaliser of SplitMix64: Steele, Lea and Flood, OOPSLA 2014.
fn part_of(epoch: &SurveyEpoch) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for step in places::key(epoch.position_in_site, PLACE_M) {
        hash = hash
            .wrapping_add(step as u64)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
    }
    hash % PARTS
}

fn try_spreads(
    site: &Site,
    calibration: &Calibration,
    spreads: &[f64],
    held: &[&SurveyEpoch],
    trials: &mut [Trial],
) {
    let options = ModelOptions {
        map_bytes_max: MAP_BYTES_MAX,
        ..ModelOptions::default()
    };
    let mut model = Arc::new(Model::new(site, calibration, &options));
    for (index, trial) in trials.iter_mut().enumerate() {
        if let Some(model) = Arc::get_mut(&mut model)
            && let Some(&spread) = spreads.get(index)
        {
            model.client_offset_deviation_db = spread;
        }
        let mut locator = Locator::new(model.clone());
        for epoch in held {
            for (way, misses) in WAYS.into_iter().zip(&mut trial.by_way) {
                misses.extend(miss(&mut locator, epoch, way));
            }
        }
    }
}

/// One held-back reading located; `None` where it has no evidence of this kind.
fn miss(locator: &mut Locator, epoch: &SurveyEpoch, way: Way) -> Option<Miss> {
    let has_ranges = epoch
        .sightings
        .iter()
        .any(|sighting| sighting.range.is_some());
    let has_rssi = epoch
        .sightings
        .iter()
        .any(|sighting| sighting.rssi_dbm.is_some());
    if way != Way::Rssi && !has_ranges || way != Way::Range && !has_rssi {
        return None;
    }
    let sightings: Vec<Sighting> = epoch
        .sightings
        .iter()
        .map(|sighting| Sighting {
            rssi_dbm: sighting.rssi_dbm.filter(|_| way != Way::Range),
            range: sighting.range.filter(|_| way != Way::Rssi),
            ..*sighting
        })
        .collect();
    let fix = locator.locate(&sightings, &mut Track::default(), 0.0)?;
    Some(Miss {
        error_m: (fix.position_in_site.xy() - epoch.position_in_site.xy()).norm(),
        r50_m: fix.r50_m,
        r90_m: fix.r90_m,
    })
}

impl Trial {
    /// Mean error in metres; infinite where too little was tried to say anything.
    fn error(&self, way: Way) -> f64 {
        let misses = &self.by_way[way as usize];
        if misses.len() < FIXES_MIN {
            return f64::INFINITY;
        }
        misses.iter().map(|miss| miss.error_m).sum::<f64>() / misses.len() as f64
    }

    /// Factors with which the radii would have held half and nine tenths of these fixes.
    fn region(&self, way: Way) -> RegionScale {
        let misses = &self.by_way[way as usize];
        if misses.len() < FIXES_MIN {
            return RegionScale::default();
        }
        let weight = misses.len() as f64 / (misses.len() as f64 + REGION_PRIOR);
        let factor = |share: f64, radius_m: fn(&Miss) -> f64| {
            let mut ratios: Vec<f64> = misses
                .iter()
                .map(|miss| miss.error_m / radius_m(miss).max(1e-6))
                .collect();
            let place = (share * (ratios.len() - 1) as f64).round() as usize;
            let (_, ratio, _) = ratios.select_nth_unstable_by(place, f64::total_cmp);
            ratio.clamp(0.2, 8.0).powf(weight)
        };
        RegionScale {
            r50: factor(0.5, |miss| miss.r50_m),
            r90: factor(0.9, |miss| miss.r90_m),
        }
    }
}
