//! What would have made a fix better: candidates, each by itself, with the error expected then.
//!
//! The fix's own covariance says what was known; a change adds the difference of two Fisher
//! informations to it, with and without the change. It is an expectation about the fix's place: a
//! wrong fix has wrong expectations.

use nalgebra::Matrix2;

use super::access::Surroundings;
use super::information::{RangeSource, Sources};
use super::{Case, RadioPart};
use crate::uncertainty::radii_m;

/// Readings older than this could be fresher, in seconds.
const STALE_S: f64 = 1.0;

/// Weakest signal of a nominal client that a radio still decodes, in dBm, that of the receivers in
/// most access points.
const SENSITIVITY_DBM: f64 = -90.0;

/// Residual deviation of calibrated sites: what surveys of 19 real sets left, in dB.
const CALIBRATED_DEVIATION_DB: f64 = 5.0;

/// A change of the 50 % radius smaller than this is none, in metres.
const GAIN_MIN_M: f64 = 0.005;

/// Something that might have been otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// What.
    pub kind: ChangeKind,
    /// Expected error as the fix states it.
    pub before: Spread,
    /// Expected error with the change.
    pub after: Spread,
}

/// An expected error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Radius that holds the truth in half of the cases, in metres.
    pub r50_m: f64,
    /// Root of the mean square error in the plan, in metres.
    pub rmse_m: f64,
}

/// What might have been otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// One more packet heard by every radio: less fading.
    MorePackets,
    /// A fresh reading of every radio whose reading is older than a second; so many are.
    FreshReadings(usize),
    /// The anchor with this index, which did not hear the client, hears it.
    AnchorHears(usize),
    /// The client's transmit power is known.
    KnownPower,
    /// A survey of the site, where the model expects more scatter than surveyed sites have.
    Survey,
    /// A range to the anchor with this index, the nearest one without.
    Range(usize),
}

/// The changes that help, the most helpful first.
pub(super) fn changes(
    case: &Case<'_>,
    about: &Surroundings,
    radios: &[RadioPart],
    sources: &Sources,
    temper: f64,
) -> Vec<Change> {
    let Some(known) = case.fix.covariance_m2.try_inverse() else {
        return Vec::new();
    };
    // The stated radius may be wider than the covariance's: what surveys taught about it.
    let stated = case.fix.r50_m / radii_m(&case.fix.covariance_m2).0.max(f64::MIN_POSITIVE);
    let spread = |covariance_m2: &Matrix2<f64>| Spread {
        r50_m: radii_m(covariance_m2).0 * stated,
        rmse_m: covariance_m2.trace().max(0.0).sqrt(),
    };
    let before = spread(&case.fix.covariance_m2);
    let told = sources.information();
    let asker = Asker {
        case,
        about,
        radios,
        sources,
    };
    let mut changes: Vec<Change> = asker
        .candidates()
        .into_iter()
        .filter_map(|(kind, changed)| {
            let gained = (changed.information() - told) * temper;
            let after = spread(&(known + gained).try_inverse()?);
            Some(Change {
                kind,
                before,
                after,
            })
        })
        .filter(|change| change.before.r50_m - change.after.r50_m > GAIN_MIN_M)
        .collect();
    changes.sort_by(|a, b| a.after.r50_m.total_cmp(&b.after.r50_m));
    let mut hearing = 0;
    // Of all anchors that might have heard the client the best three are enough.
    changes.retain(|change| match change.kind {
        ChangeKind::AnchorHears(_) => {
            hearing += 1;
            hearing <= 3
        }
        _ => true,
    });
    changes
}

struct Asker<'a> {
    case: &'a Case<'a>,
    about: &'a Surroundings,
    radios: &'a [RadioPart],
    sources: &'a Sources,
}

impl Asker<'_> {
    fn candidates(&self) -> Vec<(ChangeKind, Sources)> {
        let mut all = vec![
            (
                ChangeKind::MorePackets,
                self.with_deviations(|part| (part.count + 1, part.age_s)),
            ),
            (
                ChangeKind::KnownPower,
                Sources {
                    offsets_db2: Matrix2::zeros(),
                    ..self.sources.clone()
                },
            ),
        ];
        if !self.case.model.is_surveyed() {
            all.push((ChangeKind::Survey, self.surveyed()));
        }
        let is_stale = |part: &&RadioPart| part.rejected.is_none() && part.age_s > STALE_S;
        let stale = self.radios.iter().filter(is_stale).count();
        if stale > 0 {
            let fresh = self.with_deviations(|part| {
                let age_s = if is_stale(&part) { 0.0 } else { part.age_s };
                (part.count, age_s)
            });
            all.push((ChangeKind::FreshReadings(stale), fresh));
        }
        for anchor in 0..self.case.site.anchors.len() {
            if let Some(heard) = self.heard_by(anchor) {
                all.push((ChangeKind::AnchorHears(anchor), heard));
            }
        }
        all.extend(self.ranged());
        all
    }

    /// The same signals with other counts and ages.
    fn with_deviations(&self, change: impl Fn(&RadioPart) -> (u16, f64)) -> Sources {
        let mut changed = self.sources.clone();
        let used = self.radios.iter().filter(|part| part.rejected.is_none());
        let heard = used.filter(|part| part.rssi.is_some());
        for (source, part) in changed.rssi.iter_mut().zip(heard) {
            let (count, age_s) = change(part);
            let changed_db = self
                .case
                .deviation_db(self.about, part.radio, count, age_s as f32);
            if let Some(db) = changed_db {
                source.deviation_db = db;
            }
        }
        changed
    }

    /// The same signals where one of them scatters no more than on surveyed sites.
    fn surveyed(&self) -> Sources {
        let mut changed = self.sources.clone();
        let used = self.radios.iter().filter(|part| part.rejected.is_none());
        let heard = used.filter(|part| part.rssi.is_some());
        for (source, part) in changed.rssi.iter_mut().zip(heard) {
            let of_one_db = self.case.model.rssi_deviation_db(part.radio, 1, 0.0);
            let excess_db2 = of_one_db.unwrap_or(0.0).powi(2) - CALIBRATED_DEVIATION_DB.powi(2);
            let deviation_db2 = source.deviation_db.powi(2) - excess_db2.max(0.0);
            source.deviation_db = deviation_db2.max(1.0).sqrt();
        }
        changed
    }

    /// As if a silent anchor of the fix's floor had heard the client once on all its bands.
    fn heard_by(&self, anchor: usize) -> Option<Sources> {
        let silent = &self.case.site.anchors[anchor];
        let heard = |part: &RadioPart| part.anchor.is_some_and(|(known, _)| known == anchor);
        if silent.floor != self.case.fix.floor || self.radios.iter().any(heard) {
            return None;
        }
        let mut changed = self.sources.clone();
        let before = changed.rssi.len();
        for radio in &silent.radios {
            let heard_dbm = self.about.expected_dbm(self.case.model, radio.index)
                + self.case.offset_db(radio.band);
            let deviation_db = self.case.deviation_db(self.about, radio.index, 1, 0.0);
            if let Some(deviation_db) = deviation_db.filter(|_| heard_dbm >= SENSITIVITY_DBM) {
                let whose = (anchor, radio.band);
                let source = self
                    .case
                    .rssi_source(self.about, radio.index, whose, deviation_db);
                changed.rssi.push(source);
            }
        }
        (changed.rssi.len() > before).then_some(changed)
    }

    /// As if the nearest anchor of the floor without a range had given one.
    fn ranged(&self) -> Option<(ChangeKind, Sources)> {
        let ranged = |anchor: usize| {
            self.radios.iter().any(|part| {
                part.range.is_some() && part.anchor.is_some_and(|(known, _)| known == anchor)
            })
        };
        let place = self.case.fix.position_in_site;
        let anchors = self.case.site.anchors.iter().enumerate();
        let (number, nearest) = anchors
            .filter(|(number, anchor)| anchor.floor == self.case.fix.floor && !ranged(*number))
            .min_by(|(_, a), (_, b)| {
                let away = |anchor: &site::Anchor| (anchor.position - place).norm();
                away(a).total_cmp(&away(b))
            })?;
        let radio = nearest.radios.first()?.index;
        let deviation_m = self.case.model.range_deviation_m(radio)?;
        let mut changed = self.sources.clone();
        changed.ranges.push(RangeSource {
            anchor_in_site: nearest.position,
            deviation_m: deviation_m * self.about.range_deviation_left(self.case.model),
        });
        Some((ChangeKind::Range(number), changed))
    }
}
