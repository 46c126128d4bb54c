//! What each radio would hear from a nominal client at each place, computed once per site.
//!
//! Two planes per radio, radio after radio, so that the few radios that heard a client are a few
//! contiguous reads: a coarse one (one value per tile) for the pass over everything, a fine one
//! (sixteen cells per tile, one cache line) for the tiles that matter.

use nalgebra::Point3;
use site::{Anchor, RadioIndex, Site};

use crate::grid::Grid;
use crate::lanes::{LANES, Lanes, Row};
use crate::limits;
use crate::path_loss::{PathLoss, obstruction};
use crate::shadow_map::Field;

mod planes;
mod shadowed;

use planes::Planes;
use shadowed::Continued;

/// Expected signal strength in dBm over the grid, and what a survey knows of ranges there.
#[derive(Debug, Clone)]
pub(crate) struct RadioMap {
    /// The places.
    pub(crate) grid: Grid,
    /// Expected signal strength per radio.
    rssi: Planes,
    /// Share of the variance of signal strengths that the survey leaves; `None` without a survey.
    rssi_variance_left: Option<Planes>,
    /// The same for ranges, with the residual of each radio in metres.
    ranges: Option<RangePlanes>,
}

/// What a survey knows of ranges.
#[derive(Debug, Clone)]
pub(crate) struct RangePlanes {
    /// By how much more than its constants say a radio measures, in metres.
    pub(crate) residuals: Planes,
    /// Share of the variance that is left; one plane.
    pub(crate) variance_left: Planes,
}

/// What a map is made from beside the site.
#[derive(Debug)]
pub(crate) struct MapParts<'a> {
    /// Per radio.
    pub(crate) path_losses: &'a [PathLoss],
    /// Residuals of a survey: signal strengths, with the variance that no survey removes in dB^2.
    pub(crate) rssi_field: Option<(&'a Field, f64)>,
    /// The same for ranges, in m^2.
    pub(crate) range_field: Option<(&'a Field, f64)>,
    /// Height of clients over their floor.
    pub(crate) carrying_height_m: f64,
    /// Memory in bytes.
    pub(crate) bytes_max: usize,
}

impl RadioMap {
    /// Computes the map.
    ///
    /// Cost: one pass over the walls per anchor and cell; with a survey also the surveyed places
    /// around each cell.
    pub(crate) fn new(site: &Site, parts: &MapParts<'_>) -> Self {
        let radios = parts.path_losses.len();
        let planes = if parts.range_field.is_some() {
            2 * radios + 2
        } else {
            radios + 1
        };
        let grid = Grid::new(site, cell_side_m(site, planes, parts.bytes_max));
        let heights_m: Vec<f64> = site
            .floors
            .iter()
            .map(|floor| floor.elevation_m + parts.carrying_height_m)
            .collect();
        let continued = |field: Option<(&Field, f64)>| {
            field.map(|(field, other)| Continued::new(&grid, field, radios, &heights_m, other))
        };
        let (rssi, ranges) = (continued(parts.rssi_field), continued(parts.range_field));
        let (planes, rssi_variance_left) = match rssi {
            Some(Continued {
                residuals,
                variance_left,
            }) => (residuals, Some(variance_left)),
            None => (Planes::new(&grid, radios, 0.0), None),
        };
        let mut map = Self {
            rssi: planes,
            rssi_variance_left,
            ranges: ranges.map(|ranges| RangePlanes {
                residuals: ranges.residuals,
                variance_left: ranges.variance_left,
            }),
            grid,
        };
        for anchor in &site.anchors {
            for (floor, &height_m) in heights_m.iter().enumerate() {
                map.add_expected(site, anchor, parts.path_losses, floor, height_m);
            }
        }
        map
    }

    /// A radio's values in so many blocks of sixteen tiles, from one on.
    #[inline(always)]
    pub(crate) fn coarse_run<const N: usize>(&self, radio: RadioIndex, first: usize) -> &[Row; N] {
        self.rssi.coarse_run(usize::from(radio.0), first)
    }

    /// A radio's values in the cells of a tile, as a run of one.
    #[inline(always)]
    pub(crate) fn fine_run(&self, radio: RadioIndex, tile: usize) -> &[Row; 1] {
        self.rssi.fine_run(usize::from(radio.0), tile)
    }

    /// A radio's values in the cells of a tile.
    #[inline(always)]
    pub(crate) fn fine(&self, radio: RadioIndex, tile: usize) -> &Lanes {
        self.rssi.fine(usize::from(radio.0), tile)
    }

    /// Share of the variance of signal strengths that the survey leaves.
    pub(crate) fn rssi_variance_left(&self) -> Option<&Planes> {
        self.rssi_variance_left.as_ref()
    }

    /// Mean over the allowed cells of the share of the variance that the survey leaves: of signal
    /// strengths.
    pub(crate) fn mean_rssi_variance_left(&self) -> f32 {
        let plane = self.rssi_variance_left.as_ref();
        plane.map_or(1.0, |plane| plane.mean(&self.grid))
    }

    /// The same of ranges.
    pub(crate) fn mean_range_variance_left(&self) -> f32 {
        let planes = self.ranges.as_ref();
        planes.map_or(1.0, |planes| planes.variance_left.mean(&self.grid))
    }

    /// What the survey knows of ranges.
    pub(crate) fn ranges(&self) -> Option<&RangePlanes> {
        self.ranges.as_ref()
    }

    /// All radios of one anchor on one floor: what stands in the way is looked up once for all
    /// bands.
    fn add_expected(
        &mut self,
        site: &Site,
        anchor: &Anchor,
        radios: &[PathLoss],
        floor: usize,
        height_m: f64,
    ) {
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
                    self.rssi.tile_mut(index, tile_index)[cell] += expected_dbm as f32;
                }
            }
            for radio in &anchor.radios {
                self.rssi
                    .summarise(&self.grid, usize::from(radio.index.0), tile_index);
            }
        }
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
        let parts = MapParts {
            path_losses: &radios,
            rssi_field: None,
            range_field: None,
            carrying_height_m: 1.2,
            bytes_max,
        };
        RadioMap::new(site, &parts)
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
                let got = map.fine(radio.index, tile_index)[cell];
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
        assert!(tight.rssi.bytes() <= 40_000);
    }
}
