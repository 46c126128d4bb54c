//! A capture as a source: what one access point heard, played at its pace or as fast as possible.

use std::io::Read;
use std::path::Path;

use wire::frame::{Clock, RadioHello};

use crate::address::Address;
use crate::capture::{CaptureError, CaptureReader};
use crate::source::listener::{Listener, Unlisted};
use crate::source::pace::{Pace, Player, Pulled};
use crate::source::{Drained, Heard, Source, SourceError, SourceHealth};

/// How a capture is played.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// The radios of the access point that made the capture; a frame belongs to the one of its band.
    pub radios: Vec<RadioHello>,
    /// The site's own networks. What they send is given out as beacons (of those that the privacy
    /// rules name, it calibrates the site); a client is associated if it sends data to one of them.
    /// Without any, data to any network counts and no beacon is given out.
    pub access_points: Vec<Address>,
    /// How fast; at a [`Pace::Speed`] the agent's own clock stamps what was heard.
    pub pace: Pace,
}

/// Plays a capture.
pub struct PcapSource {
    name: String,
    reader: CaptureReader,
    listener: Listener,
    player: Player,
    pace: Pace,
    watermark_us: u64,
    health: SourceHealth,
}

impl PcapSource {
    /// Plays the capture in a file.
    ///
    /// # Errors
    /// [`CaptureError`] when it cannot be opened or is of no use.
    pub fn open(path: &Path, options: CaptureOptions) -> Result<Self, CaptureError> {
        Ok(Self::with_reader(
            path.display().to_string(),
            CaptureReader::open(path)?,
            options,
        ))
    }

    /// Plays a capture from `bytes`, calling it `name` in errors.
    ///
    /// # Errors
    /// [`CaptureError`] when it is of no use.
    pub fn new(
        name: &str,
        bytes: impl Read + Send + 'static,
        options: CaptureOptions,
    ) -> Result<Self, CaptureError> {
        Ok(Self::with_reader(
            name.to_owned(),
            CaptureReader::new(name, bytes)?,
            options,
        ))
    }

    fn with_reader(name: String, reader: CaptureReader, options: CaptureOptions) -> Self {
        Self {
            name,
            reader,
            player: Player::new(options.pace),
            pace: options.pace,
            listener: Listener::new(options.radios, options.access_points, Unlisted::Associated),
            watermark_us: 0,
            health: SourceHealth::default(),
        }
    }
}

impl Source for PcapSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        let Self {
            name,
            reader,
            listener,
            player,
            pace,
            health,
            ..
        } = self;
        let pull = || match reader.next_frame() {
            Ok(Some(frame)) => {
                health.frames += 1;
                match listener.hear(frame.bytes, frame.captured_at_ns / 1_000) {
                    Ok(heard) => {
                        health.heard += 1;
                        Ok(Pulled::Heard(heard))
                    }
                    Err(reason) => {
                        *reason.counter(health) += 1;
                        Ok(Pulled::Nothing)
                    }
                }
            }
            Ok(None) => Ok(Pulled::End),
            Err(error) => Err(SourceError {
                name: name.clone(),
                what: "the capture ends here".to_owned(),
                cause: Some(error.into()),
            }),
        };
        let live = matches!(pace, Pace::Speed(_));
        let drained = player.drain(now_us, room, pull, |due_us, heard| {
            out(if live {
                Heard {
                    heard_at_us: due_us,
                    ..heard
                }
            } else {
                heard
            });
        })?;
        self.watermark_us = match (live, drained) {
            (false, _) => self.player.watermark_us(),
            // What was due before the last one given out has been given out.
            (true, Drained::More) => self.watermark_us,
            (true, _) => now_us,
        };
        Ok(drained)
    }

    fn clock(&self) -> Clock {
        match self.pace {
            Pace::AsFastAsPossible => Clock::Recording,
            Pace::Speed(_) => Clock::Monotonic,
        }
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        self.listener.radios()
    }

    fn handle_access_points(&mut self, told: &[Address]) {
        self.listener.set_told(told);
    }

    fn health(&self) -> SourceHealth {
        SourceHealth {
            notice: self.reader.notice(),
            ..self.health.clone()
        }
    }
}

impl std::fmt::Debug for PcapSource {
    /// Shows the file; a frame in waiting would show an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PcapSource")
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
