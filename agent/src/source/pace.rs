//! When the next of a row of readings with times of their own is due.

use crate::limits::PULLS_MAX;
use crate::source::{Drained, Heard, SourceError};

/// How fast a recording or a capture is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the agent takes it, dropping nothing.
    AsFastAsPossible,
    /// Times faster than it was recorded; positive.
    Speed(f64),
}

/// What a row of readings gives when it is asked for the next.
pub(super) enum Pulled {
    Heard(Heard),
    /// Something was read that is of no use.
    #[cfg_attr(
        not(feature = "pcap"),
        allow(dead_code, reason = "only captures hold such")
    )]
    Nothing,
    End,
}

/// Plays a row of readings; their times are those of the recording.
#[derive(Clone, Copy)]
pub(super) struct Player {
    pace: Pace,
    /// Time of the agent's clock and of the recording when playing began.
    start: Option<Start>,
    waiting: Option<Heard>,
    latest_us: u64,
    /// Time of the recording at the last call, as far as the pace has come.
    reached_us: u64,
}

#[derive(Clone, Copy)]
struct Start {
    now_us: u64,
    recording_us: u64,
}

impl Player {
    /// Plays from the first reading on, unless told to begin at another time.
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            start: None,
            waiting: None,
            latest_us: 0,
            reached_us: 0,
        }
    }

    /// Lets all agents that play parts of one recording begin at the same time of it.
    #[cfg(feature = "replay")]
    pub(super) fn begin_at(&mut self, now_us: u64, recording_us: u64) {
        self.start.get_or_insert(Start {
            now_us,
            recording_us,
        });
    }

    /// Gives out what is due, with the time of the agent's clock at which it was.
    pub(super) fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        mut pull: impl FnMut() -> Result<Pulled, SourceError>,
        mut give: impl FnMut(u64, Heard),
    ) -> Result<Drained, SourceError> {
        let mut given = 0;
        for _ in 0..PULLS_MAX {
            if given == room {
                return Ok(self.when_full());
            }
            let heard = match self.waiting.take() {
                Some(heard) => heard,
                None => match pull()? {
                    Pulled::Heard(heard) => self.in_order(heard),
                    Pulled::Nothing => continue,
                    Pulled::End => {
                        self.reached_us = self.latest_us;
                        return Ok(Drained::Finished);
                    }
                },
            };
            let due_us = self.due_us(now_us, heard.heard_at_us);
            if due_us > now_us {
                self.waiting = Some(heard);
                self.reached_us = self.reached_us.max(self.recording_us(now_us));
                return Ok(Drained::NextAt(due_us));
            }
            self.reached_us = heard.heard_at_us;
            give(due_us, heard);
            given += 1;
        }
        Ok(Drained::More)
    }

    /// Everything of the recording before this time has been given out.
    pub(super) fn watermark_us(&self) -> u64 {
        self.reached_us
    }

    /// A full queue must drop what is live, and must wait for what is not.
    fn when_full(&self) -> Drained {
        match self.pace {
            Pace::AsFastAsPossible => Drained::WaitForRoom,
            Pace::Speed(_) => Drained::More,
        }
    }

    /// A capture may step back in time by a little; a clock must not.
    fn in_order(&mut self, mut heard: Heard) -> Heard {
        self.latest_us = self.latest_us.max(heard.heard_at_us);
        heard.heard_at_us = self.latest_us;
        heard
    }

    fn due_us(&mut self, now_us: u64, recording_us: u64) -> u64 {
        let start = *self.start.get_or_insert(Start {
            now_us,
            recording_us,
        });
        match self.pace {
            Pace::AsFastAsPossible => now_us,
            Pace::Speed(speed) => {
                let since_start_us = recording_us.saturating_sub(start.recording_us) as f64 / speed;
                start.now_us.saturating_add(since_start_us as u64)
            }
        }
    }

    fn recording_us(&self, now_us: u64) -> u64 {
        match (self.start, self.pace) {
            (Some(start), Pace::Speed(speed)) => {
                let since_start_us = now_us.saturating_sub(start.now_us) as f64 * speed;
                start.recording_us.saturating_add(since_start_us as u64)
            }
            _ => self.reached_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{ClientId, Kind};

    use super::*;
    use crate::source::Transmitter;

    fn heard_at(heard_at_us: u64) -> Heard {
        Heard {
            from: Transmitter::Client(ClientId(heard_at_us)),
            heard_at_us,
            radio: 0,
            rssi_dbm: Some(-50),
            noise_dbm: None,
            channel: 0,
            kind: Kind::Other,
            associated: false,
            range: None,
        }
    }

    /// What one call gave (due at, heard at), how it ended, and the watermark then.
    type Call = (Vec<(u64, u64)>, Drained, u64);

    /// Plays these times of a recording; 0 is something of no use.
    fn play(pace: Pace, times_us: &[u64], calls: &[(u64, usize)]) -> Vec<Call> {
        let mut player = Player::new(pace);
        let mut times = times_us.iter();
        let mut pull = || {
            Ok(times.next().map_or(Pulled::End, |&time| match time {
                0 => Pulled::Nothing,
                time => Pulled::Heard(heard_at(time)),
            }))
        };
        let mut results = Vec::new();
        for &(now_us, room) in calls {
            let mut given = Vec::new();
            let drained = player
                .drain(now_us, room, &mut pull, |due, heard| {
                    given.push((due, heard.heard_at_us))
                })
                .unwrap();
            results.push((given, drained, player.watermark_us()));
        }
        results
    }

    #[test]
    fn a_recording_is_played_at_its_speed() {
        let calls = [(50, 9), (60, 9), (100, 9), (150, 9)];
        let results = play(Pace::Speed(2.0), &[1_000, 1_100, 0, 1_200], &calls);
        assert_eq!(results[0], (vec![(50, 1_000)], Drained::NextAt(100), 1_000));
        assert_eq!(results[1], (vec![], Drained::NextAt(100), 1_020));
        assert_eq!(
            results[2],
            (vec![(100, 1_100)], Drained::NextAt(150), 1_100)
        );
        assert_eq!(results[3], (vec![(150, 1_200)], Drained::Finished, 1_200));
    }

    #[test]
    fn as_fast_as_possible_waits_for_room() {
        let results = play(
            Pace::AsFastAsPossible,
            &[10, 20, 30],
            &[(5, 2), (6, 0), (7, 2)],
        );
        assert_eq!(
            results[0],
            (vec![(5, 10), (5, 20)], Drained::WaitForRoom, 20)
        );
        assert_eq!(results[1], (vec![], Drained::WaitForRoom, 20));
        assert_eq!(results[2], (vec![(7, 30)], Drained::Finished, 30));
    }

    #[test]
    fn live_pace_without_room_asks_again_at_once() {
        let results = play(Pace::Speed(1.0), &[10, 10, 10], &[(5, 2)]);
        assert_eq!(results[0].1, Drained::More);
    }

    #[test]
    fn time_never_steps_back() {
        let results = play(Pace::AsFastAsPossible, &[10, 7, 12], &[(0, 9)]);
        assert_eq!(results[0].0, [(0, 10), (0, 10), (0, 12)]);
    }

    #[test]
    fn much_that_is_of_no_use_does_not_hold_up_the_agent() {
        let nothing = vec![0; PULLS_MAX + 1];
        let results = play(Pace::AsFastAsPossible, &nothing, &[(0, 9), (0, 9)]);
        assert_eq!(
            [results[0].1, results[1].1],
            [Drained::More, Drained::Finished]
        );
    }
}
