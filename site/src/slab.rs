//! Loss of plane slabs of building material: ITU-R P.2040.
//!
//! A wall of a known construction can be computed layer by layer; the site file uses it to scale
//! the loss of a class of material by the thickness of a wall.

use std::f64::consts::TAU;

use nalgebra::Complex;

use crate::material::{BandLoss, Material};

/// Beyond this nothing is heard, and exponentials of the matrices would overflow.
pub const LOSS_DB_MAX: f64 = 200.0;

const SPEED_OF_LIGHT_M_PER_S: f64 = 299_792_458.0;

/// A substance with its electrical constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Substance {
    /// Air between layers.
    Air,
    /// Concrete.
    Concrete,
    /// Brick.
    Brick,
    /// Plasterboard.
    Plasterboard,
    /// Wood.
    Wood,
    /// Glass.
    Glass,
    /// Ceiling board.
    CeilingBoard,
    /// Chipboard.
    Chipboard,
    /// Plywood.
    Plywood,
    /// Marble.
    Marble,
    /// Metal.
    Metal,
}

impl Substance {
    /// Real part of the relative permittivity, then c and d of the conductivity `c f^d` in S/m
    /// with f in GHz.
    ///
    /// # Source
    /// ITU-R P.2040-2, table 3 (b is 0 for all of these).
    const fn constants(self) -> (f64, f64, f64) {
        match self {
            Self::Air => (1.0, 0.0, 0.0),
            Self::Concrete => (5.24, 0.0462, 0.7822),
            Self::Brick => (3.91, 0.0238, 0.16),
            Self::Plasterboard => (2.73, 0.0085, 0.9395),
            Self::Wood => (1.99, 0.0047, 1.0718),
            Self::Glass => (6.31, 0.0036, 1.3394),
            Self::CeilingBoard => (1.48, 0.0011, 1.0750),
            Self::Chipboard => (2.58, 0.0217, 0.7800),
            Self::Plywood => (2.71, 0.33, 0.0),
            Self::Marble => (7.074, 0.0055, 0.9262),
            Self::Metal => (1.0, 1e7, 0.0),
        }
    }

    /// Conductivity in S/m at a frequency in GHz.
    pub fn conductivity_s_per_m(self, freq_ghz: f64) -> f64 {
        let (_, c, d) = self.constants();
        c * freq_ghz.powf(d)
    }

    /// Loss inside the substance in dB per metre, reflections left out.
    ///
    /// # Source
    /// A plane wave decays with `Im sqrt(permittivity)` times the wave number of free space.
    pub fn bulk_loss_db_per_m(self, freq_ghz: f64) -> f64 {
        let decay_per_m = -self.permittivity(freq_ghz).sqrt().im * wave_number_per_m(freq_ghz);
        20.0 * decay_per_m * std::f64::consts::LOG10_E
    }

    /// Relative permittivity: `real - j 17.98 conductivity / f` (ITU-R P.2040, equation 28).
    fn permittivity(self, freq_ghz: f64) -> Complex<f64> {
        let (real, ..) = self.constants();
        Complex::new(
            real,
            -17.98 * self.conductivity_s_per_m(freq_ghz) / freq_ghz,
        )
    }
}

/// One layer of a slab.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// What it is made of.
    pub substance: Substance,
    /// Thickness in metres.
    pub thickness_m: f64,
}

impl Layer {
    /// A layer of a substance, thickness in metres.
    pub const fn new(substance: Substance, thickness_m: f64) -> Self {
        Self {
            substance,
            thickness_m,
        }
    }
}

/// Loss in dB of a wave that passes a slab of layers, as a Wi-Fi receiver would see it.
///
/// `theta_rad` is the angle from the normal, in [0, pi/2). The transmitted power is averaged over
/// both polarisations, over an 80 MHz channel and over thicknesses within 5 %, because thin panes
/// resonate. At most [`LOSS_DB_MAX`]. Costs some tens of microseconds.
/// # Source
/// ITU-R P.2040, annex 1 (multilayer slabs by characteristic matrices).
pub fn transmission_loss_db(layers: &[Layer], freq_ghz: f64, theta_rad: f64) -> f64 {
    const STEPS: [f64; 9] = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0];
    const HALF_CHANNEL_GHZ: f64 = 0.04;
    const HALF_THICKNESS: f64 = 0.05;
    let mut power = 0.0;
    for freq_step in STEPS {
        let freq_ghz = freq_ghz + HALF_CHANNEL_GHZ * freq_step;
        for thickness_step in STEPS {
            let scale = 1.0 + HALF_THICKNESS * thickness_step;
            for polarisation in [Polarisation::Te, Polarisation::Tm] {
                power += transmitted_power(layers, scale, freq_ghz, theta_rad, polarisation);
            }
        }
    }
    let mean = power / (2 * STEPS.len() * STEPS.len()) as f64;
    (-10.0 * mean.log10()).clamp(0.0, LOSS_DB_MAX)
}

/// Loss of a wall at normal incidence: that of its class, scaled by thickness for solid walls.
///
/// Concrete and brick absorb along the way, so their loss is that of the class times
/// `slab(thickness) / slab(nominal thickness)`. Other classes are thin sheets on a frame, whose
/// loss hardly follows the thickness of the whole.
pub fn wall_loss(material: Material, thickness_m: f64) -> BandLoss {
    let substance = match material {
        Material::Concrete => Substance::Concrete,
        Material::Brick => Substance::Brick,
        Material::Glass | Material::Drywall | Material::Wood | Material::Metal => {
            return material.class_loss();
        }
    };
    let nominal_m = material.nominal_thickness_m();
    material.class_loss().map(|class_db, freq_ghz| {
        let slab_db = |thickness_m| {
            transmission_loss_db(&[Layer::new(substance, thickness_m)], freq_ghz, 0.0)
        };
        (class_db * slab_db(thickness_m) / slab_db(nominal_m)).min(LOSS_DB_MAX)
    })
}

/// Direction of the electric field against the plane of incidence.
#[derive(Clone, Copy)]
enum Polarisation {
    /// Across it.
    Te,
    /// In it.
    Tm,
}

/// Share of the power that passes, for one wave; thicknesses times `scale`.
fn transmitted_power(
    layers: &[Layer],
    scale: f64,
    freq_ghz: f64,
    theta_rad: f64,
    polarisation: Polarisation,
) -> f64 {
    let (sin, cos) = theta_rad.sin_cos();
    let j = Complex::new(0.0, 1.0);
    let mut whole = [[Complex::ONE, Complex::ZERO], [Complex::ZERO, Complex::ONE]];
    let mut decay = 0.0;
    for layer in layers {
        let permittivity = layer.substance.permittivity(freq_ghz);
        // The principal root of a number below the real axis has a negative imaginary part.
        let q = (permittivity - sin * sin).sqrt();
        let phase = q * wave_number_per_m(freq_ghz) * layer.thickness_m * scale;
        decay -= phase.im;
        if decay * 20.0 * std::f64::consts::LOG10_E > LOSS_DB_MAX {
            return 0.0;
        }
        let y = match polarisation {
            Polarisation::Te => q,
            Polarisation::Tm => permittivity / q,
        };
        let (sin_p, cos_p) = (phase.sin(), phase.cos());
        whole = product(whole, [[cos_p, j * sin_p / y], [j * y * sin_p, cos_p]]);
    }
    let n0 = match polarisation {
        Polarisation::Te => cos,
        Polarisation::Tm => 1.0 / cos,
    };
    let [[m11, m12], [m21, m22]] = whole;
    (2.0 * n0 / (m11 * n0 + m12 * n0 * n0 + m21 + m22 * n0)).norm_sqr()
}

type Matrix = [[Complex<f64>; 2]; 2];

fn product([[a, b], [c, d]]: Matrix, [[e, f], [g, h]]: Matrix) -> Matrix {
    [
        [a * e + b * g, a * f + b * h],
        [c * e + d * g, c * f + d * h],
    ]
}

fn wave_number_per_m(freq_ghz: f64) -> f64 {
    TAU * freq_ghz * 1e9 / SPEED_OF_LIGHT_M_PER_S
}

#[cfg(test)]
mod tests;
