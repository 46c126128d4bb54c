//! Clients located with and without each anchor that heard them.

use std::sync::Arc;

use nalgebra::Vector2;
use site::{RadioIndex, Site};

use super::quantile;
use crate::explain::access::{self, Surroundings};
use crate::explain::information::RssiSource;
use crate::fix::{Fix, Sighting};
use crate::locator::Locator;
use crate::model::Model;
use crate::track::Track;

/// How far a standard normal variable lies from 0 in half and in nine of ten cases, at most.
const NORMAL_50: f64 = 0.674_49;
const NORMAL_90: f64 = 1.644_85;

/// How far about a fix the radio map's slope is looked at, in metres.
const REACH_M: f64 = 6.0;

/// Takes clients one by one and tells what each anchor is worth to them.
///
/// Every fix here is made of one window alone, without the client's track: what an anchor told
/// earlier would still be in it.
#[derive(Debug)]
pub struct LeaveOut<'a> {
    site: &'a Site,
    model: Arc<Model>,
    locator: Locator,
    clients: usize,
    anchors: Vec<Tally>,
}

#[derive(Debug, Default, Clone)]
struct Tally {
    clients: usize,
    without_fix: usize,
    shifts_m: Vec<f64>,
    r50_ratios: Vec<f64>,
    honesty: Honesty,
}

/// What leaving anchors out came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// Clients that had a fix with all anchors.
    pub clients: usize,
    /// Each anchor that heard any of them, in the site's order.
    pub anchors: Vec<AnchorCost>,
    /// All readings of left-out anchors together.
    pub honesty: Honesty,
}

/// What the loss of one anchor would cost those clients that it hears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnchorCost {
    /// Index in [`Site::anchors`].
    pub anchor: usize,
    /// Clients that it hears.
    pub clients: usize,
    /// Of these, clients that have no fix without it.
    pub without_fix: usize,
    /// Median distance in the plan by which their fixes move, in metres; `None` where none is left.
    pub shift_median_m: Option<f64>,
    /// Median factor by which the stated 50 % radius grows; `None` where none is left.
    pub r50_ratio_median: Option<f64>,
    /// Factor that one in ten exceeds: those who depend on this anchor.
    pub r50_ratio_p90: Option<f64>,
    /// Its readings against what the others let expect.
    pub honesty: Honesty,
}

/// How often a left-out anchor's reading lies where the fix without it says it should.
///
/// An honest model has half of them within the 50 % interval and nine of ten within that of 90 %.
/// Readings too weak to be heard are missing from the count, so that a few more fit than should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Honesty {
    /// Readings compared.
    pub readings: usize,
    /// Within the predicted 50 % interval.
    pub within_50: usize,
    /// Within the predicted 90 % interval.
    pub within_90: usize,
}

impl<'a> LeaveOut<'a> {
    /// Nobody yet.
    pub fn new(model: Arc<Model>, site: &'a Site) -> Self {
        Self {
            site,
            locator: Locator::new(model.clone()),
            model,
            clients: 0,
            anchors: vec![Tally::default(); site.anchors.len()],
        }
    }

    /// Takes a client's window. Cost: a fix per anchor that heard it.
    pub fn add(&mut self, sightings: &[Sighting]) {
        let Some((with_all, _)) = self.locate(sightings) else {
            return;
        };
        self.clients += 1;
        for number in 0..self.anchors.len() {
            let is_its = |sighting: &&Sighting| {
                self.model.anchor_of(sighting.radio) == Some(number as u16)
                    && access::is_usable(&self.model, sighting)
            };
            let its: Vec<Sighting> = sightings.iter().filter(is_its).copied().collect();
            if its.is_empty() {
                continue;
            }
            let others = sightings
                .iter()
                .filter(|s| self.model.anchor_of(s.radio) != Some(number as u16));
            let others: Vec<Sighting> = others.copied().collect();
            self.anchors[number].clients += 1;
            let Some((without, track)) = self.locate(&others) else {
                self.anchors[number].without_fix += 1;
                continue;
            };
            let shift = without.position_in_site.xy() - with_all.position_in_site.xy();
            let honesty = self.compare(number, &its, &without, &track);
            let tally = &mut self.anchors[number];
            tally.shifts_m.push(shift.norm());
            tally
                .r50_ratios
                .push(without.r50_m / with_all.r50_m.max(f64::MIN_POSITIVE));
            tally.honesty.add(&honesty);
        }
    }

    /// What was found so far.
    pub fn outlook(&self) -> Outlook {
        let mut honesty = Honesty::default();
        let anchors = self.anchors.iter().cloned().enumerate();
        let anchors = anchors.filter(|(_, tally)| tally.clients > 0);
        let anchors = anchors.map(|(anchor, mut tally)| {
            honesty.add(&tally.honesty);
            AnchorCost {
                anchor,
                clients: tally.clients,
                without_fix: tally.without_fix,
                shift_median_m: quantile(&mut tally.shifts_m, 0.5),
                r50_ratio_median: quantile(&mut tally.r50_ratios, 0.5),
                r50_ratio_p90: quantile(&mut tally.r50_ratios, 0.9),
                honesty: tally.honesty,
            }
        });
        Outlook {
            clients: self.clients,
            anchors: anchors.collect(),
            honesty,
        }
    }

    fn locate(&mut self, sightings: &[Sighting]) -> Option<(Fix, Track)> {
        let mut track = Track::default();
        let fix = self.locator.locate(sightings, &mut track, 0.0)?;
        Some((fix, track))
    }

    /// Compares a left-out anchor's signal strengths with what the fix without it predicts.
    ///
    /// The prediction is Gaussian: expectation at the fix plus the client's offset; variance of the
    /// reading, of the offset, and of the place, by the slope of the signal there.
    fn compare(&self, anchor: usize, its: &[Sighting], fix: &Fix, track: &Track) -> Honesty {
        let place = fix.position_in_site;
        let mut honesty = Honesty::default();
        let about = Surroundings::new(&self.model, fix.floor, place.xy(), REACH_M);
        let (Some(about), Some(offsets_db)) = (about, track.offsets_db()) else {
            return honesty;
        };
        for sighting in its {
            let Some(reading) = self.predicted(anchor, sighting) else {
                continue;
            };
            let (offset_db, offset_deviation_db) = offsets_db[reading.offset];
            let expected_dbm = about.expected_dbm(&self.model, sighting.radio) + offset_db;
            let source = RssiSource {
                exponent: about.exponent(&self.model, sighting.radio),
                ..reading
            };
            let slope: Vector2<f64> = source.slope_db_per_m(place);
            let deviation_db = source.deviation_db * about.rssi_deviation_left(&self.model);
            let variance_db2 = deviation_db.powi(2)
                + offset_deviation_db.powi(2)
                + slope.dot(&(fix.covariance_m2 * slope));
            let heard_dbm = sighting.rssi_dbm.map_or(f64::NAN, f64::from);
            honesty.count((heard_dbm - expected_dbm) / variance_db2.sqrt());
        }
        honesty
    }

    fn predicted(&self, anchor: usize, sighting: &Sighting) -> Option<RssiSource> {
        sighting.rssi_dbm?;
        let radio: RadioIndex = sighting.radio;
        Some(RssiSource {
            anchor: anchor as u16,
            anchor_in_site: self.site.anchors[anchor].position,
            offset: access::offset_number(self.model.band_of(radio)?),
            exponent: 0.0,
            deviation_db: self
                .model
                .rssi_deviation_db(radio, sighting.count, sighting.age_s)?,
        })
    }
}

impl Honesty {
    fn count(&mut self, deviations: f64) {
        self.readings += 1;
        self.within_50 += usize::from(deviations.abs() <= NORMAL_50);
        self.within_90 += usize::from(deviations.abs() <= NORMAL_90);
    }

    fn add(&mut self, more: &Self) {
        self.readings += more.readings;
        self.within_50 += more.within_50;
        self.within_90 += more.within_90;
    }
}
