//! `kind = "nl80211"`: the clients of own access points, polled from the kernel.

use std::time::Duration;

use serde::Deserialize;

use super::sources::{Around, Plan, interface_name, interval, keys, needs_radios};
use super::tree::{Table, TreeError};
use crate::channel::Channel;
use crate::limits::{FTM_INTERVAL, FTM_INTERVAL_MIN, FTM_PEERS_MAX};
use crate::nl80211::ftm::Peer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    interfaces: Vec<String>,
    interval_ms: Option<u32>,
    ftm_interface: Option<String>,
    #[serde(default)]
    ftm_peers: Vec<String>,
    ftm_interval_s: Option<u32>,
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has it")
)]
struct Stations {
    interfaces: Vec<String>,
    radios: Vec<wire::frame::RadioHello>,
    interval: Duration,
    ranging: Option<Ranging>,
}

/// Ranges to other access points.
#[derive(Clone)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has it")
)]
struct Ranging {
    interface: String,
    peers: Vec<Peer>,
    interval: Duration,
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("nl80211", table)?;
    needs_radios("nl80211", around)?;
    let ranging = ranging(&keys)?;
    let names = keys.interfaces.into_iter();
    Ok(Box::new(Stations {
        interfaces: names
            .map(|name| interface_name("nl80211", name))
            .collect::<Result<_, _>>()?,
        radios: around.radios.to_vec(),
        interval: interval("nl80211", keys.interval_ms)?,
        ranging,
    }))
}

/// Whether and how ranges are measured.
fn ranging(keys: &Keys) -> Result<Option<Ranging>, String> {
    let problem = |what: String| Err(format!("source nl80211: {what}"));
    if keys.ftm_peers.is_empty() {
        return match keys.ftm_interface.is_some() || keys.ftm_interval_s.is_some() {
            true => problem("ftm_peers is missing; without it no ranges are measured".to_owned()),
            false => Ok(None),
        };
    }
    let Some(interface) = keys.ftm_interface.as_ref().or(keys.interfaces.first()) else {
        return problem("nothing says which interface measures; add ftm_interface".to_owned());
    };
    if keys.ftm_peers.len() > FTM_PEERS_MAX {
        return problem(format!(
            "ftm_peers has more than {FTM_PEERS_MAX} access points"
        ));
    }
    let interval_s = keys.ftm_interval_s.map(u64::from);
    let interval = interval_s.map_or(FTM_INTERVAL, Duration::from_secs);
    if interval < FTM_INTERVAL_MIN {
        let min = FTM_INTERVAL_MIN.as_secs();
        return problem(format!("ftm_interval_s must be at least {min}"));
    }
    Ok(Some(Ranging {
        interface: interface_name("nl80211", interface.clone())?,
        peers: keys
            .ftm_peers
            .iter()
            .map(|text| peer(text))
            .collect::<Result<_, _>>()?,
        interval,
    }))
}

/// An access point that answers, as one text, for a value of UCI holds no table.
fn peer(text: &str) -> Result<Peer, String> {
    let problem = |what: &str| format!("source nl80211, ftm_peers: {what}");
    let (address, freq_mhz) = text.split_once(' ').unwrap_or((text, ""));
    let address = address.parse();
    let address = address.map_err(|error| problem(&format!("{error}")))?;
    let Ok(freq_mhz) = freq_mhz.trim().parse() else {
        return Err(problem(
            "write address and frequency in MHz, such as \"00:11:22:aa:bb:cc 5180\"",
        ));
    };
    if Channel::at_mhz(freq_mhz).is_none() {
        return Err(problem(&format!("{freq_mhz} MHz is no Wi-Fi channel")));
    }
    Ok(Peer { address, freq_mhz })
}

#[cfg(target_os = "linux")]
impl Plan for Stations {
    fn open(
        &self,
        _own: &wire::AgentName,
    ) -> Result<Box<dyn crate::source::Source>, super::sources::OpenError> {
        use crate::source::nl80211::{RangingOptions, StationsOptions, StationsSource};
        Ok(Box::new(StationsSource::open(StationsOptions {
            interfaces: self.interfaces.clone(),
            radios: self.radios.clone(),
            interval: self.interval,
            ranging: self.ranging.clone().map(|ranging| RangingOptions {
                interface: ranging.interface,
                peers: ranging.peers,
                interval: ranging.interval,
            }),
        })?))
    }
}

#[cfg(not(target_os = "linux"))]
impl Plan for Stations {
    fn open(
        &self,
        _own: &wire::AgentName,
    ) -> Result<Box<dyn crate::source::Source>, super::sources::OpenError> {
        Err(super::sources::only_on_linux("nl80211"))
    }
}
