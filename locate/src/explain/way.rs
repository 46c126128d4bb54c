//! What stands between an anchor and a place.

use nalgebra::Point3;
use site::{Band, Material, Site};

/// The straight way between two points.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Its length in metres.
    pub distance_m: f64,
    /// Walls on it, by material, those that lose most first.
    pub walls: Vec<WallLoss>,
    /// Slabs on it.
    pub slabs: usize,
    /// What the slabs lose in the radio's band, in dB, by the site file.
    pub slabs_loss_db: f64,
}

/// Walls of one material on a way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WallLoss {
    /// What they are made of.
    pub material: Material,
    /// How many.
    pub count: usize,
    /// What they lose in the radio's band at normal incidence, in dB, by the site file. Oblique ways
    /// lose up to 1.6 times as much, and what many walls lose together is bounded by the way around
    /// them.
    pub loss_db: f64,
}

impl Way {
    /// The way between two points of a site for a band.
    pub fn new(site: &Site, a: Point3<f64>, b: Point3<f64>, band: Band) -> Self {
        let mut walls: Vec<WallLoss> = Vec::new();
        site.for_each_wall_crossing(a, b, |floor, index, _| {
            let wall = &site.floor(floor).walls[index];
            let loss_db = wall.loss_db.at(band);
            match walls
                .iter_mut()
                .find(|known| known.material == wall.material)
            {
                Some(known) => {
                    known.count += 1;
                    known.loss_db += loss_db;
                }
                None => walls.push(WallLoss {
                    material: wall.material,
                    count: 1,
                    loss_db,
                }),
            }
        });
        walls.sort_by(|a, b| b.loss_db.total_cmp(&a.loss_db));
        let slabs = site.slabs_crossed(a.z, b.z);
        let losses = slabs.map(|floor| site.floor(floor).slab.loss_db.at(band));
        let (slabs, slabs_loss_db) = losses.fold((0, 0.0), |(n, sum), loss| (n + 1, sum + loss));
        Self {
            distance_m: (b - a).norm(),
            walls,
            slabs,
            slabs_loss_db,
        }
    }

    /// Walls on the way, of whatever material.
    pub fn walls_len(&self) -> usize {
        self.walls.iter().map(|walls| walls.count).sum()
    }

    /// What walls and slabs lose, in dB.
    pub fn loss_db(&self) -> f64 {
        self.slabs_loss_db + self.walls.iter().map(|walls| walls.loss_db).sum::<f64>()
    }
}
