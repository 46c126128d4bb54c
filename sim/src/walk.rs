//! Clients on their way: trips to random places, pauses, stairs; and where they were lately.

use std::collections::VecDeque;
use std::time::Duration;

use nalgebra::{Point2, Point3};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use site::{FloorIndex, Site};

use crate::chance::{Purpose, exponential, normal, stream};
use crate::config::WorldConfig;
use crate::ground::{CELL_M, CellIndex, Ground};
use crate::limits::TRUTH_HISTORY;
use crate::route::{Pathfinder, Waypoint};

/// Time for a flight of stairs between two storeys.
const FLIGHT: Duration = Duration::from_secs(10);

/// Speeds of people who walk at all, in m/s; draws outside are moved to the nearest.
const SPEEDS_M_PER_S: std::ops::RangeInclusive<f64> = 0.4..=2.5;

/// What walkers need to know to plan a trip.
#[derive(Debug)]
pub(crate) struct Terrain {
    pub(crate) ground: Ground,
    pathfinder: Pathfinder,
    /// Height at which a client is carried, per storey, from the site's origin.
    carried_at_z_m: Vec<f64>,
    pause_mean: Duration,
    floor_change_share: f64,
}

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Whereabouts {
    pub(crate) position_in_site: Point3<f64>,
    /// On stairs, the nearer storey.
    pub(crate) floor: FloorIndex,
    pub(crate) on_stairs: bool,
}

/// One person's movements.
#[derive(Debug)]
pub(crate) struct Walk {
    rng: ChaCha8Rng,
    speed_m_per_s: f64,
    /// The past as far as it is remembered, the present and what is planned; gapless.
    legs: VecDeque<Leg>,
}

/// A straight piece of the way, or a pause.
#[derive(Debug, Clone, Copy)]
struct Leg {
    start: Duration,
    end: Duration,
    from: Point3<f64>,
    to: Point3<f64>,
    from_floor: FloorIndex,
    to_floor: FloorIndex,
}

impl Terrain {
    /// # Panics
    /// When there is no place in the site where a client could stand and walk.
    pub(crate) fn new(site: &Site, config: &WorldConfig) -> Self {
        let ground = Ground::new(site);
        assert!(
            (0..site.floors.len())
                .any(|floor| !ground.reachable(FloorIndex(floor as u8)).is_empty()),
            "site {}: no place to walk; draw an allowed area wider than {CELL_M} m",
            site.id,
        );
        let carried = site
            .floors
            .iter()
            .map(|floor| floor.elevation_m + config.carried_height_m);
        Self {
            pathfinder: Pathfinder::new(&ground),
            ground,
            carried_at_z_m: carried.collect(),
            pause_mean: config.pause_mean,
            floor_change_share: config.floor_change_share,
        }
    }

    fn lift(&self, waypoint: Waypoint) -> Point3<f64> {
        let z_m = self.carried_at_z_m[usize::from(waypoint.floor.0)];
        Point3::new(waypoint.place.x, waypoint.place.y, z_m)
    }

    /// A random place, alike over the area of the storeys that `is_wanted` accepts.
    fn random_place(
        &self,
        rng: &mut ChaCha8Rng,
        is_wanted: impl Fn(FloorIndex) -> bool,
    ) -> Option<Waypoint> {
        let floors = || (0..self.carried_at_z_m.len()).map(|floor| FloorIndex(floor as u8));
        let wanted = || floors().filter(|floor| is_wanted(*floor));
        let count: usize = wanted()
            .map(|floor| self.ground.reachable(floor).len())
            .sum();
        if count == 0 {
            return None;
        }
        let mut number = rng.random_range(0..count as u64) as usize;
        for floor in wanted() {
            let cells = self.ground.reachable(floor);
            if let Some(cell) = cells.get(number) {
                return Some(Waypoint {
                    floor,
                    place: self.random_place_in(*cell, rng),
                });
            }
            number -= cells.len();
        }
        None
    }

    /// Anywhere in an open cell; a tight one is safe in its centre only.
    fn random_place_in(&self, cell: CellIndex, rng: &mut ChaCha8Rng) -> Point2<f64> {
        let centre = self.ground.centre(cell);
        if !self.ground.is_open(cell) {
            return centre;
        }
        let mut offset = || (rng.random::<f64>() - 0.5) * CELL_M;
        Point2::new(centre.x + offset(), centre.y + offset())
    }
}

impl Walk {
    /// A client that pauses at a random place at time zero.
    pub(crate) fn new(terrain: &Terrain, config: &WorldConfig, client: usize) -> Self {
        let mut rng = stream(config.seed, Purpose::Walk, client as u64);
        let speed_m_per_s = config.walking_speed_mean_m_per_s
            + config.walking_speed_deviation_m_per_s * normal(&mut rng);
        let start = terrain
            .random_place(&mut rng, |_| true)
            .expect("the terrain was checked to have a place to stand");
        let mut walk = Self {
            rng,
            speed_m_per_s: speed_m_per_s.clamp(*SPEEDS_M_PER_S.start(), *SPEEDS_M_PER_S.end()),
            legs: VecDeque::new(),
        };
        let place = terrain.lift(start);
        let end = walk.draw_pause(terrain);
        walk.legs.push_back(Leg {
            start: Duration::ZERO,
            end,
            from: place,
            to: place,
            from_floor: start.floor,
            to_floor: start.floor,
        });
        walk
    }

    /// Where the client is at time zero.
    pub(crate) fn start(&self) -> Whereabouts {
        let first = &self.legs[0];
        first.at(first.start)
    }

    /// Where the client is at `now`, which must not lie before an earlier call.
    pub(crate) fn walk_until(&mut self, terrain: &mut Terrain, now: Duration) -> Whereabouts {
        while self.last_leg().end <= now {
            self.plan_trip(terrain);
        }
        while self
            .legs
            .front()
            .is_some_and(|leg| leg.end + TRUTH_HISTORY < now)
        {
            self.legs.pop_front();
        }
        self.at(now).expect("the legs were planned beyond now")
    }

    /// Where the client was, if that is remembered, or will be, if it is planned.
    pub(crate) fn at(&self, time: Duration) -> Option<Whereabouts> {
        let next = self.legs.partition_point(|leg| leg.start <= time);
        let leg = self.legs.get(next.checked_sub(1)?)?;
        (time <= leg.end).then(|| leg.at(time))
    }

    fn last_leg(&self) -> &Leg {
        self.legs.back().expect("a walk has at least one leg")
    }

    /// A way to a new place and a pause there.
    fn plan_trip(&mut self, terrain: &mut Terrain) {
        let &Leg {
            to, to_floor: here, ..
        } = self.last_leg();
        let from = Waypoint {
            floor: here,
            place: to.xy(),
        };
        let change_floor = self.rng.random::<f64>() < terrain.floor_change_share;
        let target = terrain
            .random_place(&mut self.rng, |floor| (floor != here) == change_floor)
            .or_else(|| terrain.random_place(&mut self.rng, |floor| floor == here))
            .unwrap_or(from);
        let route = terrain.pathfinder.route(&terrain.ground, from, target);
        for pair in route.windows(2) {
            self.add_leg(terrain, pair[0], pair[1]);
        }
        let pause = self.draw_pause(terrain);
        let &Leg {
            end: start,
            to: place,
            to_floor: floor,
            ..
        } = self.last_leg();
        let end = start + pause;
        self.legs.push_back(Leg {
            start,
            end,
            from: place,
            to: place,
            from_floor: floor,
            to_floor: floor,
        });
    }

    fn add_leg(&mut self, terrain: &Terrain, from: Waypoint, to: Waypoint) {
        let start = self.last_leg().end;
        let takes = if from.floor == to.floor {
            Duration::from_secs_f64((to.place - from.place).norm() / self.speed_m_per_s)
        } else {
            FLIGHT
        };
        self.legs.push_back(Leg {
            start,
            end: start + takes,
            from: terrain.lift(from),
            to: terrain.lift(to),
            from_floor: from.floor,
            to_floor: to.floor,
        });
    }

    /// At least a moment, so that time passes even where every trip ends where it began.
    fn draw_pause(&mut self, terrain: &Terrain) -> Duration {
        Duration::from_millis(100) + terrain.pause_mean.mul_f64(exponential(&mut self.rng))
    }
}

impl Leg {
    fn at(&self, time: Duration) -> Whereabouts {
        let total_s = (self.end - self.start).as_secs_f64();
        let way = if total_s > 0.0 {
            (time - self.start).as_secs_f64() / total_s
        } else {
            1.0
        };
        Whereabouts {
            position_in_site: self.from + (self.to - self.from) * way,
            floor: if way < 0.5 {
                self.from_floor
            } else {
                self.to_floor
            },
            on_stairs: self.from_floor != self.to_floor,
        }
    }
}

#[cfg(test)]
mod tests;
