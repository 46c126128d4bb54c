//! One number per place, for some quantities: coarse and fine.

use crate::grid::Grid;
use crate::lanes::{LANES, Lanes, Row};

/// Values over the grid, quantity after quantity (mostly: radio after radio), so that the few that
/// a fix needs are a few contiguous reads.
#[derive(Debug, Clone)]
pub(crate) struct Planes {
    blocks: usize,
    tiles: usize,
    /// One value per tile.
    coarse: Vec<Row>,
    /// Sixteen cells per tile, one cache line.
    fine: Vec<Row>,
}

impl Planes {
    /// Planes for `count` quantities, filled with one value.
    pub(super) fn new(grid: &Grid, count: usize, value: f32) -> Self {
        Self {
            blocks: grid.blocks.len(),
            tiles: grid.tiles.len(),
            coarse: vec![Row([value; LANES]); count * grid.blocks.len()],
            fine: vec![Row([value; LANES]); count * grid.tiles.len()],
        }
    }

    /// Memory in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        (self.coarse.len() + self.fine.len()) * size_of::<Row>()
    }

    /// A quantity's values in a block of sixteen tiles.
    #[inline(always)]
    pub(crate) fn coarse(&self, quantity: usize, block: usize) -> &Lanes {
        &self.coarse[quantity * self.blocks + block].0
    }

    /// A quantity's values in so many neighbouring blocks.
    #[inline(always)]
    pub(crate) fn coarse_run<const N: usize>(&self, quantity: usize, first: usize) -> &[Row; N] {
        let from = quantity * self.blocks + first;
        let run = self.coarse[from..].first_chunk();
        run.expect("callers name blocks that exist")
    }

    /// A quantity's values in the cells of a tile, as a run of one.
    #[inline(always)]
    pub(crate) fn fine_run(&self, quantity: usize, tile: usize) -> &[Row; 1] {
        std::array::from_ref(&self.fine[quantity * self.tiles + tile])
    }

    /// A quantity's values in the cells of a tile.
    #[inline(always)]
    pub(crate) fn fine(&self, quantity: usize, tile: usize) -> &Lanes {
        &self.fine[quantity * self.tiles + tile].0
    }

    /// Mean of the first quantity over the allowed cells.
    pub(super) fn mean(&self, grid: &Grid) -> f32 {
        let (mut sum, mut count) = (0.0f64, 0u32);
        for (tile, cells) in grid.tiles.iter().zip(&self.fine) {
            for (cell, &value) in cells.0.iter().enumerate() {
                if tile.allows(cell) {
                    sum += f64::from(value);
                    count += 1;
                }
            }
        }
        (sum / f64::from(count.max(1))) as f32
    }

    /// The cells of one tile.
    pub(super) fn tile_mut(&mut self, quantity: usize, tile: usize) -> &mut Lanes {
        &mut self.fine[quantity * self.tiles + tile].0
    }

    /// Sets a tile's coarse value: the mean over its allowed cells.
    pub(super) fn summarise(&mut self, grid: &Grid, quantity: usize, tile_index: usize) {
        let tile = grid.tiles[tile_index];
        if tile.allowed == 0 {
            return;
        }
        let cells = &self.fine[quantity * self.tiles + tile_index].0;
        let sum: f32 = (0..LANES)
            .filter(|&cell| tile.allows(cell))
            .map(|cell| cells[cell])
            .sum();
        let block = quantity * self.blocks + tile_index / LANES;
        self.coarse[block].0[tile_index % LANES] = sum / tile.allowed.count_ones() as f32;
    }
}
