//! Peer measurement: ranges by fine timing (FTM, IEEE 802.11-2016, 11.24.6) through the driver.
//!
//! One request names the peers; results come to the same socket, one message for each or for
//! several, then one that says that all is complete. Closing the socket ends a measurement.
//!
//! Source: Linux `include/uapi/linux/nl80211.h`, `enum nl80211_peer_measurement_*`.

use super::{attribute, command};
use crate::address::Address;
use crate::netlink::{self, Attributes, Request};

const ATTRIBUTE_CHANNEL_WIDTH: u16 = 159;
const ATTRIBUTE_CENTER_FREQ1: u16 = 160;
const ATTRIBUTE_TIMEOUT: u16 = 272;
const ATTRIBUTE_PEER_MEASUREMENTS: u16 = 273;

const PEERS: u16 = 5;
const PEER_ADDRESS: u16 = 1;
const PEER_CHANNEL: u16 = 2;
const PEER_REQUEST: u16 = 3;
const PEER_RESPONSE: u16 = 4;
const REQUEST_DATA: u16 = 1;
const RESPONSE_DATA: u16 = 1;
const RESPONSE_STATUS: u16 = 2;
const TYPE_FTM: u16 = 1;
const FTM_ASAP: u16 = 1;
const FTM_PREAMBLE: u16 = 2;
const FTM_BURSTS_EXPONENT: u16 = 3;
const FTM_FRAMES_PER_BURST: u16 = 6;
const RTT_AVG: u16 = 13;
const RTT_VARIANCE: u16 = 14;
const DISTANCE_AVG: u16 = 16;
const DISTANCE_VARIANCE: u16 = 17;

const WIDTH_20_MHZ: u32 = 1;
const PREAMBLE_HT: u32 = 1;
const STATUS_SUCCESS: u32 = 0;

/// Frames that one burst averages over.
const FRAMES_PER_BURST: u8 = 8;

/// Half the way of light in a picosecond, in millimetres.
const MM_PER_PS: f64 = 0.299_792_458 / 2.0;

/// A responder, and where it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its BSSID.
    pub address: Address,
    /// Centre of its primary channel.
    pub freq_mhz: u16,
}

/// What was measured to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Its BSSID.
    pub address: Address,
    /// Distance, where the measurement succeeded; may be negative.
    pub distance_mm: Option<i32>,
    /// Standard deviation, where the driver says.
    pub deviation_mm: Option<u16>,
}

/// Asks for ranges to these peers, one burst each, 20 MHz wide: what every responder can do.
pub fn start<'a>(
    bytes: &'a mut Vec<u8>,
    family: u16,
    sequence: u32,
    interface: u32,
    timeout_ms: u32,
    peers: &[Peer],
) -> &'a [u8] {
    let command = command::PEER_MEASUREMENT_START;
    let mut request = Request::new(bytes, family, netlink::ACKNOWLEDGE, sequence, command);
    request.add_u32(attribute::IFINDEX, interface);
    request.add_u32(ATTRIBUTE_TIMEOUT, timeout_ms);
    let measurements = request.begin(ATTRIBUTE_PEER_MEASUREMENTS);
    let all = request.begin(PEERS);
    for (peer, number) in peers.iter().zip(1..) {
        let one = request.begin(number);
        request.add(PEER_ADDRESS, peer.address.octets());
        let channel = request.begin(PEER_CHANNEL);
        request.add_u32(attribute::WIPHY_FREQ, peer.freq_mhz.into());
        request.add_u32(ATTRIBUTE_CHANNEL_WIDTH, WIDTH_20_MHZ);
        request.add_u32(ATTRIBUTE_CENTER_FREQ1, peer.freq_mhz.into());
        request.end(channel);
        let wanted = request.begin(PEER_REQUEST);
        let data = request.begin(REQUEST_DATA);
        let ftm = request.begin(TYPE_FTM);
        request.add(FTM_ASAP, &[]);
        request.add_u32(FTM_PREAMBLE, PREAMBLE_HT);
        request.add(FTM_BURSTS_EXPONENT, &[0]);
        request.add(FTM_FRAMES_PER_BURST, &[FRAMES_PER_BURST]);
        request.end(ftm);
        request.end(data);
        request.end(wanted);
        request.end(one);
    }
    request.end(all);
    request.end(measurements);
    request.finish()
}

/// What a message with results says, peer by peer.
pub fn results(attributes: Attributes<'_>) -> impl Iterator<Item = Measured> {
    let measurements = attributes.find(ATTRIBUTE_PEER_MEASUREMENTS);
    let peers = measurements.and_then(|all| all.nested().find(PEERS));
    let peers = peers.map(|peers| peers.nested());
    peers
        .into_iter()
        .flatten()
        .filter_map(|peer| Measured::parse(peer.nested()))
}

impl Measured {
    fn parse(peer: Attributes<'_>) -> Option<Self> {
        let address = peer.find(PEER_ADDRESS)?.address()?;
        let response = peer.find(PEER_RESPONSE)?.nested();
        let status = response
            .find(RESPONSE_STATUS)
            .and_then(|status| status.u32());
        let data = response.find(RESPONSE_DATA);
        let ftm = data.and_then(|data| data.nested().find(TYPE_FTM));
        let failed = Self {
            address,
            distance_mm: None,
            deviation_mm: None,
        };
        let Some(ftm) = ftm.filter(|_| status == Some(STATUS_SUCCESS)) else {
            return Some(failed);
        };
        let ftm = ftm.nested();
        let number = |kind| ftm.find(kind).and_then(|one| one.i64()).map(|n| n as f64);
        let variance = |kind| ftm.find(kind).and_then(|one| one.u64()).map(|n| n as f64);
        let (distance_mm, deviation_mm) = match number(DISTANCE_AVG) {
            Some(mm) => (Some(mm), variance(DISTANCE_VARIANCE).map(f64::sqrt)),
            None => (
                number(RTT_AVG).map(|ps| ps * MM_PER_PS),
                variance(RTT_VARIANCE).map(|ps2| ps2.sqrt() * MM_PER_PS),
            ),
        };
        // Casts of a float saturate.
        Some(Self {
            distance_mm: distance_mm.map(|mm| mm.round() as i32),
            deviation_mm: deviation_mm.map(|mm| mm.round() as u16),
            ..failed
        })
    }
}

#[cfg(test)]
mod tests;
