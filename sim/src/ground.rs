//! Where clients can walk: a grid of cells on every storey, joined where nothing stands between.
//!
//! The guarantee that the rest builds on: a straight way between the centres of two joined cells,
//! and one that [`Ground::is_clear`] accepts, crosses no wall and leaves no allowed area.

mod line;
mod raster;

use nalgebra::{Point2, Vector2};
use site::{FloorIndex, Site, Stairs};

use raster::Raster;

/// Side of a cell: below the width of a narrow door, less the clearance on both sides.
pub(crate) const CELL_M: f64 = 0.4;

/// Distance that walkers keep from walls and blocked areas.
const CLEARANCE_M: f64 = 0.15;

/// How far from its drawn place a flight of stairs may be entered.
const LANDING_DISTANCE_MAX_M: f64 = 3.0;

/// Cells in one piece that a landing must belong to, so that no stray cell in a shaft is taken.
const LANDING_CELLS_MIN: usize = 20;

/// A cell of any storey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CellIndex(pub(crate) u32);

impl CellIndex {
    pub(crate) fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// Steps to the eight neighbours, in columns and rows; the bit of a step is its position here.
const STEPS: [(i32, i32); 8] = [
    (1, 0),
    (1, 1),
    (0, 1),
    (-1, 1),
    (-1, 0),
    (-1, -1),
    (0, -1),
    (1, -1),
];

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Bit per entry of [`STEPS`]: one can go there.
    joined: u8,
    /// Nothing stands in the whole square, and all of it is allowed.
    open: bool,
}

/// The cells of one storey, row by row.
#[derive(Debug)]
struct FloorCells {
    first: u32,
    lattice: Lattice,
    cells: Vec<Cell>,
}

/// A rectangular lattice of squares.
#[derive(Debug, Clone, Copy)]
struct Lattice {
    corner: Point2<f64>,
    columns: i32,
    rows: i32,
}

impl Lattice {
    fn over(floor: &site::Floor) -> Self {
        let (min, max) = floor.outline.bounds();
        // Off the round numbers of plans: no cell centre runs along a border, and no other
        // program's grid coincides with ours by accident.
        let corner = min - Vector2::new(0.5137, 0.6291) * CELL_M;
        let cells = |length_m: f64| (length_m / CELL_M) as i32 + 3;
        Self {
            corner,
            columns: cells(max.x - min.x),
            rows: cells(max.y - min.y),
        }
    }

    fn centre(&self, column: i32, row: i32) -> Point2<f64> {
        self.corner + Vector2::new(f64::from(column) + 0.5, f64::from(row) + 0.5) * CELL_M
    }

    /// Place in units of cells, from the corner.
    fn in_cells(&self, place: Point2<f64>) -> Point2<f64> {
        Point2::from((place - self.corner) / CELL_M)
    }

    /// Column and row of a place, moved onto the lattice where it is beside it.
    fn column_row(&self, place: Point2<f64>) -> (i32, i32) {
        let scaled = self.in_cells(place);
        let clamp = |value: f64, count: i32| (value.floor() as i32).clamp(0, count - 1);
        (clamp(scaled.x, self.columns), clamp(scaled.y, self.rows))
    }

    fn offset(&self, column: i32, row: i32) -> usize {
        (row * self.columns + column) as usize
    }

    fn column_row_of(&self, offset: u32) -> (i32, i32) {
        let offset = offset as i32;
        (offset % self.columns, offset / self.columns)
    }

    fn holds(&self, column: i32, row: i32) -> bool {
        (0..self.columns).contains(&column) && (0..self.rows).contains(&row)
    }
}

/// All storeys as one graph: cells, joined to their neighbours and by stairs.
#[derive(Debug)]
pub(crate) struct Ground {
    floors: Vec<FloorCells>,
    /// Both directions of every flight, ascending.
    flights: Vec<(CellIndex, CellIndex)>,
    /// Per storey, the cells that can be reached from everywhere else; ascending.
    reachable: Vec<Vec<CellIndex>>,
}

impl Ground {
    /// The ground of a site; cells outside the largest connected part are left out.
    pub(crate) fn new(site: &Site) -> Self {
        let mut floors = Vec::new();
        let mut first = 0;
        for floor in &site.floors {
            let lattice = Lattice::over(floor);
            let cells = Raster::new(floor, lattice).into_cells();
            let count = cells.len() as u32;
            floors.push(FloorCells {
                first,
                lattice,
                cells,
            });
            first += count;
        }
        let mut ground = Self {
            floors,
            flights: Vec::new(),
            reachable: Vec::new(),
        };
        ground.join_by_stairs(site);
        ground.keep_largest_part();
        ground
    }

    pub(crate) fn cell_count(&self) -> usize {
        self.floors.iter().map(|floor| floor.cells.len()).sum()
    }

    /// Cells of a storey on which clients can stand and from which they can go everywhere.
    pub(crate) fn reachable(&self, floor: FloorIndex) -> &[CellIndex] {
        &self.reachable[usize::from(floor.0)]
    }

    pub(crate) fn floor_of(&self, cell: CellIndex) -> FloorIndex {
        FloorIndex((self.floors.partition_point(|floor| floor.first <= cell.0) - 1) as u8)
    }

    pub(crate) fn centre(&self, cell: CellIndex) -> Point2<f64> {
        let floor = self.cells_around(cell);
        let (column, row) = floor.lattice.column_row_of(cell.0 - floor.first);
        floor.lattice.centre(column, row)
    }

    pub(crate) fn cell_at(&self, floor: FloorIndex, place: Point2<f64>) -> CellIndex {
        let cells = &self.floors[usize::from(floor.0)];
        let (column, row) = cells.lattice.column_row(place);
        CellIndex(cells.first + cells.lattice.offset(column, row) as u32)
    }

    /// Whether all of a cell's square can be stood on.
    pub(crate) fn is_open(&self, cell: CellIndex) -> bool {
        self.cell(cell).open
    }

    /// Cells one step away on the same storey, with the distance.
    pub(crate) fn neighbours(&self, cell: CellIndex) -> impl Iterator<Item = (CellIndex, f64)> {
        let floor = self.cells_around(cell);
        let columns = floor.lattice.columns;
        let joined = floor.cells[(cell.0 - floor.first) as usize].joined;
        STEPS
            .iter()
            .enumerate()
            .filter(move |(bit, _)| joined & (1 << bit) != 0)
            .map(move |(_, &(column, row))| {
                let step_m = if column != 0 && row != 0 {
                    2f64.sqrt() * CELL_M
                } else {
                    CELL_M
                };
                (
                    CellIndex(cell.0.wrapping_add_signed(row * columns + column)),
                    step_m,
                )
            })
    }

    /// Landings at the other ends of the flights of stairs that begin in a cell.
    pub(crate) fn flights_from(&self, cell: CellIndex) -> impl Iterator<Item = CellIndex> {
        let begin = self.flights.partition_point(|(from, _)| *from < cell);
        self.flights[begin..]
            .iter()
            .take_while(move |(from, _)| *from == cell)
            .map(|(_, to)| *to)
    }

    /// Whether the straight way between two places of a storey leads through open cells only.
    pub(crate) fn is_clear(&self, floor: FloorIndex, a: Point2<f64>, b: Point2<f64>) -> bool {
        let FloorCells { lattice, cells, .. } = &self.floors[usize::from(floor.0)];
        line::cells_on(lattice.in_cells(a), lattice.in_cells(b)).all(|(column, row)| {
            lattice.holds(column, row) && cells[lattice.offset(column, row)].open
        })
    }

    fn cells_around(&self, cell: CellIndex) -> &FloorCells {
        &self.floors[usize::from(self.floor_of(cell).0)]
    }

    fn cell(&self, cell: CellIndex) -> &Cell {
        let floor = self.cells_around(cell);
        &floor.cells[(cell.0 - floor.first) as usize]
    }

    fn join_by_stairs(&mut self, site: &Site) {
        let parts = self.parts();
        let mut sizes = vec![0; self.cell_count()];
        for part in &parts {
            sizes[*part as usize] += 1;
        }
        let is_fit = |cell: CellIndex| sizes[parts[cell.as_usize()] as usize] >= LANDING_CELLS_MIN;
        let mut flights = Vec::new();
        for stairs in &site.stairs {
            for pair in stairs.floors.windows(2) {
                let landing = |floor| self.landing(site, stairs, floor, &is_fit);
                if let (Some(low), Some(high)) = (landing(pair[0]), landing(pair[1])) {
                    flights.extend([(low, high), (high, low)]);
                }
            }
        }
        flights.sort_unstable();
        self.flights = flights;
    }

    /// The nearest fit cell from which the stairs can be entered without passing a wall.
    fn landing(
        &self,
        site: &Site,
        stairs: &Stairs,
        floor: FloorIndex,
        is_fit: &impl Fn(CellIndex) -> bool,
    ) -> Option<CellIndex> {
        let cells = &self.floors[usize::from(floor.0)];
        let z_m = site.floor(floor).elevation_m + site.floor(floor).height_m / 2.0;
        let lift = |place: Point2<f64>| nalgebra::Point3::new(place.x, place.y, z_m);
        let mut near: Vec<(f64, CellIndex)> = (cells.first..cells.first + cells.cells.len() as u32)
            .map(CellIndex)
            .map(|cell| ((self.centre(cell) - stairs.position).norm(), cell))
            .filter(|(distance_m, cell)| *distance_m < LANDING_DISTANCE_MAX_M && is_fit(*cell))
            .collect();
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        near.into_iter().map(|(_, cell)| cell).find(|cell| {
            let mut walls = 0;
            let (from, to) = (lift(stairs.position), lift(self.centre(*cell)));
            site.for_each_wall_crossing(from, to, |_, _, _| walls += 1);
            walls == 0
        })
    }

    fn keep_largest_part(&mut self) {
        let parts = self.parts();
        let mut sizes = vec![0_u32; parts.len()];
        for part in &parts {
            sizes[*part as usize] += 1;
        }
        // The first of equals, so that the choice does not depend on the search.
        let largest = (0..parts.len()).max_by_key(|part| (sizes[*part], usize::MAX - part));
        for floor in &self.floors {
            let cells = floor.first..floor.first + floor.cells.len() as u32;
            let kept = cells.filter(|cell| {
                let joined = floor.cells[(*cell - floor.first) as usize].joined != 0;
                joined && Some(parts[*cell as usize] as usize) == largest
            });
            self.reachable.push(kept.map(CellIndex).collect());
        }
    }

    /// For every cell the lowest cell that it is connected to.
    fn parts(&self) -> Vec<u32> {
        const UNSEEN: u32 = u32::MAX;
        let mut parts = vec![UNSEEN; self.cell_count()];
        let mut waiting = Vec::new();
        for start in 0..parts.len() as u32 {
            if parts[start as usize] != UNSEEN {
                continue;
            }
            parts[start as usize] = start;
            waiting.push(CellIndex(start));
            while let Some(cell) = waiting.pop() {
                let steps = self.neighbours(cell).map(|(next, _)| next);
                for next in steps.chain(self.flights_from(cell)) {
                    if parts[next.as_usize()] == UNSEEN {
                        parts[next.as_usize()] = start;
                        waiting.push(next);
                    }
                }
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests;
