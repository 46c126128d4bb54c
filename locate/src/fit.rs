//! From a survey to a calibration: what each radio really hears and measures at known places.
//!
//! Every radio gets two numbers for its signal strength and two for its ranges. A radio that was
//! heard at few places leans on what its band does in the whole site: a ridge, so that a survey of
//! a handful of places already helps and never harms.

use std::borrow::Cow;

use nalgebra::Point3;
use site::{Calibration, RadioModel, Site};

use crate::fix::Sighting;
use crate::limits::RANGE_MAX_M;

mod held_back;
mod kernel;
mod line;
mod places;
mod ranges;
mod rssi;
mod shadow;

/// Readings at a known place at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct SurveyEpoch {
    /// Where the client was: the height is that of the client, not of the floor.
    pub position_in_site: Point3<f64>,
    /// Which client, by any number: readings of one client share its transmit offset.
    pub client: u32,
    /// What was heard.
    pub sightings: Vec<Sighting>,
}

/// Readings at known places.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// In any order.
    pub epochs: Vec<SurveyEpoch>,
}

/// Which clients will be located with the calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Population {
    /// Any: their transmit offsets spread as those of unknown devices do.
    #[default]
    Unknown,
    /// Those of the survey, or devices like them: their spread is learned.
    Surveyed,
}

/// Fits what a survey tells of every radio that it heard, and keeps what helps where it did not
/// hear.
///
/// Two constants per radio for signal strength, two for ranges, the spread of the clients' offsets,
/// the residuals at the surveyed places, and factors on the stated radii. Radios that were not heard
/// stay without constants and keep following the physics of the site file. Readings that cannot be,
/// and epochs whose place is no number or over 100 km away, are passed over. Cost: seconds for a
/// thousand places and fifty radios.
///
/// # Source
/// Ridge regression (Hoerl and Kennard, Technometrics 12 (1970)) of each radio towards its band,
/// with prior standard deviations of 8 dB and 0.7 for level and exponent, which served best on 18
/// real sets.
pub fn fit(site: &Site, survey: &Survey, population: Population) -> Calibration {
    let survey = &*placed(survey);
    held_back::choose(site, survey, population, learn(site, survey, population))
}

/// The survey without epochs whose place is no number or beyond any site.
fn placed(survey: &Survey) -> Cow<'_, Survey> {
    let is_placed = |epoch: &&SurveyEpoch| {
        let place = epoch.position_in_site;
        place.iter().all(|value| value.abs() <= RANGE_MAX_M)
    };
    if survey.epochs.iter().all(|epoch| is_placed(&epoch)) {
        return Cow::Borrowed(survey);
    }
    let epochs = survey.epochs.iter().filter(is_placed);
    Cow::Owned(Survey {
        epochs: epochs.cloned().collect(),
    })
}

/// Everything that a survey tells, unchecked.
fn learn(site: &Site, survey: &Survey, population: Population) -> Calibration {
    let levels = rssi::fit(site, survey);
    let ranges = ranges::fit(site, survey);
    let radios =
        site.radios()
            .zip(levels.radios.iter().zip(ranges))
            .map(|((_, radio), (level, range))| {
                if level.is_none() && range.is_none() {
                    return None;
                }
                let path_loss = level.unwrap_or_else(|| {
                    crate::path_loss::PathLoss::unlearned(site, radio.band, radio.freq_mhz)
                });
                Some(RadioModel {
                    rssi_at_1m_dbm: path_loss.rssi_at_1m_dbm,
                    exponent: path_loss.exponent,
                    deviation_db: path_loss.deviation_db,
                    range,
                })
            });
    let constants = Calibration {
        radios: radios.collect(),
        client_offset_deviation_db: match population {
            Population::Unknown => None,
            Population::Surveyed => Some(levels.client_offset_deviation_db),
        },
        ..Calibration::default()
    };
    Calibration {
        shadow: shadow::learn(site, survey, &constants, &levels.offsets_db),
        ..constants
    }
}

#[cfg(test)]
mod tests;
