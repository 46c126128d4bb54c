//! Sources that a test fills.

use std::collections::VecDeque;
use std::sync::mpsc;

use wire::frame::{Clock, RadioHello};
use wire::{ClientId, ClientName, Kind};

use crate::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};

/// A source that a test fills; it ends when the test drops the sender.
struct Tap {
    radios: Vec<RadioHello>,
    heard: mpsc::Receiver<Transmitter>,
}

pub(super) fn tap() -> (mpsc::Sender<Transmitter>, Box<dyn Source>) {
    let (sender, heard) = mpsc::channel();
    (
        sender,
        Box::new(Tap {
            radios: radios(),
            heard,
        }),
    )
}

fn radios() -> Vec<RadioHello> {
    vec![RadioHello {
        ap: "ap-1".parse().expect("name"),
        band: "5".to_owned(),
    }]
}

fn heard(from: Transmitter, heard_at_us: u64) -> Heard {
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

    fn clock(&self) -> Clock {
        Clock::Monotonic
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

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        Vec::new()
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }
}
