//! An open loop: observations are due by a timetable, whether anybody keeps up with it or not.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use agent::source::{Drained, Heard, Source, SourceError, SourceHealth, Transmitter};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::frame::RadioHello;
use wire::{ClientId, Kind};

use crate::hall::{FADING_DB, normal};

/// How often an agent asks whether the run has begun, in microseconds.
const BEGIN_POLL_US: u64 = 5_000;

/// When the run begins, for all agents at once; unset while they connect.
pub(super) type Begin = Arc<OnceLock<Instant>>;

/// What one agent hears of one client: its strength at the begin of the run and at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    /// Who.
    pub(super) client: ClientId,
    /// At the begin, in dBm.
    pub(super) begin_dbm: f32,
    /// At the end, in dBm.
    pub(super) end_dbm: f32,
}

/// What an agent hears and how often.
#[derive(Debug)]
pub(super) struct Timetable {
    /// What it hears, round and round; not empty.
    pub(super) links: Vec<Link>,
    /// Observations per second.
    pub(super) rate_per_s: f64,
    /// How long it goes on, in seconds.
    pub(super) seconds: f64,
    /// Seed of fading and of the agent's phase.
    pub(super) seed: u64,
}

/// A source whose observations are heard at their due times, also when it is asked late.
#[derive(Debug)]
pub(super) struct ScheduledSource {
    table: Timetable,
    radios: Vec<RadioHello>,
    begin: Begin,
    /// What the agent's clock shows at the begin.
    begin_us: Option<u64>,
    total: u64,
    next: u64,
    step_us: f64,
    phase_us: f64,
    fading_db: Vec<f32>,
    watermark_us: u64,
}

impl ScheduledSource {
    /// A source of this radio that starts when `begin` is set.
    pub(super) fn new(table: Timetable, radio: RadioHello, begin: Begin) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(table.seed);
        let step_us = 1e6 / table.rate_per_s;
        Self {
            // Rounded up, so that all agents together offer no less than was asked for.
            total: (table.seconds * table.rate_per_s).ceil() as u64,
            next: 0,
            phase_us: rng.random_range(0.0..step_us),
            step_us,
            // A prime, so that no client meets the same fading each round.
            fading_db: (0..251)
                .map(|_| (FADING_DB * normal(&mut rng)) as f32)
                .collect(),
            table,
            radios: vec![radio],
            begin,
            begin_us: None,
            watermark_us: 0,
        }
    }

    fn due_us(&self, begin_us: u64, number: u64) -> u64 {
        begin_us + (self.phase_us + number as f64 * self.step_us) as u64
    }

    fn heard(&self, number: u64, heard_at_us: u64) -> Heard {
        let link = &self.table.links[(number % self.table.links.len() as u64) as usize];
        let progress = number as f32 / self.total as f32;
        let fading_db = self.fading_db[(number % self.fading_db.len() as u64) as usize];
        let rssi_dbm = link.begin_dbm + (link.end_dbm - link.begin_dbm) * progress + fading_db;
        Heard {
            from: Transmitter::Client(link.client),
            heard_at_us,
            radio: 0,
            rssi_dbm: Some(rssi_dbm.round() as i8),
            noise_dbm: None,
            channel: 36,
            kind: Kind::Data,
            associated: true,
            range: None,
        }
    }
}

impl Source for ScheduledSource {
    fn drain(
        &mut self,
        now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        let Some(begin) = self.begin.get() else {
            return Ok(Drained::NextAt(now_us + BEGIN_POLL_US));
        };
        let begin_us = *self.begin_us.get_or_insert_with(|| {
            let ago_us = begin.elapsed().as_micros() as u64;
            now_us.saturating_sub(ago_us)
        });
        self.watermark_us = now_us;
        for _ in 0..room {
            if self.next == self.total {
                return Ok(Drained::Finished);
            }
            let due_us = self.due_us(begin_us, self.next);
            if due_us > now_us {
                return Ok(Drained::NextAt(due_us));
            }
            out(self.heard(self.next, due_us));
            self.next += 1;
        }
        Ok(Drained::More)
    }

    fn watermark_us(&self) -> u64 {
        self.watermark_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn health(&self) -> SourceHealth {
        SourceHealth {
            frames: self.next,
            heard: self.next,
            ..SourceHealth::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::ApName;

    use super::*;

    fn source(rate_per_s: f64, seconds: f64) -> ScheduledSource {
        let link = |id| Link {
            client: ClientId(id),
            begin_dbm: -60.0,
            end_dbm: -60.0,
        };
        let table = Timetable {
            links: vec![link(1), link(2), link(3)],
            rate_per_s,
            seconds,
            seed: 1,
        };
        let radio = RadioHello {
            ap: ApName::new("ap").unwrap(),
            band: "5".into(),
        };
        ScheduledSource::new(table, radio, Begin::default())
    }

    fn drain(source: &mut ScheduledSource, now_us: u64, room: usize) -> (Vec<u64>, Drained) {
        let mut times = Vec::new();
        let drained = source.drain(now_us, room, &mut |heard| times.push(heard.heard_at_us));
        (times, drained.unwrap())
    }

    #[test]
    fn nothing_is_heard_before_the_run_begins() {
        let mut source = source(1_000.0, 1.0);
        assert_eq!(
            drain(&mut source, 7, 9),
            (vec![], Drained::NextAt(7 + BEGIN_POLL_US))
        );
    }

    #[test]
    fn a_late_look_does_not_move_what_was_due() {
        let mut source = source(1_000.0, 1.0);
        source.begin.set(Instant::now()).unwrap();
        source.begin_us = Some(50_000);
        let (early, next) = drain(&mut source, 52_999, usize::MAX);
        assert_eq!(early.len(), 3);
        assert!(matches!(next, Drained::NextAt(at) if (53_000..54_000).contains(&at)));
        let (late, more) = drain(&mut source, 60_000_000, 10);
        assert_eq!((late.len(), more), (10, Drained::More));
        assert!((53_000..54_000).contains(&late[0]), "{late:?}");
        let (rest, over) = drain(&mut source, 60_000_000, usize::MAX);
        assert_eq!((rest.len(), over), (987, Drained::Finished));
        assert!(rest[986] < 1_050_000);
    }

    #[test]
    fn clients_take_turns_and_fade() {
        let mut source = source(1_000.0, 1.0);
        source.begin.set(Instant::now()).unwrap();
        source.begin_us = Some(0);
        let mut heard = Vec::new();
        let out = &mut |one: Heard| heard.push(one.rssi_dbm.unwrap());
        source.drain(2_000_000, usize::MAX, out).unwrap();
        let mean = heard.iter().map(|dbm| f64::from(*dbm)).sum::<f64>() / heard.len() as f64;
        assert!((-61.0..-59.0).contains(&mean), "{mean}");
        assert!(heard.iter().min() < heard.iter().max());
    }
}
