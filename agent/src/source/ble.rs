//! Bluetooth low energy advertisements, as a source: a passive scan with an adapter of its own.
//!
//! The adapter may be pulled out and come back; the source itself ends only where it can never
//! work. A device that advertises under a random address counts as randomised, as a phone that
//! probes does: the privacy stage then counts it and tells nothing, unless configured otherwise.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use wire::Kind;
use wire::frame::RadioHello;

use crate::hci::command::ScanTiming;
use crate::hci::event::{Event, EventError, Report};
use crate::hci::{Scanner, ScannerError};
use crate::limits::{BLE_PACKET_BYTES_MAX, BLE_PACKETS_MAX, LOOK_INTERVAL_MAX};
use crate::source::reopen::Reopen;
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};
use crate::system::hci_socket;

/// How advertisements are listened to.
#[derive(Debug, Clone)]
pub struct BleOptions {
    /// The radio of the adapter, of the band `ble`.
    pub radio: RadioHello,
    /// The adapter's number, such as 0 for `hci0`.
    pub adapter: u16,
    /// How long it listens of which time.
    pub timing: ScanTiming,
}

/// Opens an adapter by its number.
type Open = Box<dyn FnMut(u16) -> io::Result<OwnedFd> + Send>;

/// Listens to advertisements.
pub struct BleSource {
    options: BleOptions,
    open: Open,
    adapter: Option<OwnedFd>,
    scanner: Scanner,
    packet: Box<[u8]>,
    /// Bytes of the packet that is being given out; 0 for none.
    packet_bytes: usize,
    /// Its next report.
    next_report: usize,
    reopen: Reopen,
    watermark_us: u64,
    health: SourceHealth,
}

/// Why an adapter is given up, or cannot be opened for now.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("it is in use; switch it off in the system (bluetoothctl power off)")]
    InUse,
    #[error("it is not there")]
    Gone,
    #[error("{0}")]
    Io(io::Error),
    #[error(transparent)]
    Scanner(#[from] ScannerError),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::BUSY | Errno::ALREADY) => Self::InUse,
            Some(Errno::NODEV | Errno::PIPE | Errno::BADFD) => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

impl BleSource {
    /// A source that opens its adapter when it is first drained.
    pub fn new(options: BleOptions) -> Self {
        Self::with_open(options, Box::new(hci_socket::open))
    }

    fn with_open(options: BleOptions, open: Open) -> Self {
        Self {
            scanner: Scanner::new(options.timing),
            options,
            open,
            adapter: None,
            packet: vec![0; BLE_PACKET_BYTES_MAX].into(),
            packet_bytes: 0,
            next_report: 0,
            reopen: Reopen::default(),
            watermark_us: 0,
            health: SourceHealth::default(),
        }
    }

    fn name(&self) -> String {
        format!("ble hci{}", self.options.adapter)
    }

    /// What will never work, told with what to do about it; anything else may work later.
    fn check_open(&self, error: io::Error) -> Result<Broken, SourceError> {
        let what = match Errno::from_io_error(&error) {
            Some(Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT) => {
                "the kernel has no Bluetooth; install its modules (kmod-bluetooth on OpenWrt) and \
                 start the agent again, or remove this source"
            }
            Some(Errno::PERM | Errno::ACCESS) => {
                "no right to take an adapter; give the agent CAP_NET_ADMIN and CAP_NET_RAW"
            }
            _ => return Ok(error.into()),
        };
        Err(SourceError {
            name: self.name(),
            what: what.to_owned(),
            cause: Some(error.into()),
        })
    }

    /// Reads and writes what can be without waiting.
    fn converse(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, Broken> {
        let mut given = 0;
        let mut packets = 0;
        loop {
            given += self.take_packet(now_us, room - given, out)?;
            if self.packet_bytes > 0 || packets == BLE_PACKETS_MAX {
                return Ok(Drained::More);
            }
            packets += 1;
            if !self.read()? {
                break;
            }
        }
        self.scanner.handle_timeout(now_us)?;
        let next_us = match self.write()? {
            true => self.scanner.poll_timeout(),
            false => now_us + LOOK_INTERVAL_MAX.as_micros() as u64,
        };
        self.watermark_us = now_us;
        Ok(Drained::NextAt(next_us))
    }

    /// Reads a packet; `false` when none has come.
    fn read(&mut self) -> Result<bool, Broken> {
        let Some(adapter) = &self.adapter else {
            return Ok(false);
        };
        match rustix::io::read(adapter, &mut *self.packet) {
            Ok(0) => Err(Broken::Gone),
            Ok(bytes) => {
                self.packet_bytes = bytes;
                self.next_report = 0;
                Ok(true)
            }
            Err(Errno::AGAIN) => Ok(false),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Writes the command that waits; `false` when the adapter takes none for now.
    fn write(&mut self) -> Result<bool, Broken> {
        let (Some(adapter), Some(packet)) = (&self.adapter, self.scanner.poll_transmit()) else {
            return Ok(true);
        };
        match rustix::io::write(adapter, packet) {
            Ok(_) => {
                self.scanner.handle_sent();
                Ok(true)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Takes what there is room for of the packet that was read; how much was given out.
    fn take_packet(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<usize, Broken> {
        if self.packet_bytes == 0 {
            return Ok(0);
        }
        let Self {
            packet,
            packet_bytes,
            next_report,
            scanner,
            health,
            ..
        } = self;
        let event = Event::parse(packet.get(..*packet_bytes).unwrap_or_default());
        let mut given = 0;
        match event {
            Ok(Event::Answer { opcode, status }) => {
                scanner.handle_answer(opcode, status, now_us)?;
            }
            Ok(Event::Reports(reports)) => {
                scanner.handle_report(now_us);
                for report in reports.skip(*next_report) {
                    if given == room {
                        return Ok(given);
                    }
                    *next_report += 1;
                    if let Some(heard) = hear(report, now_us, health) {
                        given += 1;
                        out(heard);
                    }
                }
            }
            Ok(Event::HardwareError) => return Err(ScannerError::Hardware.into()),
            Ok(Event::Other) => {}
            Err(EventError) => {
                health.frames += 1;
                health.malformed += 1;
            }
        }
        *packet_bytes = 0;
        self.write()?;
        Ok(given)
    }

    /// Gives the adapter up and says when to try again.
    fn handle_broken(&mut self, broken: &Broken, now_us: u64) -> Drained {
        self.adapter = None;
        self.packet_bytes = 0;
        self.watermark_us = now_us;
        let notice = format!("source {}: {broken}", self.name());
        self.reopen.handle_broken(now_us, &mut self.health, notice)
    }
}

/// What a report tells, or why not.
fn hear(
    report: Result<Report, EventError>,
    now_us: u64,
    health: &mut SourceHealth,
) -> Option<Heard> {
    health.frames += 1;
    let Ok(report) = report else {
        health.malformed += 1;
        return None;
    };
    let Some(address) = report.from else {
        health.without_transmitter += 1;
        return None;
    };
    if report.rssi_dbm.is_none() {
        health.without_signal += 1;
        return None;
    }
    if report.more_follows {
        // One advertisement in several parts counts once, with its last.
        health.stale += 1;
        return None;
    }
    health.heard += 1;
    Some(Heard {
        from: Transmitter::Address(address),
        heard_at_us: now_us,
        radio: 0,
        rssi_dbm: report.rssi_dbm,
        noise_dbm: None,
        // An advertisement comes on one of three channels, and adapters do not say on which.
        channel: 0,
        kind: Kind::Advertisement,
        associated: false,
        range: None,
    })
}

impl Source for BleSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if self.adapter.is_none() {
            if let Some(wait) = self.reopen.wait(now_us) {
                self.watermark_us = now_us;
                return Ok(wait);
            }
            match (self.open)(self.options.adapter) {
                Ok(adapter) => {
                    self.adapter = Some(adapter);
                    self.scanner.handle_opened(now_us);
                    self.reopen.handle_opened(&mut self.health);
                }
                Err(error) => {
                    let broken = self.check_open(error)?;
                    return Ok(self.handle_broken(&broken, now_us));
                }
            }
        }
        match self.converse(now_us, room, out) {
            Ok(drained) => {
                if self.scanner.scans() {
                    self.reopen.handle_success();
                    self.health.notice = None;
                }
                Ok(drained)
            }
            Err(broken) => Ok(self.handle_broken(&broken, now_us)),
        }
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        std::slice::from_ref(&self.options.radio)
    }

    fn health(&self) -> SourceHealth {
        self.health.clone()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.adapter.as_ref().map(AsFd::as_fd)
    }
}

impl std::fmt::Debug for BleSource {
    /// Shows the adapter; a packet in waiting would show an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BleSource")
            .field("options", &self.options)
            .field("open", &self.adapter.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
