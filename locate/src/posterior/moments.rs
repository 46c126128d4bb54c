//! Sums over the places of one floor: mass, mean and spread.

use nalgebra::{Matrix2, Vector2};

use super::score::OffsetSums;
use crate::wide::Vector;

/// Weighted sums, each in sixteen parts that are joined at the end: the loop over places then never
/// waits for a horizontal sum.
pub(super) struct Sums<V> {
    reference: [V; 2],
    mass: V,
    mass_in_tiles: V,
    x: V,
    y: V,
    xx: V,
    xy: V,
    yy: V,
    low: V,
    high: V,
    low_low: V,
    low_high: V,
    high_high: V,
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

impl<V: Vector> Sums<V> {
    /// Nothing yet; places count from `reference`, so that nothing cancels.
    #[inline(always)]
    pub(super) fn new(reference: [f32; 2]) -> Self {
        let zero = V::splat(0.0);
        Self {
            reference: reference.map(V::splat),
            mass: zero,
            mass_in_tiles: zero,
            x: zero,
            y: zero,
            xx: zero,
            xy: zero,
            yy: zero,
            low: zero,
            high: zero,
            low_low: zero,
            low_high: zero,
            high_high: zero,
        }
    }

    /// Adds sixteen tiles, each as one place.
    #[inline(always)]
    pub(super) fn add_tiles(
        &mut self,
        weights: V,
        x_m: V,
        y_m: V,
        offsets: &OffsetSums,
        has_low: bool,
    ) {
        self.mass_in_tiles = self.mass_in_tiles + weights;
        self.add_cells(weights, x_m, y_m, offsets, has_low);
    }

    /// Adds the sixteen cells of a tile, whose low band's offset sums are zero unless `has_low`.
    #[inline(always)]
    pub(super) fn add_cells(
        &mut self,
        weights: V,
        x_m: V,
        y_m: V,
        offsets: &OffsetSums,
        has_low: bool,
    ) {
        let (dx, dy) = (x_m - self.reference[0], y_m - self.reference[1]);
        let (weighted_x, weighted_y) = (weights * dx, weights * dy);
        self.mass = self.mass + weights;
        self.x = self.x + weighted_x;
        self.y = self.y + weighted_y;
        self.xx = self.xx + weighted_x * dx;
        self.xy = self.xy + weighted_x * dy;
        self.yy = self.yy + weighted_y * dy;
        let high = V::load(&offsets[1].0);
        let weighted_high = weights * high;
        self.high = self.high + weighted_high;
        self.high_high = self.high_high + weighted_high * high;
        if has_low {
            let low = V::load(&offsets[0].0);
            let weighted_low = weights * low;
            self.low = self.low + weighted_low;
            self.low_low = self.low_low + weighted_low * low;
            self.low_high = self.low_high + weighted_low * high;
        }
    }

    /// Joins the parts; a place that stands for a tile adds the tile's own variance.
    #[inline(always)]
    pub(super) fn moments(&self, tile_variance_m2: f64) -> Moments {
        let mass = total(self.mass);
        if mass <= 0.0 {
            return Moments::default();
        }
        let mean = |sum: V| total(sum) / mass;
        let within_tiles = tile_variance_m2 * mean(self.mass_in_tiles);
        let place = Vector2::new(mean(self.x), mean(self.y));
        let offset = Vector2::new(mean(self.low), mean(self.high));
        Moments {
            mass,
            mean: place,
            covariance: centred([mean(self.xx), mean(self.xy), mean(self.yy)], place)
                + Matrix2::identity() * within_tiles,
            offset_mean: offset,
            offset_covariance: centred(
                [
                    mean(self.low_low),
                    mean(self.low_high),
                    mean(self.high_high),
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

#[inline(always)]
fn total(sum: impl Vector) -> f64 {
    sum.lanes().iter().map(|&part| f64::from(part)).sum()
}
