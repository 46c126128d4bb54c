//! Sums over the places of one floor: mass, mean and spread.

use nalgebra::{Matrix2, Vector2};

use crate::lanes::{LANES, Lanes};

/// Weighted sums, each in sixteen parts that are joined at the end: the loop over places then never
/// waits for a horizontal sum.
pub(super) struct Sums {
    reference: [f32; 2],
    mass: Lanes,
    mass_in_tiles: Lanes,
    x: Lanes,
    y: Lanes,
    xx: Lanes,
    xy: Lanes,
    yy: Lanes,
    low: Lanes,
    high: Lanes,
    low_low: Lanes,
    low_high: Lanes,
    high_high: Lanes,
}

/// Mass, mean place from the reference, and mean offset sums of one floor, with their covariances.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    pub(super) mass: f64,
    pub(super) mean: Vector2<f64>,
    pub(super) covariance: Matrix2<f64>,
    pub(super) offset_mean: Vector2<f64>,
    pub(super) offset_covariance: Matrix2<f64>,
}

impl Sums {
    /// Nothing yet; places count from `reference`, so that nothing cancels.
    pub(super) fn new(reference: [f32; 2]) -> Self {
        const ZERO: Lanes = [0.0; LANES];
        Self {
            reference,
            mass: ZERO,
            mass_in_tiles: ZERO,
            x: ZERO,
            y: ZERO,
            xx: ZERO,
            xy: ZERO,
            yy: ZERO,
            low: ZERO,
            high: ZERO,
            low_low: ZERO,
            low_high: ZERO,
            high_high: ZERO,
        }
    }

    /// Adds sixteen tiles, each as one place.
    #[inline(always)]
    pub(super) fn add_tiles(
        &mut self,
        weights: &Lanes,
        x_m: &Lanes,
        y_m: &Lanes,
        offsets: &[Lanes; 2],
    ) {
        for (mass, weight) in self.mass_in_tiles.iter_mut().zip(weights) {
            *mass += weight;
        }
        self.add_cells(weights, x_m, y_m, offsets);
    }

    /// Adds the sixteen cells of a tile.
    #[inline(always)]
    pub(super) fn add_cells(
        &mut self,
        weights: &Lanes,
        x_m: &Lanes,
        y_m: &Lanes,
        offsets: &[Lanes; 2],
    ) {
        let [low, high] = offsets;
        for lane in 0..LANES {
            let weight = weights[lane];
            let dx = x_m[lane] - self.reference[0];
            let dy = y_m[lane] - self.reference[1];
            self.mass[lane] += weight;
            self.x[lane] += weight * dx;
            self.y[lane] += weight * dy;
            self.xx[lane] += weight * dx * dx;
            self.xy[lane] += weight * dx * dy;
            self.yy[lane] += weight * dy * dy;
        }
        for lane in 0..LANES {
            let (weighted_low, weighted_high) =
                (weights[lane] * low[lane], weights[lane] * high[lane]);
            self.low[lane] += weighted_low;
            self.high[lane] += weighted_high;
            self.low_low[lane] += weighted_low * low[lane];
            self.low_high[lane] += weighted_low * high[lane];
            self.high_high[lane] += weighted_high * high[lane];
        }
    }

    /// Joins the parts; a place that stands for a tile adds the tile's own variance.
    pub(super) fn moments(&self, tile_variance_m2: f64) -> Moments {
        let mass = total(&self.mass);
        if mass <= 0.0 {
            return Moments::default();
        }
        let mean = |lanes: &Lanes| total(lanes) / mass;
        let within_tiles = tile_variance_m2 * mean(&self.mass_in_tiles);
        let place = Vector2::new(mean(&self.x), mean(&self.y));
        let offset = Vector2::new(mean(&self.low), mean(&self.high));
        Moments {
            mass,
            mean: place,
            covariance: centred([mean(&self.xx), mean(&self.xy), mean(&self.yy)], place)
                + Matrix2::identity() * within_tiles,
            offset_mean: offset,
            offset_covariance: centred(
                [
                    mean(&self.low_low),
                    mean(&self.low_high),
                    mean(&self.high_high),
                ],
                offset,
            ),
        }
    }
}

/// Covariance from second moments, kept positive semidefinite against rounding.
fn centred([xx, xy, yy]: [f64; 3], mean: Vector2<f64>) -> Matrix2<f64> {
    let xx = (xx - mean.x * mean.x).max(0.0);
    let yy = (yy - mean.y * mean.y).max(0.0);
    if !(xx.is_finite() && yy.is_finite() && xy.is_finite()) {
        // Weights beyond single precision: one place outweighs all others.
        return Matrix2::zeros();
    }
    let bound = (xx * yy).sqrt();
    let xy = (xy - mean.x * mean.y).clamp(-bound, bound);
    Matrix2::new(xx, xy, xy, yy)
}

fn total(lanes: &Lanes) -> f64 {
    lanes.iter().map(|&part| f64::from(part)).sum()
}
