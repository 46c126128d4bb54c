//! Parameters of the radios, from what the calibration epochs heard and from nothing else.

use std::collections::HashMap;

use agent::source::replay::dataset::Reading;
use locate::fit::{Population, Survey, SurveyEpoch};
use locate::{RangeReading, Sighting};
use site::Calibration;

use super::ground::Ground;
use super::split::CalibrationEpochs;

/// Fits the constants of every radio of the ground.
///
/// `located` are the devices that fixes will be made of: when the calibration knows them all, it also
/// tells how much their powers differ.
pub(crate) fn fit<'a>(
    ground: &Ground,
    epochs: &CalibrationEpochs,
    mut located: impl Iterator<Item = &'a str>,
) -> Calibration {
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut survey = Survey::default();
    for epoch in epochs.iter() {
        let next = numbers.len() as u32;
        let client = *numbers.entry(epoch.device.as_str()).or_insert(next);
        survey.epochs.push(SurveyEpoch {
            position_in_site: ground.position(&epoch.truth),
            client,
            sightings: epoch
                .readings
                .iter()
                .map(|reading| sighting(reading, ground))
                .collect(),
        });
    }
    let known = !numbers.is_empty() && located.all(|device| numbers.contains_key(device));
    let population = if known {
        Population::Surveyed
    } else {
        Population::Unknown
    };
    locate::fit::fit(&ground.site, &survey, population)
}

pub(crate) fn sighting(reading: &Reading, ground: &Ground) -> Sighting {
    Sighting {
        radio: ground.radios[reading.anchor],
        rssi_dbm: reading.rssi_dbm.map(|dbm| dbm as f32),
        count: 1,
        age_s: 0.0,
        range: reading.range_m.map(|distance_m| RangeReading {
            distance_m: distance_m as f32,
            deviation_m: reading.range_std_m.map(|deviation_m| deviation_m as f32),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ground::Area;
    use super::super::split::Epoch;
    use super::super::split::fixture::{anchor, calibration, epoch, reading};
    use super::*;

    /// Heard 30 dB below 1 m with exponent 3, by two anchors, from places 2 m apart.
    fn walked() -> Vec<Epoch> {
        let anchors_x_m = [0.0f64, 20.0];
        let seen = |x_m: f64| {
            let mut seen = epoch(None, "p", 0.0);
            seen.truth.x_m = x_m;
            seen.truth.y_m = 0.0;
            let strength = |at: f64| {
                let distance_m = ((x_m - at).powi(2) + 1.3f64.powi(2)).sqrt();
                -30.0 - 30.0 * distance_m.log10()
            };
            seen.readings = (0..2)
                .map(|i| reading(0.0, i, strength(anchors_x_m[i])))
                .collect();
            seen
        };
        (0..40).map(|n| seen(f64::from(n) * 0.5)).collect()
    }

    #[test]
    fn the_fit_finds_level_and_exponent() {
        let anchors = [anchor("A", 0.0, 0.0, "5"), anchor("B", 20.0, 0.0, "5")];
        let epochs = calibration(walked());
        let ground = Ground::new("s", &anchors, &epochs, Area::Open).unwrap();
        let fitted = fit(&ground, &epochs, ["phone"].into_iter());
        let radio = fitted.radios[0].unwrap();
        assert!((radio.exponent - 3.0).abs() < 0.3, "{radio:?}");
        assert!((radio.rssi_at_1m_dbm + 30.0).abs() < 3.0, "{radio:?}");
        assert!(fitted.client_offset_deviation_db.is_some());
        assert!(
            fit(&ground, &epochs, ["other"].into_iter())
                .client_offset_deviation_db
                .is_none()
        );
    }
}
