//! From the bytes of one captured frame to what was heard, or to why it is of no use.

use std::collections::HashSet;

use wire::Kind;
use wire::frame::RadioHello;

use crate::address::Address;
use crate::channel::Channel;
use crate::dot11::{Header, Role};
use crate::limits::ACCESS_POINTS_MAX;
use crate::radiotap::Radiotap;
use crate::source::{Heard, Transmitter};

/// Why a frame is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// Its headers contradict themselves.
    Malformed,
    /// Its checksum is wrong, so its address may be.
    BadChecksum,
    /// It does not say who sent it.
    WithoutTransmitter,
    /// Its strength was not measured, or we sent it.
    WithoutSignal,
    /// An access point that is not ours sent it.
    FromAccessPoint,
    /// There is no radio of its band.
    WithoutRadio,
}

/// What has to be known to judge a frame.
pub(super) struct Listener {
    radios: Vec<RadioHello>,
    own: HashSet<Address>,
    /// Networks met so far: their control frames look like those of clients.
    met: HashSet<Address>,
}

impl Listener {
    pub(super) fn new(radios: Vec<RadioHello>, own: Vec<Address>) -> Self {
        Self {
            radios,
            own: own.into_iter().collect(),
            met: HashSet::new(),
        }
    }

    pub(super) fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    pub(super) fn hear(&mut self, bytes: &[u8], heard_at_us: u64) -> Result<Heard, Unheard> {
        let radiotap = Radiotap::parse(bytes).map_err(|_| Unheard::Malformed)?;
        if radiotap.checksum_bad {
            return Err(Unheard::BadChecksum);
        }
        let frame = bytes
            .get(radiotap.header_bytes..)
            .ok_or(Unheard::Malformed)?;
        let header = Header::parse(frame).map_err(|_| Unheard::Malformed)?;
        let address = header.transmitter.ok_or(Unheard::WithoutTransmitter)?;
        let from_access_point = self.is_access_point(&header, &address);
        if from_access_point && !self.own.contains(&address) {
            return Err(Unheard::FromAccessPoint);
        }
        let rssi_dbm = radiotap.signal_dbm().filter(|_| !radiotap.transmitted);
        let rssi_dbm = rssi_dbm.ok_or(Unheard::WithoutSignal)?;
        let channel = radiotap.freq_mhz.and_then(Channel::at_mhz);
        let radio = self.radio_of(channel).ok_or(Unheard::WithoutRadio)?;
        Ok(Heard {
            from: Transmitter::Address(address),
            heard_at_us,
            radio,
            rssi_dbm: Some(rssi_dbm),
            noise_dbm: radiotap.noise_dbm(),
            channel: channel.map_or(0, |channel| channel.number),
            kind: if from_access_point {
                Kind::Beacon
            } else {
                header.kind()
            },
            associated: header.shows_association() && self.is_own_network(&header),
            range: None,
        })
    }

    /// Judges by the frame where it tells, else by what was met before.
    fn is_access_point(&mut self, header: &Header, address: &Address) -> bool {
        match header.role() {
            Role::AccessPoint => {
                if self.met.len() < ACCESS_POINTS_MAX {
                    self.met.insert(*address);
                }
                true
            }
            Role::Client => false,
            Role::Unknown => self.own.contains(address) || self.met.contains(address),
        }
    }

    fn is_own_network(&self, header: &Header) -> bool {
        self.own.is_empty() || header.bssid.is_some_and(|bssid| self.own.contains(&bssid))
    }

    /// The radio of the channel's band; without a channel only a single radio is beyond doubt.
    fn radio_of(&self, channel: Option<Channel>) -> Option<u8> {
        let index = match channel {
            Some(channel) => self
                .radios
                .iter()
                .position(|radio| radio.band == channel.band)?,
            None if self.radios.len() == 1 => 0,
            None => return None,
        };
        u8::try_from(index).ok()
    }
}
