//! Listening to a client that stands still: the windows of its fixes, and each radio's mean over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ingest::AskError;
use locate::{RangeReading, Sighting};
use site::{RadioIndex, Site};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wire::ClientId;

use super::super::error::ApiError;
use super::blocking;
use crate::calibrate::live::{HeardClient, Live};
use crate::calibrate::points::PointSighting;

/// Readings that are older than this when listening begins are of where the client was before.
const OLD_READING_S: f64 = 1.0;

/// Fixes listened to at most: a node makes two a second.
const WINDOWS_MAX: usize = 200;

/// When to ask again after an answer that told nothing new.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What was heard of a client while it was listened to.
pub(super) struct Listened {
    /// The windows of its fixes, in their order.
    pub(super) windows: Vec<HeardClient>,
    /// How long it was listened, in seconds.
    pub(super) seconds: f64,
}

/// The windows of the client's fixes for so many seconds. A worker that is busy, or has not heard
/// the client yet, is asked again until they are over.
///
/// The permit goes into every question, so that one that is still under way when its caller has left
/// counts.
pub(super) async fn listen(
    live: &Arc<dyn Live>,
    permit: OwnedSemaphorePermit,
    site: usize,
    client: ClientId,
    seconds: f64,
) -> Result<Listened, ApiError> {
    let permit = Arc::new(permit);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let mut windows: Vec<HeardClient> = Vec::new();
    let mut is_answered = false;
    while Instant::now() < until && windows.len() < WINDOWS_MAX {
        let (live, permit) = (live.clone(), permit.clone());
        let asked = blocking(move || {
            let window = live.window(site, client);
            drop(permit);
            window
        });
        match asked.await? {
            Ok(window) => {
                is_answered = true;
                let is_new = windows.last().is_none_or(|last| last.at_us < window.at_us);
                if window.is_fresh && is_new {
                    windows.push(window);
                    continue;
                }
            }
            Err(AskError::Unknown) => is_answered = true,
            Err(AskError::Busy) => {}
            Err(_) => {
                return Err(ApiError::unavailable(
                    "the site's worker has stopped",
                    "restart the node",
                ));
            }
        }
        tokio::time::sleep_until(until.min(Instant::now() + ASK_AGAIN)).await;
    }
    if !is_answered {
        return Err(ApiError::unavailable(
            "the site's worker is too busy to tell what it hears",
            "try again in some seconds",
        ));
    }
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    Ok(Listened { windows, seconds })
}

/// Each radio's mean over the windows; a reading that two windows show counts once.
pub(super) fn merge(windows: &[HeardClient], site: &Site) -> Vec<PointSighting> {
    let began_us = windows.first().map_or(0, |window| window.at_us) as f64 - OLD_READING_S * 1e6;
    let mut merged: BTreeMap<RadioIndex, Merged> = BTreeMap::new();
    for window in windows {
        for sighting in &window.sightings {
            let heard_us = window.at_us as f64 - f64::from(sighting.age_s) * 1e6;
            let known = merged.entry(sighting.radio).or_default();
            // Ages are told in single precision.
            if heard_us > known.heard_us.max(began_us) + 2_000.0 {
                known.add(sighting, heard_us);
            }
        }
    }
    (merged.iter())
        .filter_map(|(radio, merged)| PointSighting::of(&merged.sighting(*radio)?, site))
        .collect()
}

#[derive(Default)]
struct Merged {
    heard_us: f64,
    count: u32,
    rssi: Mean,
    range: Mean,
    range_deviation_m: Option<f32>,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f32, weight: f64) {
        self.sum += f64::from(value) * weight;
        self.weight += weight;
    }

    fn value(&self) -> Option<f32> {
        (self.weight > 0.0).then(|| (self.sum / self.weight) as f32)
    }
}

impl Merged {
    fn add(&mut self, sighting: &Sighting, heard_us: f64) {
        let weight = f64::from(sighting.count.max(1));
        self.heard_us = heard_us;
        self.count += u32::from(sighting.count.max(1));
        if let Some(rssi_dbm) = sighting.rssi_dbm {
            self.rssi.add(rssi_dbm, weight);
        }
        if let Some(range) = sighting.range {
            self.range.add(range.distance_m, 1.0);
            self.range_deviation_m = range.deviation_m;
        }
    }

    fn sighting(&self, radio: RadioIndex) -> Option<Sighting> {
        (self.count > 0).then(|| Sighting {
            radio,
            rssi_dbm: self.rssi.value(),
            count: u16::try_from(self.count).unwrap_or(u16::MAX),
            age_s: 0.0,
            range: self.range.value().map(|distance_m| RangeReading {
                distance_m,
                deviation_m: self.range_deviation_m,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use futures_util::FutureExt as _;
    use ingest::{BeaconReading, ReplaceError};
    use locate::Model;
    use tokio::sync::Semaphore;

    use super::*;

    /// Tells when it is asked, and answers when it may.
    struct Slow(Mutex<(Sender<()>, Receiver<()>)>);

    impl Live for Slow {
        fn window(&self, _: usize, _: ClientId) -> Result<HeardClient, AskError> {
            let gate = self.0.lock().unwrap();
            gate.0.send(()).unwrap();
            let _ = gate.1.recv();
            Err(AskError::Unknown)
        }

        fn sample(&self, _: usize, _: usize) -> Result<Vec<HeardClient>, AskError> {
            Ok(Vec::new())
        }

        fn beacons(&self, _: usize) -> Result<Vec<BeaconReading>, AskError> {
            Ok(Vec::new())
        }

        fn replace_model(&self, _: usize, _: Arc<Model>) -> Result<(), ReplaceError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_question_under_way_counts_after_its_caller_has_left() {
        let listening = Arc::new(Semaphore::new(1));
        let permit = listening.clone().try_acquire_owned().unwrap();
        let (asked, is_asked) = channel();
        let (may_go, waits) = channel();
        let live: Arc<dyn Live> = Arc::new(Slow(Mutex::new((asked, waits))));
        let mut caller = Box::pin(listen(&live, permit, 0, ClientId(7), 30.0));
        assert!(caller.as_mut().now_or_never().is_none());
        is_asked.recv().unwrap();
        drop(caller);
        assert_eq!(listening.available_permits(), 0);
        drop(may_go);
        let _free = listening.acquire().await.unwrap();
    }
}
