//! One number per place, for some quantities: coarse and fine.

use crate::grid::Grid;
use crate::lanes::{LANES, Lanes};

/// Values over the grid, quantity after quantity (mostly: radio after radio), so that the few that
/// a fix needs are a few contiguous reads.
#[derive(Debug, Clone)]
pub(crate) struct Planes {
    blocks: usize,
    tiles: usize,
    /// One value per tile.
    coarse: Vec<Lanes>,
    /// Sixteen cells per tile, one cache line.
    fine: Vec<Lanes>,
}

impl Planes {
    /// Planes for `count` quantities, filled with one value.
    pub(super) fn new(grid: &Grid, count: usize, value: f32) -> Self {
        Self {
            blocks: grid.blocks.len(),
            tiles: grid.tiles.len(),
            coarse: vec![[value; LANES]; count * grid.blocks.len()],
            fine: vec![[value; LANES]; count * grid.tiles.len()],
        }
    }

    /// Memory in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        (self.coarse.len() + self.fine.len()) * size_of::<Lanes>()
    }

    /// A quantity's values in a block of sixteen tiles.
    #[inline(always)]
    pub(crate) fn coarse(&self, quantity: usize, block: usize) -> &Lanes {
        &self.coarse[quantity * self.blocks + block]
    }

    /// A quantity's values in the cells of a tile.
    #[inline(always)]
    pub(crate) fn fine(&self, quantity: usize, tile: usize) -> &Lanes {
        &self.fine[quantity * self.tiles + tile]
    }

    /// Mean of the first quantity over the allowed cells.
    pub(super) fn mean(&self, grid: &Grid) -> f32 {
        let (mut sum, mut count) = (0.0f64, 0u32);
        for (tile, cells) in grid.tiles.iter().zip(&self.fine) {
            for (cell, &value) in cells.iter().enumerate() {
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
        &mut self.fine[quantity * self.tiles + tile]
    }

    /// Sets a tile's coarse value: the mean over its allowed cells.
    pub(super) fn summarise(&mut self, grid: &Grid, quantity: usize, tile_index: usize) {
        let tile = grid.tiles[tile_index];
        if tile.allowed == 0 {
            return;
        }
        let cells = &self.fine[quantity * self.tiles + tile_index];
        let sum: f32 = (0..LANES)
            .filter(|&cell| tile.allows(cell))
            .map(|cell| cells[cell])
            .sum();
        let block = quantity * self.blocks + tile_index / LANES;
        self.coarse[block][tile_index % LANES] = sum / tile.allowed.count_ones() as f32;
    }
}
