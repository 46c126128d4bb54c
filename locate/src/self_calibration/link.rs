//! One anchor heard another: links of known ends and known power.

use std::collections::BTreeMap;

use site::{Band, Site};

use super::Beacon;
use super::estimate::{BANDS, band_number};
use super::paths::{Path, without_slabs};
use crate::path_loss::PathLoss;

/// Share of the links across floors that go through an opening: atria, stairwells, shafts.
pub(super) const OPEN_SHARE: f64 = 0.1;

/// Fast fading of one beacon, and what rounding and calibration leave of a mean of many, in dB.
const FADING_DB: f64 = 3.0;
const NOISE_MIN_DB: f64 = 0.5;

/// Power at which the client sends for whom [`PathLoss::unlearned`] holds, in dBm: 15 dBm of Wi-Fi
/// with antenna; the usual -59 dBm at 1 m of Bluetooth tags belong to 0 dBm.
fn nominal_power_dbm(band: Band) -> f64 {
    if band == Band::Ble { 0.0 } else { 15.0 }
}

/// One direction of one link.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) receiver: usize,
    pub(super) transmitter: usize,
    /// The two anchors, the lower index first.
    pub(super) pair: (usize, usize),
    /// In [`BANDS`].
    pub(super) band_number: usize,
    pub(super) path: Path,
    /// The receiver's model where nothing was learned.
    pub(super) physics: PathLoss,
    /// As strong as a nominal client would be heard from there, in dBm.
    pub(super) level_dbm: f64,
    /// What the mean has of fading, in dB.
    pub(super) noise_db: f64,
    /// Both directions of a link share its shadows and count for one.
    pub(super) weight: f64,
}

/// The links that can be used: two anchors, one band, a plausible strength.
pub(super) fn links(site: &Site, beacons: &[Beacon]) -> Vec<Link> {
    let bare = without_slabs(site);
    let radios: Vec<_> = (site.anchors.iter().enumerate())
        .flat_map(|(number, anchor)| anchor.radios.iter().map(move |it| (number, anchor, it)))
        .collect();
    let mut paths: BTreeMap<(usize, usize), Path> = BTreeMap::new();
    let mut directions: BTreeMap<((usize, usize), usize), f64> = BTreeMap::new();
    let mut links = Vec::new();
    for beacon in beacons {
        let (to, from) = (
            usize::from(beacon.receiver.0),
            usize::from(beacon.transmitter.0),
        );
        let (Some((to_anchor, anchor, radio)), Some((from_anchor, other, sender))) =
            (radios.get(to), radios.get(from))
        else {
            continue;
        };
        let level = f64::from(beacon.mean_dbm);
        let Some(band_number) = band_number(radio.band) else {
            continue;
        };
        if radio.band != sender.band
            || to_anchor == from_anchor
            || beacon.count == 0
            || !(-128.0..=20.0).contains(&level)
        {
            continue;
        }
        let pair = (*to_anchor.min(from_anchor), *to_anchor.max(from_anchor));
        let path = paths
            .entry(pair)
            .or_insert_with(|| Path::new(&bare, anchor.position, other.position));
        *directions.entry((pair, band_number)).or_default() += 1.0;
        links.push(Link {
            receiver: to,
            transmitter: from,
            pair,
            band_number,
            path: path.clone(),
            physics: PathLoss::unlearned(site, radio.band, radio.freq_mhz),
            level_dbm: level - sender.tx_power_dbm + nominal_power_dbm(BANDS[band_number]),
            noise_db: (FADING_DB / f64::from(beacon.count).sqrt()).max(NOISE_MIN_DB),
            weight: 1.0,
        });
    }
    for link in &mut links {
        link.weight = 1.0 / directions[&(link.pair, link.band_number)];
    }
    links
}
