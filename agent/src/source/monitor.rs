//! Every frame that a radio in monitor mode hears, read from a raw socket.
//!
//! The interface must be in monitor mode already; the agent never changes it:
//! `iw dev wlan0 interface add mon0 type monitor && ip link set mon0 up` makes one beside an access
//! point on its own channel. Needs the right CAP_NET_RAW; with CAP_NET_ADMIN the kernel's queue may
//! be longer than the system's limit.
//!
//! What is heard is the same as from a capture of the same frames: `monitor/filter.rs` says which the kernel
//! keeps back because they are of no use. Only where no network of the site is named, a capture takes
//! whoever sends data as associated, and a monitor takes nobody. An interface that is down or gone is
//! opened again once it is back.

mod filter;
#[cfg(all(test, feature = "pcap"))]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use wire::frame::RadioHello;

use crate::address::Address;
use crate::limits::{MONITOR_FRAME_BYTES_MAX, MONITOR_QUEUE_BYTES, PULLS_MAX};
use crate::source::arrival::Arrivals;
use crate::source::listener::{Listener, Unlisted};
use crate::source::reopen::Reopen;
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth};
use crate::system::interface;
use crate::system::packet_socket::{Instruction, PacketSocket};

/// Frames with a radiotap header (`ARPHRD_IEEE80211_RADIOTAP`).
const RADIOTAP: u16 = 803;

/// What is listened to, and for whom.
#[derive(Debug, Clone)]
pub struct MonitorOptions {
    /// The interface in monitor mode, such as `mon0`.
    pub interface: String,
    /// The radios of this access point; a frame belongs to the one of its band.
    pub radios: Vec<RadioHello>,
    /// The site's own networks, as for a capture; but without any, nobody counts as associated: most
    /// of what is on air belongs to neighbours.
    pub access_points: Vec<Address>,
}

/// Listens to an interface in monitor mode.
pub struct MonitorSource {
    interface: String,
    filter: Vec<Instruction>,
    listener: Listener,
    socket: Option<PacketSocket>,
    reopen: Reopen,
    buffer: Box<[u8; MONITOR_FRAME_BYTES_MAX]>,
    /// When the kernel's queue was last seen empty.
    emptied_us: u64,
    health: SourceHealth,
}

/// Why an interface cannot be listened to.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("there is no such interface")]
    Missing(#[source] io::Error),
    #[error("the interface is down; ip link set it up")]
    Down(#[source] io::Error),
    #[error(
        "no right to listen to an interface; run the agent as root or give it CAP_NET_RAW \
         (setcap cap_net_raw,cap_net_admin+ep)"
    )]
    Forbidden(#[source] io::Error),
    #[error(
        "it is not in monitor mode: its frames are of type {link_type}, not 803 (radiotap); make \
         one with \"iw dev wlan0 interface add mon0 type monitor\" and \"ip link set mon0 up\", \
         and name that one"
    )]
    NotMonitor { link_type: u16 },
    #[error("it cannot be listened to")]
    Other(#[source] io::Error),
}

impl OpenError {
    /// Whether it may pass without anybody changing the configuration.
    fn may_pass(&self) -> bool {
        !matches!(self, Self::Forbidden(_) | Self::NotMonitor { .. })
    }
}

impl MonitorSource {
    /// Listens to the interface. One that is missing or down is waited for.
    ///
    /// # Errors
    /// [`SourceError`] for what will not pass: the interface is not in monitor mode, or the agent
    /// has no right to listen to it.
    pub fn open(options: MonitorOptions) -> Result<Self, SourceError> {
        let mut source = Self {
            interface: options.interface,
            filter: filter::filter(&options.access_points),
            listener: Listener::new(
                options.radios,
                options.access_points,
                Unlisted::NotAssociated,
            ),
            socket: None,
            reopen: Reopen::default(),
            buffer: Box::new([0; MONITOR_FRAME_BYTES_MAX]),
            emptied_us: 0,
            health: SourceHealth::default(),
        };
        match source.try_open(0) {
            Err(error) if !error.may_pass() => {
                let what = error.to_string();
                let cause = std::error::Error::source(&error).map(|cause| cause.to_string().into());
                let name = source.name();
                Err(SourceError { name, what, cause })
            }
            Err(error) => {
                source.handle_broken(0, &error);
                Ok(source)
            }
            Ok(()) => Ok(source),
        }
    }

    fn name(&self) -> String {
        format!("monitor {}", self.interface)
    }

    /// Opens the interface.
    fn try_open(&mut self, now_us: u64) -> Result<(), OpenError> {
        self.socket = Some(open(&self.interface, &self.filter)?);
        self.reopen.handle_success();
        self.health.notice = None;
        self.emptied_us = now_us;
        if self.reopen.handle_opened(&mut self.health) {
            tracing::info!("source {}: listening again", self.name());
        }
        Ok(())
    }

    /// Notes what happened and when to try again.
    fn handle_broken(&mut self, now_us: u64, error: &OpenError) -> Drained {
        self.take_dropped();
        self.socket = None;
        let notice = format!("source {}: {error}", self.name());
        self.reopen.handle_broken(now_us, &mut self.health, notice)
    }

    fn take_dropped(&mut self) {
        if let Some(socket) = &self.socket {
            let dropped = u64::from(socket.take_dropped());
            self.health.dropped_by_kernel += dropped;
            self.health.frames += dropped;
        }
    }

    /// Takes frames from the socket until there are none, or enough; what ended it.
    fn read(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<Drained> {
        let Some(socket) = &self.socket else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let arrivals = Arrivals::new(now_us, self.emptied_us);
        let mut given_out = 0;
        for _ in 0..PULLS_MAX {
            if given_out == room {
                return Ok(Drained::More);
            }
            let Some(received) = socket.receive(&mut self.buffer[..])? else {
                self.emptied_us = now_us;
                // The descriptor wakes us; nothing else is due.
                return Ok(Drained::NextAt(u64::MAX));
            };
            self.health.frames += 1;
            let frame = self.buffer.get(..received.len).unwrap_or_default();
            let heard_at_us = arrivals.agent_us(received.arrived_at);
            match self.listener.hear(frame, heard_at_us) {
                Ok(heard) => {
                    self.health.heard += 1;
                    given_out += 1;
                    out(heard);
                }
                Err(reason) => *reason.counter(&mut self.health) += 1,
            }
        }
        Ok(Drained::More)
    }
}

fn open(name: &str, filter: &[Instruction]) -> Result<PacketSocket, OpenError> {
    let index = interface::index_of(name).map_err(OpenError::of)?;
    let socket = PacketSocket::open(index, filter, MONITOR_QUEUE_BYTES).map_err(OpenError::of)?;
    match socket.link_type() {
        RADIOTAP => Ok(socket),
        link_type => Err(OpenError::NotMonitor { link_type }),
    }
}

impl OpenError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Forbidden(error),
            io::ErrorKind::NetworkDown => Self::Down(error),
            _ if interface::is_missing(&error) => Self::Missing(error),
            _ => Self::Other(error),
        }
    }
}

impl Source for MonitorSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if self.socket.is_none() {
            if let Some(wait) = self.reopen.wait(now_us) {
                return Ok(wait);
            }
            if let Err(error) = self.try_open(now_us) {
                return Ok(self.handle_broken(now_us, &error));
            }
        }
        let frames = self.health.frames;
        let drained = self.read(now_us, room, out);
        let drained =
            drained.unwrap_or_else(|error| self.handle_broken(now_us, &OpenError::of(error)));
        if self.health.frames != frames {
            // A queue that was full was not empty: only then something can have been dropped.
            self.take_dropped();
        }
        Ok(drained)
    }

    fn watermark_us(&self) -> u64 {
        self.emptied_us
    }

    fn radios(&self) -> &[RadioHello] {
        self.listener.radios()
    }

    fn handle_access_points(&mut self, told: &[Address]) {
        self.listener.set_told(told);
    }

    fn health(&self) -> SourceHealth {
        self.health.clone()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }
}

impl std::fmt::Debug for MonitorSource {
    /// Shows the interface; the buffer may hold an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MonitorSource")
            .field("interface", &self.interface)
            .finish_non_exhaustive()
    }
}
