//! What goes in and comes out as a whole: accuracy on data drawn from the model, and inputs from
//! hell.

use nalgebra::Point3;
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use site::{Band, Calibration, RadioIndex, RadioModel, RangeModel, Site};

use super::*;
use crate::example;
use crate::fix::RangeReading;
use crate::model::ModelOptions;

const LEVEL_DBM: f64 = -40.0;
const EXPONENT: f64 = 2.5;
const DEVIATION_DB: f64 = 4.0;

fn hall() -> Site {
    let mut places = Vec::new();
    for column in 0..4 {
        for row in 0..3 {
            let (x, y) = (5.0 + 10.0 * f64::from(column), 5.0 + 10.0 * f64::from(row));
            places.push(Point3::new(x, y, 2.7));
        }
    }
    example::site(40.0, 30.0, 1, &places, &[Band::Ghz5])
}

fn calibrated(site: &Site, range_deviation_m: f64) -> Calibration {
    let radio = RadioModel {
        rssi_at_1m_dbm: LEVEL_DBM,
        exponent: EXPONENT,
        deviation_db: DEVIATION_DB,
        range: Some(RangeModel {
            bias_m: 0.5,
            slope: 1.02,
            deviation_m: range_deviation_m,
        }),
    };
    Calibration {
        radios: site.radios().map(|_| Some(radio)).collect(),
        client_offset_deviation_db: Some(4.0),
        ..Calibration::default()
    }
}

fn locator(site: &Site, calibration: &Calibration) -> Locator {
    Locator::new(Arc::new(Model::new(
        site,
        calibration,
        &ModelOptions::default(),
    )))
}

fn normal(random: &mut impl Rng) -> f64 {
    (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

/// What all radios hear of a client, drawn from the model.
fn heard(
    site: &Site,
    place: Point3<f64>,
    offset_db: f64,
    range_deviation_m: Option<f64>,
    random: &mut impl Rng,
) -> Vec<Sighting> {
    site.radios()
        .map(|(anchor, radio)| {
            let away_m = (place - anchor.position).norm();
            let mean_dbm = LEVEL_DBM + offset_db - 10.0 * EXPONENT * away_m.log10();
            let range = range_deviation_m.map(|deviation_m| RangeReading {
                distance_m: (0.5 + 1.02 * away_m + deviation_m * normal(random)) as f32,
                deviation_m: None,
            });
            Sighting {
                radio: radio.index,
                rssi_dbm: Some((mean_dbm + DEVIATION_DB * normal(random)) as f32),
                count: 1,
                age_s: 0.0,
                range,
            }
        })
        .collect()
}

/// Errors of fixes of fresh clients at random places: median, 90th percentile, and the shares
/// within the stated radii.
fn accuracy(range_deviation_m: Option<f64>, source: Source) -> [f64; 4] {
    let site = hall();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(21);
    let mut locator = locator(&site, &calibrated(&site, range_deviation_m.unwrap_or(1.0)));
    let (mut errors, mut in_r50, mut in_r90) = (Vec::new(), 0.0, 0.0);
    let rounds = 250;
    for _ in 0..rounds {
        let place = Point3::new(
            random.random_range(0.0..40.0),
            random.random_range(0.0..30.0),
            1.2,
        );
        let offset_db = 4.0 * normal(&mut random);
        let sightings = heard(&site, place, offset_db, range_deviation_m, &mut random);
        let fix = locator
            .locate(&sightings, &mut Track::default(), 0.0)
            .unwrap();
        assert_eq!(fix.source, source);
        let error_m = (fix.position_in_site - place).xy().norm();
        in_r50 += f64::from(u8::from(error_m <= fix.r50_m)) / f64::from(rounds);
        in_r90 += f64::from(u8::from(error_m <= fix.r90_m)) / f64::from(rounds);
        errors.push(error_m);
    }
    errors.sort_by(f64::total_cmp);
    [
        errors[errors.len() / 2],
        errors[errors.len() * 9 / 10],
        in_r50,
        in_r90,
    ]
}

#[test]
fn signal_strength_is_as_accurate_and_as_honest_as_its_model() {
    let [median_m, p90_m, in_r50, in_r90] = accuracy(None, Source::Grid);
    assert!(median_m < 2.6 && p90_m < 5.3, "{median_m} {p90_m}");
    assert!(
        (0.42..0.58).contains(&in_r50) && (0.84..0.96).contains(&in_r90),
        "{in_r50} {in_r90}"
    );
}

#[test]
fn coarse_ranges_are_solved_on_the_grid() {
    let [median_m, p90_m, ..] = accuracy(Some(1.0), Source::Grid);
    assert!(median_m < 0.6 && p90_m < 1.1, "{median_m} {p90_m}");
}

#[test]
fn fine_ranges_are_solved_without_a_grid() {
    let [median_m, p90_m, ..] = accuracy(Some(0.1), Source::Range);
    assert!(median_m < 0.07 && p90_m < 0.13, "{median_m} {p90_m}");
}

/// Median errors of one walk of two minutes: with a track, and of fresh fixes.
fn walk(speed_m_per_s: f64) -> (f64, f64) {
    let site = hall();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    let mut locator = locator(&site, &calibrated(&site, 1.0));
    let mut track = Track::default();
    let (mut tracked, mut fresh) = (Vec::new(), Vec::new());
    for step in 0..240 {
        let now_s = f64::from(step) * 0.5;
        let angle = speed_m_per_s * now_s / 10.0;
        let place = Point3::new(20.0 + 10.0 * angle.cos(), 15.0 + 10.0 * angle.sin(), 1.2);
        let sightings = heard(&site, place, 5.0, None, &mut random);
        let error_m = |fix: Fix| (fix.position_in_site - place).xy().norm();
        tracked.push(error_m(
            locator.locate(&sightings, &mut track, now_s).unwrap(),
        ));
        fresh.push(error_m(
            locator
                .locate(&sightings, &mut Track::default(), now_s)
                .unwrap(),
        ));
    }
    let median = |errors: &mut Vec<f64>| {
        errors.sort_by(f64::total_cmp);
        errors[errors.len() / 2]
    };
    (median(&mut tracked), median(&mut fresh))
}

#[test]
fn a_track_helps_walkers_and_resters() {
    for (speed_m_per_s, gain) in [(1.2, 0.8), (0.0, 0.6)] {
        let (tracked_m, fresh_m) = walk(speed_m_per_s);
        assert!(
            tracked_m < gain * fresh_m,
            "{speed_m_per_s}: {tracked_m} {fresh_m}"
        );
    }
}

#[test]
fn a_track_learns_the_clients_offset() {
    let site = hall();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut locator = locator(&site, &calibrated(&site, 1.0));
    let mut track = Track::default();
    assert_eq!(track.offsets_db(), None);
    for step in 0..100 {
        let place = Point3::new(10.0 + 0.1 * f64::from(step), 12.0, 1.2);
        let sightings = heard(&site, place, -6.0, None, &mut random);
        locator.locate(&sightings, &mut track, f64::from(step) * 0.5);
    }
    let [_, (mean_db, deviation_db)] = track.offsets_db().unwrap();
    assert!(
        (mean_db + 6.0).abs() < 2.0 && deviation_db < 2.0,
        "{mean_db} {deviation_db}"
    );
}

#[test]
fn a_jump_is_flagged_doubted_and_then_believed() {
    let site = hall();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let mut locator = locator(&site, &calibrated(&site, 1.0));
    let mut track = Track::default();
    let mut fix_at = |x: f64, now_s: f64| {
        let sightings = heard(&site, Point3::new(x, 15.0, 1.2), 0.0, None, &mut random);
        locator.locate(&sightings, &mut track, now_s).unwrap()
    };
    for step in 0..20 {
        assert!(!fix_at(5.0, f64::from(step) * 0.5).flags.teleport);
    }
    let first = fix_at(35.0, 10.0);
    assert!(
        first.flags.teleport && first.position_in_site.x < 15.0,
        "{first:?}"
    );
    fix_at(35.0, 10.5);
    assert!(fix_at(35.0, 11.0).position_in_site.x > 28.0);
    assert!(!fix_at(35.0, 11.5).flags.teleport);
}

#[test]
fn a_long_silence_starts_a_track_anew() {
    let site = hall();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let mut locator = locator(&site, &calibrated(&site, 1.0));
    let mut track = Track::default();
    for (x, now_s) in [(5.0, 0.0), (35.0, 31.0), (5.0, 20.0)] {
        let sightings = heard(&site, Point3::new(x, 15.0, 1.2), 0.0, None, &mut random);
        let fix = locator.locate(&sightings, &mut track, now_s).unwrap();
        let alone = locator
            .locate(&sightings, &mut Track::default(), now_s)
            .unwrap();
        assert_eq!(fix, alone);
    }
}

#[test]
fn the_floor_is_that_of_the_loudest_storey() {
    let places: Vec<Point3<f64>> = [2.7, 5.7, 8.7]
        .iter()
        .flat_map(|&z| [(5.0, 5.0), (25.0, 5.0), (15.0, 15.0)].map(|(x, y)| Point3::new(x, y, z)))
        .collect();
    let site = example::site(30.0, 20.0, 3, &places, &[Band::Ghz2, Band::Ghz5]);
    let mut locator = locator(&site, &Calibration::default());
    for storey in 0..3u8 {
        let sightings: Vec<Sighting> = site
            .radios()
            .map(|(anchor, radio)| {
                let place = Point3::new(12.0, 8.0, 3.0 * f64::from(storey) + 1.2);
                let slabs = 16.0 * f64::from(anchor.floor.0.abs_diff(storey));
                let away_m = (place - anchor.position).norm();
                let rssi_dbm = -42.0 - 24.0 * away_m.log10() - slabs;
                Sighting {
                    radio: radio.index,
                    rssi_dbm: Some(rssi_dbm as f32),
                    count: 1,
                    age_s: 0.0,
                    range: None,
                }
            })
            .collect();
        let fix = locator
            .locate(&sightings, &mut Track::default(), 0.0)
            .unwrap();
        assert_eq!(fix.floor.0, storey);
        assert!(fix.floor_probability > 0.95, "{}", fix.floor_probability);
        assert!((fix.position_in_site.z - 3.0 * f64::from(storey) - 1.2).abs() < 1e-9);
    }
}

/// So many gross ranges that the likelihood of every floor is nought in double precision.
#[test]
fn absurd_ranges_do_not_hide_the_floor() {
    let places: Vec<Point3<f64>> = (0..32u8)
        .map(|n| {
            let (x, y) = (f64::from(n % 8) * 5.0, f64::from(n / 8) * 6.0);
            Point3::new(x, y, [0.4, 5.7, 2.7, 3.3, 5.0][usize::from(n % 5)])
        })
        .collect();
    let site = example::site(40.0, 20.0, 2, &places, &[Band::Uwb]);
    let mut locator = locator(&site, &calibrated(&site, 0.001));
    let place = Point3::new(17.0, 8.0, 4.2);
    let sightings: Vec<Sighting> = site
        .radios()
        .enumerate()
        .map(|(number, (anchor, radio))| {
            let more_m = if number < 13 { 5000.0 } else { 0.0 };
            let distance_m = 0.5 + 1.02 * (place - anchor.position).norm() + more_m;
            Sighting {
                radio: radio.index,
                rssi_dbm: None,
                count: 1,
                age_s: 0.0,
                range: Some(RangeReading {
                    distance_m: distance_m as f32,
                    deviation_m: None,
                }),
            }
        })
        .collect();
    let fix = locator
        .locate(&sightings, &mut Track::default(), 0.0)
        .unwrap();
    assert_eq!(
        (fix.source, fix.floor),
        (Source::Range, FloorIndex(1)),
        "{fix:?}"
    );
    assert!((0.99..1.0).contains(&fix.floor_probability), "{fix:?}");
}

#[test]
fn one_anchor_gives_a_cautious_fix_and_none_gives_none() {
    let site = hall();
    let mut locator = locator(&site, &calibrated(&site, 1.0));
    let one = Sighting {
        radio: RadioIndex(0),
        rssi_dbm: Some(-50.0),
        count: 3,
        age_s: 6.0,
        range: None,
    };
    let fix = locator.locate(&[one], &mut Track::default(), 0.0).unwrap();
    assert!(fix.flags.degenerate && fix.flags.stale);
    assert_eq!((fix.radios, fix.observations), (1, 3));
    assert!(fix.r90_m > 3.0, "{}", fix.r90_m);
    let deaf = Sighting {
        rssi_dbm: None,
        ..one
    };
    for sightings in [
        &[][..],
        &[deaf],
        &[Sighting {
            radio: RadioIndex(500),
            ..one
        }],
    ] {
        assert_eq!(locator.locate(sightings, &mut Track::default(), 0.0), None);
    }
}

#[test]
fn of_two_sightings_of_a_radio_the_younger_counts() {
    let site = hall();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    let mut locator = locator(&site, &calibrated(&site, 1.0));
    let sightings = heard(&site, Point3::new(12.0, 9.0, 1.2), 0.0, None, &mut random);
    let alone = locator.locate(&sightings, &mut Track::default(), 0.0);
    let old = Sighting {
        rssi_dbm: Some(-10.0),
        age_s: 2.0,
        ..sightings[3]
    };
    let with_old: Vec<Sighting> = [old].into_iter().chain(sightings.iter().copied()).collect();
    assert_eq!(locator.locate(&with_old, &mut Track::default(), 0.0), alone);
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    let number = || {
        prop_oneof![
            -130.0..30.0f32,
            any::<f32>(),
            Just(f32::NAN),
            Just(f32::INFINITY),
            Just(0.0f32)
        ]
    };
    let range =
        (number(), prop::option::of(number())).prop_map(|(distance_m, deviation_m)| RangeReading {
            distance_m,
            deviation_m,
        });
    (
        0u16..14,
        prop::option::of(number()),
        0u16..4,
        number(),
        prop::option::of(range),
    )
        .prop_map(|(radio, rssi_dbm, count, age_s, range)| Sighting {
            radio: RadioIndex(radio),
            rssi_dbm,
            count,
            age_s,
            range,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_sightings_give_a_sound_fix_or_none(
        steps in prop::collection::vec(
            (prop::collection::vec(any_sighting(), 0..20), -5.0..40.0f64), 1..6),
        deviation_m in prop_oneof![Just(0.05), Just(1.0)],
    ) {
        let site = hall();
        let mut locator = locator(&site, &calibrated(&site, deviation_m));
        let mut track = Track::default();
        let mut now_s = 0.0;
        for (sightings, passed_s) in steps {
            now_s += passed_s;
            let Some(fix) = locator.locate(&sightings, &mut track, now_s) else { continue };
            prop_assert!(fix.position_in_site.iter().all(|value| value.is_finite()), "{fix:?}");
            prop_assert!(fix.covariance_m2.cholesky().is_some(), "{fix:?}");
            prop_assert!(fix.r50_m > 0.0 && fix.r90_m > fix.r50_m, "{fix:?}");
            prop_assert!(fix.floor_probability > 0.0 && fix.floor_probability <= 1.0, "{fix:?}");
            prop_assert!(fix.radios >= 1 && fix.observations >= 1, "{fix:?}");
        }
    }

    #[test]
    fn order_of_sightings_does_not_matter(seed in any::<u64>(), shift in 1usize..12) {
        let site = hall();
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut locator = locator(&site, &calibrated(&site, 1.0));
        let mut sightings = heard(&site, Point3::new(12.0, 9.0, 1.2), 0.0, Some(1.0), &mut random);
        let one = locator.locate(&sightings, &mut Track::default(), 0.0);
        sightings.rotate_left(shift);
        prop_assert_eq!(locator.locate(&sightings, &mut Track::default(), 0.0), one);
    }
}
