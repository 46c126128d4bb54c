//! What the walls and slabs of this world really cost: near the site file's values, not equal.

use nalgebra::Point3;
use site::{Band, BandLoss, Material, Site};

use crate::chance::{Purpose, correlated, stream};
use crate::path_loss::angle_factor;

/// Correlation between the bands of what one wall deviates from its class.
const BAND_CORRELATION: f64 = 0.9;

/// Share of its mean loss that even the lightest wall keeps.
const LOSS_SHARE_MIN: f64 = 0.2;

/// Frequencies at which the world differs: 2.4, 5 and 6 GHz; see [`spectrum_of`].
pub(crate) const SPECTRA: usize = 3;

/// Which of the [`SPECTRA`] a band's signals obey.
pub(crate) fn spectrum_of(band: Band) -> usize {
    match band {
        Band::Ghz2 | Band::Ble => 0,
        Band::Ghz5 => 1,
        Band::Ghz6 | Band::Uwb => 2,
    }
}

/// True losses in dB at normal incidence, per storey and wall, and per storey's slab.
#[derive(Debug)]
pub(crate) struct Obstacles {
    walls: Vec<Vec<[f64; SPECTRA]>>,
    slabs: Vec<[f64; SPECTRA]>,
}

/// What stands between two points.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct InTheWay {
    pub(crate) loss_db: [f64; SPECTRA],
    /// Walls and slabs.
    pub(crate) count: u32,
}

impl Obstacles {
    pub(crate) fn new(site: &Site, seed: u64) -> Self {
        let walls = site.floors.iter().enumerate().map(|(floor, plan)| {
            let walls = plan.walls.iter().enumerate();
            let number = |wall: usize| ((floor as u64) << 32) | wall as u64;
            walls
                .map(|(wall, it)| draw(seed, Purpose::Wall, number(wall), it.material, it.loss_db))
                .collect()
        });
        let slabs = site.floors.iter().zip(0..).map(|(floor, index)| {
            draw(
                seed,
                Purpose::Slab,
                index,
                floor.slab.material,
                floor.slab.loss_db,
            )
        });
        Self {
            walls: walls.collect(),
            slabs: slabs.collect(),
        }
    }

    /// The sum over walls and slabs on the straight way between two points.
    pub(crate) fn between(&self, site: &Site, a: Point3<f64>, b: Point3<f64>) -> InTheWay {
        let mut sum = InTheWay::default();
        site.for_each_wall_crossing(a, b, |floor, wall, cos_theta| {
            sum.add(
                &self.walls[usize::from(floor.0)][wall],
                angle_factor(cos_theta),
            );
        });
        for floor in site.slabs_crossed(a.z, b.z) {
            sum.add(&self.slabs[usize::from(floor.0)], 1.0);
        }
        sum
    }
}

impl InTheWay {
    fn add(&mut self, loss_db: &[f64; SPECTRA], factor: f64) {
        for (sum_db, loss_db) in self.loss_db.iter_mut().zip(loss_db) {
            *sum_db += loss_db * factor;
        }
        self.count += 1;
    }
}

fn draw(
    seed: u64,
    purpose: Purpose,
    index: u64,
    material: Material,
    mean: BandLoss,
) -> [f64; SPECTRA] {
    let mut rng = stream(seed, purpose, index);
    let deviates: [f64; SPECTRA] = correlated(&mut rng, BAND_CORRELATION);
    let means_db = by_spectrum(mean);
    let deviations_db = by_spectrum(material.deviation());
    std::array::from_fn(|spectrum| {
        let mean_db = means_db[spectrum];
        (mean_db + deviations_db[spectrum] * deviates[spectrum]).max(LOSS_SHARE_MIN * mean_db)
    })
}

fn by_spectrum(loss: BandLoss) -> [f64; SPECTRA] {
    [loss.ghz2_db, loss.ghz5_db, loss.ghz6_db]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::statistics::{correlation, deviation, mean};
    use crate::fixture;

    #[test]
    fn walls_vary_around_their_class_together_in_all_bands() {
        let concrete = Material::Concrete;
        let drawn: Vec<_> = (0..20_000)
            .map(|index| draw(1, Purpose::Wall, index, concrete, concrete.class_loss()))
            .collect();
        let of = |spectrum: usize| {
            drawn
                .iter()
                .map(|loss| loss[spectrum])
                .collect::<Vec<f64>>()
        };
        assert!((mean(&of(0)) - 13.0).abs() < 0.05);
        assert!((deviation(&of(0)) - 2.0).abs() < 0.04);
        assert!((mean(&of(1)) - 20.0).abs() < 0.07);
        assert!((deviation(&of(1)) - 3.0).abs() < 0.06);
        assert!((correlation(&of(0), &of(1)) - 0.9).abs() < 0.01);
    }

    #[test]
    fn what_is_in_the_way_is_summed_with_its_angle() {
        let site = fixture::two_rooms();
        let obstacles = Obstacles::new(&site, 1);
        let point = |x, y| Point3::new(x, y, 1.2);
        let through = obstacles.between(&site, point(3.0, 3.0), point(5.0, 3.0));
        assert_eq!(
            through,
            InTheWay {
                loss_db: obstacles.walls[0][1],
                count: 1
            }
        );
        let door = obstacles.between(&site, point(3.0, 0.75), point(5.0, 0.75));
        assert_eq!(door, InTheWay::default());
        // At 45 degrees the factor is 1 + 0.15 (sqrt 2 - 1) = 1.0621.
        let oblique = obstacles.between(&site, point(3.5, 2.5), point(4.5, 3.5));
        assert!((oblique.loss_db[1] / through.loss_db[1] - 1.0621).abs() < 1e-4);
    }

    #[test]
    fn slabs_are_in_the_way_between_storeys() {
        let site = fixture::house();
        let obstacles = Obstacles::new(&site, 1);
        let point = |z| Point3::new(2.0, 2.0, z);
        let two = obstacles.between(&site, point(1.2), point(8.5));
        assert_eq!(two.count, 2);
        assert_eq!(
            two.loss_db[0],
            obstacles.slabs[1][0] + obstacles.slabs[2][0]
        );
        assert!((two.loss_db[0] - 30.0).abs() < 12.0);
    }
}
