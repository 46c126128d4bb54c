//! From the sources through the privacy stage into the batcher.

mod readers;

use std::time::Duration;

use wire::frame::{Clock, Counted, PseudonymKey, RadioHello};
use wire::{AccessPoint, ClientId, ClientName};

use crate::address::Address;
use crate::batcher::Batcher;
use crate::coalesce::Coalescer;
use crate::limits::{
    BUSY_OBSERVATIONS, DRAIN_OBSERVATIONS_MAX, LOOK_INTERVAL_MAX, RECORDING_SKEW_OBSERVATIONS_MAX,
};
use crate::privacy::{self, Rules, Stage};
use crate::source::{Drained, Source, SourceError, SourceHealth};
use crate::system::poller::Poller;
use readers::{Reader, arm, common_clock, radios_with, readers};

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
    /// Other sources than before run on another clock.
    #[error(
        "the new sources keep the times of a recording and those before ran in real time, or the \
         other way round; start the agent anew"
    )]
    ClockChanged,
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
    /// Networks of the site's access points that the node told of: for sources that come later.
    told: Vec<Address>,
    errors: Vec<SourceError>,
    /// Made when the first source shows a descriptor.
    poller: Option<Poller>,
    /// Gathers observations before they are sent, where that is configured.
    coalescer: Option<Coalescer>,
    /// Observations that former coalescers put into others.
    coalesced: u64,
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
    pub(crate) fn new(
        sources: Vec<Box<dyn Source>>,
        mut stage: Stage,
    ) -> Result<Self, SourcesError> {
        let clock = common_clock(&sources)?;
        let radios = radios_with(Vec::new(), &sources)?;
        let sources = readers(sources, &radios);
        stage.set_radios(&radios);
        Ok(Self {
            sources,
            stage,
            clock,
            radios,
            has_key: false,
            told: Vec::new(),
            errors: Vec::new(),
            poller: None,
            coalescer: None,
            coalesced: 0,
        })
    }

    /// Reads these sources instead; whether that takes radios which the node has not been told of.
    /// Those that it knows keep their numbers, for what waits bears them.
    pub(crate) fn replace_sources(
        &mut self,
        sources: Vec<Box<dyn Source>>,
    ) -> Result<bool, SourcesError> {
        if common_clock(&sources)? != self.clock {
            return Err(SourcesError::ClockChanged);
        }
        let radios = radios_with(self.radios.clone(), &sources)?;
        let more = radios.len() > self.radios.len();
        self.sources = readers(sources, &radios);
        for reader in &mut self.sources {
            reader.source.handle_access_points(&self.told);
        }
        self.radios = radios;
        self.stage.set_radios(&self.radios);
        Ok(more)
    }

    /// Follows these rules from now on.
    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.stage.set_rules(rules);
    }

    /// Gathers observations for so long from now on; what is gathered goes out.
    pub(crate) fn set_coalescing(&mut self, interval_us: Option<u64>, batcher: &mut Batcher) {
        self.flush(batcher);
        self.coalesced = self.coalesced();
        self.coalescer = interval_us.map(Coalescer::new);
    }

    /// What is gathered goes out.
    pub(crate) fn flush(&mut self, batcher: &mut Batcher) {
        if let Some(coalescer) = &mut self.coalescer {
            coalescer.flush(&mut |observation| batcher.handle_observation(observation));
        }
    }

    /// Observations that went into the mean of others.
    pub(crate) fn coalesced(&self) -> u64 {
        self.coalesced + self.coalescer.as_ref().map_or(0, Coalescer::merged)
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// How far apart looks may be at most.
    pub(crate) fn wait_max(&self) -> Duration {
        let of_sources = self.sources.iter().map(|reader| reader.source.wait_max());
        of_sources.min().unwrap_or(LOOK_INTERVAL_MAX)
    }

    pub(crate) fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (ClientId, ClientName)> {
        let of_sources = self.sources.iter().flat_map(|reader| reader.source.names());
        of_sources.chain(self.stage.names().iter().cloned())
    }

    /// Of whom the node must hear that they opted out.
    pub(crate) fn opt_outs(&self) -> &[ClientId] {
        self.stage.opt_outs()
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

    /// Devices that are only counted, in the last interval that is over.
    pub(crate) fn counted(&mut self, now_us: u64) -> Option<Counted> {
        match (self.clock, self.heard_until_us(now_us)) {
            // A recording of which nothing was read has no time yet.
            (Clock::Recording, 0) => None,
            (_, clock_us) => self.stage.counted(clock_us),
        }
    }

    /// The interval in which they are counted ends now, since the agent leaves.
    pub(crate) fn close_counted(&mut self, now_us: u64) {
        let clock_us = self.heard_until_us(now_us);
        self.stage.close_counted(clock_us);
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

    /// These are the site's access points, as the node tells; those told before are forgotten.
    pub(crate) fn handle_access_points(&mut self, told: &[AccessPoint]) {
        self.told = self.stage.set_told_access_points(told);
        for reader in &mut self.sources {
            reader.source.handle_access_points(&self.told);
        }
    }

    /// The clock that stamps observations: everything heard before it has been given out.
    pub(crate) fn clock_us(&self, now_us: u64) -> u64 {
        let clock_us = self.heard_until_us(now_us);
        match (self.clock, &self.coalescer) {
            (Clock::Recording, Some(coalescer)) => coalescer
                .heard_first_us()
                .map_or(clock_us, |first_us| first_us.min(clock_us)),
            _ => clock_us,
        }
    }

    /// Sources have told what was heard before, to the batcher or to the coalescer.
    fn heard_until_us(&self, now_us: u64) -> u64 {
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
        let flow = self.flow(now_us);
        if flow == Flow::Finished {
            self.flush(batcher);
        }
        self.release(now_us, batcher);
        match &self.coalescer {
            Some(coalescer) if self.clock == Clock::Monotonic => {
                let due = coalescer.poll_timeout().map(Flow::At);
                due.map_or(flow, |due| due.min(flow))
            }
            _ => flow,
        }
    }

    /// Gives out what was gathered and is due.
    fn release(&mut self, now_us: u64, batcher: &mut Batcher) {
        let until_us = self.heard_until_us(now_us);
        if let Some(coalescer) = &mut self.coalescer {
            coalescer.handle_time(until_us, &mut |observation| {
                batcher.handle_observation(observation);
            });
        }
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
        reader.heard = 0;
        let mut drained = reader.drain(now_us, room, &mut self.stage, &mut self.coalescer, batcher);
        if matches!(drained, Ok(Drained::More)) && self.clock == Clock::Recording {
            // What a recording says does not grow old while it waits.
            drained = Ok(Drained::WaitForRoom);
        }
        if matches!(drained, Ok(Drained::More)) {
            drained = reader.drain(
                now_us,
                DRAIN_OBSERVATIONS_MAX,
                &mut self.stage,
                &mut self.coalescer,
                batcher,
            );
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
        {
            if reader.heard >= BUSY_OBSERVATIONS {
                // At the next look, which is an interval away.
                reader.next = Drained::NextAt(at_us.min(now_us.saturating_add(1)));
                return;
            }
            let Err(error) = arm(&mut self.poller, fd, index) else {
                return;
            };
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
