//! What a site's anchors hear of each other: links of known ends, for calibration and for an
//! estimate of the present error.
//!
//! Agents tell the beacons of the site's own APs as [`wire::Kind::Beacon`] under the id of a client
//! named as the AP. They are no clients: they are folded here and nowhere else.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use locate::RangeReading;
use site::{Band, RadioIndex, Site};
use wire::{ClientId, ClientName, named_client_id};

use crate::limits::{BEACON_MEMORY, BEACON_SENDERS_PER_RADIO_MAX, BEACON_SILENCE_MAX};

/// How many decibels an older mean counts as weaker, per second, when a newcomer needs its place: a
/// sender silent for ten minutes is worth 30 dB less.
const STALENESS_DB_PER_S: f32 = 0.05;

/// What one radio of an anchor lately heard of one radio of another anchor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeaconReading {
    /// The radio that heard.
    pub receiver: RadioIndex,
    /// The radio that sent: that of the same band at the anchor whose beacon it was.
    pub transmitter: RadioIndex,
    /// Mean signal strength in dBm, older readings forgotten exponentially; NaN when `count` is 0.
    pub mean_dbm: f32,
    /// Standard deviation of one reading about that mean, in dB.
    pub deviation_db: f32,
    /// Readings in the mean, by their remaining weight: at most what ten minutes bring.
    pub count: u32,
    /// When the last one was heard, in microseconds of the node's clock.
    pub heard_at_us: u64,
    /// The last distance measured between the two, if any was.
    pub range: Option<RangeReading>,
}

/// A beacon whose time and receiving radio are known to the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beacon {
    pub(crate) client: ClientId,
    pub(crate) receiver: u16,
    pub(crate) rssi_dbm: Option<i8>,
    pub(crate) range: Option<RangeReading>,
    pub(crate) heard_us: u64,
}

/// The readings of one site. All memory is taken at the start.
#[derive(Debug)]
pub(crate) struct Beacons {
    anchors: HashMap<ClientId, u16, FixedState>,
    /// By receiving radio.
    receivers: Vec<Receiver>,
    /// By anchor: its radios with their bands.
    transmitters: Vec<Vec<(Band, u16)>>,
}

#[derive(Debug)]
struct Receiver {
    anchor: u16,
    band: Band,
    heard: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    transmitter: u16,
    mean_dbm: f32,
    variance_db2: f32,
    weight: f32,
    heard_us: u64,
    range: Option<RangeReading>,
}

impl Beacons {
    /// An empty table for the anchors of a site.
    pub(crate) fn new(site: &Site) -> Self {
        let numbered = || site.anchors.iter().zip(0u16..);
        let ids = numbered().filter_map(|(anchor, number)| {
            let name = ClientName::new(anchor.id.as_str()).ok()?;
            Some((named_client_id(&name), number))
        });
        let receivers = numbered().flat_map(|(anchor, number)| {
            anchor.radios.iter().map(move |radio| Receiver {
                anchor: number,
                band: radio.band,
                heard: Vec::with_capacity(BEACON_SENDERS_PER_RADIO_MAX),
            })
        });
        let transmitters = site.anchors.iter().map(|anchor| {
            let radios = anchor.radios.iter();
            radios.map(|radio| (radio.band, radio.index.0)).collect()
        });
        Self {
            anchors: ids.collect(),
            receivers: receivers.collect(),
            transmitters: transmitters.collect(),
        }
    }

    /// Folds a beacon; false when it is none of another anchor's radio in the receiver's band.
    pub(crate) fn fold(&mut self, beacon: &Beacon) -> bool {
        let Some(&anchor) = self.anchors.get(&beacon.client) else {
            return false;
        };
        let Some(receiver) = self.receivers.get_mut(usize::from(beacon.receiver)) else {
            return false;
        };
        let sender = self.transmitters[usize::from(anchor)]
            .iter()
            .find(|(band, _)| *band == receiver.band && anchor != receiver.anchor);
        let Some(&(_, transmitter)) = sender else {
            return false;
        };
        receiver.fold(transmitter, beacon);
        true
    }

    /// What was heard and is not forgotten at this time, by receiving radio.
    pub(crate) fn readings(&self, now_us: u64) -> Vec<BeaconReading> {
        let silence_us = BEACON_SILENCE_MAX.as_micros() as u64;
        let mut readings = Vec::new();
        for (receiver, index) in self.receivers.iter().zip(0u16..) {
            let fresh = receiver
                .heard
                .iter()
                .filter(|cell| now_us.saturating_sub(cell.heard_us) <= silence_us);
            readings.extend(fresh.map(|cell| cell.reading(RadioIndex(index))));
        }
        readings
    }

    /// Forgets everything: a replay's clock has jumped.
    pub(crate) fn clear(&mut self) {
        for receiver in &mut self.receivers {
            receiver.heard.clear();
        }
    }
}

impl Receiver {
    fn fold(&mut self, transmitter: u16, beacon: &Beacon) {
        if let Some(cell) = self.heard.iter_mut().find(|c| c.transmitter == transmitter) {
            cell.add(beacon);
            return;
        }
        let mut newcomer = Cell {
            transmitter,
            mean_dbm: 0.0,
            variance_db2: 0.0,
            weight: 0.0,
            heard_us: beacon.heard_us,
            range: None,
        };
        newcomer.add(beacon);
        if self.heard.len() < BEACON_SENDERS_PER_RADIO_MAX {
            self.heard.push(newcomer);
            return;
        }
        let now_us = beacon.heard_us;
        let weakest = self
            .heard
            .iter_mut()
            .min_by(|a, b| a.worth_db(now_us).total_cmp(&b.worth_db(now_us)));
        if let Some(weakest) = weakest
            && weakest.worth_db(now_us) < newcomer.worth_db(now_us)
        {
            *weakest = newcomer;
        }
    }
}

impl Cell {
    /// Takes one reading into mean and variance, whose older readings lose weight with time.
    ///
    /// # Source
    /// West, Updating mean and variance estimates, Comm. ACM 22 (1979), with weights that decay.
    fn add(&mut self, beacon: &Beacon) {
        if let Some(rssi_dbm) = beacon.rssi_dbm {
            let passed_s = beacon.heard_us.saturating_sub(self.heard_us) as f32 * 1e-6;
            let kept = self.weight * (-passed_s / BEACON_MEMORY.as_secs_f32()).exp();
            self.weight = kept + 1.0;
            let away_db = f32::from(rssi_dbm) - self.mean_dbm;
            let step_db = away_db / self.weight;
            self.mean_dbm += step_db;
            self.variance_db2 = kept / self.weight * (self.variance_db2 + away_db * step_db);
        }
        self.range = beacon.range.or(self.range);
        self.heard_us = self.heard_us.max(beacon.heard_us);
    }

    /// Mean signal strength minus what its age takes off; a sender that only ranges counts as weak.
    fn worth_db(&self, now_us: u64) -> f32 {
        let age_s = now_us.saturating_sub(self.heard_us) as f32 * 1e-6;
        let strength_dbm = if self.weight > 0.0 {
            self.mean_dbm
        } else {
            -100.0
        };
        strength_dbm - STALENESS_DB_PER_S * age_s
    }

    fn reading(&self, receiver: RadioIndex) -> BeaconReading {
        BeaconReading {
            receiver,
            transmitter: RadioIndex(self.transmitter),
            mean_dbm: if self.weight > 0.0 {
                self.mean_dbm
            } else {
                f32::NAN
            },
            deviation_db: self.variance_db2.max(0.0).sqrt(),
            count: self.weight.round() as u32,
            heard_at_us: self.heard_us,
            range: self.range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::hall;

    fn beacon(ap: &str, receiver: u16, rssi_dbm: i8, at_s: u64) -> Beacon {
        Beacon {
            client: named_client_id(&ClientName::new(ap).unwrap()),
            receiver,
            rssi_dbm: Some(rssi_dbm),
            range: None,
            heard_us: at_s * 1_000_000,
        }
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_readings() {
        let mut beacons = Beacons::new(&hall());
        for rssi_dbm in [-60, -64, -62, -58] {
            assert!(beacons.fold(&beacon("ap-1", 0, rssi_dbm, 100)));
        }
        let readings = beacons.readings(100_000_000);
        let [reading] = readings[..] else {
            panic!("{readings:?}")
        };
        assert_eq!((reading.receiver.0, reading.transmitter.0), (0, 1));
        assert_eq!(reading.count, 4);
        assert!((reading.mean_dbm + 61.0).abs() < 1e-4, "{reading:?}");
        assert!((reading.deviation_db - 5f32.sqrt()).abs() < 1e-4);
    }

    #[test]
    fn old_readings_lose_their_weight_and_silent_senders_are_forgotten() {
        let mut beacons = Beacons::new(&hall());
        for _ in 0..100 {
            beacons.fold(&beacon("ap-1", 0, -80, 0));
        }
        beacons.fold(&beacon("ap-1", 0, -50, 1_200));
        let reading = beacons.readings(1_200_000_000)[0];
        // e^-2 of a hundred readings at -80 dBm against one at -50.
        assert!((reading.mean_dbm + 77.93).abs() < 0.05, "{reading:?}");
        assert_eq!(reading.count, 15);
        assert!(beacons.readings(9_999_000_000).is_empty());
    }

    #[test]
    fn strangers_and_an_anchors_own_radios_are_refused() {
        let mut beacons = Beacons::new(&hall());
        assert!(!beacons.fold(&beacon("ap-0", 0, -40, 0)), "hears itself");
        assert!(!beacons.fold(&beacon("someone", 0, -40, 0)));
        assert!(!beacons.fold(&beacon("ap-1", 99, -40, 0)), "no such radio");
    }

    #[test]
    fn one_sender_too_many_replaces_the_weakest_for_its_age() {
        let mut receiver = Receiver {
            anchor: 0,
            band: Band::Ghz2,
            heard: Vec::new(),
        };
        for transmitter in 0..BEACON_SENDERS_PER_RADIO_MAX as u16 {
            receiver.fold(transmitter, &beacon("ap-1", 0, -60, u64::from(transmitter)));
        }
        receiver.fold(500, &beacon("ap-1", 0, -90, 40));
        assert!(receiver.heard.iter().all(|cell| cell.transmitter != 500));
        receiver.fold(501, &beacon("ap-1", 0, -61, 1_000));
        assert!(receiver.heard.iter().all(|cell| cell.transmitter != 0));
        assert_eq!(receiver.heard.len(), BEACON_SENDERS_PER_RADIO_MAX);
    }
}
