//! What a straight path between two points of a site crosses: walls and slabs.
//!
//! All tests are half-open by sign, so that every path has one definite answer: a path through
//! the joint of two walls of a straight run crosses one of them, a path along a wall crosses
//! none, and a path cut in two crosses together what the whole crosses.

use nalgebra::Point3;

use crate::building::{Floor, FloorIndex, Site, Wall};
use crate::geometry::side;

/// A wall on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WallCrossing {
    /// The storey of the wall.
    pub floor: FloorIndex,
    /// Index of the wall in [`Floor::walls`].
    pub wall: usize,
    /// Cosine of the angle between the path and the wall's normal, both in the plan; in [0, 1].
    pub cos_theta: f64,
}

/// All that a path crosses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Crossings {
    /// Walls, by storey and index.
    pub walls: Vec<WallCrossing>,
    /// Storeys whose slab is crossed, ascending.
    pub slabs: Vec<FloorIndex>,
}

impl Site {
    /// Walls and slabs on the straight path between two points of the site's frame.
    ///
    /// Where it matters, [`Site::for_each_wall_crossing`] does the same without allocating.
    pub fn crossings(&self, a: Point3<f64>, b: Point3<f64>) -> Crossings {
        let mut walls = Vec::new();
        self.for_each_wall_crossing(a, b, |floor, wall, cos_theta| {
            walls.push(WallCrossing {
                floor,
                wall,
                cos_theta,
            });
        });
        Crossings {
            walls,
            slabs: self.slabs_crossed(a.z, b.z).collect(),
        }
    }

    /// Calls `visit(floor, wall index, cos_theta)` for each wall on the straight path.
    ///
    /// A wall stands from its storey's elevation to the storey's height above it: the path must
    /// meet it at such a height. Both directions of a path give the same answer. Linear in the
    /// walls of the storeys that the path touches; no allocation.
    pub fn for_each_wall_crossing(
        &self,
        a: Point3<f64>,
        b: Point3<f64>,
        mut visit: impl FnMut(FloorIndex, usize, f64),
    ) {
        let path = Path::new(a, b);
        for (floor, index) in self.floors.iter().zip(0..) {
            if !path.touches_height_of(floor) {
                continue;
            }
            for (wall_index, wall) in floor.walls.iter().enumerate() {
                if let Some(cos_theta) = path.crossing(floor, wall) {
                    visit(FloorIndex(index), wall_index, cos_theta);
                }
            }
        }
    }

    /// Storeys whose walking surface lies strictly between two heights, ascending.
    pub fn slabs_crossed(&self, a_z_m: f64, b_z_m: f64) -> impl Iterator<Item = FloorIndex> + '_ {
        let (low, high) = (a_z_m.min(b_z_m), a_z_m.max(b_z_m));
        self.floors
            .iter()
            .zip(0..)
            .filter(move |(floor, _)| low < floor.elevation_m && floor.elevation_m < high)
            .map(|(_, index)| FloorIndex(index))
    }
}

/// A path in canonical direction, with the box around it in the plan.
struct Path {
    a: Point3<f64>,
    b: Point3<f64>,
    plan_length_m: f64,
    y_min: f64,
    y_max: f64,
}

impl Path {
    fn new(a: Point3<f64>, b: Point3<f64>) -> Self {
        // One direction for both orders, so that rounding cannot make them differ.
        let (a, b) = if (a.x, a.y, a.z) <= (b.x, b.y, b.z) {
            (a, b)
        } else {
            (b, a)
        };
        let plan_length_m = (b.xy() - a.xy()).norm();
        Self {
            a,
            b,
            plan_length_m,
            y_min: a.y.min(b.y),
            y_max: a.y.max(b.y),
        }
    }

    fn touches_height_of(&self, floor: &Floor) -> bool {
        let (low, high) = (self.a.z.min(self.b.z), self.a.z.max(self.b.z));
        low < floor.elevation_m + floor.height_m && floor.elevation_m <= high
    }

    /// The cosine of the angle from the wall's normal, if the path crosses the wall.
    fn crossing(&self, floor: &Floor, wall: &Wall) -> Option<f64> {
        if self.misses_box_of(wall) {
            return None;
        }
        let (a, b) = (self.a.xy(), self.b.xy());
        let (from_side, to_side) = (side(a, b, wall.from), side(a, b, wall.to));
        if (from_side > 0.0) == (to_side > 0.0) {
            return None;
        }
        let (a_side, b_side) = (side(wall.from, wall.to, a), side(wall.from, wall.to, b));
        if (a_side > 0.0) == (b_side > 0.0) {
            return None;
        }
        let way = a_side / (a_side - b_side);
        if !floor.holds_height(self.a.z + way * (self.b.z - self.a.z)) {
            return None;
        }
        // |along x path| / (|along| |path|) is the sine of the angle to the wall itself.
        let along = wall.to - wall.from;
        let sine_to_wall = (a_side - b_side).abs() / (along.norm() * self.plan_length_m);
        Some(sine_to_wall.min(1.0))
    }

    /// The canonical direction ascends in x, so its box needs no minimum there.
    fn misses_box_of(&self, wall: &Wall) -> bool {
        wall.from.x.max(wall.to.x) < self.a.x
            || self.b.x < wall.from.x.min(wall.to.x)
            || wall.from.y.max(wall.to.y) < self.y_min
            || self.y_max < wall.from.y.min(wall.to.y)
    }
}

#[cfg(test)]
mod tests;
