//! What hostapd says on its control socket: events and answers, as text.
//!
//! Source: hostapd `hostapd/ctrl_iface.c`, `src/ap/ctrl_iface_ap.c` (stations) and
//! `src/common/wpa_ctrl.h` (events).

#[cfg(test)]
mod tests;

use crate::address::Address;

/// A datagram from hostapd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// Something happened.
    Event(Event),
    /// The answer to a command.
    Answer(&'a str),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A client was let in.
    Connected(Address),
    /// A client left.
    Disconnected(Address),
    /// A client asked who is there; only told if hostapd.conf says `notify_probe_req=1`.
    Probe {
        /// Who asked.
        from: Address,
        /// How strongly it was heard, where the driver says.
        signal_dbm: Option<i8>,
    },
    /// hostapd ends.
    Terminating,
    /// Of no use to us.
    Other,
}

/// A client as hostapd's table shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: Address,
    /// Strength of its last frame.
    pub signal_dbm: Option<i8>,
    /// Milliseconds since then.
    pub inactive_ms: Option<u32>,
    /// It is associated, not only about to be.
    pub associated: bool,
}

impl<'a> Told<'a> {
    /// Reads a datagram; what is no text is cut before the first odd byte.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        // An event begins with its level, such as <3>.
        match text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((_, event)) => Self::Event(Event::parse(event)),
            None => Self::Answer(text),
        }
    }
}

impl Event {
    fn parse(text: &str) -> Self {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        match name {
            "AP-STA-CONNECTED" | "AP-STA-DISCONNECTED" => {
                let Some(Ok(address)) = words.next().map(str::parse) else {
                    return Self::Other;
                };
                if name == "AP-STA-CONNECTED" {
                    Self::Connected(address)
                } else {
                    Self::Disconnected(address)
                }
            }
            "RX-PROBE-REQUEST" => {
                let value = |key| words.clone().find_map(|word| value_of(word, key));
                match value("sa").map(str::parse) {
                    Some(Ok(from)) => Self::Probe {
                        from,
                        signal_dbm: value("signal").and_then(signal),
                    },
                    _ => Self::Other,
                }
            }
            "CTRL-EVENT-TERMINATING" => Self::Terminating,
            _ => Self::Other,
        }
    }
}

impl Client {
    /// Reads the answer to `STA-FIRST` or `STA-NEXT`; `None` when there are no more.
    pub fn parse(answer: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let address = lines.next()?.trim().parse().ok()?;
        let value = |key| lines.clone().find_map(|line| value_of(line, key));
        Some(Self {
            address,
            signal_dbm: value("signal").and_then(signal),
            inactive_ms: value("inactive_msec").and_then(|ms| ms.parse().ok()),
            associated: value("flags").is_none_or(|flags| flags.contains("[ASSOC]")),
        })
    }
}

/// The frequency in the answer to `STATUS`, while the interface has one.
pub fn freq_mhz(answer: &str) -> Option<u16> {
    let value = answer.lines().find_map(|line| value_of(line, "freq"));
    value?.parse().ok().filter(|freq| *freq > 0)
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text.trim().strip_prefix(key)?.strip_prefix('=')?;
    Some(value.trim())
}

/// Drivers that do not know say 0.
fn signal(text: &str) -> Option<i8> {
    text.parse().ok().filter(|dbm| *dbm < 0)
}
