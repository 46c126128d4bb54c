//! `kind = "monitor"`: an interface in monitor mode.

use serde::Deserialize;

use super::sources::{Around, Plan, addresses, interface_name, keys, needs_radios};
use super::tree::{Table, TreeError};
use crate::address::Address;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    interface: String,
    #[serde(default)]
    access_points: Vec<String>,
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has it")
)]
struct Monitor {
    interface: String,
    radios: Vec<wire::frame::RadioHello>,
    access_points: Vec<Address>,
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("monitor", table)?;
    needs_radios("monitor", around)?;
    Ok(Box::new(Monitor {
        interface: interface_name("monitor", keys.interface)?,
        radios: around.radios.to_vec(),
        access_points: addresses("monitor", &keys.access_points, around)?,
    }))
}

#[cfg(target_os = "linux")]
impl Plan for Monitor {
    fn open(
        &self,
        _own: &wire::AgentName,
    ) -> Result<Box<dyn crate::source::Source>, super::sources::OpenError> {
        use crate::source::monitor::{MonitorOptions, MonitorSource};
        Ok(Box::new(MonitorSource::open(MonitorOptions {
            interface: self.interface.clone(),
            radios: self.radios.clone(),
            access_points: self.access_points.clone(),
        })?))
    }
}

#[cfg(not(target_os = "linux"))]
impl Plan for Monitor {
    fn open(
        &self,
        _own: &wire::AgentName,
    ) -> Result<Box<dyn crate::source::Source>, super::sources::OpenError> {
        Err(super::sources::only_on_linux("monitor"))
    }
}
