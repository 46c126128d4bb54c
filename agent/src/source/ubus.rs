//! hostapd's notifications on OpenWrt's bus, as a source: the probes, authentications and
//! associations that an access point sees in its normal work.
//!
//! A connection that ends, is silent or makes no sense is made anew, with growing waits; the source
//! itself never ends.

mod same_frame;

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use wire::frame::RadioHello;

use crate::limits::{LOOK_INTERVAL_MAX, UBUS_READS_MAX};
use crate::source::bands::radio_of;
use crate::source::reopen::{Reopen, note};
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};
use crate::ubus::hostapd::Notification;
use crate::ubus::{ClientError, UbusClient};
use same_frame::LastFrames;

/// Where `ubusd` listens: today's OpenWrt, and that up to 19.07.
pub const SOCKETS: [&str; 2] = ["/var/run/ubus/ubus.sock", "/var/run/ubus.sock"];

/// What a person should know when there is nobody to listen to.
const NO_HOSTAPD: &str = "source ubus: hostapd is not on the bus, or may not be seen by this user; switch Wi-Fi on, look with: \
     ubus list 'hostapd.*', and see package/openwrt/trilobite-agent.acl.json";

/// How the bus is listened to.
#[derive(Debug, Clone)]
pub struct UbusOptions {
    /// The radios of this access point; a frame belongs to the one of its band.
    pub radios: Vec<RadioHello>,
    /// Sockets of `ubusd`; the first that answers is taken.
    pub sockets: Vec<PathBuf>,
    /// Interfaces of hostapd, such as `phy0-ap0`; all if empty.
    pub interfaces: Vec<String>,
}

/// Listens to hostapd on the bus.
pub struct UbusSource {
    options: UbusOptions,
    client: UbusClient,
    stream: Option<UnixStream>,
    reopen: Reopen,
    last_frames: LastFrames,
    watermark_us: u64,
    health: SourceHealth,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{}: {error}", path.display())]
    Connect { path: PathBuf, error: io::Error },
    #[error("ubusd ended the connection")]
    Ended,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl UbusSource {
    /// A source that connects when it is first drained.
    pub fn new(options: UbusOptions) -> Self {
        Self {
            client: UbusClient::new(options.interfaces.clone()),
            options,
            stream: None,
            reopen: Reopen::default(),
            last_frames: LastFrames::new(),
            watermark_us: 0,
            health: SourceHealth::default(),
        }
    }

    fn connect(&mut self, now_us: u64) -> Result<(), Broken> {
        let mut broken = None;
        for path in &self.options.sockets {
            match connect(path) {
                Ok(stream) => {
                    self.client.handle_connected(now_us);
                    self.stream = Some(stream);
                    self.reopen.handle_opened(&mut self.health);
                    return Ok(());
                }
                Err(error) => {
                    let path = path.clone();
                    // Of several, the first is the one that people look for.
                    broken.get_or_insert(Broken::Connect { path, error });
                }
            }
        }
        Err(broken.unwrap_or(Broken::Ended))
    }

    /// Reads and writes what can be without waiting.
    fn converse(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, Broken> {
        let mut given = 0;
        let mut reads = 0;
        loop {
            while given < room
                && let Some(notification) = self.client.poll_notification(now_us)?
            {
                given += usize::from(self.hear(&notification, now_us, out));
            }
            if given == room || reads == UBUS_READS_MAX {
                self.client.handle_behind(true);
                self.write()?;
                return Ok(Drained::More);
            }
            reads += 1;
            if !self.read(now_us)? {
                break;
            }
        }
        self.client.handle_behind(false);
        self.client.handle_timeout(now_us)?;
        let next_us = match self.write()? {
            true => self.client.poll_timeout(),
            false => now_us + LOOK_INTERVAL_MAX.as_micros() as u64,
        };
        self.watermark_us = now_us;
        Ok(Drained::NextAt(next_us))
    }

    /// Reads once; `false` when nothing has come.
    fn read(&mut self, now_us: u64) -> Result<bool, Broken> {
        let Some(stream) = &mut self.stream else {
            return Ok(false);
        };
        match stream.read(self.client.space()) {
            Ok(0) => Err(Broken::Ended),
            Ok(bytes) => {
                self.client.handle_received(bytes, now_us);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what waits; `false` when the daemon takes no more for now.
    fn write(&mut self) -> Result<bool, Broken> {
        let Some(stream) = &mut self.stream else {
            return Ok(true);
        };
        while !self.client.poll_transmit().is_empty() {
            match stream.write(self.client.poll_transmit()) {
                Ok(bytes) => self.client.handle_sent(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Gives out what was heard, or counts why not.
    fn hear(
        &mut self,
        notification: &Notification,
        now_us: u64,
        out: &mut dyn FnMut(Heard),
    ) -> bool {
        let health = &mut self.health;
        health.frames += 1;
        let Some(address) = notification.from else {
            health.without_transmitter += 1;
            return false;
        };
        let Some(rssi_dbm) = notification.rssi_dbm else {
            health.without_signal += 1;
            return false;
        };
        let radio = notification.channel.and_then(|channel| {
            let radio = radio_of(&self.options.radios, Some(channel))?;
            Some((radio, channel.number))
        });
        let Some((radio, channel)) = radio else {
            health.without_radio += 1;
            return false;
        };
        if self.last_frames.has(notification, now_us) {
            health.stale += 1;
            return false;
        }
        health.heard += 1;
        out(Heard {
            from: Transmitter::Address(address),
            heard_at_us: now_us,
            radio,
            rssi_dbm: Some(rssi_dbm),
            noise_dbm: None,
            channel,
            kind: notification.kind,
            // Nothing of this needs an association, not even the request for one.
            associated: false,
            range: None,
        });
        true
    }

    /// Gives the connection up and says when to try again.
    fn handle_broken(&mut self, broken: &Broken, now_us: u64) -> Drained {
        self.stream = None;
        self.watermark_us = now_us;
        let notice = format!("source ubus: {broken}");
        self.reopen.handle_broken(now_us, &mut self.health, notice)
    }

    /// Notes what a person should know of a connection that stands.
    fn handle_standing(&mut self) {
        let Some(subscriptions) = self.client.subscriptions() else {
            return;
        };
        self.reopen.handle_success();
        let notice = (subscriptions == 0).then(|| NO_HOSTAPD.to_owned());
        note(&mut self.health, notice);
    }
}

/// Never waits: a daemon that takes no connections counts as gone.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

impl Source for UbusSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if self.stream.is_none() {
            if let Some(wait) = self.reopen.wait(now_us) {
                self.watermark_us = now_us;
                return Ok(wait);
            }
            if let Err(broken) = self.connect(now_us) {
                return Ok(self.handle_broken(&broken, now_us));
            }
        }
        match self.converse(now_us, room, out) {
            Ok(drained) => {
                self.handle_standing();
                Ok(drained)
            }
            Err(broken) => Ok(self.handle_broken(&broken, now_us)),
        }
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.options.radios
    }

    fn health(&self) -> SourceHealth {
        let malformed = self.client.malformed();
        SourceHealth {
            frames: self.health.frames + malformed,
            malformed,
            ..self.health.clone()
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().map(AsFd::as_fd)
    }
}

impl std::fmt::Debug for UbusSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UbusSource")
            .field("options", &self.options)
            .field("connected", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
