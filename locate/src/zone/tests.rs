use std::collections::{HashMap, HashSet};

use nalgebra::{Matrix2, Point2};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use site::{FloorIndex, Polygon, Site, Zone, ZoneRules};

use super::*;
use crate::example::open_site;
use crate::fix::{Fix, Flags, Source};
use crate::limits::ZONES_PER_CLIENT_MAX;

const SECOND: u64 = 1_000_000;

fn polygon(corners: &[[f64; 2]]) -> Polygon {
    Polygon {
        corners: corners.iter().map(|&[x, y]| Point2::new(x, y)).collect(),
    }
}

fn fix(x: f64, y: f64, deviation_m: f64) -> Fix {
    Fix {
        position_in_site: [x, y, 1.2].into(),
        covariance_m2: Matrix2::identity() * deviation_m.powi(2),
        height_deviation_m: 0.3,
        floor: FloorIndex(0),
        floor_probability: 1.0,
        r50_m: deviation_m,
        r90_m: 2.0 * deviation_m,
        radios: 5,
        observations: 9,
        age_s: 0.2,
        source: Source::Grid,
        flags: Flags::default(),
    }
}

/// A hall of 20 by 10 m with these zones on its only floor.
fn hall(zones: &[(&str, Polygon, ZoneRules)]) -> Site {
    let mut site = open_site(20.0, 10.0);
    site.floors[0].zones = (zones.iter())
        .map(|(id, area, rules)| Zone {
            id: (*id).to_owned(),
            name: (*id).to_owned(),
            area: area.clone(),
            rules: rules.clone(),
        })
        .collect();
    site
}

/// The left half of the hall, with dwell after 30 s.
fn left_half() -> ZoneTracker {
    let rules = ZoneRules {
        dwell_s: Some(30.0),
        ..ZoneRules::default()
    };
    ZoneTracker::new(&hall(&[("left", left_area(), rules)]))
}

fn left_area() -> Polygon {
    polygon(&[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
}

fn changes(tracker: &mut ZoneTracker) -> Vec<ChangeKind> {
    std::iter::from_fn(|| tracker.poll_change())
        .map(|change| change.kind)
        .collect()
}

/// A pair of independent standard normal numbers (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> (f64, f64) {
    let (one, other): (f64, f64) = (rng.random(), rng.random());
    let radius = (-2.0 * (1.0 - one).ln()).sqrt();
    let angle = std::f64::consts::TAU * other;
    (radius * angle.cos(), radius * angle.sin())
}

#[test]
fn the_probability_is_that_of_sampling() {
    const SAMPLES: u32 = 60_000;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for round in 0..60 {
        // A star around a centre: convex or not, never crossing itself.
        let corners = rng.random_range(3..9);
        let corners: Vec<[f64; 2]> = (0..corners)
            .map(|corner| {
                let angle = std::f64::consts::TAU * f64::from(corner) / f64::from(corners);
                let radius = rng.random_range(0.5..6.0);
                [radius * angle.cos(), radius * angle.sin()]
            })
            .collect();
        let area = polygon(&corners);
        let mean = Point2::new(rng.random_range(-5.0..5.0), rng.random_range(-5.0..5.0));
        let [x_m, y_m]: [f64; 2] = [rng.random_range(0.1..4.0), rng.random_range(0.1..4.0)];
        let common: f64 = rng.random_range(-0.95..0.95);
        let covariance = Matrix2::new(x_m * x_m, common * x_m * y_m, common * x_m * y_m, y_m * y_m);
        let inside = (0..SAMPLES)
            .filter(|_| {
                let (one, other) = normal(&mut rng);
                let y = common * one + (1.0 - common * common).sqrt() * other;
                area.contains(Point2::new(mean.x + x_m * one, mean.y + y_m * y))
            })
            .count();
        let sampled = inside as f64 / f64::from(SAMPLES);
        let computed = area_probability(&area, mean, &covariance);
        // Five deviations of the sampling, and what a box out of reach may hide.
        let allowed = if computed == 0.0 { 0.008 } else { 0.0105 };
        assert!(
            (computed - sampled).abs() < allowed,
            "round {round}: {computed} against {sampled} of {SAMPLES} samples"
        );
    }
}

#[test]
fn tiles_of_the_plane_share_the_probability() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..200 {
        let mean = Point2::new(rng.random_range(-3.0..3.0), rng.random_range(-3.0..3.0));
        let covariance = Matrix2::new(2.0, 0.9, 0.9, 1.0);
        // Four tiles that meet near the mean, at any distance from it.
        let apart = 10_f64.powf(rng.random_range(-6.0..0.5));
        let (x, y) = (mean.x + apart, mean.y - apart / 3.0);
        let corner = Point2::new(x, y);
        let far = [[-80.0, -80.0], [80.0, -80.0], [80.0, 80.0], [-80.0, 80.0]];
        let sum: f64 = far
            .iter()
            .map(|&[x, y]| Polygon::rectangle(corner, Point2::new(x, y)))
            .map(|tile| area_probability(&tile, mean, &covariance))
            .sum();
        assert!((sum - 1.0).abs() < 0.001 + 0.014, "{sum} at {apart} m");
        let half = Polygon::rectangle(Point2::new(mean.x, -80.0), Point2::new(80.0, 80.0));
        let half = area_probability(&half, mean, &covariance);
        assert!((half - 0.5).abs() < 0.001, "{half}");
    }
}

#[test]
fn what_is_no_place_is_nowhere() {
    let area = left_area();
    let unit = Matrix2::identity();
    for mean in [[f64::NAN, 5.0], [5.0, f64::INFINITY], [1e300, 5.0]] {
        assert_eq!(area_probability(&area, mean.into(), &unit), 0.0);
    }
    let mean = Point2::new(5.0, 5.0);
    assert_eq!(area_probability(&area, mean, &(unit * f64::NAN)), 0.0);
    // Negative or no variance is a sharp place, endless variance one that may be anywhere.
    assert!(area_probability(&area, mean, &(unit * -1.0)) > 0.999);
    assert!(area_probability(&area, mean, &(unit * 1e300)) < 1e-3);
    assert_eq!(area_probability(&polygon(&[]), mean, &unit), 0.0);
    let line = polygon(&[[0.0, 0.0], [9.0, 9.0], [4.0, 4.0]]);
    assert!(area_probability(&line, mean, &unit) < 1e-9);
}

#[test]
fn a_visit_is_told_from_entering_to_leaving() {
    let mut tracker = left_half();
    for second in 0..40 {
        tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), second * SECOND);
    }
    let told = changes(&mut tracker);
    let dwelt = ChangeKind::Dwelt {
        since_us: 0,
        at_us: 30 * SECOND,
    };
    assert_eq!(told, [ChangeKind::Entered { since_us: 0 }, dwelt]);
    assert_eq!(
        tracker.inside().collect::<Vec<_>>(),
        [(1, ZoneIndex(0), 0, true)]
    );
    for second in 40..51 {
        tracker.handle_fix(1, &fix(15.0, 5.0, 1.0), second * SECOND);
    }
    let left = ChangeKind::Left {
        at_us: 40 * SECOND,
        reason: LeaveReason::Elsewhere,
    };
    assert_eq!(changes(&mut tracker), [left]);
    assert_eq!(tracker.clients(), 0, "far from all zones costs no memory");
}

#[test]
fn silence_ends_a_visit_and_time_completes_what_fixes_began() {
    let mut tracker = left_half();
    for second in 0..10 {
        tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), second * SECOND);
        tracker.handle_fix(2, &fix(5.0, 5.0, 1.0), second * SECOND);
    }
    // The second walks out, and is heard once only.
    tracker.handle_fix(2, &fix(15.0, 5.0, 1.0), 10 * SECOND);
    assert_eq!(changes(&mut tracker).len(), 2);
    tracker.handle_tick(19 * SECOND);
    assert_eq!(changes(&mut tracker), []);
    tracker.handle_tick(20 * SECOND);
    let left = |second, reason| ChangeKind::Left {
        at_us: second * SECOND,
        reason,
    };
    assert_eq!(changes(&mut tracker), [left(10, LeaveReason::Elsewhere)]);
    tracker.handle_tick(68 * SECOND);
    assert_eq!(changes(&mut tracker).len(), 1, "only that it dwells");
    tracker.handle_tick(69 * SECOND);
    assert_eq!(changes(&mut tracker), [left(69, LeaveReason::Silent)]);
    assert_eq!(tracker.clients(), 0);
}

#[test]
fn a_pause_that_no_tick_saw_ends_a_visit_too() {
    let mut tracker = left_half();
    for second in [0, 5, 200] {
        tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), second * SECOND);
    }
    let silent = ChangeKind::Left {
        at_us: 200 * SECOND,
        reason: LeaveReason::Silent,
    };
    assert_eq!(
        changes(&mut tracker),
        [ChangeKind::Entered { since_us: 0 }, silent]
    );
    // And a wait that was interrupted begins anew.
    tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), 204 * SECOND);
    assert_eq!(changes(&mut tracker), []);
    tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), 205 * SECOND);
    let since_us = 200 * SECOND;
    assert_eq!(changes(&mut tracker), [ChangeKind::Entered { since_us }]);
}

#[test]
fn a_restored_visit_is_told_of_only_when_it_ends() {
    let mut tracker = left_half();
    let day = 86_400 * SECOND;
    tracker.restore(1, ZoneIndex(0), day - 100, true, day);
    tracker.restore(2, ZoneIndex(0), day - 100, true, day);
    tracker.restore(3, ZoneIndex(7), day - 100, true, day);
    assert_eq!(tracker.inside().count(), 2, "there is no zone 7");
    for second in 0..59 {
        tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), day + second * SECOND);
        tracker.handle_tick(day + second * SECOND);
    }
    assert_eq!(changes(&mut tracker), []);
    tracker.handle_tick(day + 60 * SECOND);
    assert_eq!(
        changes(&mut tracker).len(),
        1,
        "the second did not come back"
    );
    assert_eq!(tracker.inside().next().unwrap().0, 1);
}

#[test]
fn who_is_given_up_leaves_and_others_stay() {
    let mut tracker = left_half();
    for second in 0..6 {
        for client in 1..=3 {
            tracker.handle_fix(client, &fix(5.0, 5.0, 1.0), second * SECOND);
        }
    }
    assert_eq!(changes(&mut tracker).len(), 3);
    tracker.forget(1);
    tracker.retain(|client| client == 3);
    tracker.forget(9);
    let left = changes(&mut tracker);
    let forgotten = ChangeKind::Left {
        at_us: 5 * SECOND,
        reason: LeaveReason::Forgotten,
    };
    assert_eq!(left, [forgotten, forgotten]);
    assert_eq!(tracker.inside().next().unwrap().0, 3);
}

#[test]
fn doubt_about_the_floor_lets_nobody_enter_or_leave() {
    let mut tracker = left_half();
    let upstairs = Fix {
        floor: FloorIndex(1),
        floor_probability: 0.6,
        ..fix(5.0, 5.0, 1.0)
    };
    (0..20).for_each(|second| tracker.handle_fix(1, &upstairs, second * SECOND));
    assert_eq!(changes(&mut tracker), []);
    (20..30).for_each(|second| tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), second * SECOND));
    assert_eq!(changes(&mut tracker).len(), 1);
    (30..50).for_each(|second| tracker.handle_fix(1, &upstairs, second * SECOND));
    assert_eq!(changes(&mut tracker), [], "0.4 of it may be on this floor");
    let surely_upstairs = Fix {
        floor_probability: 0.9,
        ..upstairs
    };
    (50..61).for_each(|second| tracker.handle_fix(1, &surely_upstairs, second * SECOND));
    let left = ChangeKind::Left {
        at_us: 50 * SECOND,
        reason: LeaveReason::Elsewhere,
    };
    assert_eq!(changes(&mut tracker), [left]);
}

#[test]
fn stale_fixes_and_teleports_speak_for_nothing() {
    let mut tracker = left_half();
    for (stale, teleport) in [(true, false), (false, true)] {
        let mut doubtful = fix(5.0, 5.0, 1.0);
        doubtful.flags = Flags {
            stale,
            teleport,
            ..Flags::default()
        };
        (0..20).for_each(|second| tracker.handle_fix(1, &doubtful, second * SECOND));
        assert_eq!((changes(&mut tracker).len(), tracker.clients()), (0, 0));
    }
}

#[test]
fn too_many_overlapping_zones_are_refused_and_counted() {
    let rules = ZoneRules {
        enter_after_s: 0.0,
        ..ZoneRules::default()
    };
    let zones = vec![("same", left_area(), rules); ZONES_PER_CLIENT_MAX + 3];
    let mut tracker = ZoneTracker::new(&hall(&zones));
    tracker.handle_fix(1, &fix(5.0, 5.0, 1.0), 0);
    assert_eq!(changes(&mut tracker).len(), ZONES_PER_CLIENT_MAX);
    assert_eq!(tracker.refused(), 3);
}

/// What a history of fixes says by itself, without any state machine.
fn probability_at(fix: &Fix) -> f64 {
    area_probability(&left_area(), fix.position_in_site.xy(), &fix.covariance_m2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn jitter_at_the_border_tells_nothing(
        way in prop::collection::vec((9.7_f64..10.3, 1.0_f64..9.0), 1..300),
        starts_inside: bool,
    ) {
        let mut tracker = left_half();
        if starts_inside {
            tracker.restore(1, ZoneIndex(0), 0, true, 0);
        }
        let mut second = 0;
        for (x, y) in way {
            second += 1;
            let fix = fix(x, y, 1.5);
            prop_assert!((0.3..0.6).contains(&probability_at(&fix)));
            tracker.handle_fix(1, &fix, second * SECOND);
            tracker.handle_tick(second * SECOND);
        }
        prop_assert_eq!(changes(&mut tracker), []);
    }

    #[test]
    fn nobody_enters_or_leaves_without_enough_time(
        way in prop::collection::vec((1_u64..8_000, 4.0_f64..16.0), 1..400),
    ) {
        let mut tracker = left_half();
        let (mut now_us, mut history) = (0, Vec::new());
        for (pause_ms, x) in way {
            now_us += pause_ms * 1_000;
            let fix = fix(x, 5.0, 1.0);
            tracker.handle_fix(1, &fix, now_us);
            history.push((now_us, probability_at(&fix)));
            while let Some(change) = tracker.poll_change() {
                let (since_us, lasts_us, speaks): (_, _, fn(f64) -> bool) = match change.kind {
                    ChangeKind::Entered { since_us } => (since_us, 5 * SECOND, |p| p >= 0.6),
                    ChangeKind::Left { at_us, reason: LeaveReason::Elsewhere } => {
                        (at_us, 10 * SECOND, |p| p < 0.3)
                    }
                    _ => continue,
                };
                // All fixes since then but the one that found the time over.
                let mut since = history.iter().filter(|(at, _)| (since_us..now_us).contains(at));
                prop_assert!(now_us - since_us >= lasts_us);
                prop_assert!(since.all(|(_, probability)| speaks(*probability)));
            }
        }
    }

    #[test]
    fn the_order_of_zones_does_not_matter(
        way in prop::collection::vec((0.0_f64..20.0, 0.0_f64..10.0), 1..200),
        turn in 0_usize..4,
    ) {
        let rules = ZoneRules { enter_after_s: 2.0, leave_after_s: 3.0, ..ZoneRules::default() };
        let strip = |id, x: f64, y: f64| {
            let area = Polygon::rectangle(Point2::new(x, y), Point2::new(x + 9.0, y + 7.0));
            (id, area, rules.clone())
        };
        let mut zones = vec![
            strip("a", 0.0, 0.0), strip("b", 5.0, 2.0), strip("c", 10.0, 0.0), strip("d", 11.0, 3.0),
        ];
        let mut told = Vec::new();
        for round in 0..2 {
            let mut tracker = ZoneTracker::new(&hall(&zones));
            let mut heard = HashSet::new();
            for (second, &(x, y)) in (1..).zip(&way) {
                tracker.handle_fix(1, &fix(x, y, 1.0), second * SECOND);
                tracker.handle_tick(second * SECOND);
                while let Some(change) = tracker.poll_change() {
                    let zone = zones[change.zone.0 as usize].0;
                    heard.insert((second, zone, format!("{:?}", change.kind)));
                }
            }
            told.push(heard);
            if round == 0 {
                zones.rotate_left(turn);
                zones.swap(0, 2);
            }
        }
        prop_assert_eq!(&told[0], &told[1]);
    }

    #[test]
    fn hostile_fixes_change_states_in_turn_and_panic_nowhere(
        fixes in prop::collection::vec(
            (0_u64..3, any::<[f64; 4]>(), -1.0_f64..22.0, any::<[u8; 3]>(), any::<f64>(), any::<u64>()),
            1..200,
        ),
    ) {
        let mut tracker = left_half();
        let mut inside: HashMap<u64, bool> = HashMap::new();
        for (client, wild, x, [floor, pick, flags], floor_probability, time) in fixes {
            let mut hostile = fix(x, 5.0, 1.0);
            match pick % 4 {
                0 => hostile.position_in_site = [wild[0], wild[1], wild[2]].into(),
                1 => hostile.covariance_m2 = Matrix2::new(wild[0], wild[1], wild[2], wild[3]),
                2 => hostile.floor_probability = floor_probability,
                _ => {}
            }
            hostile.floor = FloorIndex(floor % 3);
            hostile.flags.teleport = flags & 3 == 3;
            let time = if flags > 250 { time } else { time % (100 * SECOND) };
            if flags & 4 == 0 {
                tracker.handle_fix(client, &hostile, time);
            } else {
                tracker.handle_tick(time);
            }
            while let Some(change) = tracker.poll_change() {
                let inside = inside.entry(change.client).or_default();
                match change.kind {
                    ChangeKind::Entered { .. } => prop_assert!(!std::mem::replace(inside, true)),
                    ChangeKind::Left { .. } => prop_assert!(std::mem::replace(inside, false)),
                    ChangeKind::Dwelt { .. } => prop_assert!(*inside),
                }
            }
        }
        let told: usize = inside.values().filter(|inside| **inside).count();
        prop_assert_eq!(told, tracker.inside().count());
    }
}
