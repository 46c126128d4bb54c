use nalgebra::{Point2, Rotation3, Vector3};
use proptest::prelude::*;

use super::*;
use crate::building::{Propagation, Slab};
use crate::geometry::Polygon;
use crate::material::Material;

fn wall(from: [f64; 2], to: [f64; 2]) -> Wall {
    Wall {
        from: from.into(),
        to: to.into(),
        material: Material::Drywall,
        thickness_m: 0.1,
        loss_db: Material::Drywall.class_loss(),
    }
}

/// Two storeys of 3 m; the same walls on both.
fn site(walls: &[Wall]) -> Site {
    let floor = |id: &str, elevation_m| Floor {
        id: id.to_owned(),
        name: id.to_owned(),
        elevation_m,
        height_m: 3.0,
        slab: Slab {
            material: Material::Concrete,
            loss_db: Material::Concrete.slab_loss(),
        },
        outline: Polygon::rectangle(Point2::new(-50.0, -50.0), Point2::new(50.0, 50.0)),
        allowed: Vec::new(),
        blocked: Vec::new(),
        walls: walls.to_vec(),
        zones: Vec::new(),
    };
    Site {
        id: "test".to_owned(),
        name: "test".to_owned(),
        propagation: Propagation::default(),
        floors: vec![floor("0", 0.0), floor("1", 3.0)],
        stairs: Vec::new(),
        anchors: Vec::new(),
    }
}

/// Floor and wall of every crossing.
fn walls_crossed(site: &Site, a: [f64; 3], b: [f64; 3]) -> Vec<(u8, usize)> {
    let crossings = site.crossings(a.into(), b.into());
    crossings
        .walls
        .iter()
        .map(|crossing| (crossing.floor.0, crossing.wall))
        .collect()
}

#[test]
fn a_path_crosses_a_wall_where_both_meet() {
    let site = site(&[wall([0.0, -1.0], [0.0, 1.0])]);
    let check = |a: [f64; 2], b: [f64; 2], expected: usize| {
        let crossed = walls_crossed(&site, [a[0], a[1], 1.0], [b[0], b[1], 1.0]);
        assert_eq!(crossed.len(), expected, "{a:?} to {b:?}");
    };
    check([-2.0, 0.0], [2.0, 0.0], 1);
    check([-2.0, 0.0], [-0.1, 0.0], 0);
    check([-2.0, 1.5], [2.0, 1.5], 0);
    check([-2.0, 0.0], [2.0, 1.9], 1);
    check([-2.0, 0.5], [2.0, 1.9], 0);
    // Along the wall, before it on its line, and up and down at one place of the plan.
    check([0.0, -3.0], [0.0, 3.0], 0);
    check([0.0, 2.0], [0.0, 3.0], 0);
    check([0.0, 0.0], [0.0, 0.0], 0);
}

#[test]
fn a_path_through_a_joint_of_a_straight_run_crosses_it_once() {
    let runs = [
        [wall([0.0, -1.0], [0.0, 0.0]), wall([0.0, 0.0], [0.0, 1.0])],
        [wall([0.0, -1.0], [0.0, 0.0]), wall([0.0, 1.0], [0.0, 0.0])],
        [wall([0.1, -1.0], [0.3, 0.7]), wall([0.3, 0.7], [0.2, 1.9])],
    ];
    for run in runs {
        let joint = run[0].to;
        for way in [[1.0, 0.0], [1.0, 0.3], [-1.0, 0.2], [3.0, -0.1]] {
            let site = site(&run);
            let a = [joint.x - way[0], joint.y - way[1], 1.0];
            let b = [joint.x + way[0], joint.y + way[1], 1.0];
            assert_eq!(walls_crossed(&site, a, b).len(), 1, "{run:?} {way:?}");
        }
    }
}

#[test]
fn a_path_that_ends_on_a_wall_crosses_it_on_one_side_only() {
    let site = site(&[wall([0.0, -1.0], [0.0, 1.0])]);
    let from_left = walls_crossed(&site, [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]).len();
    let from_right = walls_crossed(&site, [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]).len();
    assert_eq!(from_left + from_right, 1);
}

#[test]
fn a_wall_counts_at_the_height_of_its_own_storey() {
    let site = site(&[wall([0.0, -1.0], [0.0, 1.0])]);
    let check = |a_z: f64, b_z: f64, walls: &[(u8, usize)], slabs: &[u8]| {
        let (a, b) = ([-1.0, 0.0, a_z], [1.0, 0.0, b_z]);
        assert_eq!(walls_crossed(&site, a, b), walls, "{a_z} to {b_z}");
        let crossed: Vec<u8> = site.slabs_crossed(a_z, b_z).map(|floor| floor.0).collect();
        assert_eq!(crossed, slabs, "{a_z} to {b_z}");
    };
    check(1.0, 1.0, &[(0, 0)], &[]);
    check(4.0, 4.0, &[(1, 0)], &[]);
    check(1.0, 4.0, &[(0, 0)], &[1]);
    check(2.5, 5.0, &[(1, 0)], &[1]);
    check(5.0, -1.0, &[(0, 0)], &[0, 1]);
    check(9.0, 9.0, &[], &[]);
    // A walking surface at an end is not between.
    check(3.0, 5.0, &[(1, 0)], &[]);
    check(0.0, 3.0, &[(0, 0)], &[]);
}

#[test]
fn the_angle_is_that_from_the_walls_normal_in_the_plan() {
    let site = site(&[wall([0.0, -9.0], [0.0, 9.0])]);
    let cos_theta =
        |a: [f64; 3], b: [f64; 3]| site.crossings(a.into(), b.into()).walls[0].cos_theta;
    assert_eq!(cos_theta([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]), 1.0);
    assert!((cos_theta([-1.0, -1.0, 1.0], [1.0, 1.0, 1.0]) - 0.5_f64.sqrt()).abs() < 1e-12);
    assert!((cos_theta([1.0, 3.0, 1.0], [-1.0, -3.0, 2.0]) - 0.1_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn floors_are_found_by_height() {
    let site = site(&[]);
    for (z_m, expected) in [(-5.0, 0), (0.0, 0), (2.9, 0), (3.0, 1), (99.0, 1)] {
        assert_eq!(site.floor_at(z_m), FloorIndex(expected), "at {z_m}");
    }
}

fn point() -> impl Strategy<Value = Point3<f64>> {
    // On a half-metre grid, so that paths through joints and along walls come up often.
    (-20..20_i32, -20..20_i32, 0..12_i32).prop_map(|(x, y, z)| {
        Point3::new(f64::from(x) / 2.0, f64::from(y) / 2.0, f64::from(z) / 2.0)
    })
}

fn walls() -> impl Strategy<Value = Vec<Wall>> {
    proptest::collection::vec((point(), point()), 0..20).prop_map(|ends| {
        ends.iter()
            .map(|(a, b)| wall([a.x, a.y], [b.x, b.y]))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_directions_of_a_path_cross_the_same(walls in walls(), a in point(), b in point()) {
        let site = site(&walls);
        prop_assert_eq!(site.crossings(a, b), site.crossings(b, a));
    }

    #[test]
    fn a_closed_ring_is_crossed_as_often_as_ends_lie_inside(a in point(), b in point()) {
        // Its corners are off the grid, so that no end lies on the border.
        let ring = Polygon::rectangle(Point2::new(-3.3, -4.7), Point2::new(5.1, 2.9));
        let side = |(from, to)| Wall { from, to, ..wall([0.0; 2], [0.0; 2]) };
        let walls: Vec<Wall> = ring.edges().map(side).collect();
        let (a, b) = (Point3::new(a.x, a.y, 1.0), Point3::new(b.x, b.y, 1.0));
        let inside = usize::from(ring.contains(a.xy())) + usize::from(ring.contains(b.xy()));
        prop_assert_eq!(site(&walls).crossings(a, b).walls.len() % 2, inside % 2);
    }

    #[test]
    fn turning_site_and_path_together_changes_nothing(
        walls in walls(), a in point(), b in point(), angle in -3.2..3.2_f64,
    ) {
        // Ends a hair off the grid: rounding must not decide a touch.
        let a = a + Vector3::new(0.0123, 0.0271, 0.01);
        let b = b + Vector3::new(-0.0314, 0.0159, 0.02);
        let rotation = Rotation3::from_axis_angle(&Vector3::z_axis(), angle);
        let turn = |point: Point2<f64>| (rotation * Point3::new(point.x, point.y, 0.0)).xy();
        let turn_wall =
            |wall: &Wall| Wall { from: turn(wall.from), to: turn(wall.to), ..*wall };
        let turned: Vec<Wall> = walls.iter().map(turn_wall).collect();
        let before = site(&walls).crossings(a, b);
        let after = site(&turned).crossings(rotation * a, rotation * b);
        prop_assert_eq!(before.slabs, after.slabs);
        prop_assert_eq!(before.walls.len(), after.walls.len());
        for (one, other) in before.walls.iter().zip(&after.walls) {
            prop_assert_eq!((one.floor, one.wall), (other.floor, other.wall));
            prop_assert!((one.cos_theta - other.cos_theta).abs() < 1e-9);
        }
    }
}
