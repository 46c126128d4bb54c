//! The fit against constants that are known because the readings were made from them.

use nalgebra::Point3;
use rand::{RngExt, SeedableRng};
use site::{Band, RadioIndex, Site};

use super::*;
use crate::example;
use crate::fix::RangeReading;

const TRUE_LEVEL_DBM: f64 = -37.0;
const TRUE_EXPONENT: f64 = 2.9;

fn survey(site: &Site, places: usize, deviation_db: f64, offsets_db: &[f64]) -> Survey {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut epochs = Vec::new();
    for _ in 0..places {
        let position_in_site = Point3::new(
            random.random_range(0.0..20.0),
            random.random_range(0.0..12.0),
            1.2,
        );
        for (client, offset_db) in offsets_db.iter().enumerate() {
            let sightings = site.radios().map(|(anchor, radio)| {
                let away_m = (position_in_site - anchor.position).norm();
                let noise = (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0;
                let mean_dbm = TRUE_LEVEL_DBM - 10.0 * TRUE_EXPONENT * away_m.log10();
                Sighting {
                    radio: radio.index,
                    rssi_dbm: Some((mean_dbm + offset_db + deviation_db * noise) as f32),
                    count: 1,
                    age_s: 0.0,
                    range: Some(RangeReading {
                        distance_m: (0.8 + 1.05 * away_m + 0.1 * noise) as f32,
                        deviation_m: None,
                    }),
                }
            });
            let sightings = sightings.collect();
            epochs.push(SurveyEpoch {
                position_in_site,
                client: client as u32,
                sightings,
            });
        }
    }
    Survey { epochs }
}

fn site() -> Site {
    let corners = [(0.0, 0.0), (20.0, 0.0), (20.0, 12.0), (0.0, 12.0)];
    let places = corners.map(|(x, y)| Point3::new(x, y, 2.5));
    example::site(20.0, 12.0, 1, &places, &[Band::Ghz5])
}

#[test]
fn true_constants_come_back() {
    let site = site();
    let calibration = fit(
        &site,
        &survey(&site, 400, 3.0, &[0.0]),
        Population::Surveyed,
    );
    for (index, radio) in calibration.radios.iter().enumerate() {
        let radio = radio.unwrap();
        let at_10m = radio.rssi_at_1m_dbm - 10.0 * radio.exponent;
        assert!(
            (at_10m - (TRUE_LEVEL_DBM - 10.0 * TRUE_EXPONENT)).abs() < 0.7,
            "{index}: {at_10m}"
        );
        assert!(
            (radio.exponent - TRUE_EXPONENT).abs() < 0.25,
            "{index}: {}",
            radio.exponent
        );
        assert!(
            (radio.deviation_db - 3.0).abs() < 0.4,
            "{index}: {}",
            radio.deviation_db
        );
        let range = radio.range.unwrap();
        assert!(
            (range.bias_m - 0.8).abs() < 0.1,
            "{index}: {}",
            range.bias_m
        );
        assert!(
            (range.slope - 1.05).abs() < 0.02,
            "{index}: {}",
            range.slope
        );
    }
}

#[test]
fn a_gross_outlier_does_not_move_the_ranges() {
    let site = site();
    let mut survey = survey(&site, 60, 3.0, &[0.0]);
    for epoch in survey.epochs.iter_mut().step_by(10) {
        epoch.sightings[0].range = Some(RangeReading {
            distance_m: 80.0,
            deviation_m: None,
        });
    }
    let range = fit(&site, &survey, Population::Unknown).radios[0]
        .unwrap()
        .range
        .unwrap();
    assert!(
        (range.bias_m - 0.8).abs() < 0.3 && (range.slope - 1.05).abs() < 0.05,
        "{range:?}"
    );
}

#[test]
fn offsets_of_clients_are_told_apart_from_the_level() {
    let site = site();
    let survey = survey(&site, 150, 2.0, &[6.0, -6.0, 0.0]);
    let calibration = fit(&site, &survey, Population::Surveyed);
    let spread = calibration.client_offset_deviation_db.unwrap();
    assert!((4.0..=6.0).contains(&spread), "{spread}");
    let radio = calibration.radio(RadioIndex(0)).unwrap();
    assert!(
        (radio.deviation_db - 2.0).abs() < 0.4,
        "{}",
        radio.deviation_db
    );
    assert_eq!(
        fit(&site, &survey, Population::Unknown).client_offset_deviation_db,
        None
    );
}

#[test]
fn few_places_stay_near_the_band_and_none_gives_none() {
    let site = site();
    let mut survey = survey(&site, 40, 3.0, &[0.0]);
    for epoch in &mut survey.epochs[1..] {
        epoch
            .sightings
            .retain(|sighting| sighting.radio != RadioIndex(3));
    }
    survey.epochs[0]
        .sightings
        .retain(|sighting| sighting.radio != RadioIndex(2));
    survey.epochs.iter_mut().for_each(|epoch| {
        epoch
            .sightings
            .retain(|sighting| sighting.radio != RadioIndex(2));
    });
    let calibration = fit(&site, &survey, Population::Unknown);
    assert_eq!(calibration.radios[2], None);
    let lonely = calibration.radios[3].unwrap();
    assert!((lonely.exponent - TRUE_EXPONENT).abs() < 0.8, "{lonely:?}");
}

#[test]
fn impossible_readings_are_passed_over() {
    let site = site();
    let mut survey = survey(&site, 30, 3.0, &[0.0]);
    let clean = fit(&site, &survey, Population::Surveyed);
    let broken = Sighting {
        radio: RadioIndex(0),
        rssi_dbm: Some(f32::NAN),
        count: 0,
        age_s: 0.0,
        range: Some(RangeReading {
            distance_m: f32::INFINITY,
            deviation_m: None,
        }),
    };
    survey.epochs[3].sightings.push(broken);
    survey.epochs[4].sightings.push(Sighting {
        radio: RadioIndex(999),
        ..broken
    });
    assert_eq!(fit(&site, &survey, Population::Surveyed), clean);
}
