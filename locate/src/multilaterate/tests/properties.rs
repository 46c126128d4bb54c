//! What holds for all ranges, drawn at random.

use nalgebra::{Rotation3, Vector3};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// Six to nine ranges with errors, some of them gross.
#[derive(Debug, Clone)]
struct Drawn {
    ranges: Vec<Range>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let anchor = (0.0..20.0f64, 0.0..14.0f64, 0.2..5.0f64);
    let one = (anchor, -0.4..0.4f64, 0..10, 1.0..5.0f64);
    let place = (1.0..19.0f64, 1.0..13.0f64, 0.6..1.8f64);
    (prop::collection::vec(one, 6..10), place).prop_map(|(anchors, (x, y, z))| {
        let place = Point3::new(x, y, z);
        let range = |((x, y, z), error_m, blocked, detour_m): ((f64, f64, f64), f64, i32, f64)| {
            let anchor = Point3::new(x, y, z);
            let detour_m = if blocked == 0 { detour_m } else { 0.0 };
            Range {
                anchor,
                distance_m: (place - anchor).norm() + error_m + detour_m,
                deviation_m: 0.2,
            }
        };
        Drawn {
            ranges: anchors.into_iter().map(range).collect(),
        }
    })
}

fn height() -> impl Strategy<Value = Height> {
    prop_oneof![
        Just(CARRIED),
        Just(Height::About {
            z_m: 1.2,
            deviation_m: 0.5
        }),
        Just(Height::Free),
    ]
}

/// Whether rounding cannot choose another place: none is nearly as good, and at most one range
/// contradicts the rest. With more of them there are many minima, of which sixteen starts miss the
/// best about once in a hundred times.
fn is_settled(solution: &Solution) -> bool {
    const ONE_CONTRADICTION_NATS: f64 = 18.0;
    solution.determinacy == Determinacy::Determined && solution.cost_nats < ONE_CONTRADICTION_NATS
}

fn shifted(height: Height, by_m: f64) -> Height {
    match height {
        Height::Known { z_m } => Height::Known { z_m: z_m + by_m },
        Height::About { z_m, deviation_m } => Height::About {
            z_m: z_m + by_m,
            deviation_m,
        },
        Height::Free => Height::Free,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn order_does_not_matter(drawn in drawn(), height in height(), seed in any::<u64>()) {
        let one = solve(&drawn.ranges, height, None);
        let mut ranges = drawn.ranges;
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        for index in (1..ranges.len()).rev() {
            ranges.swap(index, random.random_range(0..=index));
        }
        prop_assert_eq!(one, solve(&ranges, height, None));
    }

    #[test]
    fn the_place_moves_with_a_turned_moved_mirrored_frame(
        drawn in drawn(), height in height(), angle in -3.2..3.2f64,
        by in prop::array::uniform3(-900.0..900.0f64), mirrored in any::<bool>(),
    ) {
        let one = solve(&drawn.ranges, height, None).unwrap();
        prop_assume!(is_settled(&one));
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), angle);
        let side = if mirrored { -1.0 } else { 1.0 };
        let carry = |point: Point3<f64>| {
            turn * Point3::new(side * point.x, point.y, point.z) + Vector3::from(by)
        };
        let mut ranges = drawn.ranges;
        ranges.iter_mut().for_each(|range| range.anchor = carry(range.anchor));
        let moved = solve(&ranges, shifted(height, by[2]), None).unwrap();
        prop_assert!((carry(one.position) - moved.position).norm() < 1e-6);
        prop_assert!((one.cost_nats - moved.cost_nats).abs() < 1e-6);
    }

    #[test]
    fn in_space_the_place_moves_with_any_turn(
        drawn in drawn(), axis in prop::array::uniform3(-3.0..3.0f64), flip in any::<bool>(),
    ) {
        let one = solve(&drawn.ranges, Height::Free, None).unwrap();
        prop_assume!(is_settled(&one));
        let turn = Rotation3::from_scaled_axis(Vector3::from(axis));
        let side = if flip { -1.0 } else { 1.0 };
        let carry = |point: Point3<f64>| turn * Point3::new(point.x, point.y, side * point.z);
        let mut ranges = drawn.ranges;
        ranges.iter_mut().for_each(|range| range.anchor = carry(range.anchor));
        let moved = solve(&ranges, Height::Free, None).unwrap();
        prop_assert!((carry(one.position) - moved.position).norm() < 1e-6);
    }

    #[test]
    fn a_range_given_twice_changes_nothing(
        drawn in drawn(), height in height(), which in any::<prop::sample::Index>(),
    ) {
        let one = solve(&drawn.ranges, height, None);
        let mut ranges = drawn.ranges;
        ranges.push(*which.get(&ranges));
        prop_assert_eq!(one, solve(&ranges, height, None));
    }

    #[test]
    fn a_range_that_says_nothing_changes_nothing(
        drawn in drawn(), height in height(), distance_m in 0.0..60.0f64,
        anchor in prop::array::uniform3(-10.0..30.0f64), deviation_m in 3e3..1e30f64,
    ) {
        let one = solve(&drawn.ranges, height, None).unwrap();
        prop_assume!(is_settled(&one));
        let mut ranges = drawn.ranges;
        ranges.push(Range { anchor: anchor.into(), distance_m, deviation_m });
        let more = solve(&ranges, height, None).unwrap();
        prop_assert!((one.position - more.position).norm() < 1e-5);
        prop_assert!((one.covariance_m2 - more.covariance_m2).norm() < 1e-5);
    }

    #[test]
    fn any_input_is_survived(
        numbers in prop::collection::vec(prop::array::uniform5(any_number()), 0..40),
        prior in prop::option::of(prop::array::uniform12(any_number())),
        height in prop_oneof![
            height(),
            (any_number(), any_number())
                .prop_map(|(z_m, deviation_m)| Height::About { z_m, deviation_m }),
        ],
    ) {
        let range = |&[x, y, z, distance_m, deviation_m]: &[f64; 5]| Range {
            anchor: Point3::new(x, y, z), distance_m, deviation_m,
        };
        let ranges: Vec<Range> = numbers.iter().map(range).collect();
        let prior = prior.map(|prior| Prior {
            mean: Point3::new(prior[0], prior[1], prior[2]),
            information: Matrix3::from_iterator(prior[3..].iter().copied()),
        });
        if let Some(solution) = solve(&ranges, height, prior.as_ref()) {
            prop_assert!(solution.position.iter().all(|value| value.is_finite()));
            prop_assert!(solution.covariance_m2.iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn anchors_in_a_line_are_said_to_be(
        x in 0.0..12.0, y in 0.5..8.0, angle in 0.0..3.0f64, bend_m in -0.01..0.01f64,
    ) {
        let along = Vector3::new(angle.cos(), angle.sin(), 0.0);
        let across = Vector3::new(-along.y, along.x, 0.0);
        let place = Point3::from(along * x + across * y + Vector3::z() * 1.2);
        let range = |step: i32| {
            let bend_m = bend_m * f64::from(step % 2);
            let anchor = along * (4.0 * f64::from(step)) + across * bend_m + Vector3::z() * 2.5;
            let anchor = Point3::from(anchor);
            Range { anchor, distance_m: (place - anchor).norm(), deviation_m: 0.1 }
        };
        let ranges: Vec<Range> = (0..4).map(range).collect();
        prop_assert_eq!(solve(&ranges, CARRIED, None).unwrap().determinacy, Determinacy::Collinear);
    }

    #[test]
    fn anchors_at_one_point_are_said_to_be(
        x in -50.0..50.0, y in -50.0..50.0,
        distances in prop::collection::vec(0.5..9.0f64, 2..8), height in height(),
    ) {
        let range = |&distance_m: &f64| Range {
            anchor: Point3::new(x, y, 2.5), distance_m, deviation_m: 0.3,
        };
        let ranges: Vec<Range> = distances.iter().map(range).collect();
        let solution = solve(&ranges, height, None).unwrap();
        prop_assert_eq!(solution.determinacy, Determinacy::Coincident);
    }
}

/// The same cases in every run.
fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    }
}

/// Ordinary numbers, huge ones, tiny ones, and those that are none.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -30.0..30.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, 1e-300, 1e300, 1e5, 1e4, f64::NAN, f64::INFINITY]),
    ]
}
