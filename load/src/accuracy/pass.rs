//! Fixes for the test epochs, with and without memory, and what they cost.
//!
//! True positions are in the epochs that come in, and are not looked at here.

use std::collections::BTreeMap;
use std::time::Duration;

use agent::source::replay::dataset::Reading;
use locate::{Fix, Locator, RangeReading, Sighting, Track};

use crate::dataset::errors::quantile;
use crate::dataset::ground::Ground;
use crate::dataset::split::{Epoch, TestEpochs};

/// What was found for each epoch, in their order, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answers {
    pub(super) fixes: Vec<Option<Fix>>,
    /// CPU time in the locator.
    locating: Duration,
    /// How often it was asked.
    asked: u32,
}

impl Answers {
    /// CPU time per fix in microseconds.
    pub(super) fn us_per_fix(&self) -> f64 {
        self.locating.as_secs_f64() * 1e6 / f64::from(self.asked.max(1))
    }
}

/// Every epoch alone.
pub(super) fn epochs(locator: &mut Locator, ground: &Ground, test: &TestEpochs) -> Answers {
    let heard: Vec<Vec<Sighting>> = test
        .as_slice()
        .iter()
        .map(|epoch| merged(&epoch.readings, ground))
        .collect();
    let began = cpu_time();
    let fixes = heard
        .iter()
        .map(|sightings| locator.locate(sightings, &mut Track::default(), 0.0))
        .collect();
    Answers {
        fixes,
        locating: cpu_time().saturating_sub(began),
        asked: heard.len() as u32,
    }
}

/// Walks along a track in order of time; places as the average of what was heard there.
pub(super) fn tracks(locator: &mut Locator, ground: &Ground, test: &TestEpochs) -> Answers {
    let epochs = test.as_slice();
    let mut answers = Answers {
        fixes: vec![None; epochs.len()],
        locating: Duration::ZERO,
        asked: 0,
    };
    for members in groups(epochs) {
        let is_walk = epochs[members[0]].walk.is_some();
        let steps: Vec<&[usize]> = match is_walk {
            true => members.chunks(1).collect(),
            false => vec![&members],
        };
        let heard: Vec<(f64, Vec<Sighting>)> = steps
            .iter()
            .map(|step| {
                let readings = step.iter().flat_map(|&index| &epochs[index].readings);
                (epochs[step[0]].t_s, merged(readings, ground))
            })
            .collect();
        let mut track = Track::default();
        let began = cpu_time();
        let fixes: Vec<Option<Fix>> = heard
            .iter()
            .map(|(t_s, sightings)| locator.locate(sightings, &mut track, *t_s))
            .collect();
        answers.locating += cpu_time().saturating_sub(began);
        answers.asked += heard.len() as u32;
        for (step, fix) in steps.iter().zip(fixes) {
            for &index in *step {
                answers.fixes[index] = fix;
            }
        }
    }
    answers
}

/// Epochs of one client and walk, or of one client and place, in order of time.
fn groups(epochs: &[Epoch]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, epoch) in epochs.iter().enumerate() {
        let place = epoch.walk.is_none().then_some(epoch.place.as_str());
        let key = (epoch.device.as_str(), epoch.walk.as_deref(), place);
        groups.entry(key).or_default().push(index);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    for members in &mut groups {
        members.sort_by(|a, b| epochs[*a].t_s.total_cmp(&epochs[*b].t_s));
    }
    groups
}

/// What each radio told: mean signal strength in dB and how many made it, median range.
///
/// The median keeps gross outliers out of the average of a place; of one or two ranges it is their
/// mean.
fn merged<'a>(readings: impl IntoIterator<Item = &'a Reading>, ground: &Ground) -> Vec<Sighting> {
    let mut by_anchor: BTreeMap<usize, Vec<&Reading>> = BTreeMap::new();
    for reading in readings {
        by_anchor.entry(reading.anchor).or_default().push(reading);
    }
    let sighting = |(anchor, readings): (usize, Vec<&Reading>)| {
        let levels: Vec<f64> = readings.iter().filter_map(|of| of.rssi_dbm).collect();
        let range = median(readings.iter().filter_map(|of| of.range_m));
        let deviation = median(readings.iter().filter_map(|of| of.range_std_m));
        let sum_dbm: f64 = levels.iter().sum();
        Sighting {
            radio: ground.radios[anchor],
            rssi_dbm: (!levels.is_empty()).then(|| (sum_dbm / levels.len() as f64) as f32),
            count: u16::try_from(levels.len()).unwrap_or(u16::MAX).max(1),
            age_s: 0.0,
            range: range.map(|distance_m| RangeReading {
                distance_m: distance_m as f32,
                deviation_m: deviation.map(|deviation_m| deviation_m as f32),
            }),
        }
    };
    by_anchor.into_iter().map(sighting).collect()
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// CPU time of this thread: others on the machine do not count.
#[cfg(unix)]
fn cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}

/// Time since the first call, where the system has no clock of a thread's own.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}
