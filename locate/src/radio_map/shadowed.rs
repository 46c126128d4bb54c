//! What a survey adds to the map: residuals between its places, and where they are known well.

use nalgebra::Point3;

use super::planes::Planes;
use crate::grid::Grid;
use crate::lanes::LANES;
use crate::shadow_map::{Field, Nearby};

/// Half the diagonal of a tile, in sides of a cell.
const TILE_RADIUS_CELLS: f64 = 2.9;

/// Continued residuals of one quantity (signal strength or range) of all radios.
#[derive(Debug)]
pub(super) struct Continued {
    /// Per radio, in dB or metres.
    pub(super) residuals: Planes,
    /// Share of the residual's variance that is left; one plane for all radios, as a survey hears
    /// nearly all radios of a place.
    pub(super) variance_left: Planes,
}

impl Continued {
    /// Continues a field over the grid; `height_m` is that of clients on each floor, and `other`
    /// the variance that no survey removes.
    pub(super) fn new(
        grid: &Grid,
        field: &Field,
        radios: usize,
        heights_m: &[f64],
        other: f64,
    ) -> Self {
        let mut continued = Self {
            residuals: Planes::new(grid, radios, 0.0),
            variance_left: Planes::new(grid, 1, 1.0),
        };
        for (floor, blocks) in grid.floors.iter().enumerate() {
            for tile in blocks.start * LANES..blocks.end * LANES {
                continued.fill(grid, field, radios, tile, heights_m[floor], other);
            }
        }
        continued
    }

    fn fill(
        &mut self,
        grid: &Grid,
        field: &Field,
        radios: usize,
        tile: usize,
        height_m: f64,
        other: f64,
    ) {
        let radius_m = TILE_RADIUS_CELLS * grid.cell_m;
        let mut candidates: Option<Vec<usize>> = None;
        let mut nearby = Nearby::default();
        for (cell, middle) in grid.cells(grid.tiles[tile]) {
            let place = Point3::new(middle.x, middle.y, height_m);
            // The first cell stands for the tile: any other lies within its diagonal.
            let candidates =
                candidates.get_or_insert_with(|| field.candidates(place, 2.0 * radius_m));
            if candidates.is_empty() {
                return;
            }
            field.nearby(place, candidates, &mut nearby);
            for radio in 0..radios {
                self.residuals.tile_mut(radio, tile)[cell] = field.residual(radio, &nearby) as f32;
            }
            self.variance_left.tile_mut(0, tile)[cell] =
                field.variance_left(&mut nearby, other) as f32;
        }
        for radio in 0..radios {
            self.residuals.summarise(grid, radio, tile);
        }
        self.variance_left.summarise(grid, 0, tile);
    }
}
