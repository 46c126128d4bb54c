//! Sources as the intake reads them, and what they must have in common.

use std::os::fd::BorrowedFd;

use wire::frame::{Clock, RadioHello};

use super::SourcesError;
use crate::batcher::Batcher;
use crate::coalesce::Coalescer;
use crate::privacy::Stage;
use crate::source::{Drained, Heard, Source, SourceError};
use crate::system::poller::Poller;

/// A source and when to read it next.
pub(super) struct Reader {
    pub(super) source: Box<dyn Source>,
    /// The agent's radio for each of the source's.
    pub(super) radios: Vec<u8>,
    pub(super) next: Drained,
    /// Its descriptor had something to read since the last drain.
    pub(super) woken: bool,
    /// Observations in the look that goes on, or in the last one.
    pub(super) heard: u32,
}

impl Reader {
    pub(super) fn is_ready(&self, now_us: u64) -> bool {
        match self.next {
            Drained::NextAt(at_us) => self.woken || at_us <= now_us,
            Drained::More | Drained::WaitForRoom => true,
            Drained::Finished => false,
        }
    }

    pub(super) fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        stage: &mut Stage,
        coalescer: &mut Option<Coalescer>,
        batcher: &mut Batcher,
    ) -> Result<Drained, SourceError> {
        let (radios, count) = (&self.radios, &mut self.heard);
        self.source.drain(now_us, room, &mut |mut heard: Heard| {
            *count = count.saturating_add(1);
            heard.radio = radios.get(usize::from(heard.radio)).copied().unwrap_or(0);
            match (stage.handle(heard), &mut *coalescer) {
                (Some(observation), Some(coalescer)) => {
                    coalescer.handle(observation, &mut |o| batcher.handle_observation(o));
                }
                (Some(observation), None) => batcher.handle_observation(observation),
                (None, _) => {}
            }
        })
    }
}

/// The clock that all sources share.
pub(super) fn common_clock(sources: &[Box<dyn Source>]) -> Result<Clock, SourcesError> {
    let clock = sources.first().ok_or(SourcesError::None)?.clock();
    match sources.iter().all(|source| source.clock() == clock) {
        true => Ok(clock),
        false => Err(SourcesError::Clocks),
    }
}

/// These radios, and those of the sources that are not among them.
pub(super) fn radios_with(
    mut radios: Vec<RadioHello>,
    sources: &[Box<dyn Source>],
) -> Result<Vec<RadioHello>, SourcesError> {
    for radio in sources.iter().flat_map(|source| source.radios()) {
        if !radios.contains(radio) {
            radios.push(radio.clone());
        }
    }
    match radios.len() > wire::limits::RADIOS_MAX {
        true => Err(SourcesError::Radios(radios.len())),
        false => Ok(radios),
    }
}

/// Each source with the numbers of its radios among these.
pub(super) fn readers(sources: Vec<Box<dyn Source>>, radios: &[RadioHello]) -> Vec<Reader> {
    let place = |radio: &_| radios.iter().position(|other| other == radio).unwrap_or(0) as u8;
    let reader = |source: Box<dyn Source>| Reader {
        radios: source.radios().iter().map(place).collect(),
        source,
        next: Drained::More,
        woken: false,
        heard: 0,
    };
    sources.into_iter().map(reader).collect()
}

/// Has the descriptor of this source wake the agent once.
pub(super) fn arm(
    poller: &mut Option<Poller>,
    fd: BorrowedFd<'_>,
    index: usize,
) -> std::io::Result<()> {
    let poller = match poller {
        Some(poller) => poller,
        None => poller.insert(Poller::new()?),
    };
    poller.arm(fd, index)
}
