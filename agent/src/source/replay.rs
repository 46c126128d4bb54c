//! What was heard in the past: our own recordings, and data sets in CSV.

pub mod dataset;
pub mod recording;

use wire::frame::{Clock, RadioHello};
use wire::{ClientId, ClientName};

use crate::source::pace::{Pace, Player, Pulled};
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth};

/// What one agent heard, with what is needed to understand it.
#[derive(Default, Clone)]
pub struct Replay {
    /// The radios, as [`Heard::radio`] counts them.
    pub radios: Vec<RadioHello>,
    /// Clients that are known by name.
    pub names: Vec<(ClientId, ClientName)>,
    /// What was heard, at times of the recording's clock.
    pub heard: Vec<Heard>,
    /// Something a person should know, such as that the recording was cut short.
    pub notice: Option<String>,
}

impl Replay {
    /// First and last time in it, in microseconds of the recording's clock.
    pub fn span_us(&self) -> Option<(u64, u64)> {
        let times = || self.heard.iter().map(|heard| heard.heard_at_us);
        Some((times().min()?, times().max()?))
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("radios", &self.radios)
            .field("heard", &self.heard.len())
            .field("notice", &self.notice)
            .finish_non_exhaustive()
    }
}

/// Plays what was heard, in order of time and under the recording's clock.
pub struct ReplaySource {
    radios: Vec<RadioHello>,
    names: Vec<(ClientId, ClientName)>,
    heard: std::vec::IntoIter<Heard>,
    begin_us: Option<u64>,
    player: Player,
    health: SourceHealth,
}

impl ReplaySource {
    /// Plays `replay`, at `pace`.
    ///
    /// Agents that play parts of one recording at a [`Pace::Speed`] pass the recording's begin, so
    /// that their times stay together; `None` begins with the first thing heard.
    pub fn new(replay: Replay, pace: Pace, begin_us: Option<u64>) -> Self {
        let Replay {
            radios,
            names,
            mut heard,
            notice,
        } = replay;
        heard.sort_by_key(|heard| heard.heard_at_us);
        Self {
            radios,
            names,
            heard: heard.into_iter(),
            begin_us,
            player: Player::new(pace),
            health: SourceHealth {
                notice,
                ..SourceHealth::default()
            },
        }
    }
}

impl Source for ReplaySource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if let Some(begin_us) = self.begin_us.take() {
            self.player.begin_at(now_us, begin_us);
        }
        let pull = || Ok(self.heard.next().map_or(Pulled::End, Pulled::Heard));
        let health = &mut self.health;
        self.player.drain(now_us, room, pull, |_, heard| {
            health.frames += 1;
            health.heard += 1;
            out(heard);
        })
    }

    fn clock(&self) -> Clock {
        Clock::Recording
    }

    fn watermark_us(&self) -> u64 {
        self.player.watermark_us()
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        self.names.clone()
    }

    fn health(&self) -> SourceHealth {
        self.health.clone()
    }
}

impl std::fmt::Debug for ReplaySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplaySource")
            .field("radios", &self.radios)
            .field("waiting", &self.heard.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
