//! From what was heard to a calibration that is worth keeping, or the reason why there is none.

use locate::fit::{Population, Survey, fit};
use locate::self_calibration::{Beacon, Traffic, Verdict, self_calibrate};
use site::{Calibration, Site};

use super::cancel::{Cancel, Cancelled};
use super::held_back::{self, HeldBack, PLACES_MIN, Placed};
use super::origin::Origin;
use crate::body::time::{now_us, rfc3339};

/// What came of learning.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// What to use from now on; `None` where no calibration serves better.
    pub calibration: Option<Calibration>,
    /// Where it comes from, with the figures of the check.
    pub origin: Origin,
    /// What was decided and why, in a sentence.
    pub told: String,
}

/// Fits a survey, and checks it at places held back.
///
/// # Errors
/// [`Cancelled`] when it was called off.
pub fn by_survey(site: &Site, survey: &[Placed], cancel: &Cancel) -> Result<Learned, Cancelled> {
    let learn = |part: &Survey| fit(site, part, Population::Unknown);
    let made = rfc3339(now_us());
    let Some(held_back) = held_back::check(site, survey, learn, cancel)? else {
        let places = held_back::places(survey);
        return Ok(Learned {
            calibration: None,
            origin: Origin::none(),
            told: if places < PLACES_MIN {
                format!(
                    "not kept: {places} places are too few to check; \
                     take points at {PLACES_MIN} or more places, 2 m apart or more"
                )
            } else {
                "not kept: the survey has no place that can be located".to_owned()
            },
        });
    };
    let kept = held_back.improves();
    let whole = Survey {
        epochs: survey.iter().map(|placed| placed.epoch.clone()).collect(),
    };
    Ok(Learned {
        calibration: kept.then(|| learn(&whole)),
        origin: Origin::survey(made, survey.len(), held_back),
        told: format!("{}: {}", verdict(kept), in_metres(&held_back)),
    })
}

/// Learns from anchors that hear each other and from clients; where a survey is at hand, its places
/// must not be located worse.
///
/// # Errors
/// [`Cancelled`] when it was called off.
pub fn by_self(
    site: &Site,
    beacons: &[Beacon],
    traffic: &[Traffic],
    survey: &[Placed],
    cancel: &Cancel,
) -> Result<Learned, Cancelled> {
    cancel.check()?;
    let told = self_calibrate(site, beacons, traffic);
    cancel.check()?;
    let heard = format!(
        "{} pairs of anchors that hear each other, {} windows of clients",
        told.pairs, told.windows
    );
    let made = rfc3339(now_us());
    let checked = told
        .calibration
        .as_ref()
        .filter(|_| held_back::places(survey) >= PLACES_MIN)
        .and_then(|calibration| held_back::compare(site, survey, calibration));
    let origin = Origin::self_made(made, &told, checked);
    if told.verdict != Verdict::Kept {
        return Ok(Learned {
            calibration: None,
            origin,
            told: format!("not kept: {} ({heard})", told.verdict),
        });
    }
    if let Some(checked) = checked.filter(HeldBack::harms) {
        return Ok(Learned {
            calibration: None,
            origin,
            told: format!(
                "not kept: the surveyed places say no: {}",
                in_metres(&checked)
            ),
        });
    }
    let checked = checked.map_or_else(String::new, |checked| format!("; {}", in_metres(&checked)));
    Ok(Learned {
        calibration: told.calibration,
        origin,
        told: format!("kept: {} ({heard}){checked}", told.verdict),
    })
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "not kept" }
}

/// What the check at held-back places says.
fn in_metres(check: &HeldBack) -> String {
    let HeldBack {
        places,
        before,
        after,
        ..
    } = check;
    format!(
        "at {places} held-back places the RMSE is {:.2} m instead of {:.2} m, \
         the median {:.2} m instead of {:.2} m",
        after.rmse_m, before.rmse_m, after.median_m, before.median_m
    )
}
