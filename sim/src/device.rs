//! A client as a transmitter: its address, its power, and when it sends.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use site::Band;

use crate::chance::{Purpose, correlated, normal, stream};
use crate::config::WorldConfig;

/// Standard deviation over devices of transmit power and antenna together, per band.
const OFFSET_DEVIATION_DB: f64 = 4.5;

/// Correlation of a device's offsets between bands.
const OFFSET_CORRELATION: f64 = 0.8;

/// Device models; the devices of one share the offset of their ranges.
const MODELS: u64 = 12;

/// All bands, in the order of [`Band`].
pub(crate) const BANDS: [Band; 5] = [Band::Ghz2, Band::Ghz5, Band::Ghz6, Band::Ble, Band::Uwb];

/// Two bits of an address's first byte: for groups, and locally administered.
///
/// # Source
/// IEEE Std 802-2014, clause 8.2.
const GROUP_BIT: u8 = 0b01;
const LOCAL_BIT: u8 = 0b10;

/// What a client sends with.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) address: [u8; 6],
    /// Whether it answers fine timing requests over Wi-Fi.
    pub(crate) answers_ftm: bool,
    /// Constant error of its model's ranges, in units of their deviation.
    pub(crate) range_offset: f64,
    offsets_db: [f64; BANDS.len()],
    /// Randomness of its transmissions and of how they are heard.
    pub(crate) rng: ChaCha8Rng,
    pub(crate) sends_next_at: Duration,
    transmissions: usize,
}

impl Device {
    pub(crate) fn new(config: &WorldConfig, client: usize) -> Self {
        let mut rng = stream(config.seed, Purpose::Device, client as u64);
        let randomised = rng.random::<f64>() < config.randomised_share;
        let model = rng.random_range(0..MODELS);
        let mut device = Self {
            address: draw_address(&mut rng, client, randomised),
            answers_ftm: rng.random::<f64>() < config.ftm_share,
            range_offset: normal(&mut stream(config.seed, Purpose::DeviceModel, model)),
            offsets_db: correlated(&mut rng, OFFSET_CORRELATION)
                .map(|deviate| OFFSET_DEVIATION_DB * deviate),
            rng: stream(config.seed, Purpose::Transmit, client as u64),
            sends_next_at: Duration::MAX,
            transmissions: client,
        };
        if config.transmissions_per_second > 0.0 {
            // Anywhere in the first gap, so that clients do not speak in chorus.
            let gap_s = device.rng.random::<f64>() / config.transmissions_per_second;
            device.sends_next_at = Duration::from_secs_f64(gap_s);
        }
        device
    }

    /// Power towards a receiver of a band, in dBm; free space has cost nothing yet.
    pub(crate) fn power_dbm(&self, band: Band, free_space_at_1m_db: f64) -> f64 {
        nominal_power_dbm(band, free_space_at_1m_db) + self.offsets_db[band as usize]
    }

    /// Takes the turn that is due: the next of the bands, and the next time to send.
    pub(crate) fn take_turn(&mut self, bands: &[Band], transmissions_per_second: f64) -> Band {
        let gap_s = (0.5 + self.rng.random::<f64>()) / transmissions_per_second;
        self.sends_next_at += Duration::from_secs_f64(gap_s);
        self.transmissions += 1;
        bands[self.transmissions % bands.len()]
    }
}

/// What a device without offset sends.
///
/// Wi-Fi 15 dBm; Bluetooth as much as gives -59 dBm at 1 m, the figure beacons state;
/// ultra-wideband the limit of -41.3 dBm/MHz over 500 MHz (47 CFR 15.517).
fn nominal_power_dbm(band: Band, free_space_at_1m_db: f64) -> f64 {
    match band {
        Band::Ghz2 | Band::Ghz5 | Band::Ghz6 => 15.0,
        Band::Ble => free_space_at_1m_db - 59.0,
        Band::Uwb => -14.3,
    }
}

fn draw_address(rng: &mut ChaCha8Rng, client: usize, randomised: bool) -> [u8; 6] {
    let [first, second, third]: [u8; 3] = rng.random();
    // The client's number makes addresses differ within a world, whatever was drawn.
    let [fourth, fifth, sixth, _] = (client as u32).to_le_bytes();
    let flags = if randomised { LOCAL_BIT } else { 0 };
    [
        (first & !(GROUP_BIT | LOCAL_BIT)) | flags,
        second,
        third,
        fourth,
        fifth,
        sixth,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::statistics::{correlation, deviation, mean};

    fn devices(count: usize) -> Vec<Device> {
        let config = WorldConfig {
            ftm_share: 0.25,
            ..WorldConfig::default()
        };
        (0..count)
            .map(|client| Device::new(&config, client))
            .collect()
    }

    #[test]
    fn offsets_spread_as_stated() {
        let devices = devices(20_000);
        let of = |band: Band| {
            devices
                .iter()
                .map(|device| device.power_dbm(band, 40.0))
                .collect::<Vec<f64>>()
        };
        assert!((mean(&of(Band::Ghz2)) - 15.0).abs() < 0.1);
        assert!((mean(&of(Band::Ble)) + 19.0).abs() < 0.1);
        assert!((deviation(&of(Band::Ghz5)) - 4.5).abs() < 0.1);
        assert!((correlation(&of(Band::Ghz2), &of(Band::Ghz5)) - 0.8).abs() < 0.02);
    }

    #[test]
    fn shares_and_addresses_are_as_configured() {
        let devices = devices(10_000);
        let local = devices
            .iter()
            .filter(|device| device.address[0] & LOCAL_BIT != 0)
            .count();
        let ftm = devices.iter().filter(|device| device.answers_ftm).count();
        assert!((4_800..5_200).contains(&local), "{local}");
        assert!((2_350..2_650).contains(&ftm), "{ftm}");
        assert!(
            devices
                .iter()
                .all(|device| device.address[0] & GROUP_BIT == 0)
        );
        let mut addresses: Vec<_> = devices.iter().map(|device| device.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), devices.len());
    }

    #[test]
    fn turns_alternate_bands_and_keep_the_rate() {
        let mut device = devices(1).remove(0);
        let bands = [Band::Ghz2, Band::Ghz5];
        let turns: Vec<Band> = (0..10_000).map(|_| device.take_turn(&bands, 2.5)).collect();
        assert!(turns.windows(2).all(|pair| pair[0] != pair[1]));
        assert!((device.sends_next_at.as_secs_f64() - 4_000.0).abs() < 50.0);
    }
}
