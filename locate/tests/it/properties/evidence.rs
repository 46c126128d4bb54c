//! What does not tell anything does not change anything.

use locate::{RangeReading, Sighting};
use nalgebra::Point2;
use proptest::prelude::*;
use rand::seq::SliceRandom;
use site::{RadioIndex, Site};

use super::cases;
use crate::plan::{Plan, calibrated, fresh, locator, locator_of, seeded};

/// Rounding of a sum over the grid in single precision, in metres.
const ROUNDING_M: f64 = 1e-4;

fn anywhere() -> impl Strategy<Value = Point2<f64>> {
    (1.0..29.0, 1.0..13.0).prop_map(|(x, y)| Point2::new(x, y))
}

/// Signal strengths, and ranges beside them in every other case.
fn heard(plan: &Plan, place: Point2<f64>, seed: u64) -> Vec<Sighting> {
    let mut random = seeded(seed);
    let mut sightings = plan.heard(place, &mut random);
    if seed.is_multiple_of(2) {
        let ranged = plan.ranged(place, 1.0, &mut random);
        for (sighting, ranged) in sightings.iter_mut().zip(ranged) {
            sighting.range = ranged.range;
        }
    }
    sightings
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn order_of_sightings_changes_no_bit(place in anywhere(), seed: u64) {
        let plan = Plan::angled();
        let mut locator = locator_of(&plan);
        let mut sightings = heard(&plan, place, seed);
        // Readings of one age and radio among them.
        sightings.push(Sighting { rssi_dbm: Some(-61.0), ..sightings[2] });
        let fix = fresh(&mut locator, &sightings);
        for round in 0..8 {
            sightings.shuffle(&mut seeded(seed ^ round));
            prop_assert_eq!(fresh(&mut locator, &sightings), fix);
        }
    }

    #[test]
    fn order_of_anchors_changes_only_the_rounding(place in anywhere(), seed: u64) {
        let plan = Plan::angled();
        let sightings = heard(&plan, place, seed);
        let mut order: Vec<usize> = (0..plan.anchors.len()).collect();
        order.shuffle(&mut seeded(seed));
        let reordered = Plan {
            anchors: order.iter().map(|&old| plan.anchors[old]).collect(),
            ..plan.clone()
        };
        let renumbered: Vec<Sighting> = order
            .iter()
            .zip(0..)
            .map(|(&old, new)| Sighting { radio: RadioIndex(new), ..sightings[old] })
            .collect();
        let fix = fresh(&mut locator_of(&plan), &sightings).unwrap();
        let other = fresh(&mut locator_of(&reordered), &renumbered).unwrap();
        let apart_m = (fix.position_in_site - other.position_in_site).norm();
        prop_assert!(apart_m < ROUNDING_M, "{apart_m}");
        prop_assert!((fix.r90_m - other.r90_m).abs() < ROUNDING_M, "{fix:?} {other:?}");
        prop_assert_eq!(fix.flags, other.flags);
    }

    #[test]
    fn a_duplicate_changes_no_bit(place in anywhere(), seed: u64, index in 0usize..7) {
        let plan = Plan::angled();
        let mut locator = locator_of(&plan);
        let mut sightings = heard(&plan, place, seed);
        let fix = fresh(&mut locator, &sightings);
        sightings.push(sightings[index]);
        prop_assert_eq!(fresh(&mut locator, &sightings), fix);
        sightings.extend_from_within(..);
        prop_assert_eq!(fresh(&mut locator, &sightings), fix);
    }

    #[test]
    fn of_two_sightings_of_a_radio_the_younger_counts(
        place in anywhere(), seed: u64, index in 0usize..7, older_s in 0.01f32..20.0, old_dbm in -90f32..-30.0,
    ) {
        let plan = Plan::angled();
        let mut locator = locator_of(&plan);
        let mut sightings = heard(&plan, place, seed);
        let fix = fresh(&mut locator, &sightings);
        let young = sightings[index];
        let old = Sighting {
            rssi_dbm: Some(old_dbm),
            age_s: young.age_s + older_s,
            range: Some(RangeReading { distance_m: 1.0, deviation_m: None }),
            ..young
        };
        sightings.insert(0, old);
        prop_assert_eq!(fresh(&mut locator, &sightings), fix);
        sightings.rotate_left(1);
        prop_assert_eq!(fresh(&mut locator, &sightings), fix);
    }
}

/// A hall of 30 by 14 m with an annexe 300 m away, in which nobody may be but an anchor hangs.
fn with_annexe() -> (Plan, Site) {
    let mut plan = Plan::hall(
        400.0,
        14.0,
        &[
            (1.0, 1.5),
            (15.0, 2.0),
            (29.0, 1.0),
            (28.0, 12.5),
            (2.0, 12.0),
        ],
    );
    plan.anchors.push(Point2::new(399.0, 7.0));
    let mut site = plan.site();
    // Clients stay in the hall.
    site.floors[0].allowed = vec![site::Polygon::rectangle(
        Point2::new(0.0, 0.0),
        Point2::new(30.0, 14.0),
    )];
    (plan, site)
}

/// How far a sighting of the last radio moves the fix, and by which share it changes the radius.
fn pull(site: &Site, plan: &Plan, deviation_db: f64, place: Point2<f64>, seed: u64) -> (f64, f64) {
    let mut calibration = calibrated(site, 1.0);
    calibration
        .radios
        .last_mut()
        .unwrap()
        .as_mut()
        .unwrap()
        .deviation_db = deviation_db;
    let mut locator = locator(site, &calibration);
    let sightings = plan.heard(place, &mut seeded(seed));
    let with = fresh(&mut locator, &sightings).unwrap();
    let without = fresh(&mut locator, &sightings[..sightings.len() - 1]).unwrap();
    (
        (with.position_in_site - without.position_in_site).norm(),
        (with.r90_m / without.r90_m - 1.0).abs(),
    )
}

proptest! {
    #![proptest_config(cases(16))]

    /// An anchor tells of a place by how its level falls across it, and of the device's offset by
    /// the level itself. 370 m away there is no fall to speak of; 40 dB of noise, the most that a
    /// calibration file takes, leave a hundredth of a 4 dB anchor's weight: a tenth of a cell is
    /// allowed. A hundred times the noise leaves nothing beyond rounding.
    #[test]
    fn an_anchor_that_knows_nothing_changes_nothing(place in anywhere(), seed: u64) {
        let (plan, site) = with_annexe();
        let (moved_m, wider) = pull(&site, &plan, 40.0, place, seed);
        prop_assert!(moved_m < 0.05 && wider < 0.005, "{moved_m} {wider}");
        let (moved_m, wider) = pull(&site, &plan, 4000.0, place, seed);
        prop_assert!(moved_m < ROUNDING_M && wider < 1e-5, "{moved_m} {wider}");
    }

    /// A very old sighting says no more than a very noisy one.
    #[test]
    fn an_old_sighting_changes_nothing(place in anywhere(), seed: u64) {
        let plan = Plan::angled();
        let mut locator = locator_of(&plan);
        let mut sightings = heard(&plan, place, seed);
        let last = sightings.len() - 1;
        let without = fresh(&mut locator, &sightings[..last]).unwrap();
        sightings[last].age_s = 1e6;
        let with = fresh(&mut locator, &sightings).unwrap();
        let moved_m = (with.position_in_site - without.position_in_site).norm();
        prop_assert!(moved_m < ROUNDING_M, "{moved_m}");
    }

    /// A range a hundred times coarser than the others is worth a ten-thousandth of them.
    #[test]
    fn a_coarse_range_changes_nothing(place in anywhere(), seed: u64) {
        let plan = Plan::angled();
        let mut locator = locator_of(&plan);
        let mut sightings = plan.ranged(place, 1.0, &mut seeded(seed));
        let last = sightings.len() - 1;
        let without = fresh(&mut locator, &sightings[..last]).unwrap();
        sightings[last].range.as_mut().unwrap().deviation_m = Some(999.0);
        let with = fresh(&mut locator, &sightings).unwrap();
        let moved_m = (with.position_in_site - without.position_in_site).norm();
        prop_assert!(moved_m < 1e-3, "{moved_m}");
    }
}
