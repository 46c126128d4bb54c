//! The clients of this device's own access points, as the kernel's table of stations shows them.
//!
//! Every interval the source asks the kernel (nl80211) for the stations of each access point
//! interface, and for the noise of its channel. A row becomes an observation of
//! [`wire::Kind::Average`] if the driver averages, else of [`wire::Kind::Data`], stamped with the time at
//! which the client was heard last; a row of a client that was not heard since the last poll is
//! stale and not given out again. Works on a stock firmware without a monitor interface and needs
//! no right beyond opening a netlink socket.
//!
//! Interfaces may come and go: the list is read again every ten seconds, and at once when one is
//! gone. A socket that fails is opened again.

mod cell;
mod dialogue;
mod ranging;
mod reading;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use wire::frame::RadioHello;

use crate::address::Address;
use crate::limits::{
    FTM_PEERS_MAX, INTERFACES_INTERVAL, INTERFACES_MAX, NETLINK_ANSWER_MAX, PULLS_MAX,
};
use crate::nl80211::{self, command};
use crate::source::reopen::{Reopen, note};
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth};
use crate::system::netlink_socket::NetlinkSocket;

use cell::Cell;
use dialogue::Dialogue;
use ranging::{Around, INDEX_OF, Ranging};
use reading::Reading;

pub use ranging::RangingOptions;

/// `ENOENT`: there is no family of that name.
const NO_SUCH_FAMILY: i32 = 2;

/// A dump of interfaces that changed meanwhile is asked for so often; then what was seen counts.
const INTERFACE_DUMPS_MAX: u32 = 3;

/// What is polled, and how often.
#[derive(Debug, Clone)]
pub struct StationsOptions {
    /// Interfaces such as `wlan0`; all access points of this device if empty.
    pub interfaces: Vec<String>,
    /// The radios of this access point; an interface belongs to the one of its band.
    pub radios: Vec<RadioHello>,
    /// Time between two polls.
    pub interval: Duration,
    /// Ranges to other access points, if they are to be measured.
    pub ranging: Option<RangingOptions>,
}

/// Polls the kernel for stations.
pub struct StationsSource {
    options: StationsOptions,
    connect: Connect,
    dialogue: Option<Dialogue>,
    family: u16,
    step: Step,
    /// When the answer to what was asked last must have begun.
    answer_until_us: u64,
    cells: Vec<Cell>,
    /// Interfaces of the dump that is being read.
    found: Vec<Cell>,
    /// That dump changed while it was read, and how often it was asked for.
    interrupted: bool,
    dumps: u32,
    poll_due_us: u64,
    discovery_due_us: u64,
    polled_us: u64,
    ranging: Option<Ranging>,
    /// How an interface's number is found; a test has its own.
    index_of: fn(&str) -> io::Result<u32>,
    reopen: Reopen,
    health: SourceHealth,
}

type Connect = Box<dyn FnMut() -> io::Result<NetlinkSocket> + Send>;

/// What was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Family,
    Interfaces,
    Survey(usize),
    Stations(usize),
    Idle,
}

impl StationsSource {
    /// Opens a socket to the kernel; nothing is asked yet.
    ///
    /// # Errors
    /// [`SourceError`] when the kernel has no generic netlink, or does not let us use it.
    pub fn open(options: StationsOptions) -> Result<Self, SourceError> {
        let socket = NetlinkSocket::open().map_err(|error| SourceError {
            name: "nl80211".to_owned(),
            what: "no socket to the kernel's netlink; it needs a Linux kernel with \
                   CONFIG_NETLINK, and leave to open such a socket"
                .to_owned(),
            cause: Some(error.into()),
        })?;
        let mut first = Some(socket);
        let connect = move || match first.take() {
            Some(socket) => Ok(socket),
            None => NetlinkSocket::open(),
        };
        Ok(Self::with_connect(options, Box::new(connect)))
    }

    fn with_connect(options: StationsOptions, connect: Connect) -> Self {
        Self {
            ranging: options.ranging.clone().map(Ranging::new),
            index_of: INDEX_OF,
            options,
            connect,
            dialogue: None,
            family: 0,
            step: Step::Idle,
            answer_until_us: 0,
            cells: Vec::with_capacity(INTERFACES_MAX),
            found: Vec::with_capacity(INTERFACES_MAX),
            interrupted: false,
            dumps: 0,
            poll_due_us: 0,
            discovery_due_us: 0,
            polled_us: 0,
            reopen: Reopen::default(),
            health: SourceHealth::default(),
        }
    }

    /// The networks of the interfaces that are polled.
    pub fn networks(&self) -> impl Iterator<Item = Address> {
        self.cells.iter().filter_map(|cell| cell.address)
    }

    fn interval_us(&self) -> u64 {
        self.options.interval.as_micros() as u64
    }

    fn connect(&mut self, now_us: u64) -> io::Result<()> {
        self.dialogue = Some(Dialogue::new((self.connect)()?));
        self.ask(Step::Family, now_us)
    }

    /// Asks what this step asks.
    fn ask(&mut self, step: Step, now_us: u64) -> io::Result<()> {
        self.step = step;
        self.answer_until_us = now_us.saturating_add(NETLINK_ANSWER_MAX.as_micros() as u64);
        let (family, cells) = (self.family, &self.cells);
        let index = |cell: usize| cells.get(cell).map(|cell| cell.index);
        let Some(dialogue) = &mut self.dialogue else {
            return Ok(());
        };
        let (command, interface) = match step {
            Step::Idle => return Ok(()),
            Step::Family => {
                let name = nl80211::FAMILY_NAME;
                return dialogue.ask(|bytes, number| nl80211::get_family(bytes, number, name));
            }
            Step::Interfaces => (command::GET_INTERFACE, None),
            Step::Survey(cell) => (command::GET_SURVEY, index(cell)),
            Step::Stations(cell) => (command::GET_STATION, index(cell)),
        };
        dialogue.ask(|bytes, number| nl80211::dump(bytes, family, number, command, interface))
    }

    /// The poll is due: interfaces first if they may have changed.
    fn begin_poll(&mut self, now_us: u64) -> io::Result<()> {
        self.poll_due_us = now_us.saturating_add(self.interval_us());
        if now_us >= self.discovery_due_us {
            self.dumps = 0;
            return self.ask_interfaces(now_us);
        }
        self.go_on(0, now_us)
    }

    fn ask_interfaces(&mut self, now_us: u64) -> io::Result<()> {
        self.dumps += 1;
        self.interrupted = false;
        self.found.clear();
        self.ask(Step::Interfaces, now_us)
    }

    /// Asks about this interface, or ends the poll behind the last one.
    fn go_on(&mut self, cell: usize, now_us: u64) -> io::Result<()> {
        if cell < self.cells.len() {
            return self.ask(Step::Survey(cell), now_us);
        }
        self.step = Step::Idle;
        self.polled_us = now_us;
        Ok(())
    }

    /// The answer to the current step is complete.
    fn handle_done(&mut self, result: Result<(), i32>, now_us: u64) -> io::Result<()> {
        if result.is_ok() {
            self.reopen.handle_success();
        }
        match (self.step, result) {
            (Step::Family, Ok(())) if self.family != 0 => {
                self.reopen.handle_opened(&mut self.health);
                self.discovery_due_us = 0;
                self.begin_poll(now_us)
            }
            (Step::Family, Err(NO_SUCH_FAMILY)) => Err(io::Error::other(
                "this kernel has no Wi-Fi (no family nl80211); load the driver of its radio",
            )),
            (Step::Family, Ok(())) => Err(io::Error::other("the kernel's answer has no number")),
            (Step::Family | Step::Interfaces, Err(code)) => Err(io::Error::from_raw_os_error(code)),
            (Step::Interfaces, Ok(())) => {
                if self.interrupted && self.dumps < INTERFACE_DUMPS_MAX {
                    return self.ask_interfaces(now_us);
                }
                self.adopt_found(now_us);
                self.go_on(0, now_us)
            }
            // Not every driver knows its noise.
            (Step::Survey(cell), _) => self.ask(Step::Stations(cell), now_us),
            (Step::Stations(cell), Ok(())) => {
                if let Some(cell) = self.cells.get_mut(cell) {
                    cell.polled_us = Some(now_us);
                }
                self.go_on(cell + 1, now_us)
            }
            (Step::Stations(cell), Err(code)) => {
                if let Some(cell) = self.cells.get(cell) {
                    let why = io::Error::from_raw_os_error(code);
                    tracing::debug!("source nl80211: stations of {}: {why}", cell.name);
                }
                // Most likely it is gone.
                self.discovery_due_us = 0;
                self.go_on(cell + 1, now_us)
            }
            (Step::Idle, _) => Ok(()),
        }
    }

    /// Takes over the interfaces that were found, and says which are missing.
    fn adopt_found(&mut self, now_us: u64) {
        let every_us = INTERFACES_INTERVAL.as_micros() as u64;
        self.discovery_due_us = now_us.saturating_add(every_us);
        for found in &mut self.found {
            let known = self.cells.iter().find(|cell| cell.name == found.name);
            match known {
                Some(known) if known.index == found.index => {
                    found.polled_us = known.polled_us;
                    found.noise_dbm = known.noise_dbm;
                }
                Some(_) => self.health.restarts += 1,
                None => tracing::info!("source nl80211: access point {}", found.name),
            }
        }
        std::mem::swap(&mut self.cells, &mut self.found);
        let is_missing = |name: &&String| !self.cells.iter().any(|cell| cell.name == **name);
        let missing: Vec<_> = self.options.interfaces.iter().filter(is_missing).collect();
        let notice = match (missing.as_slice(), self.cells.is_empty()) {
            ([], false) => None,
            ([], true) => Some(
                "source nl80211: no interface of this device is an access point now".to_owned(),
            ),
            (missing, _) => {
                let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>();
                let names = names.join(", ");
                Some(format!(
                    "source nl80211: {names}: not there, or no access point; \"iw dev\" lists \
                     what there is"
                ))
            }
        };
        note(&mut self.health, notice);
    }

    fn handle_broken(&mut self, now_us: u64, error: &io::Error) -> Drained {
        self.dialogue = None;
        self.step = Step::Idle;
        let notice = format!("source nl80211: {error}");
        self.reopen.handle_broken(now_us, &mut self.health, notice)
    }

    /// Looks after the measurement of ranges, if there is one; when to do so again.
    fn measure(&mut self, now_us: u64, out: &mut dyn FnMut(Heard)) -> u64 {
        let (Some(ranging), true) = (&mut self.ranging, self.family != 0) else {
            return u64::MAX;
        };
        let mut around = Around {
            connect: &mut self.connect,
            index_of: self.index_of,
            family: self.family,
            radios: &self.options.radios,
            health: &mut self.health,
        };
        ranging.drain(now_us, &mut around, out)
    }

    /// Asks, reads and gives out until nothing is left to read, or enough was given out.
    fn read(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<Drained> {
        let heard_before = self.health.heard;
        for _ in 0..PULLS_MAX {
            if self.step == Step::Idle {
                if now_us < self.poll_due_us {
                    return Ok(Drained::NextAt(self.poll_due_us));
                }
                self.begin_poll(now_us)?;
            }
            if self.health.heard - heard_before >= room as u64 {
                return Ok(Drained::More);
            }
            let Some(dialogue) = &mut self.dialogue else {
                return Ok(Drained::NextAt(self.poll_due_us));
            };
            let Some(message) = dialogue.next()? else {
                if now_us >= self.answer_until_us {
                    return Err(io::Error::other("the kernel does not answer"));
                }
                return Ok(Drained::NextAt(self.answer_until_us));
            };
            let ended = Reading {
                options: &self.options,
                cells: &mut self.cells,
                found: &mut self.found,
                family: &mut self.family,
                interrupted: &mut self.interrupted,
                health: &mut self.health,
            }
            .handle(self.step, message, now_us, out)?;
            if let Some(result) = ended {
                self.handle_done(result, now_us)?;
            }
        }
        Ok(Drained::More)
    }
}

impl Source for StationsSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if self.dialogue.is_none() {
            if let Some(wait) = self.reopen.wait(now_us) {
                return Ok(wait);
            }
            if let Err(error) = self.connect(now_us) {
                return Ok(self.handle_broken(now_us, &error));
            }
        }
        let heard_before = self.health.heard;
        let has_room = |heard: u64| room as u64 >= heard + FTM_PEERS_MAX as u64;
        match self.read(now_us, room, out) {
            // Ranges wait until all else is given out.
            Ok(Drained::NextAt(at_us)) if has_room(self.health.heard - heard_before) => {
                let range_us = self.measure(now_us, out);
                Ok(Drained::NextAt(at_us.min(range_us)))
            }
            Ok(drained) => Ok(drained),
            Err(error) => Ok(self.handle_broken(now_us, &error)),
        }
    }

    fn watermark_us(&self) -> u64 {
        self.polled_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.options.radios
    }

    fn health(&self) -> SourceHealth {
        let ranging = self.ranging.as_ref();
        let of_ranging = || ranging.and_then(|ranging| ranging.notice.clone());
        SourceHealth {
            notice: self.health.notice.clone().or_else(of_ranging),
            ..self.health.clone()
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.dialogue.as_ref().map(AsFd::as_fd)
    }
}

impl std::fmt::Debug for StationsSource {
    /// Shows what is asked; the buffer may hold an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StationsSource")
            .field("options", &self.options)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
