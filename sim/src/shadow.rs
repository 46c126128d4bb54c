//! Shadowing: what furniture, people and all that no plan shows do to a link.
//!
//! A field over each storey per anchor: whoever stands at the same place meets the same shadow.

use nalgebra::{Point2, Vector2};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use site::{FloorIndex, Site};

use crate::chance::{Purpose, stream};
use crate::walls::SPECTRA;

/// Standard deviation of the shadowing.
pub(crate) const DEVIATION_DB: f64 = 3.0;

/// Distance over which the correlation falls to 1/e.
const CORRELATION_LENGTH_M: f64 = 3.0;

/// Correlation between the shadows at different frequencies.
pub(crate) const BAND_CORRELATION: f64 = 0.8;

/// Plane waves per field: enough to look Gaussian, few enough to be drawn at once.
const WAVES: usize = 64;

/// A Gaussian random field of unit variance with correlation `exp(-distance / 3 m)`.
///
/// # Source
/// Exponential correlation: M. Gudmundson, "Correlation model for shadow fading in mobile radio
/// systems" (1991). As a sum of sinusoids in the plan: X. Cai and G. B. Giannakis, "A
/// two-dimensional channel simulation model for shadowing processes" (2003).
#[derive(Debug)]
struct Field {
    waves: Vec<Wave>,
}

#[derive(Debug, Clone, Copy)]
struct Wave {
    radians_per_m: Vector2<f64>,
    phase: f64,
}

impl Field {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let wave = |number: usize| {
            // The plane spectrum of exp(-r / L) is (1 + k^2 L^2)^(-3/2), so the share of waves
            // above k is 1 / sqrt(1 + k^2 L^2); inverted here, one draw per stratum.
            let share = (number as f64 + 1.0 - rng.random::<f64>()) / WAVES as f64;
            let wavenumber = (share.powi(-2) - 1.0).sqrt() / CORRELATION_LENGTH_M;
            let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
            Wave {
                radians_per_m: Vector2::new(cos, sin) * wavenumber,
                phase: std::f64::consts::TAU * rng.random::<f64>(),
            }
        };
        Self {
            waves: (0..WAVES).map(wave).collect(),
        }
    }

    fn at(&self, place: Point2<f64>) -> f64 {
        let height = |wave: &Wave| (wave.radians_per_m.dot(&place.coords) + wave.phase).cos();
        (2.0 / WAVES as f64).sqrt() * self.waves.iter().map(height).sum::<f64>()
    }
}

/// The fields of all anchors over all storeys.
#[derive(Debug)]
pub(crate) struct Shadows {
    floors: usize,
    /// By anchor, then by storey.
    patches: Vec<Patch>,
}

#[derive(Debug)]
struct Patch {
    common: Field,
    own: [Field; SPECTRA],
}

impl Shadows {
    pub(crate) fn new(site: &Site, seed: u64) -> Self {
        let count = site.anchors.len() * site.floors.len();
        let patch = |index: usize| {
            let mut rng = stream(seed, Purpose::Shadow, index as u64);
            let common = Field::new(&mut rng);
            Patch {
                common,
                own: std::array::from_fn(|_| Field::new(&mut rng)),
            }
        };
        Self {
            floors: site.floors.len(),
            patches: (0..count).map(patch).collect(),
        }
    }

    /// Gain in dB, by spectrum, of the links between an anchor and a place.
    pub(crate) fn at(
        &self,
        anchor: usize,
        floor: FloorIndex,
        place: Point2<f64>,
    ) -> [f64; SPECTRA] {
        let patch = &self.patches[anchor * self.floors + usize::from(floor.0)];
        let common = BAND_CORRELATION.sqrt() * patch.common.at(place);
        std::array::from_fn(|spectrum| {
            let own = (1.0 - BAND_CORRELATION).sqrt() * patch.own[spectrum].at(place);
            DEVIATION_DB * (common + own)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::statistics::{correlation, deviation, mean};
    use crate::fixture;

    const PLACES: std::ops::Range<u32> = 0..20;

    fn place(number: u32) -> Point2<f64> {
        Point2::new(f64::from(number) * 1.7, f64::from(number * number) * 0.3)
    }

    #[test]
    fn shadows_have_their_deviation_and_band_correlation() {
        let site = fixture::two_rooms();
        let shadows = (0..150).map(|seed| Shadows::new(&site, seed));
        let at = |shadows: Shadows| PLACES.map(move |it| shadows.at(0, FloorIndex(0), place(it)));
        let drawn: Vec<_> = shadows.flat_map(at).collect();
        let of = |spectrum: usize| drawn.iter().map(|it| it[spectrum]).collect::<Vec<f64>>();
        assert!(mean(&of(0)).abs() < 0.2);
        assert!((deviation(&of(0)) - 3.0).abs() < 0.15);
        assert!((correlation(&of(0), &of(1)) - 0.8).abs() < 0.04);
    }

    #[test]
    fn correlation_falls_exponentially_with_distance() {
        let check = |apart_m: f64, expected: f64| {
            let fields = (0..300).map(|seed| Field::new(&mut stream(seed, Purpose::Shadow, 0)));
            let pair = |field: Field| {
                PLACES.map(move |number| {
                    let (sin, cos) = f64::from(number).sin_cos();
                    let there = place(number) + Vector2::new(cos, sin) * apart_m;
                    (field.at(place(number)), field.at(there))
                })
            };
            let (here, there): (Vec<f64>, Vec<f64>) = fields.flat_map(pair).unzip();
            let measured = correlation(&here, &there);
            assert!(
                (measured - expected).abs() < 0.04,
                "{measured} at {apart_m} m"
            );
        };
        // exp(-distance / 3 m)
        check(0.5, 0.846);
        check(3.0, 0.368);
        check(6.0, 0.135);
        check(30.0, 0.0);
    }
}
