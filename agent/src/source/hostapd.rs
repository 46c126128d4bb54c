//! The clients of an access point that hostapd runs, from its control socket.
//!
//! For plain Linux, where there is no ubus. The source attaches to the socket of one interface
//! (`/var/run/hostapd/wlan0`), takes probe requests from the events that hostapd sends if its
//! configuration has `notify_probe_req=1`, and walks through hostapd's table of clients
//! (`STA-FIRST`, `STA-NEXT`) every interval; one client per look of the agent, so a table of thirty
//! takes about a second. Clients that were not heard since they were last read are stale. The
//! source `nl80211` reads the same strengths from the kernel in one go, without hostapd's help: use
//! that one where both work, and this one for its events.
//!
//! hostapd that ends, starts anew or does not answer is attached to again. It only ever listens:
//! no command changes anything at hostapd.

mod control;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use wire::Kind;
use wire::frame::RadioHello;

use crate::address::Address;
use crate::channel::Channel;
use crate::hostapd::{Client, Event, Told, freq_mhz};
use crate::limits::{
    HOSTAPD_ANSWER_MAX, HOSTAPD_CLIENTS_MAX, HOSTAPD_DATAGRAM_BYTES_MAX, LOOK_INTERVAL_MAX,
    LOOK_INTERVAL_MIN, PULLS_MAX, STATION_TIME_SLACK,
};
use crate::source::bands::radio_of;
use crate::source::reopen::Reopen;
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};
use crate::system::datagrams::Datagrams;

use control::Control;

/// Which hostapd is asked, and how often.
#[derive(Debug, Clone)]
pub struct HostapdOptions {
    /// The folder of its control sockets, as `ctrl_interface` in hostapd.conf says.
    pub folder: PathBuf,
    /// The interface, such as `wlan0`.
    pub interface: String,
    /// The radios of this access point; the interface belongs to the one of its band.
    pub radios: Vec<RadioHello>,
    /// Time between two walks through the table of clients.
    pub interval: Duration,
}

/// Listens to hostapd.
pub struct HostapdSource {
    options: HostapdOptions,
    control: Option<Control>,
    step: Step,
    answer_until_us: u64,
    poll_due_us: u64,
    /// Clients of the walk so far.
    walked: usize,
    channel: Option<Channel>,
    /// When the clients were heard last, as far as that was given out.
    heard_at_us: HashMap<Address, u64>,
    watermark_us: u64,
    /// Commands with an address are written here.
    command: String,
    received: Datagrams<HOSTAPD_DATAGRAM_BYTES_MAX>,
    wait_max: Duration,
    reopen: Reopen,
    health: SourceHealth,
}

/// Whose answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Attach,
    Status,
    Clients,
    Idle,
}

impl HostapdSource {
    /// A source that attaches as soon as hostapd is there.
    pub fn new(options: HostapdOptions) -> Self {
        Self {
            options,
            control: None,
            step: Step::Idle,
            answer_until_us: 0,
            poll_due_us: 0,
            walked: 0,
            channel: None,
            heard_at_us: HashMap::with_capacity(HOSTAPD_CLIENTS_MAX),
            watermark_us: 0,
            command: String::with_capacity(64),
            received: Datagrams::new(),
            wait_max: wait_max(queue_len()),
            reopen: Reopen::default(),
            health: SourceHealth::default(),
        }
    }

    fn ask(&mut self, step: Step, command: &str, now_us: u64) -> io::Result<()> {
        self.step = step;
        self.answer_until_us = now_us.saturating_add(HOSTAPD_ANSWER_MAX.as_micros() as u64);
        match &self.control {
            Some(control) => control.send(command),
            None => Ok(()),
        }
    }

    fn connect(&mut self, now_us: u64) -> io::Result<()> {
        let path = self.options.folder.join(&self.options.interface);
        self.control = Some(Control::connect(&path)?);
        self.received.clear();
        self.ask(Step::Attach, "ATTACH", now_us)
    }

    /// hostapd is gone, or not there yet.
    fn handle_broken(&mut self, now_us: u64, error: &io::Error) -> Drained {
        self.control = None;
        self.step = Step::Idle;
        let path = self.options.folder.join(&self.options.interface);
        let notice = format!(
            "source hostapd {}: {error}; see that hostapd runs and that its ctrl_interface makes {}",
            self.options.interface,
            path.display()
        );
        self.reopen.handle_broken(now_us, &mut self.health, notice)
    }

    fn handle_answer(
        &mut self,
        answer: Answer,
        now_us: u64,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<()> {
        match (self.step, answer) {
            (Step::Attach, Answer::Other { ok: true, .. }) => {
                self.reopen.handle_success();
                self.health.notice = None;
                self.reopen.handle_opened(&mut self.health);
                self.poll_due_us = now_us;
                self.step = Step::Idle;
            }
            (Step::Attach, _) => return Err(io::Error::other("it refuses ATTACH")),
            (Step::Status, Answer::Other { freq_mhz, .. }) => {
                self.channel = freq_mhz.and_then(Channel::at_mhz);
                self.walked = 0;
                self.ask(Step::Clients, "STA-FIRST", now_us)?;
            }
            (Step::Clients, Answer::Client(client)) => {
                self.hear_client(&client, now_us, out);
                self.walked += 1;
                if self.walked >= HOSTAPD_CLIENTS_MAX {
                    self.end_walk(now_us);
                } else {
                    let [a, b, c, d, e, f] = client.address.octets();
                    let mut next = std::mem::take(&mut self.command);
                    next.clear();
                    // Writing to a text cannot fail.
                    let _ = write!(
                        next,
                        "STA-NEXT {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
                    );
                    let asked = self.ask(Step::Clients, &next, now_us);
                    self.command = next;
                    asked?;
                }
            }
            (Step::Clients, _) => self.end_walk(now_us),
            // Late answers.
            (Step::Idle | Step::Status, _) => {}
        }
        Ok(())
    }

    fn end_walk(&mut self, now_us: u64) {
        self.step = Step::Idle;
        self.watermark_us = now_us;
    }

    fn handle_event(
        &mut self,
        event: Event,
        now_us: u64,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<()> {
        match event {
            Event::Probe { from, signal_dbm } => {
                self.health.frames += 1;
                self.give_out(from, signal_dbm, now_us, Kind::Probe, false, out);
            }
            // Its strength stands in the table.
            Event::Connected(_) => self.poll_due_us = now_us,
            Event::Disconnected(address) => {
                self.heard_at_us.remove(&address);
            }
            Event::Terminating => return Err(io::Error::other("it ended")),
            Event::Other => {}
        }
        Ok(())
    }

    /// Gives a client of the table out if it was heard since it was read last.
    fn hear_client(&mut self, client: &Client, now_us: u64, out: &mut dyn FnMut(Heard)) {
        self.health.frames += 1;
        let inactive_us = u64::from(client.inactive_ms.unwrap_or(0)) * 1_000;
        let heard_at_us = now_us.saturating_sub(inactive_us);
        let slack_us = STATION_TIME_SLACK.as_micros() as u64;
        let is_news = match self.heard_at_us.get(&client.address) {
            Some(before_us) => heard_at_us > before_us + slack_us,
            None => inactive_us < self.options.interval.as_micros() as u64,
        };
        if !is_news {
            self.health.stale += 1;
            return;
        }
        if self.heard_at_us.len() >= HOSTAPD_CLIENTS_MAX {
            self.heard_at_us.clear();
        }
        self.heard_at_us.insert(client.address, heard_at_us);
        let (address, signal_dbm) = (client.address, client.signal_dbm);
        self.give_out(
            address,
            signal_dbm,
            heard_at_us,
            Kind::Data,
            client.associated,
            out,
        );
    }

    fn give_out(
        &mut self,
        from: Address,
        rssi_dbm: Option<i8>,
        heard_at_us: u64,
        kind: Kind,
        associated: bool,
        out: &mut dyn FnMut(Heard),
    ) {
        let Some(rssi_dbm) = rssi_dbm else {
            self.health.without_signal += 1;
            return;
        };
        let Some(radio) = radio_of(&self.options.radios, self.channel) else {
            self.health.without_radio += 1;
            return;
        };
        self.health.heard += 1;
        out(Heard {
            from: Transmitter::Address(from),
            heard_at_us,
            radio,
            rssi_dbm: Some(rssi_dbm),
            noise_dbm: None,
            channel: self.channel.map_or(0, |channel| channel.number),
            kind,
            associated,
            range: None,
        });
    }

    fn read(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> io::Result<Drained> {
        let heard_before = self.health.heard;
        for _ in 0..PULLS_MAX {
            if self.health.heard - heard_before >= room as u64 {
                return Ok(Drained::More);
            }
            if self.step == Step::Idle && now_us >= self.poll_due_us {
                let interval_us = self.options.interval.as_micros() as u64;
                self.poll_due_us = now_us.saturating_add(interval_us);
                self.ask(Step::Status, "STATUS", now_us)?;
            }
            let Some(control) = &self.control else {
                return Err(io::ErrorKind::NotConnected.into());
            };
            let Some(datagram) = self.received.next(control.as_fd())? else {
                return match self.step {
                    Step::Idle => Ok(Drained::NextAt(self.poll_due_us)),
                    _ if now_us >= self.answer_until_us => Err(io::Error::other("no answer")),
                    _ => Ok(Drained::NextAt(self.answer_until_us)),
                };
            };
            match Told::parse(datagram) {
                Told::Event(event) => self.handle_event(event, now_us, out)?,
                Told::Answer(answer) => {
                    let answer = Answer::parse(self.step, answer);
                    self.handle_answer(answer, now_us, out)?;
                }
            }
        }
        Ok(Drained::More)
    }
}

/// Datagrams that wait in a socket before hostapd loses the next, and after some more forgets us: ten
/// as kernels have it, 512 where systemd runs.
fn queue_len() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen");
    let len = text.ok().and_then(|text| text.trim().parse().ok());
    len.unwrap_or(10)
}

/// Until the queue is full at the fastest that probes can come: a millisecond each, with the answers.
fn wait_max(queue_len: u64) -> Duration {
    Duration::from_millis(queue_len).clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX)
}

/// What an answer says, apart from the buffer it stands in.
enum Answer {
    Client(Client),
    Other { ok: bool, freq_mhz: Option<u16> },
}

impl Answer {
    fn parse(step: Step, answer: &str) -> Self {
        match Client::parse(answer) {
            Some(client) if step == Step::Clients => Self::Client(client),
            _ => Self::Other {
                ok: answer.trim() == "OK",
                freq_mhz: freq_mhz(answer),
            },
        }
    }
}

impl Source for HostapdSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if self.control.is_none() {
            if let Some(wait) = self.reopen.wait(now_us) {
                return Ok(wait);
            }
            if let Err(error) = self.connect(now_us) {
                return Ok(self.handle_broken(now_us, &error));
            }
        }
        match self.read(now_us, room, out) {
            Ok(drained) => Ok(drained),
            Err(error) => Ok(self.handle_broken(now_us, &error)),
        }
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.options.radios
    }

    fn health(&self) -> SourceHealth {
        self.health.clone()
    }

    fn wait_max(&self) -> Duration {
        self.wait_max
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.control.as_ref().map(AsFd::as_fd)
    }
}

impl std::fmt::Debug for HostapdSource {
    /// Shows what is asked; what was received may hold an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostapdSource")
            .field("options", &self.options)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
