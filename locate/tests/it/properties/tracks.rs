//! Clients along a walk: gaps, broken clocks, silence, jumps.

use locate::limits::TRACK_SILENCE_MAX_S;
use locate::{Fix, Locator, Sighting, Track};
use nalgebra::{Point2, Vector2};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::cases;
use crate::plan::{Plan, fresh, is_sound, locator_of, seeded};

/// A hall of 90 by 20 m with anchors every 12 m along both sides.
fn long_hall() -> Plan {
    let anchors: Vec<(f64, f64)> = (0u8..8)
        .map(|column| {
            (
                3.0 + 12.0 * f64::from(column),
                if column % 2 == 0 { 2.0 } else { 18.0 },
            )
        })
        .collect();
    Plan::hall(90.0, 20.0, &anchors)
}

/// What is heard after walking for a while at 1.2 m/s to and fro between 10 m and 80 m.
fn heard_at(plan: &Plan, walked_s: f64, random: &mut ChaCha8Rng) -> Vec<Sighting> {
    let leg = (1.2 * walked_s.abs() % 140.0 - 70.0).abs();
    plan.heard(Point2::new(10.0 + leg, 10.0), random)
}

fn any_time() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.1..4.0f64,
        1 => -100.0..100.0f64,
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -1e300, 1e300, 0.0]),
    ]
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn no_clock_breaks_a_track(gaps_s in prop::collection::vec(any_time(), 1..60), seed: u64) {
        let plan = long_hall();
        let mut locator = locator_of(&plan);
        let mut random = seeded(seed);
        let mut track = Track::default();
        let mut clock_s = 100.0;
        for gap_s in gaps_s {
            // A broken reading of the clock is followed by good ones.
            let now_s = clock_s + gap_s;
            clock_s = if gap_s.abs() < 1e3 { now_s } else { clock_s };
            let sightings = heard_at(&plan, clock_s, &mut random);
            let fix = locator.locate(&sightings, &mut track, now_s).unwrap();
            prop_assert!(is_sound(&fix), "{fix:?}");
            if !now_s.is_finite() {
                prop_assert_eq!(Some(fix), fresh(&mut locator, &sightings));
            }
        }
    }

    #[test]
    fn a_long_silence_or_a_clock_that_ran_back_starts_anew(
        steps in 1u8..30,
        gap_s in prop_oneof![TRACK_SILENCE_MAX_S + 0.001..1e6, -1e6..-0.001],
        seed: u64,
    ) {
        let plan = long_hall();
        let mut locator = locator_of(&plan);
        let mut random = seeded(seed);
        let mut track = Track::default();
        for step in 0..steps {
            let now_s = f64::from(step);
            locator.locate(&heard_at(&plan, now_s, &mut random), &mut track, now_s);
        }
        let now_s = f64::from(steps - 1) + gap_s;
        let sightings = heard_at(&plan, 3.0 * f64::from(steps), &mut random);
        let mut anew = Track::default();
        let expected = locator.locate(&sightings, &mut anew, now_s);
        prop_assert_eq!(locator.locate(&sightings, &mut track, now_s), expected);
        prop_assert_eq!(track, anew);
    }
}

/// Fixes every second of a client that rests at one place and then at another.
fn teleport(locator: &mut Locator, plan: &Plan, seed: u64) -> Vec<Fix> {
    let mut random = seeded(seed);
    let mut track = Track::default();
    (0..40u8)
        .map(|second| {
            let x_m = if second < 20 { 12.0 } else { 72.0 };
            let sightings = plan.heard(Point2::new(x_m, 10.0), &mut random);
            locator
                .locate(&sightings, &mut track, f64::from(second))
                .unwrap()
        })
        .collect()
}

#[test]
fn a_jump_of_60_m_is_first_doubted_and_then_followed() {
    let plan = long_hall();
    let mut locator = locator_of(&plan);
    for seed in 0..20 {
        let fixes = teleport(&mut locator, &plan, seed);
        let is_flagged = |fix: &Fix| fix.flags.teleport;
        assert!(!fixes[..20].iter().any(is_flagged), "{seed}");
        assert!(is_flagged(&fixes[20]), "{seed}: {:?}", fixes[20]);
        assert!(
            fixes[20].position_in_site.x < 30.0,
            "{seed}: {:?}",
            fixes[20]
        );
        // Within four fixes it is there, and stays there without a flag.
        assert!(
            fixes[24..].iter().all(|fix| fix.position_in_site.x > 60.0),
            "{seed}"
        );
        assert!(!fixes[26..].iter().any(is_flagged), "{seed}");
    }
}

/// Largest deviation of where a client can be after `passed_s`, given its last fix: that of the
/// fix, of an unknown velocity of 0.7 m/s, of wandering, and a cell.
fn reach_m(before: &Fix, passed_s: f64) -> f64 {
    let known_m = before.covariance_m2.symmetric_eigenvalues().max().sqrt();
    known_m + 0.7 * passed_s + 0.2 * passed_s.sqrt() + 0.5
}

/// Where the track expects the client: its velocity is forgotten within three seconds.
fn expected(before: &Fix, velocity: Vector2<f64>, passed_s: f64) -> Point2<f64> {
    before.position_in_site.xy() + velocity * 3.0 * (1.0 - (-passed_s / 3.0).exp())
}

proptest! {
    #![proptest_config(cases(16))]

    /// A client that jumps anywhere now and then. An unflagged fix lies within four deviations of
    /// where the motion expects the client, or within the 90 % radius of what the sightings alone
    /// say.
    #[test]
    fn a_step_beyond_the_motion_is_flagged_or_explained(seed: u64) {
        let plan = long_hall();
        let mut locator = locator_of(&plan);
        let mut random = seeded(seed);
        let mut track = Track::default();
        let mut place = Point2::new(10.0, 10.0);
        let mut last: Option<(Fix, Vector2<f64>)> = None;
        let mut now_s = 0.0;
        for _ in 0..80 {
            let passed_s = random.random_range(0.2..5.0);
            now_s += passed_s;
            if random.random_range(0.0..1.0) < 0.1 {
                place = Point2::new(random.random_range(0.0..90.0), random.random_range(0.0..20.0));
            }
            let sightings = plan.heard(place, &mut random);
            let fix = locator.locate(&sightings, &mut track, now_s).unwrap();
            if let Some((before, velocity)) = last && !fix.flags.teleport {
                let away = fix.position_in_site.xy() - expected(&before, velocity, passed_s);
                let is_within_reach = away.norm() <= 4.0 * reach_m(&before, passed_s);
                let alone = fresh(&mut locator, &sightings).unwrap();
                let off_m = (alone.position_in_site - fix.position_in_site).norm();
                prop_assert!(is_within_reach || off_m <= alone.r90_m, "{before:?} {fix:?} {alone:?}");
            }
            last = Some((fix, track.velocity_m_per_s()));
        }
    }
}
