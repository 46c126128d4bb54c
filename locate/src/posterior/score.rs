//! Log-likelihood and prior of sixteen places at a time.

use nalgebra::Matrix2;

use super::Question;
use crate::evidence::{Evidence, RangeTerm, RssiTerm};
use crate::lanes::{LANES, Lanes, Row, larger, ln};
use crate::model::Model;
use crate::radio_map::RadioMap;
use crate::wide::Vector;

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

/// Weighted sums of residuals at sixteen places, low band and high band: they tell the client's
/// offsets.
pub(super) type OffsetSums = [Row; 2];

/// Sums over the radios that heard the client, for sixteen places.
#[derive(Clone, Copy)]
pub(super) struct Residuals<V> {
    square: V,
    low_sum: V,
    high_sum: V,
}

impl<V: Vector> Residuals<V> {
    #[inline(always)]
    fn none() -> Self {
        let none = V::splat(0.0);
        Self {
            square: none,
            low_sum: none,
            high_sum: none,
        }
    }

    /// Adds the square of a residual; returns the weighted residual.
    #[inline(always)]
    fn add_lone(&mut self, term: &RssiTerm, expected_dbm: &Row) -> V {
        let residual_db = V::splat(term.rssi_dbm) - V::load(&expected_dbm.0);
        let weighted = V::splat(term.weight) * residual_db;
        self.square = self.square + weighted * residual_db;
        weighted
    }

    /// Adds one of several radios of an anchor, over which `anchor_sum` goes.
    #[inline(always)]
    fn add_joined(&mut self, term: &RssiTerm, expected_dbm: &Row, anchor_sum: &mut V) {
        let residual_db = V::splat(term.rssi_dbm) - V::load(&expected_dbm.0);
        let [low, high] = term.offset_weights.map(V::splat);
        self.square = self.square + V::splat(term.weight) * residual_db * residual_db;
        self.low_sum = self.low_sum + low * residual_db;
        self.high_sum = self.high_sum + high * residual_db;
        *anchor_sum = *anchor_sum + V::splat(term.anchor_weight) * residual_db;
        if term.anchor_share > 0.0 {
            let share = V::splat(term.anchor_share);
            self.square = self.square - share * *anchor_sum * *anchor_sum;
            *anchor_sum = V::splat(0.0);
        }
    }
}

/// How probable sixteen places were before.
pub(super) struct Prior<V> {
    pub(super) log: V,
    /// Squared Mahalanobis distance from its mean; 0 without a prior.
    pub(super) away_squared: V,
}

/// A question made ready for scoring.
pub(super) struct Scorer<'a> {
    evidence: &'a Evidence,
    map: &'a RadioMap,
    heights_m: &'a [crate::model::Storey],
    carrying_height_m: f64,
    floors_log: &'a [f32],
    temper: f32,
    /// Exponent of the likelihood of signal strengths.
    scale: f32,
    /// Sums of the low band may differ from zero: without, they are neither stored nor read.
    has_low: bool,
    offsets: Offsets,
    gaussian: Gaussian,
}

/// What [`Evidence`] says of the client's offsets, in singles.
struct Offsets {
    /// Of their covariance given the place, in dB^2: low band, twice what is common, high band.
    given_place: [f32; 3],
    prior: Matrix2<f32>,
    heard: Matrix2<f32>,
}

/// A plane Gaussian in the grid's coordinates; flat by default.
#[derive(Default)]
struct Gaussian {
    mean_m: [f32; 2],
    xx: f32,
    xy: f32,
    yy: f32,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(model: &'a Model, question: &Question<'a>) -> Self {
        let single = |matrix: &Matrix2<f64>| matrix.map(|value| value as f32);
        let evidence = question.evidence;
        let given_place = single(&evidence.offset_covariance_db2);
        let gaussian = question.place.map_or(Gaussian::default(), |place| {
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
            evidence,
            map: &model.map,
            heights_m: &model.storeys,
            carrying_height_m: model.options.carrying_height_m,
            floors_log: question.floors_log,
            temper: question.temper,
            scale: -0.5 * question.temper * evidence.rssi_temper,
            has_low: model.map.rssi_variance_left().is_some()
                || evidence
                    .rssi
                    .iter()
                    .any(|term| term.offset_weights[0] != 0.0),
            offsets: Offsets {
                given_place: [given_place.m11, 2.0 * given_place.m12, given_place.m22],
                prior: single(&evidence.offset_information.prior),
                heard: single(&evidence.offset_information.heard),
            },
            gaussian,
        }
    }

    /// Sums over the radios for so many blocks of tiles, from one on: several at once, so that what
    /// is known of a radio is looked up once, and no sum waits for itself.
    #[inline(always)]
    pub(super) fn residuals_of_tiles<V: Vector, const N: usize>(
        &self,
        first: usize,
    ) -> [Residuals<V>; N] {
        self.residuals(|term| self.map.coarse_run(term.radio, first))
    }

    /// Log-likelihood of sixteen tiles, given their sums over the radios.
    #[inline(always)]
    pub(super) fn tiles<V: Vector>(
        &self,
        block: usize,
        place: &Place<'_>,
        residuals: &Residuals<V>,
        sums: &mut OffsetSums,
    ) -> V {
        let map = self.map;
        let ranges = map.ranges();
        let cells = Cells {
            place,
            side_m: 4.0 * map.grid.cell_m as f32,
            variance_left: map.rssi_variance_left().map(|plane| plane.coarse(0, block)),
            range_variance_left: ranges.map(|planes| planes.variance_left.coarse(0, block)),
        };
        self.likelihood(&cells, residuals, sums, |term| {
            ranges.map(|planes| planes.residuals.coarse(usize::from(term.radio.0), block))
        })
    }

    /// Has what [`cells`](Self::cells) will read of a tile fetched: its place in memory is known well
    /// before its turn comes.
    #[inline(always)]
    pub(super) fn fetch_cells<V: Vector>(&self, tile: usize) {
        for term in &self.evidence.rssi {
            V::fetch(self.map.fine(term.radio, tile));
        }
    }

    /// Whether the offset sums of the low band are there.
    #[inline(always)]
    pub(super) fn has_low(&self) -> bool {
        self.has_low
    }

    /// Log-likelihood of the sixteen cells of a tile.
    #[inline(always)]
    pub(super) fn cells<V: Vector>(
        &self,
        tile: usize,
        place: &Place<'_>,
        sums: &mut OffsetSums,
    ) -> V {
        let map = self.map;
        let ranges = map.ranges();
        let cells = Cells {
            place,
            side_m: map.grid.cell_m as f32,
            variance_left: map.rssi_variance_left().map(|plane| plane.fine(0, tile)),
            range_variance_left: ranges.map(|planes| planes.variance_left.fine(0, tile)),
        };
        let [residuals] = self.residuals(|term| map.fine_run(term.radio, tile));
        self.likelihood(&cells, &residuals, sums, |term| {
            ranges.map(|planes| planes.residuals.fine(usize::from(term.radio.0), tile))
        })
    }

    /// Gaussian in dB with correlated bands; the client's offset is marginalised in closed form:
    /// the quadratic form loses `s' C s`, with `s` the weighted sums of residuals per offset and
    /// `C` the offsets' covariance given the place.
    ///
    /// # Source
    /// Sherman-Morrison-Woodbury identity; one offset gives
    /// `(sum of weighted residuals)^2 / (sum of weights + 1 / prior variance)`.
    #[inline(always)]
    fn likelihood<'p, V: Vector>(
        &self,
        cells: &Cells<'_>,
        residuals: &Residuals<V>,
        sums: &mut OffsetSums,
        range_residuals: impl Fn(&RangeTerm) -> Option<&'p Lanes>,
    ) -> V {
        let Residuals {
            square,
            low_sum,
            high_sum,
        } = *residuals;
        let [low_row, high_row] = sums;
        if self.has_low {
            low_sum.store(&mut low_row.0);
        }
        high_sum.store(&mut high_row.0);
        let mut log = match cells.variance_left {
            Some(left) => V::load(&self.narrowed(left, &square.lanes(), sums)),
            None => {
                let [low, both, high] = self.offsets.given_place.map(V::splat);
                let mut explained = high * high_sum * high_sum;
                if self.has_low {
                    explained = explained + low_sum * (low * low_sum + both * high_sum);
                }
                V::splat(self.scale) * (square - explained)
            }
        };
        if !self.evidence.ranges.is_empty() {
            let mut lanes = log.lanes();
            for term in &self.evidence.ranges {
                self.add_range(term, cells, range_residuals(term), &mut lanes);
            }
            log = V::load(&lanes);
        }
        log
    }

    /// The same form where only a part `v` of each variance is left: the offsets' prior information
    /// `P` keeps its weight, so that of the residuals counts `1 / v` times as much beside it.
    ///
    /// The logarithm is `(r' W r - s' (v P + W)^-1 s) / v + n ln v + ln det(v P + W) - 2 ln v`, up to a
    /// constant; the offset sums become those which with `(P + W)^-1` give the offsets there.
    #[inline(always)]
    fn narrowed(&self, left: &Lanes, square: &Lanes, sums: &mut OffsetSums) -> Lanes {
        let Offsets { prior, heard, .. } = &self.offsets;
        let all = prior + heard;
        let count = self.evidence.rssi.len() as f32 - 2.0;
        let [Row(low_sums), Row(high_sums)] = sums;
        let mut log = [0.0; LANES];
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
            let misfit = (square[lane] - explained) / v + count * ln(v) + ln(determinant);
            log[lane] = self.scale * misfit;
            low_sums[lane] = all.m11 * offset_low + all.m12 * offset_high;
            high_sums[lane] = all.m12 * offset_low + all.m22 * offset_high;
        }
        log
    }

    /// Sums over the radios, for so many times sixteen places. A radio that is alone on its anchor
    /// weighs alike in all sums that it enters.
    #[inline(always)]
    fn residuals<'p, V: Vector, const N: usize>(
        &self,
        expected_dbm: impl Fn(&RssiTerm) -> &'p [Row; N],
    ) -> [Residuals<V>; N] {
        let mut sums = [Residuals::none(); N];
        let [low, high] = self.evidence.lone_rssi();
        for term in low {
            for (sums, expected_dbm) in sums.iter_mut().zip(expected_dbm(term)) {
                sums.low_sum = sums.low_sum + sums.add_lone(term, expected_dbm);
            }
        }
        for term in high {
            for (sums, expected_dbm) in sums.iter_mut().zip(expected_dbm(term)) {
                sums.high_sum = sums.high_sum + sums.add_lone(term, expected_dbm);
            }
        }
        let mut anchor_sums = [V::splat(0.0); N];
        for term in self.evidence.joined_rssi() {
            let sums = sums.iter_mut().zip(&mut anchor_sums);
            for ((sums, anchor_sum), expected_dbm) in sums.zip(expected_dbm(term)) {
                sums.add_joined(term, expected_dbm, anchor_sum);
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

    /// Log-probability of a floor, before.
    pub(super) fn floor_log(&self, floor: usize) -> f32 {
        self.floors_log.get(floor).copied().unwrap_or(0.0)
    }

    /// What was known of sixteen places before, on a floor of this log-probability.
    #[inline(always)]
    pub(super) fn prior<V: Vector>(&self, floor_log: f32, x_m: V, y_m: V) -> Prior<V> {
        let gaussian = &self.gaussian;
        let dx = x_m - V::splat(gaussian.mean_m[0]);
        let dy = y_m - V::splat(gaussian.mean_m[1]);
        let away_squared = dx * (V::splat(gaussian.xx) * dx + V::splat(2.0 * gaussian.xy) * dy)
            + V::splat(gaussian.yy) * dy * dy;
        let relative = (V::splat(-0.5) * away_squared).larger(V::splat(PRIOR_FLOOR_NATS));
        Prior {
            log: V::splat(floor_log) + relative,
            away_squared,
        }
    }
}
