//! Takes the kernel's rows in, one message at a time.

use std::io;

use wire::Kind;

use super::cell::{Cell, News};
use super::{StationsOptions, Step};
use crate::limits::INTERFACES_MAX;
use crate::netlink::{Answer, Message};
use crate::nl80211::{self, Interface, InterfaceKind, Station, Survey, command};
use crate::source::bands::radio_of;
use crate::source::{Heard, SourceHealth, Transmitter};

/// All that a message may change, but the buffer it stands in.
pub(super) struct Reading<'a> {
    pub(super) options: &'a StationsOptions,
    pub(super) cells: &'a mut Vec<Cell>,
    pub(super) found: &'a mut Vec<Cell>,
    pub(super) family: &'a mut u16,
    pub(super) interrupted: &'a mut bool,
    pub(super) health: &'a mut SourceHealth,
}

impl Reading<'_> {
    /// Takes a message in; how the answer ended, if it did.
    pub(super) fn handle(
        self,
        step: Step,
        message: Message<'_>,
        now_us: u64,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<Option<Result<(), i32>>> {
        if message.interrupted && step == Step::Interfaces {
            *self.interrupted = true;
        }
        let (row, attributes) = match message.answer {
            Answer::Done(result) => return Ok(Some(result)),
            Answer::Overrun => return Err(io::Error::other("the kernel lost messages")),
            Answer::Nothing => return Ok(None),
            Answer::Row {
                command,
                attributes,
                ..
            } => (command, attributes),
        };
        match (step, row) {
            (Step::Family, _) => *self.family = nl80211::family(attributes).unwrap_or(0),
            (Step::Interfaces, command::NEW_INTERFACE) => {
                if let Some(interface) = Interface::parse(attributes) {
                    self.note(&interface);
                }
            }
            (Step::Survey(cell), command::NEW_SURVEY_RESULTS) => {
                if let (Some(survey), Some(cell)) =
                    (Survey::parse(attributes), self.cells.get_mut(cell))
                    && survey.in_use
                {
                    cell.noise_dbm = survey.noise_dbm;
                    let freq_mhz = survey.freq_mhz.and_then(|freq| u16::try_from(freq).ok());
                    cell.freq_mhz = freq_mhz.or(cell.freq_mhz);
                }
            }
            (Step::Stations(cell), command::NEW_STATION) => {
                self.health.frames += 1;
                match (Station::parse(attributes), self.cells.get(cell)) {
                    (Some(row), Some(cell)) => {
                        Self::hear(self.options, cell, &row, now_us, self.health, out);
                    }
                    _ => self.health.malformed += 1,
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Notes an interface that is to be polled.
    fn note(self, interface: &Interface<'_>) {
        let wanted = &self.options.interfaces;
        let is_wanted = wanted.is_empty() || wanted.iter().any(|name| name == interface.name);
        let is_new = self.found.iter().all(|cell| cell.index != interface.index);
        let is_cell = interface.kind == InterfaceKind::AccessPoint;
        if is_wanted && is_new && is_cell && self.found.len() < INTERFACES_MAX {
            self.found.push(Cell::new(interface));
        }
    }

    fn hear(
        options: &StationsOptions,
        cell: &Cell,
        row: &Station,
        now_us: u64,
        health: &mut SourceHealth,
        out: &mut dyn FnMut(Heard),
    ) {
        let (kind, rssi_dbm) = match row.signal_avg_dbm {
            Some(average_dbm) => (Kind::Average, Some(average_dbm)),
            None => (Kind::Data, row.signal_dbm),
        };
        let channel = cell.channel();
        let interval_us = options.interval.as_micros() as u64;
        let News::Heard(heard_at_us) = cell.judge(row, now_us, interval_us) else {
            health.stale += 1;
            return;
        };
        if rssi_dbm.is_none() {
            health.without_signal += 1;
            return;
        }
        let Some(radio) = radio_of(&options.radios, channel) else {
            health.without_radio += 1;
            return;
        };
        health.heard += 1;
        out(Heard {
            from: Transmitter::Address(row.address),
            heard_at_us,
            radio,
            rssi_dbm,
            noise_dbm: cell.noise_dbm,
            channel: channel.map_or(0, |channel| channel.number),
            kind,
            associated: row.associated.unwrap_or(true),
            range: None,
        });
    }
}
