//! What the kernel would answer: rows of nl80211 as it writes them.

use crate::netlink::Request;
use crate::nl80211::{attribute, command, station, survey};

/// A row of an answer, to be numbered.
pub(crate) struct Row {
    command: u8,
    write: Box<dyn Fn(&mut Request<'_>)>,
}

/// What a driver tells of a station.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    Inactive(u32),
    Signal(i8),
    SignalAverage(i8),
    Chains(&'a [i8]),
    Associated(bool),
}

impl Row {
    /// The message, for this family and in answer to this request.
    pub(crate) fn bytes(&self, family: u16, sequence: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut message = Request::new(&mut bytes, family, 2, sequence, self.command);
        (self.write)(&mut message);
        message.finish().to_vec()
    }

    pub(crate) fn new(command: u8, write: impl Fn(&mut Request<'_>) + 'static) -> Self {
        let write = Box::new(write);
        Self { command, write }
    }

    pub(crate) fn station(address: [u8; 6], told: &[Told<'_>]) -> Self {
        let mut bytes = Vec::new();
        let mut info = Request::new(&mut bytes, 0, 0, 0, 0);
        for told in told {
            match *told {
                Told::Inactive(ms) => info.add_u32(station::INACTIVE_TIME, ms),
                Told::Signal(dbm) => info.add(station::SIGNAL, &dbm.to_ne_bytes()),
                Told::SignalAverage(dbm) => info.add(station::SIGNAL_AVG, &dbm.to_ne_bytes()),
                Told::Chains(chains) => {
                    let nest = info.begin(station::CHAIN_SIGNAL);
                    for (dbm, chain) in chains.iter().zip(0..) {
                        info.add(chain, &dbm.to_ne_bytes());
                    }
                    info.end(nest);
                }
                Told::Associated(associated) => {
                    let flags = if associated {
                        station::FLAG_ASSOCIATED
                    } else {
                        0
                    };
                    let both = [station::FLAG_ASSOCIATED, flags].map(u32::to_ne_bytes);
                    info.add(station::STA_FLAGS, both.as_flattened());
                }
            }
        }
        let info = info.finish()[20..].to_vec();
        Self::new(command::NEW_STATION, move |row| {
            row.add_u32(attribute::IFINDEX, 7);
            row.add(attribute::MAC, &address);
            row.add(attribute::STA_INFO, &info);
        })
    }

    pub(crate) fn interface(
        index: u32,
        name: &'static str,
        kind: u32,
        address: [u8; 6],
        freq_mhz: Option<u32>,
    ) -> Self {
        Self::new(command::NEW_INTERFACE, move |row| {
            row.add_u32(attribute::IFINDEX, index);
            row.add_text(attribute::IFNAME, name);
            row.add_u32(attribute::IFTYPE, kind);
            row.add(attribute::MAC, &address);
            if let Some(freq_mhz) = freq_mhz {
                row.add_u32(attribute::WIPHY_FREQ, freq_mhz);
            }
        })
    }

    /// A range to one peer: its status, and numbers of eight bytes under their kinds.
    pub(crate) fn measured(address: [u8; 6], status: u32, told: &[(u16, i64)]) -> Self {
        let told = told.to_vec();
        Self::new(command::PEER_MEASUREMENT_RESULT, move |row| {
            let measurements = row.begin(273);
            let peers = row.begin(5);
            let peer = row.begin(1);
            row.add(1, &address);
            let response = row.begin(4);
            row.add_u32(2, status);
            let data = row.begin(1);
            let ftm = row.begin(1);
            for (kind, number) in &told {
                row.add(*kind, &number.to_ne_bytes());
            }
            for nest in [ftm, data, response, peer, peers, measurements] {
                row.end(nest);
            }
        })
    }

    pub(crate) fn survey(freq_mhz: u32, noise_dbm: Option<i8>, in_use: bool) -> Self {
        Self::new(command::NEW_SURVEY_RESULTS, move |row| {
            let nest = row.begin(attribute::SURVEY_INFO);
            row.add_u32(survey::FREQUENCY, freq_mhz);
            if let Some(noise_dbm) = noise_dbm {
                row.add(survey::NOISE, &noise_dbm.to_ne_bytes());
            }
            if in_use {
                row.add(survey::IN_USE, &[]);
            }
            row.end(nest);
        })
    }
}

/// The end of an answer: `code` is 0 or a negative error.
pub(crate) fn done(sequence: u32, code: i32) -> Vec<u8> {
    // A dump's end and an error begin alike.
    let kind: u16 = if code == 0 { 3 } else { 2 };
    let mut bytes = 20u32.to_ne_bytes().to_vec();
    bytes.extend([kind.to_ne_bytes(), 2u16.to_ne_bytes()].as_flattened());
    bytes.extend([sequence.to_ne_bytes(), [0; 4], code.to_ne_bytes()].as_flattened());
    bytes
}
