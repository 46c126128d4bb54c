//! From the sources through the privacy stage into the batcher.

use std::os::fd::BorrowedFd;

use wire::frame::{Clock, PseudonymKey, RadioHello};
use wire::{ClientId, ClientName};

use crate::batcher::Batcher;
use crate::limits::{DRAIN_OBSERVATIONS_MAX, LOOK_INTERVAL_MAX, RECORDING_SKEW_OBSERVATIONS_MAX};
use crate::privacy::{self, Stage};
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth};
use crate::system::poller::Poller;

/// Why sources cannot work together in one agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourcesError {
    /// There is no source.
    #[error("the agent has no source; give it at least one [[source]]")]
    None,
    /// A recording's clock and the agent's own do not go together.
    #[error(
        "some sources keep the times of a recording and others run in real time; use one agent for \
         each kind"
    )]
    Clocks,
    /// More radios than a batch can name.
    #[error(
        "the sources have {0} radios; an agent has at most {max}, so share them among several agents",
        max = wire::limits::RADIOS_MAX
    )]
    Radios(usize),
}

/// The sources, what became of them, and the stage that all they hear passes.
pub(crate) struct Intake {
    sources: Vec<Reader>,
    stage: Stage,
    clock: Clock,
    radios: Vec<RadioHello>,
    has_key: bool,
    errors: Vec<SourceError>,
    /// Made when the first source shows a descriptor.
    poller: Option<Poller>,
}

struct Reader {
    source: Box<dyn Source>,
    /// The agent's radio for each of the source's.
    radios: Vec<u8>,
    next: Drained,
    /// Its descriptor had something to read since the last drain.
    woken: bool,
}

/// When the sources have something to do again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flow {
    /// More has been heard already.
    Now,
    /// At this time of the agent's monotonic clock.
    At(u64),
    /// As soon as the batcher has room.
    WithRoom,
    /// Never.
    Finished,
}

impl Intake {
    pub(crate) fn new(sources: Vec<Box<dyn Source>>, stage: Stage) -> Result<Self, SourcesError> {
        let clock = sources.first().ok_or(SourcesError::None)?.clock();
        if sources.iter().any(|source| source.clock() != clock) {
            return Err(SourcesError::Clocks);
        }
        let mut radios: Vec<RadioHello> = Vec::new();
        for radio in sources.iter().flat_map(|source| source.radios()) {
            if !radios.contains(radio) {
                radios.push(radio.clone());
            }
        }
        if radios.len() > wire::limits::RADIOS_MAX {
            return Err(SourcesError::Radios(radios.len()));
        }
        let place = |radio: &_| radios.iter().position(|other| other == radio).unwrap_or(0) as u8;
        let reader = |source: Box<dyn Source>| Reader {
            radios: source.radios().iter().map(place).collect(),
            source,
            next: Drained::More,
            woken: false,
        };
        let sources = sources.into_iter().map(reader).collect();
        Ok(Self {
            sources,
            stage,
            clock,
            radios,
            has_key: false,
            errors: Vec::new(),
            poller: None,
        })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (ClientId, ClientName)> {
        let of_sources = self.sources.iter().flat_map(|reader| reader.source.names());
        of_sources.chain(self.stage.names().iter().cloned())
    }

    pub(crate) fn health(&self) -> Vec<SourceHealth> {
        self.sources
            .iter()
            .map(|reader| reader.source.health())
            .collect()
    }

    pub(crate) fn privacy(&self) -> privacy::Counters {
        self.stage.counters()
    }

    /// Wakes for the sources that have a descriptor; `None` while there is none.
    pub(crate) fn poller(&self) -> Option<&Poller> {
        self.poller.as_ref()
    }

    /// Notes which sources have something to read; whether there is any.
    pub(crate) fn handle_wake(&mut self) -> bool {
        let Self {
            poller, sources, ..
        } = self;
        let mut any = false;
        if let Some(poller) = poller {
            poller.take_fired(|index| {
                if let Some(reader) = sources.get_mut(index) {
                    reader.woken = true;
                    any = true;
                }
            });
        }
        any
    }

    pub(crate) fn take_errors(&mut self) -> Vec<SourceError> {
        std::mem::take(&mut self.errors)
    }

    pub(crate) fn handle_key(&mut self, key: &PseudonymKey) {
        self.stage.set_key(key);
        self.has_key = true;
    }

    /// The clock that stamps observations: everything heard before it has been given out.
    pub(crate) fn clock_us(&self, now_us: u64) -> u64 {
        match self.clock {
            Clock::Monotonic => now_us,
            Clock::Recording => {
                let watermark = |reader: &Reader| reader.source.watermark_us();
                let running = self
                    .sources
                    .iter()
                    .filter(|reader| reader.next != Drained::Finished);
                let all = self.sources.iter().map(watermark).max();
                running.map(watermark).min().or(all).unwrap_or(0)
            }
        }
    }

    /// Moves what was heard into the batcher.
    ///
    /// A source that cannot wait goes on when the queue is full, and the oldest there are dropped;
    /// one that can is asked for no more than leaves soon.
    pub(crate) fn fill(&mut self, now_us: u64, batcher: &mut Batcher) -> Flow {
        match self.clock {
            Clock::Monotonic => {
                for index in 0..self.sources.len() {
                    self.drain(index, now_us, usize::MAX, batcher);
                }
            }
            Clock::Recording => self.fill_in_order(now_us, batcher),
        }
        self.flow(now_us)
    }

    /// Recordings are read side by side: always the one that is furthest behind.
    fn fill_in_order(&mut self, now_us: u64, batcher: &mut Batcher) {
        let alone = self.sources.len() == 1;
        let step = if alone {
            usize::MAX
        } else {
            RECORDING_SKEW_OBSERVATIONS_MAX
        };
        let mut waiting_before = usize::MAX;
        while batcher.waiting() != waiting_before {
            waiting_before = batcher.waiting();
            let behind = (0..self.sources.len())
                .filter(|&index| self.sources[index].is_ready(now_us))
                .min_by_key(|&index| self.sources[index].source.watermark_us());
            let Some(index) = behind else { return };
            self.drain(index, now_us, step, batcher);
            if self.sources[index].next == Drained::Finished {
                waiting_before = usize::MAX;
            }
        }
    }

    fn drain(&mut self, index: usize, now_us: u64, step: usize, batcher: &mut Batcher) {
        let reader = &mut self.sources[index];
        if !reader.is_ready(now_us) {
            return;
        }
        let room = if self.has_key {
            batcher.room_soon().min(step)
        } else {
            0
        };
        let without_key = self.stage.counters().without_key;
        let mut drained = reader.drain(now_us, room, &mut self.stage, batcher);
        if matches!(drained, Ok(Drained::More)) && self.clock == Clock::Recording {
            // What a recording says does not grow old while it waits.
            drained = Ok(Drained::WaitForRoom);
        }
        if matches!(drained, Ok(Drained::More)) {
            drained = reader.drain(now_us, DRAIN_OBSERVATIONS_MAX, &mut self.stage, batcher);
        }
        batcher.handle_without_key(self.stage.counters().without_key - without_key);
        reader.next = drained.unwrap_or_else(|error| {
            tracing::error!("{}", in_one_line(&error));
            self.errors.push(error);
            Drained::Finished
        });
        reader.woken = false;
        if let Drained::NextAt(at_us) = reader.next
            && let Some(fd) = reader.source.fd()
            && let Err(error) = arm(&mut self.poller, fd, index)
        {
            tracing::debug!("source {index} cannot wake the agent: {error}");
            let soon_us = now_us.saturating_add(LOOK_INTERVAL_MAX.as_micros() as u64);
            reader.next = Drained::NextAt(at_us.min(soon_us));
        }
    }

    fn flow(&self, now_us: u64) -> Flow {
        let flow = |reader: &Reader| match reader.next {
            Drained::More => Flow::Now,
            Drained::NextAt(at_us) if at_us <= now_us => Flow::Now,
            Drained::NextAt(at_us) => Flow::At(at_us),
            Drained::WaitForRoom => Flow::WithRoom,
            Drained::Finished => Flow::Finished,
        };
        self.sources
            .iter()
            .map(flow)
            .min()
            .unwrap_or(Flow::Finished)
    }
}

impl Reader {
    fn is_ready(&self, now_us: u64) -> bool {
        match self.next {
            Drained::NextAt(at_us) => self.woken || at_us <= now_us,
            Drained::More | Drained::WaitForRoom => true,
            Drained::Finished => false,
        }
    }

    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        stage: &mut Stage,
        batcher: &mut Batcher,
    ) -> Result<Drained, SourceError> {
        let radios = &self.radios;
        self.source.drain(now_us, room, &mut |mut heard: Heard| {
            heard.radio = radios.get(usize::from(heard.radio)).copied().unwrap_or(0);
            if let Some(observation) = stage.handle(heard) {
                batcher.handle_observation(observation);
            }
        })
    }
}

/// Has the descriptor of this source wake the agent once.
fn arm(poller: &mut Option<Poller>, fd: BorrowedFd<'_>, index: usize) -> std::io::Result<()> {
    let poller = match poller {
        Some(poller) => poller,
        None => poller.insert(Poller::new()?),
    };
    poller.arm(fd, index)
}

/// An error with its causes.
pub(crate) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
