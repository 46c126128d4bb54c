//! A site that is moved, turned or mirrored moves its fixes with it.

use std::f64::consts::{FRAC_PI_2, TAU};

use locate::{Fix, Sighting};
use nalgebra::{Matrix2, Point2};
use proptest::prelude::*;

use super::cases;
use crate::plan::{Movement, Plan, fresh, locator_of, seeded};

/// Half a cell, in metres.
const HALF_CELL_M: f64 = 0.25;

/// Radii change by at most this share: cells that fall differently on the outline and tiles of two
/// metres that stand for theirs, away from the best place, are seen.
const RADII_SHARE: f64 = 0.06;

/// How far a fix in the moved plan lies from the moved fix, in metres.
fn strayed_m(plan: &Plan, movement: &Movement, sightings: &[Sighting]) -> (f64, Fix, Fix) {
    let fix = fresh(&mut locator_of(plan), sightings).unwrap();
    let moved = fresh(&mut locator_of(&plan.moved(movement)), sightings).unwrap();
    let expected = movement.apply(fix.position_in_site.xy());
    ((moved.position_in_site.xy() - expected).norm(), fix, moved)
}

/// The covariance turned with the frame.
fn turned(covariance_m2: &Matrix2<f64>, movement: &Movement) -> Matrix2<f64> {
    let mirror = if movement.is_mirrored { -1.0 } else { 1.0 };
    let turn = movement.isometry.rotation.to_rotation_matrix().into_inner()
        * Matrix2::new(mirror, 0.0, 0.0, 1.0);
    turn * covariance_m2 * turn.transpose()
}

fn ratio_is_near(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() <= RADII_SHARE
}

fn check(movement: &Movement, place: (f64, f64), seed: u64) -> Result<(), TestCaseError> {
    let plan = Plan::angled();
    let sightings = plan.heard(Point2::new(place.0, place.1), &mut seeded(seed));
    let (strayed_m, fix, moved) = strayed_m(&plan, movement, &sightings);
    prop_assert!(strayed_m <= HALF_CELL_M, "{strayed_m} {fix:?} {moved:?}");
    prop_assert!(ratio_is_near(moved.r50_m, fix.r50_m), "{fix:?} {moved:?}");
    prop_assert!(ratio_is_near(moved.r90_m, fix.r90_m), "{fix:?} {moved:?}");
    let expected = turned(&fix.covariance_m2, movement);
    let off_m2 = (moved.covariance_m2 - expected).norm();
    prop_assert!(
        off_m2 <= 2.0 * RADII_SHARE * expected.norm(),
        "{off_m2} {expected}"
    );
    prop_assert_eq!(moved.flags, fix.flags);
    Ok(())
}

fn anywhere() -> impl Strategy<Value = (f64, f64)> {
    (1.0..29.0, 1.0..13.0)
}

fn far() -> impl Strategy<Value = (f64, f64)> {
    (-1000.0..1000.0, -1000.0..1000.0)
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_moved_site_moves_its_fixes(shift_m in far(), place in anywhere(), seed: u64) {
        check(&Movement::new(false, shift_m, 0.0), place, seed)?;
    }

    #[test]
    fn right_angles_turn_fixes(shift_m in far(), quarters in 1u8..4, place in anywhere(), seed: u64) {
        check(&Movement::new(false, shift_m, f64::from(quarters) * FRAC_PI_2), place, seed)?;
    }

    #[test]
    fn any_angle_turns_fixes(shift_m in far(), angle in 0.0..TAU, place in anywhere(), seed: u64) {
        check(&Movement::new(false, shift_m, angle), place, seed)?;
    }

    #[test]
    fn mirrors_mirror_fixes(shift_m in far(), angle in 0.0..TAU, place in anywhere(), seed: u64) {
        check(&Movement::new(true, shift_m, angle), place, seed)?;
    }
}
