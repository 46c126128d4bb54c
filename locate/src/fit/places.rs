//! Readings of a survey gathered by place: what one place says is one residual per radio.

use std::collections::BTreeMap;

use nalgebra::{Point3, Vector3};
use site::{Calibration, Site};

use super::Survey;
use crate::evidence::is_plausible_m;
use crate::path_loss::{PathLoss, obstruction};

/// Readings within this distance are one place, in metres: their residuals are the same shadows.
const PLACE_M: f64 = 1.0;

/// Most places of a survey; a larger one gets larger places, so that a radio map stays a matter of
/// seconds.
const PLACES_MAX: usize = 1_200;

/// A range further from its line than so many scales says nothing about its place.
const GROSS_SCALES: f64 = 4.0;

/// One surveyed place.
#[derive(Debug, Clone, Default)]
pub(super) struct SurveyedPlace {
    sum: Vector3<f64>,
    count: f64,
    /// Per radio: sum of residuals in dB, and how many.
    rssi_db: BTreeMap<usize, (f64, f64)>,
    /// Per radio: residuals in metres.
    range_m: BTreeMap<usize, Vec<f64>>,
}

impl SurveyedPlace {
    pub(super) fn position(&self) -> Point3<f64> {
        Point3::from(self.sum / self.count)
    }

    /// Mean residual per radio, in dB.
    pub(super) fn rssi_db(&self) -> impl Iterator<Item = (usize, f64)> {
        self.rssi_db
            .iter()
            .map(|(&radio, &(sum, count))| (radio, sum / count))
    }

    /// Median residual per radio, in metres.
    pub(super) fn range_m(&self) -> impl Iterator<Item = (usize, f64)> {
        self.range_m.iter().map(|(&radio, residuals)| {
            let mut residuals = residuals.clone();
            let middle = residuals.len() / 2;
            let (_, median, _) = residuals.select_nth_unstable_by(middle, f64::total_cmp);
            (radio, *median)
        })
    }
}

/// Key of the place that holds a position, for places of this size.
pub(super) fn key(position: Point3<f64>, place_m: f64) -> [i64; 3] {
    [
        (position.x / place_m).round() as i64,
        (position.y / place_m).round() as i64,
        (position.z / place_m).round() as i64,
    ]
}

/// The places of a survey with what is left there of each radio's readings after its constants and
/// the clients' offsets.
pub(super) fn gather(
    site: &Site,
    survey: &Survey,
    constants: &Calibration,
    offsets_db: &BTreeMap<u32, f64>,
) -> Vec<SurveyedPlace> {
    let mut place_m = PLACE_M;
    loop {
        let places = gather_by(site, survey, constants, offsets_db, place_m);
        if places.len() <= PLACES_MAX {
            return places;
        }
        place_m *= 1.25;
    }
}

fn gather_by(
    site: &Site,
    survey: &Survey,
    constants: &Calibration,
    offsets_db: &BTreeMap<u32, f64>,
    place_m: f64,
) -> Vec<SurveyedPlace> {
    let radios: Vec<_> = site
        .radios()
        .map(|(anchor, radio)| {
            let model =
                PathLoss::of_radio(site, constants, radio.index, radio.band, radio.freq_mhz);
            (anchor.position, radio.band, model)
        })
        .collect();
    let mut places: BTreeMap<[i64; 3], SurveyedPlace> = BTreeMap::new();
    for epoch in &survey.epochs {
        let position = epoch.position_in_site;
        if !position.iter().all(|value| value.is_finite()) {
            continue;
        }
        let place = places.entry(key(position, place_m)).or_default();
        place.sum += position.coords;
        place.count += 1.0;
        let offset_db = offsets_db.get(&epoch.client).copied().unwrap_or(0.0);
        for sighting in &epoch.sightings {
            let index = usize::from(sighting.radio.0);
            let Some((anchor, band, model)) = radios.get(index) else {
                continue;
            };
            let distance_m = (position - anchor).norm();
            if let Some(rssi_dbm) = sighting.rssi_dbm.map(f64::from)
                && (-128.0..=20.0).contains(&rssi_dbm)
            {
                let in_the_way = obstruction(site, *anchor, position).at(*band);
                let (sum, count) = place.rssi_db.entry(index).or_default();
                *sum += rssi_dbm - offset_db - model.expected_dbm(distance_m, in_the_way);
                *count += 1.0;
            }
            let learned = constants
                .radios
                .get(index)
                .and_then(|radio| radio.as_ref()?.range);
            if let (Some(range), Some(learned)) = (sighting.range, learned)
                && is_plausible_m(range.distance_m)
            {
                let off_m =
                    f64::from(range.distance_m) - learned.bias_m - learned.slope * distance_m;
                let bound_m = GROSS_SCALES * learned.deviation_m;
                let residuals = place.range_m.entry(index).or_default();
                residuals.push(off_m.clamp(-bound_m, bound_m));
            }
        }
    }
    places.into_values().collect()
}
