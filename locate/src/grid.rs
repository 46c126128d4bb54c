//! The places where a client may be: fine cells, sixteen to a tile, on every floor.

use std::ops::Range;

use nalgebra::{Point2, Vector2};
use site::{Floor, Site};

use crate::lanes::{LANES, Lanes, NOWHERE, lanes};

/// Cells along one side of a tile.
const TILE_SIDE: usize = 4;

/// Sixteen tiles side by side, for the coarse pass; all of one floor.
#[derive(Debug, Clone, PartialEq)]
#[repr(align(64))]
pub(crate) struct Block {
    /// Middle of each tile's allowed cells, from the grid's origin, in metres.
    pub(crate) x_m: Lanes,
    /// The same in y.
    pub(crate) y_m: Lanes,
    /// Logarithm of the number of allowed cells; [`NOWHERE`] in lanes without a tile.
    pub(crate) log_cells: Lanes,
}

/// Four by four cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tile {
    /// Lower left corner, from the grid's origin, in metres.
    pub(crate) corner_m: [f32; 2],
    /// Which cells are allowed: bit `4 * row + column`.
    pub(crate) allowed: u16,
}

/// All tiles of a site with at least one allowed cell.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// Where the grid's own coordinates start; keeps `f32` exact to a hair anywhere.
    pub(crate) origin: Point2<f64>,
    /// Side of a fine cell in metres.
    pub(crate) cell_m: f64,
    /// Tiles, floor after floor, each floor filled up to whole blocks with empty tiles.
    pub(crate) tiles: Vec<Tile>,
    /// Tiles by sixteen.
    pub(crate) blocks: Vec<Block>,
    /// Blocks of each floor.
    pub(crate) floors: Vec<Range<usize>>,
}

impl Grid {
    /// Cuts the allowed areas of all floors into tiles of cells with this side.
    pub(crate) fn new(site: &Site, cell_m: f64) -> Self {
        let origin = site.bounds().0;
        let mut grid = Self {
            origin,
            cell_m,
            tiles: Vec::new(),
            blocks: Vec::new(),
            floors: Vec::new(),
        };
        for floor in &site.floors {
            let start = grid.tiles.len();
            grid.push_floor(floor);
            if grid.tiles.len() == start {
                grid.push_lone_cell(floor);
            }
            grid.tiles.resize(
                grid.tiles.len().next_multiple_of(LANES),
                Tile {
                    corner_m: [0.0; 2],
                    allowed: 0,
                },
            );
            grid.floors.push(start / LANES..grid.tiles.len() / LANES);
        }
        let (tiles, _) = grid.tiles.as_chunks::<LANES>();
        grid.blocks = tiles
            .iter()
            .map(|tiles| Block::new(tiles, cell_m as f32))
            .collect();
        grid
    }

    /// Number of tiles that a grid with this cell would have at most, for planning memory.
    pub(crate) fn tiles_estimate(site: &Site, cell_m: f64) -> usize {
        let side_m = cell_m * TILE_SIDE as f64;
        let tiles_of = |floor: &Floor| {
            let (min, max) = floor.outline.bounds();
            let across = |length_m: f64| (length_m / side_m).ceil().max(1.0);
            (across(max.x - min.x) * across(max.y - min.y)) as usize + LANES
        };
        site.floors.iter().map(tiles_of).sum()
    }

    /// A place in the grid's own coordinates.
    pub(crate) fn local(&self, point: Point2<f64>) -> [f32; 2] {
        let local = point - self.origin;
        [local.x as f32, local.y as f32]
    }

    /// Middles of the allowed cells of a tile, in the site's frame, with their number in the tile.
    pub(crate) fn cells(&self, tile: Tile) -> impl Iterator<Item = (usize, Point2<f64>)> + '_ {
        let (x_m, y_m) = tile.cell_middles(self.cell_m as f32);
        (0..LANES)
            .filter(move |&cell| tile.allows(cell))
            .map(move |cell| {
                (
                    cell,
                    self.origin + Vector2::new(x_m[cell].into(), y_m[cell].into()),
                )
            })
    }

    fn push_floor(&mut self, floor: &Floor) {
        let side_m = self.cell_m * TILE_SIDE as f64;
        let (min, max) = floor.outline.bounds();
        let across = |length_m: f64| (length_m / side_m).ceil() as usize;
        let mut tiles = Vec::new();
        for row in 0..across(max.y - min.y) {
            for column in 0..across(max.x - min.x) {
                let corner = min + Vector2::new(column as f64, row as f64) * side_m;
                let mut tile = Tile {
                    corner_m: self.local(corner),
                    allowed: u16::MAX,
                };
                tile.allowed = self
                    .cells(tile)
                    .filter(|&(_, middle)| floor.is_allowed(middle))
                    .fold(0, |allowed, (cell, _)| allowed | 1 << cell);
                if tile.allowed != 0 {
                    tiles.push((interleaved(row as u32, column as u32), tile));
                }
            }
        }
        tiles.sort_unstable_by_key(|&(order, _)| order);
        self.tiles.extend(tiles.iter().map(|&(_, tile)| tile));
    }

    /// A floor too small for any cell still gets one, so that each floor can be the answer.
    fn push_lone_cell(&mut self, floor: &Floor) {
        let half = Vector2::repeat(self.cell_m / 2.0);
        let corner_m = self.local(floor.outline.centroid() - half);
        self.tiles.push(Tile {
            corner_m,
            allowed: 1,
        });
    }
}

impl Tile {
    /// Whether a client may be in this cell.
    #[inline(always)]
    pub(crate) fn allows(&self, cell: usize) -> bool {
        self.allowed >> cell & 1 == 1
    }

    /// Middles of all sixteen cells from the grid's origin, in metres: x and y.
    #[inline(always)]
    pub(crate) fn cell_middles(&self, cell_m: f32) -> (Lanes, Lanes) {
        let middle = |number: usize| (number as f32 + 0.5) * cell_m;
        (
            lanes(|cell| self.corner_m[0] + middle(cell % TILE_SIDE)),
            lanes(|cell| self.corner_m[1] + middle(cell / TILE_SIDE)),
        )
    }

    /// Zero in allowed cells, [`NOWHERE`] in the others.
    #[inline(always)]
    pub(crate) fn log_allowed(&self) -> Lanes {
        lanes(|cell| if self.allows(cell) { 0.0 } else { NOWHERE })
    }
}

impl Block {
    fn new(tiles: &[Tile; LANES], cell_m: f32) -> Self {
        let mut block = Self {
            x_m: [0.0; LANES],
            y_m: [0.0; LANES],
            log_cells: [NOWHERE; LANES],
        };
        for (lane, tile) in tiles
            .iter()
            .enumerate()
            .filter(|(_, tile)| tile.allowed != 0)
        {
            let (x_m, y_m) = tile.cell_middles(cell_m);
            let count = tile.allowed.count_ones() as f32;
            let mean_of = |values: Lanes| {
                (0..LANES)
                    .filter(|&cell| tile.allows(cell))
                    .map(|cell| values[cell])
                    .sum::<f32>()
                    / count
            };
            block.x_m[lane] = mean_of(x_m);
            block.y_m[lane] = mean_of(y_m);
            block.log_cells[lane] = count.ln();
        }
        block
    }
}

/// The place of a tile on a Z-shaped way through all of them: neighbours in the order are neighbours in
/// the plan, so that the tiles around a client are in few blocks.
///
/// # Source
/// G. M. Morton, "A computer oriented geodetic data base and a new technique in file sequencing"
/// (1966).
fn interleaved(row: u32, column: u32) -> u64 {
    let spread = |number: u32| {
        (0..u32::BITS).fold(0, |bits, bit| {
            bits | u64::from(number >> bit & 1) << (2 * bit)
        })
    };
    spread(row) << 1 | spread(column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn cells_cover_the_allowed_area_and_nothing_else() {
        let site = example::open_site(20.0, 10.0);
        let grid = Grid::new(&site, 0.5);
        let cells: usize = grid
            .tiles
            .iter()
            .map(|&tile| grid.cells(tile).count())
            .sum();
        assert_eq!(cells, 40 * 20);
        for &tile in &grid.tiles {
            assert!(
                grid.cells(tile)
                    .all(|(_, middle)| site.floors[0].is_allowed(middle))
            );
        }
    }

    #[test]
    fn each_floor_has_whole_blocks_even_when_too_small_for_a_cell() {
        let site = example::open_site(0.1, 0.1);
        let grid = Grid::new(&site, 2.0);
        assert_eq!(grid.floors, vec![0..1]);
        assert_eq!(grid.tiles.len(), LANES);
        assert_eq!(
            grid.tiles.iter().filter(|tile| tile.allowed != 0).count(),
            1
        );
    }
}
