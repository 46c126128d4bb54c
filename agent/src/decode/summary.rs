//! A capture in a few lines.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use wire::Kind;

use super::{AddressWriter, DecodeCounters, Dissected};
use crate::address::Address;
use crate::channel::Channel;
use crate::dot11::Role;
use crate::limits::DECODED_CLIENTS_MAX;

/// Clients that are listed one by one, strongest first.
const CLIENTS_LISTED: usize = 10;

/// What has been met so far.
#[derive(Default)]
pub(super) struct Summary {
    counters: DecodeCounters,
    bad_checksum: u64,
    from_access_points: u64,
    without_transmitter: u64,
    kinds: BTreeMap<&'static str, u64>,
    bands: BTreeMap<&'static str, u64>,
    clients: HashMap<Address, Client>,
}

#[derive(Default)]
struct Client {
    frames: u64,
    strongest_dbm: Option<i8>,
    associated: bool,
}

impl Summary {
    pub(super) fn counters(&self) -> DecodeCounters {
        self.counters
    }

    pub(super) fn add(&mut self, dissected: &Dissected<'_>) {
        self.counters.frames += 1;
        let (Ok(radiotap), Ok(header)) = (&dissected.radiotap, &dissected.header) else {
            self.counters.malformed += 1;
            return;
        };
        let signal_dbm = radiotap.signal_dbm();
        self.counters.with_signal += u64::from(signal_dbm.is_some());
        self.bad_checksum += u64::from(radiotap.checksum_bad);
        *self.kinds.entry(kind_name(header.kind())).or_default() += 1;
        let channel = radiotap.freq_mhz.and_then(Channel::at_mhz);
        *self
            .bands
            .entry(channel.map_or("unknown", |channel| channel.band))
            .or_default() += 1;
        let Some(transmitter) = header.transmitter else {
            self.without_transmitter += 1;
            return;
        };
        if header.role() == Role::AccessPoint {
            self.from_access_points += 1;
        }
        if header.role() != Role::Client || radiotap.checksum_bad {
            return;
        }
        if self.clients.len() == DECODED_CLIENTS_MAX && !self.clients.contains_key(&transmitter) {
            return;
        }
        let client = self.clients.entry(transmitter).or_default();
        client.frames += 1;
        client.strongest_dbm = client.strongest_dbm.max(signal_dbm);
        client.associated |= header.shows_association();
    }

    pub(super) fn write(
        &self,
        addresses: &mut AddressWriter,
        notice: Option<&str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let DecodeCounters {
            frames,
            with_signal,
            malformed,
        } = self.counters;
        writeln!(
            out,
            "frames       {frames}, {with_signal} with a signal strength in dBm"
        )?;
        writeln!(
            out,
            "of no use    {malformed} malformed, {} with a wrong checksum, {} without a \
             transmitter, {} from access points",
            self.bad_checksum, self.without_transmitter, self.from_access_points
        )?;
        writeln!(out, "kinds        {}", counts(&self.kinds))?;
        writeln!(out, "bands        {}", counts(&self.bands))?;
        self.write_clients(addresses, out)?;
        if let Some(notice) = notice {
            writeln!(out, "notice       {notice}")?;
        }
        Ok(())
    }

    fn write_clients(&self, addresses: &mut AddressWriter, out: &mut dyn Write) -> io::Result<()> {
        let randomised = self
            .clients
            .keys()
            .filter(|address| address.is_randomised())
            .count();
        let withheld = self
            .clients
            .iter()
            .filter(|(a, c)| a.is_randomised() && !c.associated)
            .count();
        let at_least = if self.clients.len() == DECODED_CLIENTS_MAX {
            "at least "
        } else {
            ""
        };
        let clients = self.clients.len();
        writeln!(
            out,
            "clients      {at_least}{clients}, {randomised} of them with a randomised address"
        )?;
        writeln!(
            out,
            "             {withheld} randomised and not associated: by default these are only counted, \
             their ids do not leave the agent; an agent tells them with randomised = \"on\" under \
             [privacy]"
        )?;
        let mut listed: Vec<_> = self.clients.iter().collect();
        listed.sort_unstable_by_key(|(address, client)| {
            (
                std::cmp::Reverse((client.strongest_dbm, client.frames)),
                *address.octets(),
            )
        });
        for (address, client) in listed.into_iter().take(CLIENTS_LISTED) {
            let strongest = match client.strongest_dbm {
                Some(dbm) => format!("{dbm} dBm at best"),
                None => "no signal strength".to_owned(),
            };
            let text = addresses.text(address);
            writeln!(
                out,
                "             {text}  {} frames, {strongest}",
                client.frames
            )?;
        }
        Ok(())
    }
}

fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    let parts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Other => "control and other",
        Kind::Probe => "probe",
        Kind::Management => "management",
        Kind::Data => "data",
        Kind::Average => "average",
        Kind::Beacon => "beacon",
        Kind::Advertisement => "advertisement",
        Kind::Ranging => "ranging",
    }
}
