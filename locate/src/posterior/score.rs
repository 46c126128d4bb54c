//! Log-likelihood and prior of sixteen places at a time.

use nalgebra::Matrix2;

use super::Question;
use crate::evidence::{Evidence, RangeTerm, RssiTerm};
use crate::lanes::{LANES, Lanes, lanes, larger, ln};
use crate::model::Model;
use crate::radio_map::RadioMap;

/// Log-probability density, relative to the prior's peak, below which the prior never falls: a
/// client may have been carried off in a way the motion model does not know.
const PRIOR_FLOOR_NATS: f32 = -6.0;

/// Squared Mahalanobis distance within which a place counts as within reach of the prior.
pub(super) const REACH_SQUARED: f32 = 16.0;

/// Degrees of freedom of a range's Student-t error.
const RANGE_DEGREES: f32 = 3.0;

/// Sixteen places of one floor.
pub(super) struct Place<'a> {
    pub(super) floor: usize,
    pub(super) x_m: &'a Lanes,
    pub(super) y_m: &'a Lanes,
}

/// What the map says of sixteen places, beside what each radio should hear there.
struct Cells<'a> {
    place: &'a Place<'a>,
    /// Side of one of them.
    side_m: f32,
    /// Share of the variance that a survey leaves: of signal strengths, and of ranges.
    variance_left: Option<&'a Lanes>,
    range_variance_left: Option<&'a Lanes>,
}

/// How well sixteen places explain what was heard.
pub(super) struct Likelihood {
    pub(super) log: Lanes,
    /// Weighted sums of residuals: they tell the client's offsets.
    pub(super) offset_sums: [Lanes; 2],
}

/// Sums over the radios that heard the client.
#[derive(Default)]
struct Residuals {
    square: Lanes,
    low_sum: Lanes,
    high_sum: Lanes,
}

/// How probable sixteen places were before.
pub(super) struct Prior {
    pub(super) log: Lanes,
    /// Squared Mahalanobis distance from its mean; 0 without a prior.
    pub(super) away_squared: Lanes,
}

/// A question made ready for scoring.
pub(super) struct Scorer<'a> {
    evidence: &'a Evidence,
    map: &'a RadioMap,
    heights_m: &'a [crate::model::Storey],
    carrying_height_m: f64,
    floors_log: &'a [f32],
    temper: f32,
    gaussian: Option<Gaussian>,
}

/// A plane Gaussian in the grid's coordinates.
struct Gaussian {
    mean_m: [f32; 2],
    xx: f32,
    xy: f32,
    yy: f32,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(model: &'a Model, question: &Question<'a>) -> Self {
        let gaussian = question.place.map(|place| {
            // A tile's own size, so that a narrow prior does not fall between tiles.
            let blurred = place.covariance_m2 + Matrix2::identity() * model.map.grid.cell_m.powi(2);
            let precision = blurred.try_inverse().unwrap_or_else(Matrix2::zeros);
            Gaussian {
                mean_m: model.map.grid.local(place.mean_in_site),
                xx: precision.m11 as f32,
                xy: precision.m12 as f32,
                yy: precision.m22 as f32,
            }
        });
        Self {
            evidence: question.evidence,
            map: &model.map,
            heights_m: &model.storeys,
            carrying_height_m: model.options.carrying_height_m,
            floors_log: question.floors_log,
            temper: question.temper,
            gaussian,
        }
    }

    /// Sixteen tiles.
    #[inline(always)]
    pub(super) fn tiles(&self, block: usize, place: &Place<'_>) -> Likelihood {
        let map = self.map;
        let ranges = map.ranges();
        let cells = Cells {
            place,
            side_m: 4.0 * map.grid.cell_m as f32,
            variance_left: map.rssi_variance_left().map(|plane| plane.coarse(0, block)),
            range_variance_left: ranges.map(|planes| planes.variance_left.coarse(0, block)),
        };
        self.likelihood(
            &cells,
            |term| map.coarse(term.radio, block),
            |term| ranges.map(|planes| planes.residuals.coarse(usize::from(term.radio.0), block)),
        )
    }

    /// The sixteen cells of a tile.
    #[inline(always)]
    pub(super) fn cells(&self, tile: usize, place: &Place<'_>) -> Likelihood {
        let map = self.map;
        let ranges = map.ranges();
        let cells = Cells {
            place,
            side_m: map.grid.cell_m as f32,
            variance_left: map.rssi_variance_left().map(|plane| plane.fine(0, tile)),
            range_variance_left: ranges.map(|planes| planes.variance_left.fine(0, tile)),
        };
        self.likelihood(
            &cells,
            |term| map.fine(term.radio, tile),
            |term| ranges.map(|planes| planes.residuals.fine(usize::from(term.radio.0), tile)),
        )
    }

    /// Gaussian in dB with correlated bands; the client's offset is marginalised in closed form:
    /// the quadratic form loses `s' C s`, with `s` the weighted sums of residuals per offset and
    /// `C` the offsets' covariance given the place.
    ///
    /// # Source
    /// Sherman-Morrison-Woodbury identity; one offset gives
    /// `(sum of weighted residuals)^2 / (sum of weights + 1 / prior variance)`.
    #[inline(always)]
    fn likelihood<'p>(
        &self,
        cells: &Cells<'_>,
        plane: impl Fn(&RssiTerm) -> &'p Lanes,
        range_residuals: impl Fn(&RangeTerm) -> Option<&'p Lanes>,
    ) -> Likelihood {
        let Residuals {
            square,
            low_sum,
            high_sum,
        } = self.residuals(plane);
        let scale = -0.5 * self.temper * self.evidence.rssi_temper;
        let offsets = self
            .evidence
            .offset_covariance_db2
            .map(|value| value as f32);
        let mut log = lanes(|lane| {
            let (low, high) = (low_sum[lane], high_sum[lane]);
            let explained = offsets.m11 * low * low
                + 2.0 * offsets.m12 * low * high
                + offsets.m22 * high * high;
            square[lane] - explained
        });
        let mut offset_sums = [low_sum, high_sum];
        if let Some(left) = cells.variance_left {
            self.narrow(left, &square, &mut offset_sums, &mut log);
        }
        for log in &mut log {
            *log *= scale;
        }
        for term in &self.evidence.ranges {
            self.add_range(term, cells, range_residuals(term), &mut log);
        }
        Likelihood { log, offset_sums }
    }

    /// The same form where only a part `v` of each variance is left: the offsets' prior information
    /// `P` keeps its weight, so that of the residuals counts `1 / v` times as much beside it.
    ///
    /// `log` becomes `(r' W r - s' (v P + W)^-1 s) / v + n ln v + ln det(v P + W) - 2 ln v`, up to a
    /// constant; the offset sums become those which with `(P + W)^-1` give the offsets there.
    #[inline(always)]
    fn narrow(&self, left: &Lanes, square: &Lanes, sums: &mut [Lanes; 2], log: &mut Lanes) {
        let prior = self
            .evidence
            .offset_information
            .prior
            .map(|value| value as f32);
        let heard = self
            .evidence
            .offset_information
            .heard
            .map(|value| value as f32);
        let all = prior + heard;
        let count = self.evidence.rssi.len() as f32 - 2.0;
        let [low_sums, high_sums] = sums;
        for lane in 0..LANES {
            let v = left[lane];
            let (low, high) = (low_sums[lane], high_sums[lane]);
            let a = v * prior.m11 + heard.m11;
            let b = v * prior.m12 + heard.m12;
            let d = v * prior.m22 + heard.m22;
            let determinant = larger(a * d - b * b, f32::MIN_POSITIVE);
            let offset_low = (d * low - b * high) / determinant;
            let offset_high = (a * high - b * low) / determinant;
            let explained = low * offset_low + high * offset_high;
            log[lane] = (square[lane] - explained) / v + count * ln(v) + ln(determinant);
            low_sums[lane] = all.m11 * offset_low + all.m12 * offset_high;
            high_sums[lane] = all.m12 * offset_low + all.m22 * offset_high;
        }
    }

    /// Sums over the radios. A radio that is alone on its anchor weighs alike in all sums that it
    /// enters.
    #[inline(always)]
    fn residuals<'p>(&self, expected_dbm: impl Fn(&RssiTerm) -> &'p Lanes) -> Residuals {
        let mut sums = Residuals::default();
        let mut anchor_sum = [0.0; LANES];
        for term in &self.evidence.rssi {
            let expected_dbm = expected_dbm(term);
            let residual_db = lanes(|lane| term.rssi_dbm - expected_dbm[lane]);
            let weighted = lanes(|lane| term.weight * residual_db[lane]);
            sums.square = lanes(|lane| sums.square[lane] + weighted[lane] * residual_db[lane]);
            if term.anchor_weight == 0.0 {
                if term.offset_weights[0] == 0.0 {
                    sums.high_sum = lanes(|lane| sums.high_sum[lane] + weighted[lane]);
                } else {
                    sums.low_sum = lanes(|lane| sums.low_sum[lane] + weighted[lane]);
                }
                continue;
            }
            let [low, high] = term.offset_weights;
            sums.low_sum = lanes(|lane| sums.low_sum[lane] + low * residual_db[lane]);
            sums.high_sum = lanes(|lane| sums.high_sum[lane] + high * residual_db[lane]);
            anchor_sum = lanes(|lane| anchor_sum[lane] + term.anchor_weight * residual_db[lane]);
            if term.anchor_share > 0.0 {
                sums.square = lanes(|lane| {
                    sums.square[lane] - term.anchor_share * anchor_sum[lane] * anchor_sum[lane]
                });
                anchor_sum = [0.0; LANES];
            }
        }
        sums
    }

    /// Student-t error; the spread of distances inside a cell widens it, a survey narrows it.
    #[inline(always)]
    fn add_range(
        &self,
        term: &RangeTerm,
        cells: &Cells<'_>,
        residuals: Option<&Lanes>,
        log: &mut Lanes,
    ) {
        let place = cells.place;
        let [anchor_x_m, anchor_y_m] = self.map.grid.local(term.anchor_in_site.xy());
        let height_m = self.heights_m[place.floor].elevation_m + self.carrying_height_m;
        let rise_m = (term.anchor_in_site.z - height_m) as f32;
        let scale_squared = term.deviation_m * term.deviation_m;
        let within_cell = cells.side_m * cells.side_m / 12.0;
        let exponent = -0.5 * (RANGE_DEGREES + 1.0) * self.temper;
        for (lane, log) in log.iter_mut().enumerate() {
            let dx = place.x_m[lane] - anchor_x_m;
            let dy = place.y_m[lane] - anchor_y_m;
            let away_m = (dx * dx + dy * dy + rise_m * rise_m).sqrt();
            let left = cells.range_variance_left.map_or(1.0, |left| left[lane]);
            let more_m = residuals.map_or(0.0, |residuals| residuals[lane]);
            let residual_m = term.distance_m - term.slope * away_m - more_m;
            let variance = scale_squared * left + within_cell;
            let misfit = ln(1.0 + residual_m * residual_m / (RANGE_DEGREES * variance));
            *log += exponent * misfit;
            if cells.range_variance_left.is_some() {
                *log -= 0.5 * self.temper * ln(variance / (scale_squared + within_cell));
            }
        }
    }

    /// What was known of place and floor before.
    #[inline(always)]
    pub(super) fn prior(&self, place: &Place<'_>) -> Prior {
        let floor_log = self.floors_log.get(place.floor).copied().unwrap_or(0.0);
        let Some(gaussian) = &self.gaussian else {
            return Prior {
                log: [floor_log; LANES],
                away_squared: [0.0; LANES],
            };
        };
        let away_squared = lanes(|lane| {
            let dx = place.x_m[lane] - gaussian.mean_m[0];
            let dy = place.y_m[lane] - gaussian.mean_m[1];
            gaussian.xx * dx * dx + 2.0 * gaussian.xy * dx * dy + gaussian.yy * dy * dy
        });
        let log = lanes(|lane| floor_log + larger(-0.5 * away_squared[lane], PRIOR_FLOOR_NATS));
        Prior { log, away_squared }
    }
}
