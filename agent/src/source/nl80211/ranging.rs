//! Ranges to other access points of the site, where the driver can measure them.
//!
//! Works through nl80211's peer measurement and needs the right CAP_NET_ADMIN. Few drivers can
//! start such a measurement from an access point, and few access points answer; what this does has
//! been tested against bytes as the kernel's headers describe them, never against a radio. A radio
//! that cannot says so in the health of the source, and everything else goes on.

use std::io;
use std::time::Duration;

use wire::frame::RadioHello;
use wire::{Kind, Range};

use super::Connect;
use super::dialogue::Dialogue;
use crate::channel::Channel;
use crate::limits::{FTM_LOOK, FTM_TIMEOUT, PULLS_MAX};
use crate::netlink::Answer;
use crate::nl80211::command;
use crate::nl80211::ftm::{self, Measured, Peer};
use crate::source::bands::radio_of;
use crate::source::{Heard, SourceHealth, Transmitter};
use crate::system::interface;

/// To whom ranges are measured, and how often.
#[derive(Debug, Clone)]
pub struct RangingOptions {
    /// The interface that measures, such as `wlan0`.
    pub interface: String,
    /// Access points that answer.
    pub peers: Vec<Peer>,
    /// Time between two measurements.
    pub interval: Duration,
}

/// Measures at intervals; a socket is open only as long as a measurement runs.
pub(super) struct Ranging {
    options: RangingOptions,
    running: Option<Dialogue>,
    /// When the next measurement begins, and when the running one is given up.
    due_us: u64,
    until_us: u64,
    pub(super) notice: Option<String>,
}

impl Ranging {
    pub(super) fn new(options: RangingOptions) -> Self {
        Self {
            options,
            running: None,
            due_us: 0,
            until_us: 0,
            notice: None,
        }
    }

    /// Begins, follows or ends a measurement; when to come back.
    pub(super) fn drain(
        &mut self,
        now_us: u64,
        around: &mut Around<'_>,
        out: &mut dyn FnMut(Heard),
    ) -> u64 {
        if self.running.is_none() && now_us < self.due_us {
            return self.due_us;
        }
        let ended = match self.follow(now_us, around, out) {
            Ok(Progress::Waits) => return now_us + FTM_LOOK.as_micros() as u64,
            Ok(Progress::Complete) => None,
            Err(error) => Some(error),
        };
        // Closing the socket ends what still runs.
        self.running = None;
        let notice = ended.map(|error| {
            let name = &self.options.interface;
            format!(
                "source nl80211: no ranges through {name}: {error}; leave ftm_peers out if its \
                 radio cannot measure"
            )
        });
        if let Some(notice) = notice.as_ref().filter(|_| notice != self.notice) {
            tracing::warn!("{notice}");
        }
        self.notice = notice;
        self.due_us
    }

    fn follow(
        &mut self,
        now_us: u64,
        around: &mut Around<'_>,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<Progress> {
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                self.due_us = now_us.saturating_add(self.options.interval.as_micros() as u64);
                let timeout_us = FTM_TIMEOUT.as_micros() as u64;
                self.until_us = now_us.saturating_add(timeout_us);
                let interface = (around.index_of)(&self.options.interface)?;
                let running = self.running.insert(Dialogue::new((around.connect)()?));
                let (family, peers) = (around.family, &self.options.peers);
                let timeout_ms = FTM_TIMEOUT.as_millis() as u32;
                running.ask(|bytes, number| {
                    ftm::start(bytes, family, number, interface, timeout_ms, peers)
                })?;
                running
            }
        };
        for _ in 0..PULLS_MAX {
            let Some(message) = running.next()? else {
                return match now_us >= self.until_us {
                    true => Err(io::ErrorKind::TimedOut.into()),
                    false => Ok(Progress::Waits),
                };
            };
            match message.answer {
                Answer::Done(Ok(())) | Answer::Nothing => {}
                Answer::Done(Err(code)) => return Err(io::Error::from_raw_os_error(code)),
                Answer::Overrun => return Err(io::Error::other("the kernel lost messages")),
                Answer::Row {
                    command,
                    attributes,
                    ..
                } => match command {
                    command::PEER_MEASUREMENT_RESULT => {
                        for measured in ftm::results(attributes) {
                            give_out(&self.options.peers, &measured, now_us, around, out);
                        }
                    }
                    command::PEER_MEASUREMENT_COMPLETE => return Ok(Progress::Complete),
                    _ => {}
                },
            }
        }
        Ok(Progress::Waits)
    }
}

/// How far a measurement is.
enum Progress {
    Waits,
    Complete,
}

/// What a measurement needs of the source.
pub(super) struct Around<'a> {
    pub(super) connect: &'a mut Connect,
    pub(super) index_of: fn(&str) -> io::Result<u32>,
    pub(super) family: u16,
    pub(super) radios: &'a [RadioHello],
    pub(super) health: &'a mut SourceHealth,
}

/// As the system knows interfaces.
pub(super) const INDEX_OF: fn(&str) -> io::Result<u32> = interface::index_of;

fn give_out(
    peers: &[Peer],
    measured: &Measured,
    now_us: u64,
    around: &mut Around<'_>,
    out: &mut dyn FnMut(Heard),
) {
    around.health.frames += 1;
    let peer = peers.iter().find(|peer| peer.address == measured.address);
    let (Some(peer), Some(distance_mm)) = (peer, measured.distance_mm) else {
        around.health.without_signal += 1;
        return;
    };
    let channel = Channel::at_mhz(peer.freq_mhz);
    let Some(radio) = radio_of(around.radios, channel) else {
        around.health.without_radio += 1;
        return;
    };
    around.health.heard += 1;
    out(Heard {
        from: Transmitter::Address(peer.address),
        heard_at_us: now_us,
        radio,
        // Drivers do not agree on the unit of the strength of these frames.
        rssi_dbm: None,
        noise_dbm: None,
        channel: channel.map_or(0, |channel| channel.number),
        kind: Kind::Ranging,
        associated: false,
        range: Some(Range {
            distance_mm,
            deviation_mm: measured.deviation_mm,
        }),
    });
}
