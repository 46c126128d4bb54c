use super::*;
use crate::fixture;

const GROUND_FLOOR: FloorIndex = FloorIndex(0);

#[test]
fn rooms_are_joined_by_their_door_only() {
    let ground = Ground::new(&fixture::two_rooms());
    let cells = ground.reachable(GROUND_FLOOR);
    let is_left = |cell: CellIndex| ground.centre(cell).x < 4.0;
    assert!(cells.iter().any(|cell| is_left(*cell)) && cells.iter().any(|cell| !is_left(*cell)));
    let mut passages = 0;
    for &cell in cells {
        for (next, _) in ground.neighbours(cell) {
            if is_left(cell) != is_left(next) {
                let (a, b) = (ground.centre(cell), ground.centre(next));
                let y = a.y + (b.y - a.y) * (4.0 - a.x) / (b.x - a.x);
                assert!((0.45..=1.05).contains(&y), "through the wall at y = {y}");
                passages += 1;
            }
        }
    }
    assert!(passages > 0);
}

#[test]
fn steps_are_mutual() {
    let ground = Ground::new(&fixture::house());
    for floor in 0..3 {
        for &cell in ground.reachable(FloorIndex(floor)) {
            for (next, step_m) in ground.neighbours(cell) {
                let back: Vec<_> = ground.neighbours(next).collect();
                assert!(back.contains(&(cell, step_m)));
                assert!(((ground.centre(next) - ground.centre(cell)).norm() - step_m).abs() < 1e-9);
            }
            for landing in ground.flights_from(cell) {
                assert!(ground.flights_from(landing).any(|back| back == cell));
            }
        }
    }
}

#[test]
fn cells_keep_clear_of_walls_and_blocked_areas() {
    let site = fixture::house();
    let ground = Ground::new(&site);
    for &cell in ground.reachable(FloorIndex(1)) {
        let centre = ground.centre(cell);
        assert!(site.floors[1].is_allowed(centre));
        assert!(!(8.85..10.15).contains(&centre.x) || !(5.65..6.35).contains(&centre.y));
    }
}

#[test]
fn a_closed_room_is_not_reachable() {
    let mut site = fixture::two_rooms();
    site.floors[0].walls[0].to = Point2::new(4.0, 1.2);
    let ground = Ground::new(&site);
    let cells = ground.reachable(GROUND_FLOOR);
    let left = cells
        .iter()
        .filter(|cell| ground.centre(**cell).x < 4.0)
        .count();
    assert!(left == 0 || left == cells.len());
}

#[test]
fn sight_ends_at_walls_and_tight_places() {
    let ground = Ground::new(&fixture::two_rooms());
    let check = |a: [f64; 2], b: [f64; 2], expected| {
        assert_eq!(
            ground.is_clear(GROUND_FLOOR, a.into(), b.into()),
            expected,
            "{a:?} {b:?}"
        );
    };
    check([1.0, 1.0], [3.0, 3.0], true);
    check([1.0, 3.0], [7.0, 3.0], false);
    check([5.0, 3.0], [7.0, 1.0], true);
    check([1.0, 3.0], [1.0, 5.0], false);
}

#[test]
fn stairs_join_their_floors() {
    let ground = Ground::new(&fixture::house());
    // West joins three storeys, east two: three flights, each in both directions.
    assert_eq!(ground.flights.len(), 6);
    for &(from, to) in &ground.flights {
        let (low, high) = (ground.floor_of(from), ground.floor_of(to));
        assert_eq!(low.0.abs_diff(high.0), 1);
        assert!((ground.centre(from) - ground.centre(to)).norm() < 1e-9);
    }
}

#[test]
fn places_and_cells_agree() {
    let ground = Ground::new(&fixture::house());
    for floor in [FloorIndex(0), FloorIndex(2)] {
        for &cell in ground.reachable(floor) {
            assert_eq!(ground.floor_of(cell), floor);
            assert_eq!(ground.cell_at(floor, ground.centre(cell)), cell);
        }
    }
}
