//! What of a set's readings is used.

use std::fmt::{self, Display, Formatter};

use agent::source::replay::dataset::{Dataset, Reading};
use anyhow::bail;
use serde::Serialize;

use super::Job;
use crate::cli::ModeChoice;

/// What is used to locate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Signal strength only.
    Rssi,
    /// Ranges only.
    Range,
    /// Signal strength and ranges.
    Both,
}

impl Mode {
    /// The modes that a set has readings for; the last is all that it has.
    fn of(set: &Dataset) -> Vec<Self> {
        let has_rssi = set
            .readings
            .iter()
            .any(|reading| reading.rssi_dbm.is_some());
        let has_range = set.readings.iter().any(|reading| reading.range_m.is_some());
        match (has_rssi, has_range) {
            (true, true) => vec![Self::Rssi, Self::Range, Self::Both],
            (true, false) => vec![Self::Rssi],
            (false, true) => vec![Self::Range],
            (false, false) => Vec::new(),
        }
    }

    /// As rows spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rssi => "rssi",
            Self::Range => "range",
            Self::Both => "both",
        }
    }

    /// The set as if its radios told nothing else.
    pub(super) fn part_of(self, set: &Dataset) -> Dataset {
        let kept = |reading: &Reading| Reading {
            rssi_dbm: reading.rssi_dbm.filter(|_| self != Self::Range),
            range_m: reading.range_m.filter(|_| self != Self::Rssi),
            range_std_m: reading.range_std_m.filter(|_| self != Self::Rssi),
            ..*reading
        };
        let tells = |reading: &Reading| reading.rssi_dbm.is_some() || reading.range_m.is_some();
        Dataset {
            name: set.name.clone(),
            anchors: set.anchors.clone(),
            epochs: set.epochs.clone(),
            readings: set.readings.iter().map(kept).filter(tells).collect(),
        }
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Sets with their modes; those that have not what is asked for are passed over with a warning.
pub(super) fn jobs(sets: &[Dataset], choice: Option<ModeChoice>) -> anyhow::Result<Vec<Job<'_>>> {
    let mut jobs = Vec::new();
    for set in sets {
        let has = Mode::of(set);
        let wanted: Vec<Mode> = match choice {
            None => has.clone(),
            Some(ModeChoice::Auto) => has.last().copied().into_iter().collect(),
            Some(ModeChoice::Rssi) => only(Mode::Rssi, &has),
            Some(ModeChoice::Range) => only(Mode::Range, &has),
            Some(ModeChoice::Both) => only(Mode::Both, &has),
        };
        if wanted.is_empty() {
            let what = missing(set, &has);
            if sets.len() == 1 {
                bail!(what);
            }
            tracing::warn!("{what}; passed over");
        }
        jobs.extend(wanted.into_iter().map(|mode| (set, mode)));
    }
    if jobs.is_empty() {
        bail!("none of the sets has what --mode asks for; leave it out to score what they have");
    }
    Ok(jobs)
}

fn only(mode: Mode, has: &[Mode]) -> Vec<Mode> {
    has.iter().copied().filter(|of| *of == mode).collect()
}

fn missing(set: &Dataset, has: &[Mode]) -> String {
    let name = &set.name;
    match has {
        [Mode::Rssi] => format!("data set {name}: no ranges in it; use --mode rssi"),
        [Mode::Range] => format!("data set {name}: no signal strengths in it; use --mode range"),
        _ => format!("data set {name}: nothing was heard in it; observations.csv has no readings"),
    }
}
