//! `kind = "hostapd"`: the control socket of a hostapd.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::sources::{Around, Plan, interface_name, interval, keys, needs_radios};
use super::tree::{Table, TreeError};

/// Where hostapd puts its sockets unless its configuration says otherwise.
const FOLDER: &str = "/var/run/hostapd";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    interface: String,
    folder: Option<PathBuf>,
    interval_ms: Option<u32>,
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has it")
)]
struct Hostapd {
    folder: PathBuf,
    interface: String,
    radios: Vec<wire::frame::RadioHello>,
    interval: Duration,
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("hostapd", table)?;
    needs_radios("hostapd", around)?;
    Ok(Box::new(Hostapd {
        folder: keys.folder.unwrap_or_else(|| FOLDER.into()),
        interface: interface_name("hostapd", keys.interface)?,
        radios: around.radios.to_vec(),
        interval: interval("hostapd", keys.interval_ms)?,
    }))
}

#[cfg(target_os = "linux")]
impl Plan for Hostapd {
    fn open(
        &self,
        _own: &wire::AgentName,
    ) -> Result<Box<dyn crate::source::Source>, super::sources::OpenError> {
        use crate::source::hostapd::{HostapdOptions, HostapdSource};
        Ok(Box::new(HostapdSource::new(HostapdOptions {
            folder: self.folder.clone(),
            interface: self.interface.clone(),
            radios: self.radios.clone(),
            interval: self.interval,
        })))
    }
}

#[cfg(not(target_os = "linux"))]
impl Plan for Hostapd {
    fn open(
        &self,
        _own: &wire::AgentName,
    ) -> Result<Box<dyn crate::source::Source>, super::sources::OpenError> {
        Err(super::sources::only_on_linux("hostapd"))
    }
}
