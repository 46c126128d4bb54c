//! The solver against an unrelated optimiser, and what it must never do.

use nalgebra::{Rotation3, Vector3};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};

use super::*;

const ROOM: [[f64; 3]; 5] = [
    [0., 0., 2.5],
    [12., 0., 2.4],
    [12., 8., 2.6],
    [0., 8., 2.5],
    [6., 4., 3.],
];
const CUBE: [[f64; 3]; 6] = [
    [0., 0., 0.3],
    [10., 0., 2.8],
    [10., 9., 0.4],
    [0., 9., 2.9],
    [5., 4., 3.5],
    [2., 7., 0.2],
];
const CARRIED: Height = Height::Known { z_m: 1.2 };

fn ranges(anchors: &[[f64; 3]], distances: &[f64], deviations: &[f64]) -> Vec<Range> {
    anchors
        .iter()
        .zip(distances)
        .zip(deviations)
        .map(|((&[x, y, z], &distance_m), &deviation_m)| Range {
            anchor: Point3::new(x, y, z),
            distance_m,
            deviation_m,
        })
        .collect()
}

fn exact(anchors: &[[f64; 3]], place: Point3<f64>) -> Vec<Range> {
    let away = |&[x, y, z]: &[f64; 3]| (place - Point3::new(x, y, z)).norm();
    let distances: Vec<f64> = anchors.iter().map(away).collect();
    ranges(anchors, &distances, &vec![0.2; anchors.len()])
}

/// Places and costs from `reference/multilaterate.py`: differential evolution and Nelder-Mead of
/// scipy.
#[test]
fn the_place_is_that_of_an_unrelated_optimiser() {
    let check = |ranges: &[Range], height: Height, place: [f64; 3], cost_nats: f64| {
        let solution = solve(ranges, height, None).unwrap();
        let [x, y, z] = place;
        let error_m = (solution.position - Point3::new(x, y, z)).norm();
        assert!(
            error_m < 2e-5,
            "{:?} instead of {place:?}",
            solution.position
        );
        assert!(
            (solution.cost_nats - cost_nats).abs() < 2e-6,
            "{}",
            solution.cost_nats
        );
        assert!(!solution.is_degenerate);
    };
    let room = |distances: &[f64], deviations: &[f64]| ranges(&ROOM, distances, deviations);
    let cube = |distances: &[f64]| ranges(&CUBE, distances, &[0.1; 6]);
    check(
        &room(&[5.11, 8.93, 9.87, 6.62, 2.98], &[0.3; 5]),
        CARRIED,
        [3.803647, 2.900974, 1.2],
        0.576772,
    );
    check(
        &room(&[5.11, 8.93, 9.87, 14.0, 2.98], &[0.3; 5]),
        CARRIED,
        [3.734738, 3.062484, 1.2],
        11.042786,
    );
    check(
        &room(&[6.0, 8.5, 9.0, 6.0, 3.4], &[2.0, 0.1, 0.5, 1.0, 0.2]),
        CARRIED,
        [3.890883, 2.274989, 1.2],
        2.920695,
    );
    check(
        &cube(&[5.02, 7.96, 8.49, 6.31, 2.63, 4.02]),
        Height::Free,
        [3.166471, 3.681916, 1.650769],
        4.959219,
    );
    check(
        &cube(&[5.02, 7.96, 8.49, 6.31, 6.0, 4.02]),
        Height::Free,
        [3.225387, 3.80446, 1.186556],
        16.377291,
    );
}

#[test]
fn two_ranges_or_anchors_in_a_line_are_degenerate() {
    let place = Point3::new(3.0, 2.0, 1.2);
    let two = exact(&ROOM[..2], place);
    assert!(solve(&two, CARRIED, None).unwrap().is_degenerate);
    let line = [[0., 0., 2.5], [4., 0., 2.5], [8., 0., 2.5], [12., 0., 2.5]];
    assert!(
        solve(&exact(&line, place), CARRIED, None)
            .unwrap()
            .is_degenerate
    );
    let point = [[1., 1., 2.5]; 4];
    assert!(
        solve(&exact(&point, place), CARRIED, None)
            .unwrap()
            .is_degenerate
    );
    let ceiling = [
        [0., 0., 3.],
        [9., 0., 3.],
        [9., 9., 3.],
        [0., 9., 3.],
        [4., 3., 3.],
    ];
    assert!(
        solve(&exact(&ceiling, place), Height::Free, None)
            .unwrap()
            .is_degenerate
    );
}

#[test]
fn a_prior_chooses_between_mirror_images() {
    let place = Point3::new(3.0, 2.0, 1.2);
    let line = [[0., 0., 2.5], [4., 0., 2.5], [8., 0., 2.5], [12., 0., 2.5]];
    let information = Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, 0.0));
    for (guess_y, found_y) in [(1.0, 2.0), (-1.0, -2.0)] {
        let prior = Prior {
            mean: Point3::new(3.0, guess_y, 1.2),
            information,
        };
        let solution = solve(&exact(&line, place), CARRIED, Some(&prior)).unwrap();
        assert!(
            (solution.position.y - found_y).abs() < 0.1,
            "{:?}",
            solution.position
        );
        assert!(!solution.is_degenerate);
    }
}

#[test]
fn nothing_usable_gives_nothing() {
    assert_eq!(solve(&[], CARRIED, None), None);
    let broken = ranges(
        &ROOM,
        &[f64::NAN, 1.0, 1.0, f64::INFINITY, 2.0],
        &[0.1, 0.0, -1.0, 0.1, 0.1],
    );
    assert_eq!(solve(&broken, CARRIED, None), None);
}

/// Errors drawn from the model itself: nine tenths of them within the stated 90 % ellipse.
#[test]
fn the_covariance_is_that_of_the_errors() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let (mut inside, rounds) = (0, 400);
    for _ in 0..rounds {
        let place = Point3::new(
            random.random_range(2.0..10.0),
            random.random_range(1.0..7.0),
            1.2,
        );
        let mut ranges = exact(&ROOM, place);
        for range in &mut ranges {
            range.distance_m += range.deviation_m * student_t(&mut random);
        }
        let solution = solve(&ranges, CARRIED, None).unwrap();
        let error = (solution.position - place).xy();
        let covariance = solution.covariance_m2.fixed_view::<2, 2>(0, 0).into_owned();
        // 4.605 is the 0.9 quantile of a chi-square of two degrees of freedom.
        if error.dot(&(covariance.try_inverse().unwrap() * error)) < 4.605 {
            inside += 1;
        }
    }
    let share = f64::from(inside) / f64::from(rounds);
    assert!((0.80..0.96).contains(&share), "{share}");
}

/// Normal over the root of a chi-square of three degrees of freedom, each from sums of uniform
/// numbers.
fn student_t(random: &mut impl Rng) -> f64 {
    let mut normal = || (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0;
    let square = (0..3).map(|_| normal().powi(2)).sum::<f64>() / 3.0;
    normal() / square.max(1e-3).sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_does_not_matter(
        x in 0.0..12.0, y in 0.0..8.0,
        noise in prop::array::uniform5(-0.4..0.4f64),
        shift in 1usize..5,
    ) {
        let mut ranges = exact(&ROOM, Point3::new(x, y, 1.2));
        ranges.iter_mut().zip(noise).for_each(|(range, noise)| range.distance_m += noise);
        let one = solve(&ranges, CARRIED, None).unwrap();
        ranges.rotate_left(shift);
        let other = solve(&ranges, CARRIED, None).unwrap();
        prop_assert!((one.position - other.position).norm() < 1e-6);
    }

    #[test]
    fn the_place_moves_with_the_frame(
        x in 1.0..11.0, y in 1.0..7.0, angle in -3.0..3.0f64,
        dx in -500.0..500.0, dy in -500.0..500.0,
        noise in prop::array::uniform5(-0.4..0.4f64),
    ) {
        let mut ranges = exact(&ROOM, Point3::new(x, y, 1.2));
        ranges.iter_mut().zip(noise).for_each(|(range, noise)| range.distance_m += noise);
        let one = solve(&ranges, CARRIED, None).unwrap();
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), angle);
        let move_it = |point: Point3<f64>| turn * point + Vector3::new(dx, dy, 0.0);
        for range in &mut ranges {
            range.anchor = move_it(range.anchor);
        }
        let moved = solve(&ranges, CARRIED, None).unwrap();
        prop_assert!((move_it(one.position) - moved.position).norm() < 1e-6);
    }

    #[test]
    fn any_input_is_survived(
        numbers in prop::collection::vec(prop::array::uniform5(-1e300..1e300f64), 0..40),
        free in any::<bool>(),
    ) {
        let ranges: Vec<Range> = numbers
            .iter()
            .map(|&[x, y, z, distance_m, deviation_m]| Range {
                anchor: Point3::new(x, y, z), distance_m, deviation_m,
            })
            .collect();
        let height = if free { Height::Free } else { CARRIED };
        let _ = solve(&ranges, height, None);
    }
}
