//! Why a fix is where it is: what each radio said and contributed, and what would have helped most.
//!
//! It looks at one fix from outside, with the estimator's own model: expected signals from its radio
//! map, spreads and memory as it uses them. Weights and improvements are those of a Gaussian error
//! about the fix (`explain/information.rs`); how far the fix moves without a radio is computed by the
//! estimator itself.

use std::sync::Arc;

use nalgebra::{Matrix2, Point3, Vector3};
use site::{Band, RadioIndex, Site};

use crate::fix::{Fix, Sighting, Source};
use crate::limits::FIX_RADIOS_MAX;
use crate::locator::Locator;
use crate::model::Model;
use crate::track::Track;

pub(crate) mod access;
mod change;
pub(crate) mod information;
mod parts;
mod way;

use access::{Surroundings, Taken};
pub use change::{Change, ChangeKind, Spread};
use information::{RangeSource, RssiSource, Sources};
pub use parts::{Explanation, RadioPart, RangePart, Rejection, RssiPart};
pub use way::{WallLoss, Way};

/// How far about the fix the radio map's slope is looked at, in 50 % radii and in metres.
const REACH_RADII: f64 = 3.0;
const REACH_M: std::ops::RangeInclusive<f64> = 5.0..=15.0;

/// Places on a circle about the fix over which information is averaged.
const PLACES: usize = 8;

/// A range this many deviations off is a gross outlier: under the estimator's Student-t error it
/// counts less than a fifteenth of one that fits.
const OUTLIER_DEVIATIONS: f64 = 6.0;

/// A fix and all that went into it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The building.
    pub site: &'a Site,
    /// The model with which the fix was made.
    pub model: &'a Arc<Model>,
    /// What the fix was made of.
    pub sightings: &'a [Sighting],
    /// Readings that were held back for their age.
    pub older: &'a [Sighting],
    /// The client's track before the fix; [`Track::default`] for a client seen for the first time.
    pub track_before: &'a Track,
    /// The track after it.
    pub track: &'a Track,
    /// The fix.
    pub fix: &'a Fix,
    /// Its time, on the clock of the tracks, in seconds.
    pub at_s: f64,
}

impl Case<'_> {
    /// Explains the fix.
    ///
    /// Cost: a fix per radio and floor, and a pass over the floor's cells; a millisecond or so. Not
    /// for every fix.
    pub fn explain(&self) -> Explanation {
        let taken = access::radios_taken(self.model, self.sightings);
        let reach_m = (REACH_RADII * self.fix.r50_m).clamp(*REACH_M.start(), *REACH_M.end());
        let place = self.fix.position_in_site;
        let about = Surroundings::new(self.model, self.fix.floor, place.xy(), reach_m);
        let mut radios: Vec<RadioPart> = self
            .sightings
            .iter()
            .map(|sighting| self.part(sighting, about.as_ref(), self.rejection(sighting, &taken)))
            .chain(self.older.iter().map(|sighting| {
                let known = usize::from(sighting.radio.0) < self.model.radios_len();
                let why = if known {
                    Rejection::Old
                } else {
                    Rejection::UnknownRadio
                };
                self.part(sighting, about.as_ref(), Some(why))
            }))
            .collect();
        let memory = access::memory(self.track_before, self.at_s);
        let temper = memory.as_ref().map_or(1.0, |memory| memory.temper);
        let sources = about
            .as_ref()
            .map(|about| self.sources(about, &radios, &taken));
        let mut track_weight = 0.0;
        let mut changes = Vec::new();
        if let (Some(about), Some(sources)) = (&about, &sources) {
            let known = memory.map_or_else(Matrix2::zeros, |memory| memory.information);
            track_weight = share_out(&mut radios, sources, &known, temper);
            changes = change::changes(self, about, &radios, sources, temper);
        }
        self.leave_out(&mut radios);
        radios.sort_by(|a, b| {
            let by_rejection = a.rejected.is_some().cmp(&b.rejected.is_some());
            by_rejection.then(b.weight.total_cmp(&a.weight))
        });
        Explanation {
            radios,
            track_weight,
            floors: access::floor_probabilities(
                self.model,
                self.sightings,
                self.track_before,
                self.at_s,
            ),
            offsets_db: self.track.offsets_db(),
            changes,
        }
    }

    /// The client's learned offset in a band, in dB.
    fn offset_db(&self, band: Band) -> f64 {
        self.track
            .offsets_db()
            .map_or(0.0, |offsets| offsets[access::offset_number(band)].0)
    }

    fn rejection(&self, sighting: &Sighting, taken: &Taken) -> Option<Rejection> {
        if usize::from(sighting.radio.0) >= self.model.radios_len() {
            return Some(Rejection::UnknownRadio);
        }
        if !access::is_usable(self.model, sighting) {
            return Some(Rejection::Impossible);
        }
        let twins = self
            .sightings
            .iter()
            .filter(|other| other.radio == sighting.radio && access::is_usable(self.model, other));
        let youngest = twins.min_by(|a, b| a.age_s.total_cmp(&b.age_s));
        if youngest.is_some_and(|youngest| !std::ptr::eq(youngest, sighting)) {
            return Some(Rejection::Repeated);
        }
        let is_full = usize::from(taken.radios) >= FIX_RADIOS_MAX;
        let is_heard = sighting.rssi_dbm.is_some() && sighting.range.is_none();
        if is_full && is_heard && !taken.rssi.contains(&sighting.radio) {
            return Some(Rejection::Weak);
        }
        None
    }

    fn part(
        &self,
        sighting: &Sighting,
        about: Option<&Surroundings>,
        rejected: Option<Rejection>,
    ) -> RadioPart {
        let mut part = RadioPart {
            radio: sighting.radio,
            anchor: None,
            way: None,
            count: sighting.count,
            age_s: f64::from(sighting.age_s),
            rssi: None,
            range: None,
            weight: 0.0,
            moves_m: None,
            rejected,
        };
        let (Some(anchor), Some(band)) = (
            self.model.anchor_of(sighting.radio),
            self.model.band_of(sighting.radio),
        ) else {
            return part;
        };
        let anchor_in_site = self.site.anchors[usize::from(anchor)].position;
        let way = Way::new(self.site, anchor_in_site, self.fix.position_in_site, band);
        part.anchor = Some((usize::from(anchor), band));
        part.rssi = about.and_then(|about| self.rssi_part(sighting, about, band));
        part.range = about.and_then(|about| self.range_part(sighting, about, way.distance_m));
        part.way = Some(way);
        let outlier = part
            .range
            .is_some_and(|range| range.residual_m.abs() > OUTLIER_DEVIATIONS * range.deviation_m);
        if part.rejected.is_none() && outlier && part.rssi.is_none() {
            part.rejected = Some(Rejection::Outlier);
        }
        part
    }

    fn rssi_part(&self, sighting: &Sighting, about: &Surroundings, band: Band) -> Option<RssiPart> {
        let heard_dbm = f64::from(sighting.rssi_dbm?);
        let (count, age_s) = (sighting.count, sighting.age_s.max(0.0));
        let deviation_db = self.deviation_db(about, sighting.radio, count, age_s)?;
        let expected_dbm = about.expected_dbm(self.model, sighting.radio);
        let corrected_dbm = heard_dbm - self.offset_db(band);
        Some(RssiPart {
            heard_dbm,
            corrected_dbm,
            expected_dbm,
            residual_db: corrected_dbm - expected_dbm,
            deviation_db,
        })
    }

    /// What the estimator grants a signal strength at the fix, in dB.
    fn deviation_db(
        &self,
        about: &Surroundings,
        radio: RadioIndex,
        count: u16,
        age_s: f32,
    ) -> Option<f64> {
        let deviation_db = self.model.rssi_deviation_db(radio, count, age_s)?;
        Some(deviation_db * about.rssi_deviation_left(self.model))
    }

    fn range_part(
        &self,
        sighting: &Sighting,
        about: &Surroundings,
        expected_m: f64,
    ) -> Option<RangePart> {
        let measured = sighting.range?;
        let used = self.model.range_part(sighting)?;
        let surveyed_m = about.range_residual_m(self.model, sighting.radio);
        let corrected_m = used.corrected_m - surveyed_m / used.slope;
        Some(RangePart {
            measured,
            corrected_m,
            expected_m,
            residual_m: corrected_m - expected_m,
            deviation_m: used.deviation_m * about.range_deviation_left(self.model),
        })
    }

    /// What tells of the place, in the order of `radios`, those that count only.
    fn sources(&self, about: &Surroundings, radios: &[RadioPart], taken: &Taken) -> Sources {
        let used = || radios.iter().filter(|part| part.rejected.is_none());
        let rssi = used().filter_map(|part| {
            let deviation_db = part.rssi?.deviation_db;
            Some(self.rssi_source(about, part.radio, part.anchor?, deviation_db))
        });
        let ranges = used().filter_map(|part| {
            let anchor = &self.site.anchors[part.anchor?.0];
            Some(RangeSource {
                anchor_in_site: anchor.position,
                deviation_m: believed(part)?.deviation_m,
            })
        });
        Sources {
            rssi: rssi.collect(),
            ranges: ranges.collect(),
            offsets_db2: self.offsets_db2(),
            rssi_share: match self.fix.source {
                Source::Grid => taken.rssi_share,
                // The continuous solver looks at ranges alone.
                Source::Range => 0.0,
            },
            places: self.places(),
        }
    }

    fn rssi_source(
        &self,
        about: &Surroundings,
        radio: RadioIndex,
        (anchor, band): (usize, Band),
        deviation_db: f64,
    ) -> RssiSource {
        RssiSource {
            anchor: anchor as u16,
            anchor_in_site: self.site.anchors[anchor].position,
            offset: access::offset_number(band),
            exponent: about.exponent(self.model, radio),
            deviation_db,
        }
    }

    /// The fix and a circle of its 50 % radius about it.
    fn places(&self) -> Vec<Point3<f64>> {
        let place = self.fix.position_in_site;
        let on_circle = (0..PLACES).map(|step| {
            let angle = std::f64::consts::TAU * step as f64 / PLACES as f64;
            let away = Vector3::new(angle.cos(), angle.sin(), 0.0) * self.fix.r50_m;
            place + away
        });
        std::iter::once(place).chain(on_circle).collect()
    }

    /// What was known of the client's offsets before the fix, as a covariance in dB^2.
    fn offsets_db2(&self) -> Matrix2<f64> {
        let mut known = self.model.population_offsets_db2();
        if let Some([(_, low), (_, high)]) = self.track_before.offsets_db() {
            let correlation = known.m12 / (known.m11 * known.m22).sqrt();
            known = Matrix2::new(
                low * low,
                correlation * low * high,
                correlation * low * high,
                high * high,
            );
        }
        known
    }

    /// Makes the fix again without each of its readings.
    fn leave_out(&self, radios: &mut [RadioPart]) {
        let mut locator = Locator::new(self.model.clone());
        let mut locate = |left_out: Option<RadioIndex>| {
            let kept = self.sightings.iter().copied();
            let kept: Vec<Sighting> = kept.filter(|s| Some(s.radio) != left_out).collect();
            let mut track = *self.track_before;
            let fix = locator.locate(&kept, &mut track, self.at_s)?;
            Some(fix.position_in_site.xy())
        };
        let Some(with_all) = locate(None) else { return };
        for part in radios.iter_mut().filter(|part| part.rejected.is_none()) {
            part.moves_m = locate(Some(part.radio)).map(|place| (place - with_all).norm());
        }
    }
}

/// The range of a part, unless it is a gross outlier.
fn believed(part: &RadioPart) -> Option<RangePart> {
    part.range
        .filter(|range| range.residual_m.abs() <= OUTLIER_DEVIATIONS * range.deviation_m)
}

/// Sets the weights: what each reading adds to the information of all others, as a share of all
/// there is. Returns the track's share.
fn share_out(
    radios: &mut [RadioPart],
    sources: &Sources,
    known: &Matrix2<f64>,
    temper: f64,
) -> f64 {
    let total = known + sources.information() * temper;
    let Some(covariance_m2) = total.try_inverse() else {
        return 0.0;
    };
    let worth = |information: Matrix2<f64>| (covariance_m2 * information).trace().max(0.0) / 2.0;
    let (mut rssi, mut ranges) = (0.., sources.ranges.iter());
    for part in radios.iter_mut().filter(|part| part.rejected.is_none()) {
        if part.rssi.is_some()
            && let Some(number) = rssi.next()
        {
            part.weight += worth(sources.of_one_rssi(number) * temper);
        }
        if believed(part).is_some()
            && let Some(range) = ranges.next()
        {
            part.weight += worth(sources.of_range(range) * temper);
        }
    }
    let track_weight = worth(*known).min(1.0);
    let sum: f64 = radios.iter().map(|part| part.weight).sum();
    if sum > 0.0 {
        for part in radios {
            part.weight *= (1.0 - track_weight) / sum;
        }
    }
    track_weight
}

#[cfg(test)]
mod tests;
