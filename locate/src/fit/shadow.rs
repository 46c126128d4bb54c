//! What the survey knows beyond constants: residuals at its places, and how they continue.

use std::collections::BTreeMap;

use site::{Calibration, RadioShadow, Shadow, Site};

use super::Survey;
use super::kernel::{self, Residuals};
use super::places::{self, SurveyedPlace};

/// Residuals of a survey after its constants; `None` where it has too few places.
pub(super) fn learn(
    site: &Site,
    survey: &Survey,
    constants: &Calibration,
    offsets_db: &BTreeMap<u32, f64>,
) -> Option<Shadow> {
    let places = places::gather(site, survey, constants, offsets_db);
    let radios = site.radios().count();
    let rssi = by_radio(&places, radios, SurveyedPlace::rssi_db);
    let range = by_radio(&places, radios, SurveyedPlace::range_m);
    let shadow = Shadow {
        rssi: kernel::likeliest(&positioned(&places, &rssi), kernel::RSSI_NOISE_SHARES),
        range: kernel::likeliest(&positioned(&places, &range), kernel::RANGE_NOISE_SHARES),
        places: places.iter().map(SurveyedPlace::position).collect(),
        radios: rssi
            .into_iter()
            .zip(range)
            .map(|(rssi_db, range_m)| RadioShadow { rssi_db, range_m })
            .collect(),
    };
    (shadow.rssi.is_some() || shadow.range.is_some()).then_some(shadow)
}

/// Index of the place and residual, radio by radio.
fn by_radio<'p, I: Iterator<Item = (usize, f64)> + 'p>(
    places: &'p [SurveyedPlace],
    radios: usize,
    residuals_of: impl Fn(&'p SurveyedPlace) -> I,
) -> Vec<Vec<(u32, f64)>> {
    let mut all = vec![Vec::new(); radios];
    for (index, place) in (0..).zip(places) {
        for (radio, residual) in residuals_of(place) {
            all[radio].push((index, residual));
        }
    }
    all
}

fn positioned(places: &[SurveyedPlace], radios: &[Vec<(u32, f64)>]) -> Vec<Residuals> {
    radios
        .iter()
        .map(|residuals| {
            residuals
                .iter()
                .map(|&(place, residual)| (places[place as usize].position(), residual))
                .collect()
        })
        .collect()
}
