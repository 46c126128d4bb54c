//! What each radio would hear from a nominal client at each place, computed once per site.
//!
//! Two planes per radio, radio after radio, so that the few radios that heard a client are a few
//! contiguous reads: a coarse one (one value per tile) for the pass over everything, a fine one
//! (sixteen cells per tile, one cache line) for the tiles that matter.

use nalgebra::Point3;
use site::{RadioIndex, Site};

use crate::grid::Grid;
use crate::lanes::{LANES, Lanes};
use crate::limits;
use crate::path_loss::{PathLoss, obstruction};

/// Expected signal strength in dBm over the grid.
#[derive(Debug, Clone)]
pub(crate) struct RadioMap {
    /// The places.
    pub(crate) grid: Grid,
    coarse: Vec<Lanes>,
    fine: Vec<Lanes>,
}

impl RadioMap {
    /// Computes the map for a client carried `carrying_height_m` above its floor.
    ///
    /// Cost: one pass over the walls per anchor and cell.
    pub(crate) fn new(
        site: &Site,
        radios: &[PathLoss],
        carrying_height_m: f64,
        bytes_max: usize,
    ) -> Self {
        let grid = Grid::new(site, cell_side_m(site, radios.len(), bytes_max));
        let mut map = Self {
            coarse: vec![[0.0; LANES]; radios.len() * grid.blocks.len()],
            fine: vec![[0.0; LANES]; radios.len() * grid.tiles.len()],
            grid,
        };
        for anchor in &site.anchors {
            for floor in 0..site.floors.len() {
                let height_m = site.floors[floor].elevation_m + carrying_height_m;
                map.fill(site, anchor, radios, floor, height_m);
            }
        }
        map
    }

    /// A radio's value per tile, by blocks of sixteen tiles.
    pub(crate) fn coarse(&self, radio: RadioIndex) -> &[Lanes] {
        let blocks = self.grid.blocks.len();
        &self.coarse[usize::from(radio.0) * blocks..][..blocks]
    }

    /// A radio's value per cell, by tile.
    pub(crate) fn fine(&self, radio: RadioIndex) -> &[Lanes] {
        let tiles = self.grid.tiles.len();
        &self.fine[usize::from(radio.0) * tiles..][..tiles]
    }

    /// All radios of one anchor on one floor: what stands in the way is looked up once for all
    /// bands.
    fn fill(
        &mut self,
        site: &Site,
        anchor: &site::Anchor,
        radios: &[PathLoss],
        floor: usize,
        height_m: f64,
    ) {
        let tiles = self.grid.tiles.len();
        let blocks = self.grid.floors[floor].clone();
        for tile_index in blocks.start * LANES..blocks.end * LANES {
            let tile = self.grid.tiles[tile_index];
            for (cell, middle) in self.grid.cells(tile) {
                let place = Point3::new(middle.x, middle.y, height_m);
                let distance_m = (place - anchor.position).norm();
                let in_the_way = obstruction(site, anchor.position, place);
                for radio in &anchor.radios {
                    let index = usize::from(radio.index.0);
                    let expected_dbm =
                        radios[index].expected_dbm(distance_m, in_the_way.at(radio.band));
                    self.fine[index * tiles + tile_index][cell] = expected_dbm as f32;
                }
            }
            for radio in &anchor.radios {
                self.summarise(usize::from(radio.index.0), tile_index);
            }
        }
    }

    /// Sets the coarse value: the mean in dB over the allowed cells, as the likelihood is in dB.
    fn summarise(&mut self, radio: usize, tile_index: usize) {
        let tile = self.grid.tiles[tile_index];
        if tile.allowed == 0 {
            return;
        }
        let cells = &self.fine[radio * self.grid.tiles.len() + tile_index];
        let sum: f32 = (0..LANES)
            .filter(|&cell| tile.allows(cell))
            .map(|cell| cells[cell])
            .sum();
        let block = radio * self.grid.blocks.len() + tile_index / LANES;
        self.coarse[block][tile_index % LANES] = sum / tile.allowed.count_ones() as f32;
    }
}

/// The smallest cell, doubled from the finest, with which the map keeps to its memory.
fn cell_side_m(site: &Site, radios: usize, bytes_max: usize) -> f64 {
    let bytes_of = |cell_m: f64| {
        let tiles = Grid::tiles_estimate(site, cell_m);
        tiles * (LANES + 1) * size_of::<f32>() * radios
    };
    let mut cell_m = limits::CELL_SIDE_MIN_M;
    while cell_m < limits::CELL_SIDE_MAX_M && bytes_of(cell_m) > bytes_max {
        cell_m *= 2.0;
    }
    cell_m
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use site::Calibration;

    fn map_of(site: &Site, bytes_max: usize) -> RadioMap {
        let radios: Vec<PathLoss> = site
            .radios()
            .map(|(_, radio)| {
                let nothing = Calibration::default();
                PathLoss::of_radio(site, &nothing, radio.index, radio.band, radio.freq_mhz)
            })
            .collect();
        RadioMap::new(site, &radios, 1.2, bytes_max)
    }

    #[test]
    fn cells_hold_what_the_link_model_says() {
        let site = example::open_site(20.0, 10.0);
        let map = map_of(&site, limits::MAP_BYTES_MAX);
        let (anchor, radio) = site.radios().next().unwrap();
        let model = PathLoss::unlearned(&site, radio.band, radio.freq_mhz);
        for (tile_index, &tile) in map.grid.tiles.iter().enumerate() {
            for (cell, middle) in map.grid.cells(tile) {
                let place = Point3::new(middle.x, middle.y, 1.2);
                let expected_dbm = model.expected_dbm((place - anchor.position).norm(), 0.0);
                let got = map.fine(radio.index)[tile_index][cell];
                assert!((f64::from(got) - expected_dbm).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_map_keeps_to_its_memory_by_larger_cells() {
        let site = example::open_site(40.0, 40.0);
        let roomy = map_of(&site, limits::MAP_BYTES_MAX);
        let tight = map_of(&site, 40_000);
        assert_eq!(roomy.grid.cell_m, limits::CELL_SIDE_MIN_M);
        assert!(tight.grid.cell_m > roomy.grid.cell_m);
        assert!((tight.coarse.len() + tight.fine.len()) * size_of::<Lanes>() <= 40_000);
    }
}
