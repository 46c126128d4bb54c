//! From the bytes of one frame with a radiotap header to what was heard, or to why it is of no use.

use std::collections::HashSet;

use wire::Kind;
use wire::frame::RadioHello;

use crate::address::Address;
use crate::channel::Channel;
use crate::dot11::{Header, Role};
use crate::limits::ACCESS_POINTS_MAX;
use crate::radiotap::Radiotap;
use crate::source::bands::radio_of;
use crate::source::{Heard, SourceHealth, Transmitter};

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

impl Unheard {
    /// Where this reason is counted.
    pub(super) fn counter(self, health: &mut SourceHealth) -> &mut u64 {
        match self {
            Self::Malformed => &mut health.malformed,
            Self::BadChecksum => &mut health.bad_checksum,
            Self::WithoutTransmitter => &mut health.without_transmitter,
            Self::WithoutSignal => &mut health.without_signal,
            Self::FromAccessPoint => &mut health.from_access_point,
            Self::WithoutRadio => &mut health.without_radio,
        }
    }
}

/// What data to an access point shows where no network is known to be the site's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// Its sender counts as associated: a capture of one's own lists no networks.
    Associated,
    /// Its sender does not: on air, devices of the neighbours send data too.
    #[cfg_attr(
        not(all(feature = "monitor", target_os = "linux")),
        expect(dead_code, reason = "only monitors do so")
    )]
    NotAssociated,
}

/// What has to be known to judge a frame.
pub(super) struct Listener {
    radios: Vec<RadioHello>,
    own: HashSet<Address>,
    /// Further ones that the node told of. Only their beacons and the like count: whose data makes a
    /// client an associated one is for the configuration to say.
    told: HashSet<Address>,
    unlisted: Unlisted,
    /// Networks met so far: their control frames look like those of clients.
    met: HashSet<Address>,
}

impl Listener {
    pub(super) fn new(radios: Vec<RadioHello>, own: Vec<Address>, unlisted: Unlisted) -> Self {
        Self {
            radios,
            own: own.into_iter().collect(),
            told: HashSet::new(),
            unlisted,
            met: HashSet::new(),
        }
    }

    pub(super) fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    /// These further networks are the site's own.
    pub(super) fn set_told(&mut self, told: &[Address]) {
        self.told = told.iter().copied().collect();
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
        if from_access_point && !self.is_own(&header, &address) {
            return Err(Unheard::FromAccessPoint);
        }
        let rssi_dbm = radiotap.signal_dbm().filter(|_| !radiotap.transmitted);
        let rssi_dbm = rssi_dbm.ok_or(Unheard::WithoutSignal)?;
        let channel = radiotap.freq_mhz.and_then(Channel::at_mhz);
        let radio = radio_of(&self.radios, channel).ok_or(Unheard::WithoutRadio)?;
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
                // Every network beacons. Its data frames need not be seen, so that a filter may
                // keep them back without changing what is heard.
                if header.is_management() && self.met.len() < ACCESS_POINTS_MAX {
                    self.met.insert(*address);
                }
                true
            }
            Role::Client => false,
            Role::Unknown => self.own.contains(address) || self.met.contains(address),
        }
    }

    fn is_own(&self, header: &Header, address: &Address) -> bool {
        self.own.contains(address) || (header.is_management() && self.told.contains(address))
    }

    fn is_own_network(&self, header: &Header) -> bool {
        if self.own.is_empty() {
            return self.unlisted == Unlisted::Associated;
        }
        header.bssid.is_some_and(|bssid| self.own.contains(&bssid))
    }
}
