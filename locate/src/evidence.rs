//! From sightings to the terms of a likelihood: weights, correlations, corrected ranges.

use std::cmp::Ordering;

use nalgebra::{Matrix2, Vector2};
use site::Band;

use crate::fix::Sighting;
use crate::limits::FIX_RADIOS_MAX;
use crate::model::{Model, RadioConstants};

mod layout;
mod terms;

use layout::Layout;
use terms::Kind;
pub(crate) use terms::{RangeTerm, RssiTerm};

/// Correlation of the residuals of two bands of one AP.
///
/// With it a second band is worth a quarter of an independent anchor: (1 - r) / (1 + r).
const BAND_CORRELATION: f32 = 0.6;

/// Correlation of a client's offsets at 2.4 GHz and above: one body and hand, two amplifiers.
const OFFSET_CORRELATION: f64 = 0.8;

/// Smallest spread of offsets in dB that arithmetic is asked to handle.
const OFFSET_DEVIATION_MIN_DB: f64 = 0.1;

/// Growth of a sighting's standard deviation with its age in dB per second: a walker leaves the
/// place where it was heard, which at 5 m from an anchor changes the signal by about this much.
const AGEING_DB_PER_S: f32 = 1.5;

/// Growth of a range's standard deviation with its age, in metres per second.
const AGEING_M_PER_S: f32 = 0.8;

/// What the signal strength is worth beside ranges.
const RSSI_WEIGHT_BESIDE_RANGES: f32 = 0.5;

/// All that is known for one fix.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Signal strengths: of radios that are alone on their anchor, low band before high band, then of
    /// the others, those of one anchor together.
    pub(crate) rssi: Vec<RssiTerm>,
    /// Where the lone radios of the low band end in that order, and those of the high band.
    lone_ends: [usize; 2],
    /// Ranges.
    pub(crate) ranges: Vec<RangeTerm>,
    /// Covariance of the client's offsets given the place, prior included, in dB^2.
    pub(crate) offset_covariance_db2: Matrix2<f64>,
    /// What that covariance is made of.
    pub(crate) offset_information: OffsetInformation,
    /// Exponent of the signal-strength likelihood.
    pub(crate) rssi_temper: f32,
    /// Radios used.
    pub(crate) radios: u16,
    /// Observations behind them.
    pub(crate) observations: u32,
    /// Mean age of the sightings used, in seconds.
    pub(crate) age_s: f64,
    /// Age of the youngest, in seconds.
    pub(crate) age_min_s: f64,
    /// Where the anchors of the radios used stand.
    pub(crate) layout: Layout,
    usable: Vec<Sighting>,
}

/// Information about a client's offsets, in dB^-2: inverse covariances that add up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OffsetInformation {
    /// Of what was known before.
    pub(crate) prior: Matrix2<f64>,
    /// Of the residuals.
    pub(crate) heard: Matrix2<f64>,
}

/// A client's transmit offsets against the model's nominal client: low band, high band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Offset {
    pub(crate) mean_db: Vector2<f64>,
    pub(crate) covariance_db2: Matrix2<f64>,
}

impl Offset {
    /// A client of whom only the population is known.
    pub(crate) fn unknown(deviation_db: f64) -> Self {
        let variance = deviation_db.max(OFFSET_DEVIATION_MIN_DB).powi(2);
        let common = OFFSET_CORRELATION * variance;
        Self {
            mean_db: Vector2::zeros(),
            covariance_db2: Matrix2::new(variance, common, common, variance),
        }
    }
}

/// Which of a client's two offsets applies: 0 at 2.4 GHz, 1 above.
fn offset_band(band: Band) -> usize {
    match band {
        Band::Ghz2 | Band::Ble => 0,
        Band::Ghz5 | Band::Ghz6 | Band::Uwb => 1,
    }
}

impl Evidence {
    /// Room for one fix, reused for all.
    pub(crate) fn new() -> Self {
        Self {
            rssi: Vec::with_capacity(FIX_RADIOS_MAX),
            ranges: Vec::with_capacity(FIX_RADIOS_MAX),
            usable: Vec::with_capacity(FIX_RADIOS_MAX),
            ..Self::default()
        }
    }

    /// Takes the sightings of one fix; `false` when none of them can be used.
    ///
    /// Radios that the site does not have and readings that cannot be are passed over; of two
    /// sightings of one radio the younger counts, whatever their order.
    pub(crate) fn gather(
        &mut self,
        model: &Model,
        sightings: &[Sighting],
        offset: &Offset,
    ) -> bool {
        self.keep_usable(model, sightings);
        self.rssi.clear();
        self.ranges.clear();
        for sighting in &self.usable {
            let constants = &model.radios[usize::from(sighting.radio.0)];
            if let Some(term) = range_term(constants, sighting) {
                self.ranges.push(term);
            }
            if let Some(term) = rssi_term(constants, sighting, offset) {
                self.rssi.push(term);
            }
        }
        self.correlate_bands(model);
        self.order_by_kind();
        self.offset_information = self.offset_information(model, offset);
        let all = self.offset_information.prior + self.offset_information.heard;
        self.offset_covariance_db2 = all.try_inverse().unwrap_or(offset.covariance_db2);
        self.rssi_temper = if self.ranges.is_empty() {
            1.0
        } else {
            RSSI_WEIGHT_BESIDE_RANGES
        };
        self.count();
        let places = self.usable.iter().map(|kept| {
            let constants = &model.radios[usize::from(kept.radio.0)];
            constants.position_in_site.xy()
        });
        self.layout = Layout::of(places);
        !self.usable.is_empty()
    }

    fn keep_usable(&mut self, model: &Model, sightings: &[Sighting]) {
        self.usable.clear();
        for sighting in sightings
            .iter()
            .filter(|sighting| is_usable(model, sighting))
        {
            let known = self
                .usable
                .iter_mut()
                .find(|kept| kept.radio == sighting.radio);
            if let Some(kept) = known {
                if precedence(sighting, kept).is_gt() {
                    *kept = *sighting;
                }
            } else if self.usable.len() < FIX_RADIOS_MAX {
                self.usable.push(*sighting);
            } else {
                replace_weakest(&mut self.usable, sighting);
            }
        }
        // Radios are numbered anchor by anchor.
        self.usable.sort_unstable_by_key(|kept| kept.radio);
    }

    /// Sets the weights that join radios of one anchor: equal correlation of their residuals.
    ///
    /// The inverse of `D ((1 - r) I + r 11') D` is `D^-1 (I - k 11') D^-1 / (1 - r)` with
    /// `k = r / (1 + (n - 1) r)`. Source: Sherman and Morrison, Ann. Math. Stat. 21 (1950).
    fn correlate_bands(&mut self, model: &Model) {
        let anchor_of = |term: &RssiTerm| model.radios[usize::from(term.radio.0)].anchor;
        let band_of = |term: &RssiTerm| offset_band(model.radios[usize::from(term.radio.0)].band);
        for group in self.rssi.chunk_by_mut(|a, b| anchor_of(a) == anchor_of(b)) {
            if group.len() < 2 {
                continue;
            }
            let share = BAND_CORRELATION / (1.0 + (group.len() - 1) as f32 * BAND_CORRELATION);
            let apart = 1.0 - BAND_CORRELATION;
            let mut sums = [0.0; 2];
            for term in group.iter() {
                sums[band_of(term)] += term.weight.sqrt();
            }
            for term in group.iter_mut() {
                let inverse_deviation = term.weight.sqrt();
                let mut own = [0.0; 2];
                own[band_of(term)] = inverse_deviation;
                term.offset_weights = std::array::from_fn(|band| {
                    inverse_deviation * (own[band] - share * sums[band]) / apart
                });
                term.anchor_weight = inverse_deviation;
                term.weight /= apart;
            }
            if let Some(last) = group.last_mut() {
                last.anchor_share = share / apart;
            }
        }
    }

    /// Puts terms that enter the same sums side by side, so that the loops over places do not ask.
    fn order_by_kind(&mut self) {
        if !self.rssi.is_sorted_by_key(RssiTerm::kind) {
            self.rssi
                .sort_unstable_by_key(|term| (term.kind(), term.radio));
        }
        self.lone_ends = [Kind::LoneLow, Kind::LoneHigh]
            .map(|kind| self.rssi.partition_point(|term| term.kind() <= kind));
    }

    /// The radios that are alone on their anchor: low band, high band.
    #[inline(always)]
    pub(crate) fn lone_rssi(&self) -> [&[RssiTerm]; 2] {
        let [low_end, high_end] = self.lone_ends;
        [&self.rssi[..low_end], &self.rssi[low_end..high_end]]
    }

    /// The radios that share their anchor with others, anchor by anchor.
    #[inline(always)]
    pub(crate) fn joined_rssi(&self) -> &[RssiTerm] {
        &self.rssi[self.lone_ends[1]..]
    }

    /// What prior and residuals tell of the offsets, for a place known exactly.
    fn offset_information(&self, model: &Model, offset: &Offset) -> OffsetInformation {
        let prior = offset.covariance_db2.try_inverse().unwrap_or_default();
        let mut heard = Matrix2::zeros();
        for term in &self.rssi {
            let band = offset_band(model.radios[usize::from(term.radio.0)].band);
            heard[(band, 0)] += f64::from(term.offset_weights[0]);
            heard[(band, 1)] += f64::from(term.offset_weights[1]);
        }
        OffsetInformation { prior, heard }
    }

    fn count(&mut self) {
        let count = self.usable.len().max(1) as f64;
        self.radios = self.usable.len() as u16;
        self.observations = self.usable.iter().map(|kept| u32::from(kept.count)).sum();
        self.age_s = self
            .usable
            .iter()
            .map(|kept| f64::from(kept.age_s))
            .sum::<f64>()
            / count;
        self.age_min_s = self
            .usable
            .iter()
            .map(|kept| f64::from(kept.age_s))
            .fold(f64::INFINITY, f64::min);
    }
}

fn is_usable(model: &Model, sighting: &Sighting) -> bool {
    let Some(constants) = model.radios.get(usize::from(sighting.radio.0)) else {
        return false;
    };
    let heard = tells_strength(constants) && sighting.rssi_dbm.is_some_and(is_plausible_dbm);
    let ranged = sighting
        .range
        .is_some_and(|range| is_plausible_m(range.distance_m));
    sighting.count > 0 && sighting.age_s.is_finite() && sighting.age_s >= 0.0 && (heard || ranged)
}

/// Whether a radio's signal strength says anything of the place: that of ultra-wideband does not.
fn tells_strength(constants: &RadioConstants) -> bool {
    constants.band != Band::Uwb
}

/// Which of two sightings of one radio counts: the younger, then the one with more behind it, then
/// by their readings, so that their order never matters.
fn precedence(one: &Sighting, other: &Sighting) -> Ordering {
    let readings = |sighting: &Sighting| {
        let range = sighting.range.map_or([f32::NEG_INFINITY; 2], |range| {
            [range.distance_m, range.deviation_m.unwrap_or(0.0)]
        });
        [
            sighting.rssi_dbm.unwrap_or(f32::NEG_INFINITY),
            range[0],
            range[1],
        ]
    };
    let by_readings = || {
        readings(one)
            .into_iter()
            .zip(readings(other))
            .map(|(one, other)| one.total_cmp(&other))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    other
        .age_s
        .total_cmp(&one.age_s)
        .then(one.count.cmp(&other.count))
        .then_with(by_readings)
}

fn is_plausible_dbm(rssi_dbm: f32) -> bool {
    (-128.0..=20.0).contains(&rssi_dbm)
}

/// Whether a measured distance can be one.
pub(crate) fn is_plausible_m(distance_m: f32) -> bool {
    (-50.0..=10_000.0).contains(&distance_m)
}

/// Keeps the strongest when there are more radios than a fix takes; of equal ones the first radios.
fn replace_weakest(usable: &mut [Sighting], sighting: &Sighting) {
    let strength = |sighting: &Sighting| sighting.rssi_dbm.unwrap_or(0.0);
    let by_strength = |a: &Sighting, b: &Sighting| {
        let order = strength(a).total_cmp(&strength(b));
        order.then(b.radio.cmp(&a.radio))
    };
    let weakest = usable.iter_mut().min_by(|a, b| by_strength(a, b));
    if let Some(weakest) = weakest
        && by_strength(weakest, sighting).is_lt()
    {
        *weakest = *sighting;
    }
}

fn rssi_term(constants: &RadioConstants, sighting: &Sighting, offset: &Offset) -> Option<RssiTerm> {
    if !tells_strength(constants) {
        return None;
    }
    let rssi_dbm = sighting
        .rssi_dbm
        .filter(|&rssi_dbm| is_plausible_dbm(rssi_dbm))?;
    let variance_of_one =
        (constants.deviation_db * constants.deviation_db) as f32 * constants.rssi_widening;
    let ageing_db = AGEING_DB_PER_S * sighting.age_s;
    let fading = constants.fading_share / f32::from(sighting.count);
    let variance =
        variance_of_one * (1.0 - constants.fading_share + fading) + ageing_db * ageing_db;
    let weight = variance.recip();
    let band = offset_band(constants.band);
    let mut offset_weights = [0.0; 2];
    offset_weights[band] = weight;
    Some(RssiTerm {
        radio: sighting.radio,
        rssi_dbm: rssi_dbm - offset.mean_db[band] as f32,
        weight,
        offset_weights,
        anchor_weight: 0.0,
        anchor_share: 0.0,
    })
}

fn range_term(constants: &RadioConstants, sighting: &Sighting) -> Option<RangeTerm> {
    let reading = sighting
        .range
        .filter(|range| is_plausible_m(range.distance_m))?;
    let stated_m = reading
        .deviation_m
        .filter(|stated_m| (0.0..1000.0).contains(stated_m));
    let ageing_m = AGEING_M_PER_S * sighting.age_s;
    // What a source states is the spread of one burst: it leaves out what the surroundings add.
    let scale_m = (constants.range.deviation_m as f32).max(stated_m.unwrap_or(0.0))
        * constants.range_widening.sqrt();
    Some(RangeTerm {
        radio: sighting.radio,
        anchor_in_site: constants.position_in_site,
        distance_m: reading.distance_m - constants.range.bias_m as f32,
        slope: constants.range.slope as f32,
        deviation_m: scale_m.hypot(ageing_m),
    })
}
