//! The way from one place to another: the shortest path over the ground, pulled straight.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nalgebra::Point2;
use site::FloorIndex;

use crate::ground::{CELL_M, CellIndex, Ground};

/// What a flight of stairs costs in the search: about what one walks while climbing it.
const FLIGHT_M: f64 = 12.0;

/// A corner of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waypoint {
    pub(crate) floor: FloorIndex,
    pub(crate) place: Point2<f64>,
}

/// Finds routes; holds the memory of the search, so that a search allocates nothing.
///
/// # Source
/// P. E. Hart, N. J. Nilsson and B. Raphael, "A formal basis for the heuristic determination of
/// minimum cost paths" (1968): A*.
#[derive(Debug)]
pub(crate) struct Pathfinder {
    visits: Vec<Visit>,
    search: u32,
    /// Lowest estimate first, then lowest cell: one order, whatever the heap does with equals.
    open: BinaryHeap<Reverse<(u64, CellIndex)>>,
    cells: Vec<CellIndex>,
}

/// The best known way to a cell; void unless it belongs to the running search.
#[derive(Debug, Clone, Copy)]
struct Visit {
    search: u32,
    from: CellIndex,
    cost_m: f64,
}

impl Pathfinder {
    pub(crate) fn new(ground: &Ground) -> Self {
        let unseen = Visit {
            search: 0,
            from: CellIndex(0),
            cost_m: 0.0,
        };
        Self {
            visits: vec![unseen; ground.cell_count()],
            search: 0,
            open: BinaryHeap::new(),
            cells: Vec::new(),
        }
    }

    /// Corners of the way between two waypoints, both included; only the first where none leads.
    pub(crate) fn route(&mut self, ground: &Ground, from: Waypoint, to: Waypoint) -> Vec<Waypoint> {
        if from.floor == to.floor && ground.is_clear(from.floor, from.place, to.place) {
            return vec![from, to];
        }
        let cell_of = |waypoint: Waypoint| ground.cell_at(waypoint.floor, waypoint.place);
        if !self.search(ground, cell_of(from), cell_of(to)) {
            return vec![from];
        }
        // From place to centre one stays in an open cell, and from centre to centre on a step.
        let centres = self.cells.iter().rev().map(|cell| Waypoint {
            floor: ground.floor_of(*cell),
            place: ground.centre(*cell),
        });
        let rough: Vec<_> = [from].into_iter().chain(centres).chain([to]).collect();
        pull_straight(ground, &rough)
    }

    /// Fills `cells` with the path, last cell first; false where there is none.
    fn search(&mut self, ground: &Ground, from: CellIndex, to: CellIndex) -> bool {
        let goal = ground.centre(to);
        self.open.clear();
        self.cells.clear();
        self.search += 1;
        self.reach(
            ground,
            goal,
            from,
            Visit {
                search: self.search,
                from,
                cost_m: 0.0,
            },
        );
        while let Some(Reverse((_, cell))) = self.open.pop() {
            if cell == to {
                self.trace_back(from, to);
                return true;
            }
            let cost_m = self.visits[cell.as_usize()].cost_m;
            let flights = ground.flights_from(cell).map(|landing| (landing, FLIGHT_M));
            for (next, step_m) in ground.neighbours(cell).chain(flights) {
                let cost_m = cost_m + step_m;
                self.reach(
                    ground,
                    goal,
                    next,
                    Visit {
                        search: self.search,
                        from: cell,
                        cost_m,
                    },
                );
            }
        }
        false
    }

    /// Keeps a way to a cell if it is the first or the shortest so far.
    fn reach(&mut self, ground: &Ground, goal: Point2<f64>, cell: CellIndex, visit: Visit) {
        let known = &mut self.visits[cell.as_usize()];
        if known.search == visit.search && known.cost_m <= visit.cost_m {
            return;
        }
        *known = visit;
        let estimate_m = visit.cost_m + distance_by_steps_m(ground.centre(cell), goal);
        // The bits of floats that are not negative sort like the floats.
        self.open.push(Reverse((estimate_m.to_bits(), cell)));
    }

    fn trace_back(&mut self, from: CellIndex, to: CellIndex) {
        let mut cell = to;
        while cell != from {
            self.cells.push(cell);
            cell = self.visits[cell.as_usize()].from;
        }
        self.cells.push(from);
    }
}

/// Length of the way over an empty grid of eight directions: never more than a real one.
fn distance_by_steps_m(a: Point2<f64>, b: Point2<f64>) -> f64 {
    let (x, y) = ((a.x - b.x).abs(), (a.y - b.y).abs());
    // A hair less, so that rounding cannot overestimate.
    (x.max(y) + (2f64.sqrt() - 1.0) * x.min(y) - 1e-6 * CELL_M).max(0.0)
}

/// Leaves out every corner that one can pass by in a straight line.
fn pull_straight(ground: &Ground, rough: &[Waypoint]) -> Vec<Waypoint> {
    let mut route = vec![rough[0]];
    let mut here = 0;
    while here + 1 < rough.len() {
        let sees = |next: usize| {
            rough[here].floor == rough[next].floor
                && ground.is_clear(rough[here].floor, rough[here].place, rough[next].place)
        };
        let mut next = here + 1;
        while next + 1 < rough.len() && sees(next + 1) {
            next += 1;
        }
        route.push(rough[next]);
        here = next;
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn at(floor: u8, x: f64, y: f64) -> Waypoint {
        Waypoint {
            floor: FloorIndex(floor),
            place: Point2::new(x, y),
        }
    }

    fn length_m(route: &[Waypoint]) -> f64 {
        route
            .windows(2)
            .map(|pair| (pair[1].place - pair[0].place).norm())
            .sum()
    }

    #[test]
    fn a_clear_way_is_straight() {
        let ground = Ground::new(&fixture::two_rooms());
        let (from, to) = (at(0, 1.0, 1.0), at(0, 3.0, 3.0));
        assert_eq!(
            Pathfinder::new(&ground).route(&ground, from, to),
            [from, to]
        );
    }

    #[test]
    fn the_way_to_the_next_room_leads_through_its_door() {
        let ground = Ground::new(&fixture::two_rooms());
        let mut pathfinder = Pathfinder::new(&ground);
        let (from, to) = (at(0, 2.0, 3.0), at(0, 6.0, 3.0));
        let route = pathfinder.route(&ground, from, to);
        assert_eq!((route[0], route[route.len() - 1]), (from, to));
        // By hand: 2.8 m to the door's corner, 2.8 m back, at 0.75 m from the middle.
        assert!(
            (5.9..7.2).contains(&length_m(&route)),
            "{}",
            length_m(&route)
        );
        assert_eq!(
            pathfinder.route(&ground, from, to),
            route,
            "the search leaves no trace"
        );
    }

    #[test]
    fn floors_change_where_stairs_join_them() {
        let ground = Ground::new(&fixture::house());
        let mut pathfinder = Pathfinder::new(&ground);
        let route = pathfinder.route(&ground, at(0, 18.0, 10.0), at(2, 18.0, 10.0));
        assert_eq!(route[route.len() - 1], at(2, 18.0, 10.0));
        let climbs: Vec<_> = route
            .windows(2)
            .filter(|pair| pair[0].floor != pair[1].floor)
            .collect();
        assert_eq!(climbs.len(), 2);
        for climb in climbs {
            assert_eq!(climb[0].place, climb[1].place);
        }
        // Only the western stairs lead to the top.
        assert!(
            route
                .windows(2)
                .any(|pair| pair[1].floor.0 == 2 && pair[1].place.x < 4.0)
        );
    }

    #[test]
    fn without_a_way_one_stays() {
        let mut site = fixture::two_rooms();
        site.floors[0].walls[0].to = Point2::new(4.0, 1.2);
        let ground = Ground::new(&site);
        let (from, to) = (at(0, 2.0, 3.0), at(0, 6.0, 3.0));
        assert_eq!(Pathfinder::new(&ground).route(&ground, from, to), [from]);
    }
}
