//! `kind = "ble"`: advertisements of Bluetooth low energy.

use std::time::Duration;

use serde::Deserialize;
use wire::AgentName;
use wire::frame::RadioHello;

use super::sources::{Around, OpenError, Plan, keys};
use super::tree::{Table, TreeError};
use crate::hci::command::ScanTiming;
use crate::limits::{BLE_INTERVAL, BLE_INTERVAL_MAX, BLE_WINDOW, BLE_WINDOW_MIN};
use crate::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    adapter: Option<String>,
    interval_ms: Option<u32>,
    window_ms: Option<u32>,
}

#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has it")
)]
struct Adapter {
    radio: RadioHello,
    adapter: u16,
    timing: ScanTiming,
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("ble", table)?;
    let radio = around.radios.iter().find(|radio| radio.band == "ble");
    let radio = radio.ok_or(
        "source ble: nothing says which AP the adapter belongs to; add a [[radio]] with its AP and \
         band = \"ble\"",
    )?;
    let adapter = keys.adapter.as_deref().unwrap_or("hci0");
    let number = adapter.strip_prefix("hci").and_then(|n| n.parse().ok());
    let time = |ms: Option<u32>, default| ms.map_or(default, |ms| Duration::from_millis(ms.into()));
    let timing = ScanTiming {
        interval: time(keys.interval_ms, BLE_INTERVAL),
        window: time(keys.window_ms, BLE_WINDOW),
    };
    let fits = BLE_WINDOW_MIN <= timing.window
        && timing.window <= timing.interval
        && timing.interval <= BLE_INTERVAL_MAX;
    if !fits {
        let (min, max) = (BLE_WINDOW_MIN.as_millis(), BLE_INTERVAL_MAX.as_millis());
        let what = format!(
            "source ble: window_ms must be at least {min} and not above interval_ms, and that at \
             most {max}"
        );
        return Err(what.into());
    }
    Ok(Box::new(Adapter {
        radio: radio.clone(),
        adapter: number.ok_or_else(|| {
            format!("source ble: {adapter:?} is no adapter; use one such as \"hci0\"")
        })?,
        timing,
    }))
}

#[cfg(target_os = "linux")]
impl Plan for Adapter {
    fn open(&self, _own: &AgentName) -> Result<Box<dyn Source>, OpenError> {
        use crate::source::ble::{BleOptions, BleSource};
        Ok(Box::new(BleSource::new(BleOptions {
            radio: self.radio.clone(),
            adapter: self.adapter,
            timing: self.timing,
        })))
    }
}

#[cfg(not(target_os = "linux"))]
impl Plan for Adapter {
    fn open(&self, _own: &AgentName) -> Result<Box<dyn Source>, OpenError> {
        Err(super::sources::only_on_linux("ble"))
    }
}
