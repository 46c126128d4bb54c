//! What the kernel tells of Wi-Fi interfaces: requests and rows of the family nl80211.
//!
//! Source: Linux `include/uapi/linux/nl80211.h`; the numbers are part of the kernel's interface
//! and never change.

pub mod ftm;
#[cfg(test)]
mod tests;

use crate::address::Address;
use crate::netlink::{self, Attributes, Request, controller};

/// The family's name.
pub const FAMILY_NAME: &str = "nl80211";

/// Commands: what is asked for, and what the rows of the answer are called.
pub mod command {
    /// Asks for interfaces.
    pub const GET_INTERFACE: u8 = 5;
    /// An interface.
    pub const NEW_INTERFACE: u8 = 7;
    /// Asks for the stations of an interface.
    pub const GET_STATION: u8 = 17;
    /// A station.
    pub const NEW_STATION: u8 = 19;
    /// Asks what is known of channels.
    pub const GET_SURVEY: u8 = 50;
    /// A channel.
    pub const NEW_SURVEY_RESULTS: u8 = 51;
    /// Asks for ranges to peers.
    pub const PEER_MEASUREMENT_START: u8 = 131;
    /// Ranges.
    pub const PEER_MEASUREMENT_RESULT: u8 = 132;
    /// No more ranges will come.
    pub const PEER_MEASUREMENT_COMPLETE: u8 = 133;
}

/// Attributes of messages.
pub(crate) mod attribute {
    pub(crate) const IFINDEX: u16 = 3;
    pub(crate) const IFNAME: u16 = 4;
    pub(crate) const IFTYPE: u16 = 5;
    pub(crate) const MAC: u16 = 6;
    pub(crate) const STA_INFO: u16 = 21;
    pub(crate) const WIPHY_FREQ: u16 = 38;
    pub(crate) const SURVEY_INFO: u16 = 84;
}

/// Attributes within `STA_INFO`.
pub(crate) mod station {
    pub(crate) const INACTIVE_TIME: u16 = 1;
    pub(crate) const SIGNAL: u16 = 7;
    pub(crate) const SIGNAL_AVG: u16 = 13;
    pub(crate) const STA_FLAGS: u16 = 17;
    pub(crate) const CHAIN_SIGNAL: u16 = 25;
    pub(crate) const CHAIN_SIGNAL_AVG: u16 = 26;
    /// Bit of the flags: the station is associated.
    pub(crate) const FLAG_ASSOCIATED: u32 = 1 << 7;
}

/// Attributes within `SURVEY_INFO`.
pub(crate) mod survey {
    pub(crate) const FREQUENCY: u16 = 1;
    pub(crate) const NOISE: u16 = 2;
    pub(crate) const IN_USE: u16 = 3;
}

/// What an interface is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceKind {
    /// An access point, or a part of one with a VLAN of its own.
    AccessPoint,
    /// Anything else.
    Other,
}

/// An interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface<'a> {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub kind: InterfaceKind,
    /// Its own address: the BSSID of an access point.
    pub address: Option<Address>,
    /// Centre of the primary channel, while it has one.
    pub freq_mhz: Option<u16>,
}

/// A row of the table of stations: one client of an access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// Its address.
    pub address: Address,
    /// Milliseconds since it was heard last.
    pub inactive_ms: Option<u32>,
    /// Strength of the last frame: of all antennas together, else of the one that hears it best.
    pub signal_dbm: Option<i8>,
    /// The same, averaged over frames.
    pub signal_avg_dbm: Option<i8>,
    /// Whether it is associated, or only about to be; drivers need not say.
    pub associated: Option<bool>,
}

/// What is known of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Its centre frequency.
    pub freq_mhz: Option<u32>,
    /// Its noise.
    pub noise_dbm: Option<i8>,
    /// The radio is on this channel.
    pub in_use: bool,
}

/// Asks for the number of a family.
pub fn get_family<'a>(bytes: &'a mut Vec<u8>, sequence: u32, name: &str) -> &'a [u8] {
    let (family, command) = (controller::FAMILY, controller::GET_FAMILY);
    let mut request = Request::new(bytes, family, netlink::ACKNOWLEDGE, sequence, command);
    request.add_text(controller::ATTRIBUTE_FAMILY_NAME, name);
    request.finish()
}

/// Asks for all rows that a command gives, of one interface or of all.
pub fn dump(
    bytes: &mut Vec<u8>,
    family: u16,
    sequence: u32,
    command: u8,
    interface: Option<u32>,
) -> &[u8] {
    let mut request = Request::new(bytes, family, netlink::DUMP, sequence, command);
    if let Some(index) = interface {
        request.add_u32(attribute::IFINDEX, index);
    }
    request.finish()
}

/// The number of the family in an answer to [`get_family`].
pub fn family(attributes: Attributes<'_>) -> Option<u16> {
    attributes.find(controller::ATTRIBUTE_FAMILY_ID)?.u16()
}

impl<'a> Interface<'a> {
    /// Reads a row; `None` for what is no network interface.
    pub fn parse(attributes: Attributes<'a>) -> Option<Self> {
        let find = |kind| attributes.find(kind);
        let freq = find(attribute::WIPHY_FREQ).and_then(|freq| freq.u32());
        Some(Self {
            index: find(attribute::IFINDEX)?.u32()?,
            name: find(attribute::IFNAME)?.text()?,
            kind: match find(attribute::IFTYPE)?.u32()? {
                3 | 4 => InterfaceKind::AccessPoint,
                _ => InterfaceKind::Other,
            },
            address: find(attribute::MAC).and_then(|mac| mac.address()),
            freq_mhz: freq.and_then(|freq| u16::try_from(freq).ok()),
        })
    }
}

impl Station {
    /// Reads a row; `None` for one without an address.
    pub fn parse(attributes: Attributes<'_>) -> Option<Self> {
        let address = attributes.find(attribute::MAC)?.address()?;
        let info = attributes.find(attribute::STA_INFO)?.nested();
        let mut row = Self {
            address,
            inactive_ms: None,
            signal_dbm: None,
            signal_avg_dbm: None,
            associated: None,
        };
        let (mut chains_dbm, mut chains_avg_dbm) = (None, None);
        for field in info {
            match field.kind {
                station::INACTIVE_TIME => row.inactive_ms = field.u32(),
                station::SIGNAL => row.signal_dbm = field.i8(),
                station::SIGNAL_AVG => row.signal_avg_dbm = field.i8(),
                station::CHAIN_SIGNAL => chains_dbm = strongest(field.nested()),
                station::CHAIN_SIGNAL_AVG => chains_avg_dbm = strongest(field.nested()),
                // A mask of the flags that are told, and the flags.
                station::STA_FLAGS => {
                    let mask = field.u32().unwrap_or(0);
                    let flags = field.value.get(4..).and_then(|rest| rest.first_chunk());
                    row.associated = flags
                        .filter(|_| mask & station::FLAG_ASSOCIATED != 0)
                        .map(|flags| u32::from_ne_bytes(*flags) & station::FLAG_ASSOCIATED != 0);
                }
                _ => {}
            }
        }
        row.signal_dbm = row.signal_dbm.or(chains_dbm).filter(|dbm| *dbm < 0);
        row.signal_avg_dbm = row.signal_avg_dbm.or(chains_avg_dbm).filter(|dbm| *dbm < 0);
        Some(row)
    }
}

/// The best of the antennas.
fn strongest(chains: Attributes<'_>) -> Option<i8> {
    chains.filter_map(|chain| chain.i8()).max()
}

impl Survey {
    /// Reads a row; `None` for one that says nothing.
    pub fn parse(attributes: Attributes<'_>) -> Option<Self> {
        let info = attributes.find(attribute::SURVEY_INFO)?.nested();
        Some(Self {
            freq_mhz: info.find(survey::FREQUENCY).and_then(|freq| freq.u32()),
            noise_dbm: info
                .find(survey::NOISE)
                .and_then(|noise| noise.i8())
                .filter(|dbm| *dbm < 0),
            in_use: info.find(survey::IN_USE).is_some(),
        })
    }
}
