//! Radios that hear: how strong, on which channel, and what they cannot hear.

use std::time::Duration;

use nalgebra::Point3;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use site::{Anchor, Band, Propagation, Radio, RadioIndex, Site};

use crate::chance::{Purpose, normal, stream};
use crate::config::WorldConfig;
use crate::device::{BANDS, Device};
use crate::links::Link;
use crate::path_loss::{free_space_at_1m_db, path_loss_db};
use crate::ranging::{EndOffsets, RangeHearing, measure};
use crate::walls::spectrum_of;

/// Standard deviation of a radio's constant error in what it reads.
const RECEIVE_OFFSET_DEVIATION_DB: f64 = 1.5;

/// Standard deviation of the fast fading of one hearing.
const FADING_DEVIATION_DB: f64 = 2.0;

/// Fading stronger than this does not happen: what is weaker by more is not heard.
const FADING_MAX_DB: f64 = 5.0 * FADING_DEVIATION_DB;

/// Mean and standard deviation of the noise floor that radios tell.
const NOISE_DBM: (f64, f64) = (-95.0, 1.5);

/// Who sent what a radio heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transmitter {
    /// The client with this index in [`crate::World::clients`].
    Client(usize),
    /// The anchor with this index in [`Site::anchors`]: one of its beacons.
    Anchor(usize),
}

/// One radio heard one transmission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hearing {
    /// Who sent it.
    pub from: Transmitter,
    /// The radio that heard it.
    pub radio: RadioIndex,
    /// When, in time of the world.
    pub heard_at: Duration,
    /// How strong, in whole dBm; `None` for ultra-wideband.
    pub rssi_dbm: Option<i8>,
    /// Noise floor, where the radio tells it.
    pub noise_dbm: Option<i8>,
    /// Channel number within the radio's band.
    pub channel: u8,
    /// Distance, where the radio ranges.
    pub range: Option<RangeHearing>,
}

/// A radio of the site with its true constants.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) index: RadioIndex,
    pub(crate) anchor: usize,
    pub(crate) band: Band,
    pub(crate) beacon_power_dbm: f64,
    position: Point3<f64>,
    free_space_at_1m_db: f64,
    offset_db: f64,
    channel: u8,
    asks_ftm: bool,
    range_offset: f64,
}

/// All radios, and how signals travel to them.
#[derive(Debug)]
pub(crate) struct Receivers {
    /// By band, in the order of [`BANDS`]; within a band in the order of [`RadioIndex`].
    by_band: [Vec<Receiver>; BANDS.len()],
    propagation: Propagation,
    noise_share: f64,
}

/// What a signal brings to a receiver before fast fading.
struct Signal<'a> {
    from: Transmitter,
    heard_at: Duration,
    /// Transmit power towards the receiver, in dBm.
    power_dbm: f64,
    distance_m: f64,
    link: &'a Link,
    /// The ranging offset of the sender, where it takes part in ranging.
    ranging: Option<f64>,
}

impl Receiver {
    fn new(config: &WorldConfig, anchor_index: usize, anchor: &Anchor, radio: &Radio) -> Self {
        let mut rng = stream(config.seed, Purpose::Receiver, u64::from(radio.index.0));
        Self {
            index: radio.index,
            anchor: anchor_index,
            band: radio.band,
            beacon_power_dbm: radio.tx_power_dbm,
            position: anchor.position,
            free_space_at_1m_db: free_space_at_1m_db(radio.freq_mhz),
            offset_db: RECEIVE_OFFSET_DEVIATION_DB * normal(&mut rng),
            channel: channel_number(radio),
            asks_ftm: rng.random::<f64>() < config.ftm_share,
            range_offset: normal(&mut rng),
        }
    }

    /// Strength before fading, in dBm.
    fn mean_dbm(&self, signal: &Signal<'_>, propagation: &Propagation) -> f64 {
        let spectrum = spectrum_of(self.band);
        let obstacles_db = f64::from(signal.link.obstacles_db[spectrum]);
        let loss_db = path_loss_db(
            self.free_space_at_1m_db,
            signal.distance_m,
            obstacles_db,
            propagation,
        );
        signal.power_dbm + self.offset_db - loss_db + f64::from(signal.link.shadow_db[spectrum])
    }

    /// Whether ranging is possible with a client.
    fn ranges_with(&self, device: &Device) -> bool {
        self.band == Band::Uwb || (self.asks_ftm && device.answers_ftm && self.band != Band::Ble)
    }
}

impl Receivers {
    pub(crate) fn new(site: &Site, config: &WorldConfig) -> Self {
        let mut by_band = BANDS.map(|_| Vec::new());
        for (anchor_index, anchor) in site.anchors.iter().enumerate() {
            for radio in &anchor.radios {
                by_band[radio.band as usize].push(Receiver::new(
                    config,
                    anchor_index,
                    anchor,
                    radio,
                ));
            }
        }
        Self {
            by_band,
            propagation: config.propagation.unwrap_or(site.propagation),
            noise_share: config.noise_share,
        }
    }

    pub(crate) fn of_band(&self, band: Band) -> &[Receiver] {
        &self.by_band[band as usize]
    }

    /// Bands in which anybody listens.
    pub(crate) fn bands(&self) -> Vec<Band> {
        BANDS
            .into_iter()
            .filter(|band| !self.of_band(*band).is_empty())
            .collect()
    }

    /// Lets all radios of a band hear a client; `links` are those to its place, by anchor.
    pub(crate) fn hear_client(
        &self,
        (client, device): (usize, &mut Device),
        (band, position, heard_at): (Band, Point3<f64>, Duration),
        links: &[Link],
        out: &mut Vec<Hearing>,
    ) {
        for receiver in self.of_band(band) {
            let signal = Signal {
                from: Transmitter::Client(client),
                heard_at,
                power_dbm: device.power_dbm(band, receiver.free_space_at_1m_db),
                distance_m: (position - receiver.position).norm(),
                link: &links[receiver.anchor],
                ranging: receiver.ranges_with(device).then_some(device.range_offset),
            };
            out.extend(self.hear(receiver, &signal, &mut device.rng));
        }
    }

    /// Lets a radio hear a beacon of another anchor's radio.
    pub(crate) fn hear_beacon(
        &self,
        sender: &Receiver,
        receiver: &Receiver,
        heard_at: Duration,
        link: &Link,
        rng: &mut ChaCha8Rng,
    ) -> Option<Hearing> {
        let signal = Signal {
            from: Transmitter::Anchor(sender.anchor),
            heard_at,
            power_dbm: sender.beacon_power_dbm,
            distance_m: (sender.position - receiver.position).norm(),
            link,
            ranging: None,
        };
        self.hear(receiver, &signal, rng)
    }

    fn hear(
        &self,
        receiver: &Receiver,
        signal: &Signal<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Option<Hearing> {
        let mean_dbm = receiver.mean_dbm(signal, &self.propagation);
        let sensitivity_dbm = sensitivity_dbm(receiver.band);
        if mean_dbm < sensitivity_dbm - FADING_MAX_DB {
            return None;
        }
        let fading_db = (FADING_DEVIATION_DB * normal(rng)).clamp(-FADING_MAX_DB, FADING_MAX_DB);
        let rssi_dbm = (mean_dbm + fading_db).round();
        if rssi_dbm < sensitivity_dbm {
            return None;
        }
        let range = signal.ranging.and_then(|device| {
            let ends = EndOffsets {
                device,
                radio: receiver.range_offset,
            };
            measure(
                receiver.band,
                signal.distance_m,
                signal.link,
                ends,
                rssi_dbm,
                rng,
            )
        });
        let tells_noise = receiver.band != Band::Uwb && rng.random::<f64>() < self.noise_share;
        Some(Hearing {
            from: signal.from,
            radio: receiver.index,
            heard_at: signal.heard_at,
            // Floats become integers by saturation.
            rssi_dbm: (receiver.band != Band::Uwb).then_some(rssi_dbm as i8),
            noise_dbm: tells_noise.then(|| (NOISE_DBM.0 + NOISE_DBM.1 * normal(rng)).round() as i8),
            channel: receiver.channel,
            range,
        })
    }
}

/// The weakest signal that a radio of a band still decodes.
fn sensitivity_dbm(band: Band) -> f64 {
    match band {
        Band::Ghz2 => -92.0,
        Band::Ghz5 | Band::Ghz6 => -90.0,
        Band::Ble | Band::Uwb => -95.0,
    }
}

/// The channel around a radio's frequency.
///
/// # Source
/// IEEE Std 802.11-2020, annex E (Wi-Fi, from 2407, 5000 and 5950 MHz in steps of 5 MHz);
/// Bluetooth Core, vol. 6 part B 1.4.1 (37 is the first advertising channel); IEEE Std
/// 802.15.4z-2020 (ultra-wideband channel 5 at 6489.6 MHz, 9 at 7987.2 MHz).
fn channel_number(radio: &Radio) -> u8 {
    let from_mhz = |start_mhz: f64| ((radio.freq_mhz - start_mhz) / 5.0).round() as u8;
    match radio.band {
        Band::Ghz2 => from_mhz(2_407.0),
        Band::Ghz5 => from_mhz(5_000.0),
        Band::Ghz6 => from_mhz(5_950.0),
        Band::Ble => 37,
        Band::Uwb if radio.freq_mhz < 7_238.0 => 5,
        Band::Uwb => 9,
    }
}

#[cfg(test)]
mod tests;
