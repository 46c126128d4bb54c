//! `kind = "ubus"`: hostapd's notifications on OpenWrt's bus.

use std::path::PathBuf;

use serde::Deserialize;
use wire::AgentName;
use wire::frame::RadioHello;

use super::sources::{Around, OpenError, Plan, keys, needs_radios};
use super::tree::{Table, TreeError};
use crate::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    socket: Option<PathBuf>,
    #[serde(default)]
    interfaces: Vec<String>,
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has it")
)]
struct Bus {
    radios: Vec<RadioHello>,
    socket: Option<PathBuf>,
    interfaces: Vec<String>,
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("ubus", table)?;
    needs_radios("ubus", around)?;
    Ok(Box::new(Bus {
        radios: around.radios.to_vec(),
        socket: keys.socket.map(|socket| around.folder.join(socket)),
        interfaces: keys.interfaces,
    }))
}

#[cfg(target_os = "linux")]
impl Plan for Bus {
    fn open(&self, _own: &AgentName) -> Result<Box<dyn Source>, OpenError> {
        use crate::source::ubus::{SOCKETS, UbusOptions, UbusSource};
        Ok(Box::new(UbusSource::new(UbusOptions {
            radios: self.radios.clone(),
            sockets: match &self.socket {
                Some(socket) => vec![socket.clone()],
                None => SOCKETS.map(PathBuf::from).to_vec(),
            },
            interfaces: self.interfaces.clone(),
        })))
    }
}

#[cfg(not(target_os = "linux"))]
impl Plan for Bus {
    fn open(&self, _own: &AgentName) -> Result<Box<dyn Source>, OpenError> {
        Err(super::sources::only_on_linux("ubus"))
    }
}
