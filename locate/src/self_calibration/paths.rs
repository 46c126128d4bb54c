//! What stands between two places, kept apart so that slabs can change without looking again.

use std::ops::Range;

use nalgebra::Point3;
use site::{Band, BandLoss, Site};

use crate::path_loss::obstruction;

/// Losses at which a building differs: 2.4, 5 and 6 GHz.
pub(super) const SPECTRA: usize = 3;

/// Loss of each floor's slab by [`spectrum_of`], in dB.
pub(super) type Slabs = Vec<[f64; SPECTRA]>;

/// A straight way between two places.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) distance_m: f64,
    pub(super) walls: BandLoss,
    /// Floors whose slab is crossed: the slabs between two heights follow one another.
    pub(super) slabs: Range<usize>,
}

impl Path {
    /// `bare` is the site without slabs: [`without_slabs`].
    pub(super) fn new(bare: &Site, a: Point3<f64>, b: Point3<f64>) -> Self {
        let mut crossed = bare.slabs_crossed(a.z, b.z).map(|floor| floor.0.into());
        let first: Option<usize> = crossed.next();
        let slabs = first.map_or(0..0, |first| first..first + 1 + crossed.count());
        Self {
            distance_m: (a - b).norm(),
            walls: obstruction(bare, a, b),
            slabs,
        }
    }

    pub(super) fn obstruction_db(&self, band: Band, slabs: &Slabs) -> f64 {
        let spectrum = spectrum_of(band);
        let crossed = slabs.get(self.slabs.clone()).unwrap_or_default();
        self.walls.at(band) + crossed.iter().map(|loss| loss[spectrum]).sum::<f64>()
    }
}

/// Which of the [`SPECTRA`] a band's signals obey, as [`BandLoss::at`] has it.
pub(super) fn spectrum_of(band: Band) -> usize {
    match band {
        Band::Ghz2 | Band::Ble => 0,
        Band::Ghz5 => 1,
        Band::Ghz6 | Band::Uwb => 2,
    }
}

/// The same building with slabs that cost nothing.
pub(super) fn without_slabs(site: &Site) -> Site {
    let mut bare = site.clone();
    for floor in &mut bare.floors {
        floor.slab.loss_db = BandLoss {
            ghz2_db: 0.0,
            ghz5_db: 0.0,
            ghz6_db: 0.0,
        };
    }
    bare
}

/// What the site file says of its slabs.
pub(super) fn slabs_of(site: &Site) -> Slabs {
    let losses = site.floors.iter().map(|floor| floor.slab.loss_db);
    losses
        .map(|loss| [loss.ghz2_db, loss.ghz5_db, loss.ghz6_db])
        .collect()
}
