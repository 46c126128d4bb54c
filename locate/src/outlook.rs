//! How good fixes are now, and what the loss of an anchor would cost, without any surveyed truth.
//!
//! Two looks from outside, both with the estimator itself: [`check_anchors`] locates anchors, whose
//! places are known, by what other anchors hear of them; [`LeaveOut`] locates clients with and
//! without each anchor that heard them.

use std::sync::Arc;

use site::{RadioIndex, Site};

use crate::fix::{RangeReading, Sighting};
use crate::locator::Locator;
use crate::model::Model;
use crate::track::Track;

mod leave_out;

pub use leave_out::{AnchorCost, Honesty, LeaveOut, Outlook};

/// Fewest other anchors that must hear an anchor for it to be located.
const HEARD_BY_MIN: usize = 3;

/// Transmit power of the nominal client with which the radio map reckons, in dBm.
const NOMINAL_POWER_DBM: f64 = 15.0;

/// What one radio hears of one radio of another anchor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnchorLink {
    /// The radio that hears.
    pub receiver: RadioIndex,
    /// The radio that sends.
    pub transmitter: RadioIndex,
    /// Mean signal strength in dBm; `None` where there are only ranges.
    pub mean_dbm: Option<f32>,
    /// Readings in the mean.
    pub count: u16,
    /// The last distance measured between them, if any.
    pub range: Option<RangeReading>,
}

/// What locating the anchors came to.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorCheck {
    /// Links between radios of different anchors that were looked at.
    pub links: usize,
    /// Each anchor that enough others hear, in the site's order.
    pub anchors: Vec<AnchorError>,
    /// Median of their errors in metres; `None` without any.
    pub median_m: Option<f64>,
    /// What nine of ten do not exceed, in metres.
    pub p90_m: Option<f64>,
    /// How well the radio map expects what anchors hear of each other; `None` without links.
    pub residuals: Option<LinkResiduals>,
}

/// One anchor, located as if it were a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnchorError {
    /// Index in [`Site::anchors`].
    pub anchor: usize,
    /// Other anchors that hear it.
    pub heard_by: usize,
    /// Distance in the plan between the fix and the surveyed place, in metres.
    pub error_m: f64,
    /// Whether the fix is on the anchor's floor.
    pub floor_is_right: bool,
    /// Radius that should hold the truth in half of the cases, in metres.
    pub r50_m: f64,
    /// Radius that should hold it in nine of ten, in metres.
    pub r90_m: f64,
}

/// Heard minus expected on links between anchors, each sender's own level taken off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkResiduals {
    /// Links compared.
    pub links: usize,
    /// Root of their mean square, in dB.
    pub rms_db: f64,
    /// What the model grants such a reading, in dB: `rms_db` should be about that.
    pub expected_db: f64,
}

/// Locates each anchor by what at least three other anchors hear of its beacons, and compares with
/// where it is.
///
/// Its transmit power is taken to the nominal client's by the site file; what remains unknown is
/// integrated out as for any client. An anchor differs from a client: it hangs under the ceiling,
/// the radio map speaks of carrying height, which matters below two or three metres of distance; it
/// does not move, so that its signal is a mean over minutes with less fading; it sits where anchors
/// sit, at walls and often outside the area where clients may be. The figure is an estimate of the
/// present error, good for seeing a change; a survey's figure is the truth.
///
/// Cost: a fix per anchor.
pub fn check_anchors(model: &Arc<Model>, site: &Site, links: &[AnchorLink]) -> AnchorCheck {
    let mut locator = Locator::new(model.clone());
    let radios: Vec<(usize, f64)> = site
        .anchors
        .iter()
        .enumerate()
        .flat_map(|(anchor, a)| a.radios.iter().map(move |r| (anchor, r.tx_power_dbm)))
        .collect();
    let known = |radio: RadioIndex| radios.get(usize::from(radio.0)).copied();
    let mut residuals = Residuals::default();
    let mut anchors = Vec::new();
    for (number, anchor) in site.anchors.iter().enumerate() {
        let mut sightings = Vec::new();
        let mut hearing = Vec::new();
        for link in links {
            let (Some((sender, power_dbm)), Some((hearer, _))) =
                (known(link.transmitter), known(link.receiver))
            else {
                continue;
            };
            if sender != number || hearer == number {
                continue;
            }
            if !hearing.contains(&hearer) {
                hearing.push(hearer);
            }
            let above_nominal_db = (power_dbm - NOMINAL_POWER_DBM) as f32;
            sightings.push(Sighting {
                radio: link.receiver,
                rssi_dbm: link.mean_dbm.map(|dbm| dbm - above_nominal_db),
                count: link.count.max(1),
                age_s: 0.0,
                range: link.range,
            });
        }
        residuals.add(model, anchor, &sightings);
        if hearing.len() < HEARD_BY_MIN {
            continue;
        }
        if let Some(fix) = locator.locate(&sightings, &mut Track::default(), 0.0) {
            anchors.push(AnchorError {
                anchor: number,
                heard_by: hearing.len(),
                error_m: (fix.position_in_site.xy() - anchor.position.xy()).norm(),
                floor_is_right: fix.floor == anchor.floor,
                r50_m: fix.r50_m,
                r90_m: fix.r90_m,
            });
        }
    }
    let mut errors_m: Vec<f64> = anchors.iter().map(|anchor| anchor.error_m).collect();
    AnchorCheck {
        links: links.len(),
        median_m: quantile(&mut errors_m, 0.5),
        p90_m: quantile(&mut errors_m, 0.9),
        residuals: residuals.result(),
        anchors,
    }
}

#[derive(Default)]
struct Residuals {
    links: usize,
    /// Links minus the levels taken off.
    degrees: usize,
    squares_db2: f64,
    granted_db2: f64,
}

impl Residuals {
    fn add(&mut self, model: &Model, anchor: &site::Anchor, sightings: &[Sighting]) {
        for band in [0, 1] {
            let of_band = sightings.iter().filter_map(|sighting| {
                let number = crate::explain::access::offset_number(model.band_of(sighting.radio)?);
                let radio = sighting.radio;
                let granted_db = model.rssi_deviation_db(radio, sighting.count, 0.0)?;
                let expected_dbm = model.expected_dbm(radio, anchor.floor, anchor.position.xy())?;
                let residual_db = f64::from(sighting.rssi_dbm?) - expected_dbm;
                (number == band).then_some((residual_db, granted_db))
            });
            let of_band: Vec<(f64, f64)> = of_band.collect();
            if of_band.len() < 2 {
                continue;
            }
            let count = of_band.len() as f64;
            let level_db = of_band.iter().map(|(db, _)| db).sum::<f64>() / count;
            let squares = of_band.iter().map(|(db, _)| (db - level_db).powi(2));
            self.squares_db2 += squares.sum::<f64>();
            self.granted_db2 += of_band.iter().map(|(_, db)| db * db).sum::<f64>();
            self.links += of_band.len();
            self.degrees += of_band.len() - 1;
        }
    }

    fn result(&self) -> Option<LinkResiduals> {
        (self.degrees > 0).then(|| LinkResiduals {
            links: self.links,
            rms_db: (self.squares_db2 / self.degrees as f64).sqrt(),
            expected_db: (self.granted_db2 / self.links as f64).sqrt(),
        })
    }
}

/// The value below which this share of the values lies, by the nearest rank; sorts them.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests;
