//! A storey's plan laid over the lattice: which cells can be stood on, and which are joined.

use nalgebra::{Point2, Vector2};
use site::Floor;

use super::{CELL_M, CLEARANCE_M, Cell, Lattice, STEPS};

/// A straight piece of a wall or of a border.
#[derive(Debug, Clone, Copy)]
struct Segment {
    from: Point2<f64>,
    to: Point2<f64>,
    /// Borders between allowed areas may be passed where both sides are allowed; nothing else.
    passable: bool,
}

pub(super) struct Raster<'a> {
    floor: &'a Floor,
    lattice: Lattice,
    segments: Vec<Segment>,
    /// Per cell, the segments in or near its square.
    near: Vec<Vec<u32>>,
    /// Per cell, whether its centre can be stood on.
    free: Vec<bool>,
}

impl<'a> Raster<'a> {
    pub(super) fn new(floor: &'a Floor, lattice: Lattice) -> Self {
        let segments: Vec<Segment> = segments_of(floor).collect();
        let mut near = vec![Vec::new(); (lattice.columns * lattice.rows) as usize];
        for (segment, index) in segments.iter().zip(0..) {
            let margin = Vector2::repeat(CLEARANCE_M);
            let low = lattice.column_row(segment.from.inf(&segment.to) - margin);
            let high = lattice.column_row(segment.from.sup(&segment.to) + margin);
            for (column, row) in rectangle(low, high) {
                if segment.meets_square(lattice.centre(column, row), CELL_M / 2.0 + CLEARANCE_M) {
                    near[lattice.offset(column, row)].push(index);
                }
            }
        }
        let mut raster = Self {
            floor,
            lattice,
            segments,
            near,
            free: Vec::new(),
        };
        raster.free = raster
            .all_cells()
            .map(|(column, row)| raster.is_free(column, row))
            .collect();
        raster
    }

    pub(super) fn into_cells(self) -> Vec<Cell> {
        self.all_cells()
            .map(|(column, row)| {
                let offset = self.lattice.offset(column, row);
                let steps = STEPS.iter().enumerate();
                let joined = steps
                    .filter(|(_, step)| {
                        self.is_joined((column, row), (column + step.0, row + step.1))
                    })
                    .fold(0, |bits, (bit, _)| bits | 1 << bit);
                Cell {
                    joined,
                    open: self.free[offset] && self.near[offset].is_empty(),
                }
            })
            .collect()
    }

    fn all_cells(&self) -> impl Iterator<Item = (i32, i32)> + use<> {
        rectangle((0, 0), (self.lattice.columns - 1, self.lattice.rows - 1))
    }

    fn is_free(&self, column: i32, row: i32) -> bool {
        let centre = self.lattice.centre(column, row);
        let keeps_clear = self.near[self.lattice.offset(column, row)]
            .iter()
            .all(|index| {
                let segment = &self.segments[*index as usize];
                segment.passable || segment.distance_m(centre) >= CLEARANCE_M
            });
        keeps_clear && self.floor.is_allowed(centre)
    }

    /// Whether one can go straight from one cell's centre to a neighbour's.
    fn is_joined(&self, a: (i32, i32), b: (i32, i32)) -> bool {
        if !self.lattice.holds(b.0, b.1) {
            return false;
        }
        let (a_offset, b_offset) = (self.lattice.offset(a.0, a.1), self.lattice.offset(b.0, b.1));
        if !self.free[a_offset] || !self.free[b_offset] {
            return false;
        }
        // The way lies in the two squares, so whatever meets it is near one of them.
        let near = || self.near[a_offset].iter().chain(&self.near[b_offset]);
        // Both directions must agree to the last bit.
        let (from, to) = (a.min(b), a.max(b));
        let way = Segment {
            from: self.lattice.centre(from.0, from.1),
            to: self.lattice.centre(to.0, to.1),
            passable: true,
        };
        let mut borders = vec![0.0, 1.0];
        for segment in near().map(|index| &self.segments[*index as usize]) {
            if segment.passable {
                borders.extend(way.crossing(segment));
            } else if way.comes_within_clearance(segment) {
                return false;
            }
        }
        // Allowed or not can only change at a border: one look between each two is enough.
        borders.sort_unstable_by(f64::total_cmp);
        borders.windows(2).all(|pair| {
            self.floor
                .is_allowed(way.from + (way.to - way.from) * ((pair[0] + pair[1]) / 2.0))
        })
    }
}

fn segments_of(floor: &Floor) -> impl Iterator<Item = Segment> {
    let walls = floor.walls.iter().map(|wall| Segment {
        from: wall.from,
        to: wall.to,
        passable: false,
    });
    let edges = |areas: &[site::Polygon], passable| {
        let edges = areas.iter().flat_map(site::Polygon::edges);
        edges
            .map(|(from, to)| Segment { from, to, passable })
            .collect::<Vec<_>>()
    };
    walls
        .chain(edges(std::slice::from_ref(&floor.outline), false))
        .chain(edges(&floor.blocked, false))
        .chain(edges(&floor.allowed, true))
}

fn rectangle(low: (i32, i32), high: (i32, i32)) -> impl Iterator<Item = (i32, i32)> {
    (low.1..=high.1).flat_map(move |row| (low.0..=high.0).map(move |column| (column, row)))
}

impl Segment {
    fn along(&self) -> Vector2<f64> {
        self.to - self.from
    }

    fn distance_m(&self, point: Point2<f64>) -> f64 {
        let along = self.along();
        let length_m2 = along.norm_squared();
        let way = if length_m2 > 0.0 {
            (point - self.from).dot(&along) / length_m2
        } else {
            0.0
        };
        (point - (self.from + along * way.clamp(0.0, 1.0))).norm()
    }

    /// Where on this segment, from 0 to 1, the other one crosses it.
    fn crossing(&self, other: &Self) -> Option<f64> {
        let (along, across) = (self.along(), other.along());
        let turn = along.perp(&across);
        if turn == 0.0 {
            return None;
        }
        let offset = other.from - self.from;
        let (here, there) = (offset.perp(&across) / turn, offset.perp(&along) / turn);
        ((0.0..=1.0).contains(&here) && (0.0..=1.0).contains(&there)).then_some(here)
    }

    /// Segments that do not cross are nearest at an end of one of them.
    fn comes_within_clearance(&self, other: &Self) -> bool {
        self.crossing(other).is_some()
            || [other.from, other.to]
                .iter()
                .any(|end| self.distance_m(*end) < CLEARANCE_M)
            || [self.from, self.to]
                .iter()
                .any(|end| other.distance_m(*end) < CLEARANCE_M)
    }

    /// Whether any of it lies in an upright square.
    ///
    /// # Source
    /// Y.-D. Liang and B. Barsky, "A new concept and method for line clipping" (1984).
    fn meets_square(&self, centre: Point2<f64>, half_m: f64) -> bool {
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        for axis in 0..2 {
            let (start, along) = (self.from[axis] - centre[axis], self.along()[axis]);
            if along == 0.0 {
                if start.abs() > half_m {
                    return false;
                }
                continue;
            }
            let (one, other) = ((-half_m - start) / along, (half_m - start) / along);
            enter = enter.max(one.min(other));
            leave = leave.min(one.max(other));
        }
        enter <= leave
    }
}
