//! Whether the best place is found, and what is said of it.

use rand::{Rng, RngExt, SeedableRng};

use super::*;

mod properties;
mod reference;

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

#[test]
fn what_the_geometry_leaves_open_is_said() {
    let place = Point3::new(3.0, 2.0, 1.2);
    let check = |anchors: &[[f64; 3]], height: Height, determinacy: Determinacy| {
        let solution = solve(&exact(anchors, place), height, None).unwrap();
        assert_eq!(solution.determinacy, determinacy);
        assert_eq!(
            solution.is_degenerate(),
            determinacy != Determinacy::Determined
        );
    };
    let line = [[0., 0., 2.5], [4., 0., 2.5], [8., 0., 2.5], [12., 0., 2.5]];
    let ceiling = [
        [0., 0., 3.],
        [9., 0., 3.],
        [9., 9., 3.],
        [0., 9., 3.],
        [4., 3., 3.],
    ];
    let mast = [[1., 1., 0.5], [1., 1., 2.5], [1., 1., 3.5]];
    let leaning = [[0., 0., 0.], [3., 3., 1.], [6., 6., 2.], [9., 9., 3.]];
    check(&ROOM, CARRIED, Determinacy::Determined);
    check(&CUBE, Height::Free, Determinacy::Determined);
    check(&ROOM[..2], CARRIED, Determinacy::TooFew);
    check(&CUBE[..3], Height::Free, Determinacy::TooFew);
    check(&line, CARRIED, Determinacy::Collinear);
    check(&leaning, Height::Free, Determinacy::Collinear);
    check(&mast, CARRIED, Determinacy::Coincident);
    check(&ceiling, Height::Free, Determinacy::Ambiguous);
}

#[test]
fn one_range_however_often_given_is_no_place() {
    let range = exact(&ROOM[..1], Point3::new(3.0, 2.0, 1.2))[0];
    assert_eq!(solve(&[range; 4], CARRIED, None), None);
}

#[test]
fn a_blocked_range_loses_its_weight() {
    let mut ranges = exact(&CUBE, Point3::new(3.0, 4.0, 1.2));
    ranges[2].distance_m += 6.0;
    let solution = solve(&ranges, CARRIED, None).unwrap();
    let weights: Vec<f64> = ranges.iter().map(|range| solution.weight(range)).collect();
    assert!(weights[2] < 0.01, "{weights:?}");
    assert!(
        weights.iter().filter(|&&weight| weight > 0.9).count() == 5,
        "{weights:?}"
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
        assert!(!solution.is_degenerate());
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

/// Descents from a net of starts, two metres apart in the plan.
fn exhaustive_cost(ranges: &[Range], height: Height) -> f64 {
    let terms = Terms::new(ranges);
    let (_, known) = height_of(height, terms.origin.z).unwrap();
    let problem = Problem {
        terms: terms.as_slice(),
        priors: [known.prior, None],
        is_height_free: known.is_free,
    };
    let heights: &[f64] = if known.is_free { &[0.0, 3.0] } else { &[1.2] };
    let mut best = f64::INFINITY;
    for (x, y) in
        (-4..10).flat_map(|x| (-4..8).map(move |y| (2.0 * f64::from(x), 2.0 * f64::from(y))))
    {
        for &z in heights {
            let start = Point3::new(x, y, z) - terms.origin;
            best = best.min(problem.cost(&problem.descend(start)));
        }
    }
    best
}

#[test]
fn the_place_is_the_best_of_all_starts() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    let mut missed_in_all = 0;
    for (height, anchors) in [
        (CARRIED, &ROOM[..]),
        (CARRIED, &CUBE),
        (Height::Free, &CUBE),
    ] {
        for blocked in [0, 10, 25, 40] {
            let (mut missed, rounds) = (0, 60);
            for _ in 0..rounds {
                let (x, y) = (
                    random.random_range(0.5..11.5),
                    random.random_range(0.5..7.5),
                );
                let mut ranges = exact(anchors, Point3::new(x, y, 1.2));
                for range in &mut ranges {
                    range.distance_m += 0.2 * student_t(&mut random);
                    if random.random_range(0..100) < blocked {
                        range.distance_m += random.random_range(1.0..8.0);
                    }
                }
                let solution = solve(&ranges, height, None).unwrap();
                let best = exhaustive_cost(&ranges, height);
                missed += i32::from(solution.cost_nats > best + 1e-6);
            }
            missed_in_all += missed;
            assert!(
                missed <= 5,
                "{missed} of {rounds} at {blocked} % blocked, {height:?}"
            );
        }
    }
    assert!(missed_in_all <= 12, "{missed_in_all} of 720");
}
