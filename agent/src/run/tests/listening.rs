//! Sources that a test fills.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use wire::frame::{Clock, RadioHello};
use wire::{ClientId, ClientName, Kind};

use crate::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};

/// A source that a test fills; it ends when the test drops the sender.
struct Tap {
    radios: Vec<RadioHello>,
    heard: mpsc::Receiver<Transmitter>,
}

pub(super) fn tap() -> (mpsc::Sender<Transmitter>, Box<dyn Source>) {
    tap_of(radios())
}

pub(super) fn tap_of(radios: Vec<RadioHello>) -> (mpsc::Sender<Transmitter>, Box<dyn Source>) {
    let (sender, heard) = mpsc::channel();
    (sender, Box::new(Tap { radios, heard }))
}

pub(super) fn radios() -> Vec<RadioHello> {
    vec![RadioHello {
        ap: "ap-1".parse().expect("name"),
        band: "5".to_owned(),
    }]
}

pub(super) fn heard(from: Transmitter, heard_at_us: u64) -> Heard {
    Heard {
        from,
        heard_at_us,
        radio: 0,
        rssi_dbm: Some(-55),
        noise_dbm: None,
        channel: 36,
        kind: Kind::Data,
        associated: true,
        range: None,
    }
}

impl Source for Tap {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        for _ in 0..room {
            match self.heard.try_recv() {
                Ok(from) => out(heard(from, now_us)),
                Err(mpsc::TryRecvError::Empty) => return Ok(Drained::NextAt(now_us + 1_000)),
                Err(mpsc::TryRecvError::Disconnected) => return Ok(Drained::Finished),
            }
        }
        Ok(Drained::More)
    }

    fn watermark_us(&self) -> u64 {
        0
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        vec![(ClientId(7), "badge-7".parse().expect("name"))]
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }
}

/// A recording that is read as fast as possible.
pub(super) struct Recording {
    radios: Vec<RadioHello>,
    heard: VecDeque<(u64, u64)>,
    watermark_us: u64,
}

impl Recording {
    /// Times and clients, in order of time.
    pub(super) fn new(heard: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self {
            radios: radios(),
            heard: heard.into_iter().collect(),
            watermark_us: 0,
        }
    }
}

impl Source for Recording {
    fn drain(
        &mut self,
        _now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        for (heard_at_us, client) in self.heard.drain(..room.min(self.heard.len())) {
            self.watermark_us = heard_at_us;
            out(heard(Transmitter::Client(ClientId(client)), heard_at_us));
        }
        Ok(if self.heard.is_empty() {
            Drained::Finished
        } else {
            Drained::WaitForRoom
        })
    }

    fn clock(&self) -> Clock {
        Clock::Recording
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }
}

/// Reads clients from a socket, a byte each; it never asks to be looked at, and starts again with
/// the next socket when one ends.
pub(super) struct Wired {
    radios: Vec<RadioHello>,
    sockets: VecDeque<UnixStream>,
    /// How often it was asked for more.
    drains: Arc<AtomicU32>,
}

impl Wired {
    /// The ends to write to, and the count of drains.
    pub(super) fn with(sockets: usize) -> (Vec<UnixStream>, Arc<AtomicU32>, Box<dyn Source>) {
        let pair = |_| {
            let (writer, reader) = UnixStream::pair().expect("a pair of sockets");
            reader.set_nonblocking(true).expect("a socket");
            (writer, reader)
        };
        let (writers, sockets) = (0..sockets).map(pair).unzip();
        let drains = Arc::new(AtomicU32::new(0));
        let source = Self {
            radios: radios(),
            sockets,
            drains: Arc::clone(&drains),
        };
        (writers, drains, Box::new(source))
    }
}

impl Source for Wired {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        self.drains.fetch_add(1, Ordering::Relaxed);
        for _ in 0..room {
            let Some(socket) = self.sockets.front_mut() else {
                return Ok(Drained::Finished);
            };
            let mut byte = [0];
            match socket.read(&mut byte) {
                Ok(0) => drop(self.sockets.pop_front()),
                Ok(_) => out(heard(Transmitter::Client(ClientId(byte[0].into())), now_us)),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return Ok(Drained::NextAt(u64::MAX));
                }
            }
        }
        Ok(Drained::More)
    }

    fn watermark_us(&self) -> u64 {
        0
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        vec![(ClientId(7), "badge-7".parse().expect("name"))]
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.sockets.front().map(AsFd::as_fd)
    }
}
