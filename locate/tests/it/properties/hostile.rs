//! Impossible readings and anchors that cannot tell a place: never a panic, and said.

use std::sync::{Arc, LazyLock};

use locate::{Locator, Model, ModelOptions, RangeReading, Sighting, Track};
use nalgebra::Point2;
use proptest::prelude::*;
use site::RadioIndex;

use super::cases;
use crate::plan::{Plan, calibrated, fresh, is_sound, locator, locator_of, seeded};

/// Models of plans whose anchors determine a place, and of plans whose anchors do not.
static MODELS: LazyLock<Vec<Arc<Model>>> = LazyLock::new(|| {
    let plans = plans();
    let sites = plans.iter().map(Plan::site);
    let models = sites
        .zip([1.0, 0.05].into_iter().cycle())
        .map(|(site, range_deviation_m)| {
            let calibration = calibrated(&site, range_deviation_m);
            Arc::new(Model::new(&site, &calibration, &ModelOptions::default()))
        });
    models.collect()
});

fn plans() -> Vec<Plan> {
    let hall = |anchors: &[(f64, f64)]| Plan::hall(30.0, 20.0, anchors);
    let mut plans = vec![
        Plan::angled(),
        hall(&[(3.0, 4.0)]),
        hall(&[(3.0, 10.0), (9.0, 10.0), (15.0, 10.0), (26.0, 10.0)]),
        hall(&[(12.0, 8.0); 5]),
        Plan::hall(0.3, 0.2, &[(0.1, 0.1), (0.2, 0.1)]),
    ];
    let ultra_wideband: Vec<Plan> = plans
        .iter()
        .map(|plan| Plan {
            band: "uwb",
            ..plan.clone()
        })
        .collect();
    plans.extend(ultra_wideband);
    plans
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -100.0..30.0f32,
        2 => any::<f32>(),
        1 => prop::sample::select(vec![
            f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1000.0, 300.0, 0.0, -0.0, f32::MAX,
            f32::MIN_POSITIVE,
        ]),
    ]
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    let range =
        (number(), prop::option::of(number())).prop_map(|(distance_m, deviation_m)| RangeReading {
            distance_m,
            deviation_m,
        });
    let radio = prop_oneof![9 => 0u16..8, 1 => any::<u16>()];
    let count = prop_oneof![Just(0u16), 1u16..5, Just(u16::MAX)];
    let age_s = prop_oneof![3 => 0.0..10.0f32, 1 => number()];
    let parts = (
        radio,
        prop::option::of(number()),
        count,
        age_s,
        prop::option::of(range),
    );
    parts.prop_map(|(radio, rssi_dbm, count, age_s, range)| Sighting {
        radio: RadioIndex(radio),
        rssi_dbm,
        count,
        age_s,
        range,
    })
}

fn any_sightings() -> impl Strategy<Value = Vec<Sighting>> {
    prop_oneof![
        8 => prop::collection::vec(any_sighting(), 0..12),
        1 => prop::collection::vec(any_sighting(), 1000),
    ]
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn any_sightings_give_a_sound_fix_or_none(
        rounds in prop::collection::vec((any_sightings(), prop_oneof![-5.0..40.0, any::<f64>()]), 1..5),
    ) {
        for (number, model) in MODELS.iter().enumerate() {
            let mut locator = Locator::new(model.clone());
            let mut track = Track::default();
            let mut now_s = 0.0;
            for (sightings, passed_s) in &rounds {
                now_s += passed_s;
                if let Some(fix) = locator.locate(sightings, &mut track, now_s) {
                    prop_assert!(is_sound(&fix), "{number} {fix:?}");
                }
            }
        }
    }
}

fn sighting(rssi_dbm: f32) -> Sighting {
    Sighting {
        radio: RadioIndex(0),
        rssi_dbm: Some(rssi_dbm),
        count: 1,
        age_s: 0.0,
        range: None,
    }
}

#[test]
fn what_cannot_be_is_no_evidence() {
    let mut locator = locator_of(&Plan::angled());
    let good = sighting(-50.0);
    assert!(fresh(&mut locator, &[good]).is_some());
    let ranged = |distance_m: f32| Sighting {
        rssi_dbm: None,
        range: Some(RangeReading {
            distance_m,
            deviation_m: None,
        }),
        ..good
    };
    let broken = [
        sighting(f32::NAN),
        sighting(f32::INFINITY),
        sighting(f32::NEG_INFINITY),
        sighting(-1000.0),
        sighting(300.0),
        Sighting {
            rssi_dbm: None,
            ..good
        },
        Sighting { count: 0, ..good },
        Sighting {
            age_s: -1.0,
            ..good
        },
        Sighting {
            age_s: f32::NAN,
            ..good
        },
        Sighting {
            age_s: f32::INFINITY,
            ..good
        },
        Sighting {
            radio: RadioIndex(7),
            ..good
        },
        Sighting {
            radio: RadioIndex(u16::MAX),
            ..good
        },
        ranged(f32::NAN),
        ranged(f32::INFINITY),
        ranged(-1e9),
    ];
    for one in broken {
        assert_eq!(fresh(&mut locator, &[one]), None, "{one:?}");
        // A good reading beside it stays as good as it was.
        assert_eq!(
            fresh(&mut locator, &[one, good]),
            fresh(&mut locator, &[good])
        );
    }
    assert_eq!(fresh(&mut locator, &broken), None);
    assert_eq!(fresh(&mut locator, &[]), None);
}

#[test]
fn signal_strength_of_ultra_wideband_is_no_evidence() {
    let plan = Plan {
        band: "uwb",
        ..Plan::angled()
    };
    assert_eq!(fresh(&mut locator_of(&plan), &[sighting(-60.0)]), None);
}

#[test]
fn a_thousand_sightings_are_as_good_as_the_youngest_of_each_radio() {
    let plan = Plan::angled();
    let mut locator = locator_of(&plan);
    let sightings = plan.heard(Point2::new(9.0, 8.0), &mut seeded(1));
    let older = (1u8..144).flat_map(|step| {
        sightings.iter().map(move |sighting| Sighting {
            rssi_dbm: Some(-30.0 - f32::from(step % 60)),
            age_s: sighting.age_s + f32::from(step) * 0.1,
            ..*sighting
        })
    });
    let all: Vec<Sighting> = older.chain(sightings.iter().copied()).collect();
    assert!(all.len() > 1000);
    assert_eq!(fresh(&mut locator, &all), fresh(&mut locator, &sightings));
}

/// Whether the fix says that the geometry leaves the place open.
fn said(locator: &mut Locator, sightings: &[Sighting]) -> bool {
    let fix = fresh(locator, sightings).unwrap();
    assert!(is_sound(&fix), "{fix:?}");
    fix.flags.degenerate
}

/// The flag from signal strengths, from coarse ranges and from fine ranges.
fn degenerate(plan: &Plan, place: (f64, f64)) -> [bool; 3] {
    let place = Point2::new(place.0, place.1);
    let mut random = seeded(17);
    let site = plan.site();
    let coarse = &mut locator(&site, &calibrated(&site, 1.0));
    let fine = &mut locator(&site, &calibrated(&site, 0.1));
    [
        said(coarse, &plan.heard(place, &mut random)),
        said(coarse, &plan.ranged(place, 1.0, &mut random)),
        said(fine, &plan.ranged(place, 0.1, &mut random)),
    ]
}

#[test]
fn anchors_in_a_line_or_at_a_point_are_said() {
    let hall = |anchors: &[(f64, f64)]| Plan::hall(30.0, 20.0, anchors);
    let line = [(3.0, 10.0), (10.0, 10.0), (17.0, 10.0), (26.0, 10.0)];
    for place in [(8.0, 14.0), (20.0, 4.0), (15.0, 17.0)] {
        assert_eq!(degenerate(&hall(&line), place), [true; 3], "{place:?}");
        assert_eq!(degenerate(&hall(&line[..2]), place), [true; 3], "{place:?}");
        assert_eq!(
            degenerate(&hall(&[(12.0, 8.0); 5]), place),
            [true; 3],
            "{place:?}"
        );
        assert_eq!(
            degenerate(&hall(&[(12.0, 8.0)]), place),
            [true; 3],
            "{place:?}"
        );
        let around = [(1.0, 1.0), (29.0, 1.0), (29.0, 19.0), (1.0, 19.0)];
        assert_eq!(degenerate(&hall(&around), place), [false; 3], "{place:?}");
        assert_eq!(
            degenerate(&hall(&around[..3]), place),
            [false; 3],
            "{place:?}"
        );
    }
}

#[test]
fn a_corridor_or_a_wall_settles_what_a_line_of_anchors_cannot() {
    let anchors = [(3.0, 0.5), (10.0, 0.5), (17.0, 0.5), (26.0, 0.5)];
    let corridor = Plan::hall(30.0, 3.0, &anchors);
    assert_eq!(degenerate(&corridor, (8.0, 2.0)), [false; 3]);
    // All anchors hang on one long wall: the mirror images of clients are outside.
    let one_sided = Plan::hall(30.0, 20.0, &anchors);
    assert!(!degenerate(&one_sided, (12.0, 9.0))[1]);
}

#[test]
fn a_track_settles_what_a_line_of_anchors_cannot() {
    let around = [(1.0, 1.0), (29.0, 1.0), (29.0, 19.0), (1.0, 19.0)];
    let line = [(3.0, 10.0), (10.0, 10.0), (17.0, 10.0)];
    let plan = Plan::hall(30.0, 20.0, &[&around[..], &line[..]].concat());
    let mut locator = locator_of(&plan);
    let place = Point2::new(9.0, 15.0);
    let ranged = plan.ranged(place, 0.3, &mut seeded(2));
    let mut track = Track::default();
    for step in 0..6 {
        let fix = locator
            .locate(&ranged, &mut track, f64::from(step))
            .unwrap();
        assert!(!fix.flags.degenerate);
    }
    let in_line = &ranged[around.len()..];
    let kept = locator.locate(in_line, &mut track, 6.0).unwrap();
    assert!(!kept.flags.degenerate, "{kept:?}");
    assert!(
        (kept.position_in_site.xy() - place).norm() < 1.0,
        "{kept:?}"
    );
    assert!(said(&mut locator, in_line));
}
