//! A replay's clock: readings wait until all agents have come past their time.
//!
//! Agents that replay as fast as they can are never in step. Each tells, in its reports, up to what
//! time of the recording it has sent everything; the least of these is the clock. Readings are
//! folded in the order of that clock and every interval is swept once, at its end, so that the same
//! recording gives the same fixes at any speed.

use std::collections::BTreeMap;

use crate::ledger::SessionKey;
use crate::limits::{CLIENT_SILENCE_MAX, RECORDED_GRACE, RECORDED_WAITING_MAX};
use crate::moment::Moment;
use crate::outlet::Outlet;
use crate::session::{Phase, SessionState};
use crate::shard::{Reading, Shard};

/// A reading's place in the order: its time, then its client and radio, so that which agent was
/// faster changes nothing, then the order of arrival.
type Place = (u64, u64, u16, u64);

/// Readings that wait for the recording's clock.
#[derive(Debug)]
pub(crate) struct Recorded {
    agents: usize,
    interval_us: u64,
    waiting: BTreeMap<Place, (usize, SessionKey, Reading)>,
    /// Sessions of readings whose client found no place.
    homeless: Vec<SessionKey>,
    taken: u64,
    swept_until_us: u64,
}

impl Recorded {
    /// Waits for so many agents and sweeps so often per second of the recording.
    pub(crate) fn new(agents: usize, fix_hz: f64) -> Self {
        Self {
            agents,
            interval_us: (1e6 / fix_hz) as u64,
            waiting: BTreeMap::new(),
            homeless: Vec::new(),
            taken: 0,
            swept_until_us: 0,
        }
    }

    /// A reading takes its place in the order of time.
    pub(crate) fn handle_reading(&mut self, shard: usize, key: SessionKey, reading: Reading) {
        self.taken += 1;
        let place = (reading.heard_us, reading.key, reading.radio, self.taken);
        self.waiting.insert(place, (shard, key, reading));
    }

    /// Believes a session's report once all that it calls sent has arrived, or is overdue.
    pub(crate) fn handle_progress(&self, state: &mut SessionState, now_us: u64) {
        let Some((clock_us, datagrams_sent, came_us)) = state.recording.pending else {
            return;
        };
        let overdue = now_us.saturating_sub(came_us) > RECORDED_GRACE.as_micros() as u64;
        if overdue || state.account.has_arrived(datagrams_sent) || clock_us == u64::MAX {
            state.recording.complete_until_us = clock_us;
            state.recording.pending = None;
        }
    }

    /// The time up to which every agent has sent everything; 0 until all are there.
    pub(crate) fn common_clock_us<'a>(
        &self,
        sessions: impl Iterator<Item = &'a SessionState>,
        agents_len: usize,
    ) -> u64 {
        if agents_len < self.agents {
            return 0;
        }
        sessions
            .filter(|state| state.phase == Phase::Connected)
            .map(|state| state.recording.complete_until_us)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Folds and sweeps interval by interval up to a time of the recording.
    pub(crate) fn advance(&mut self, clock_us: u64, shards: &mut [Shard], out: &mut Outlet) {
        loop {
            let full = self.waiting.len() > RECORDED_WAITING_MAX;
            let Some((&(first_us, ..), _)) = self.waiting.first_key_value() else {
                return;
            };
            let end_us = (first_us / self.interval_us + 1) * self.interval_us;
            // A reading that comes too late for its interval counts in the next: time never runs back.
            let end_us = end_us.max(self.swept_until_us + self.interval_us);
            if end_us > clock_us && !full {
                return;
            }
            let gap_us = end_us.saturating_sub(self.swept_until_us);
            if gap_us > CLIENT_SILENCE_MAX.as_micros() as u64 {
                shards.iter_mut().for_each(Shard::clear);
            }
            self.fold_until(end_us, shards);
            for shard in shards.iter_mut() {
                shard.sweep_all(end_us, out);
            }
            self.swept_until_us = end_us;
        }
    }

    /// Sessions of readings that found no place since the last call, once for each reading.
    pub(crate) fn take_homeless(&mut self) -> Vec<SessionKey> {
        std::mem::take(&mut self.homeless)
    }

    fn fold_until(&mut self, end_us: u64, shards: &mut [Shard]) {
        let later = self.waiting.split_off(&(end_us, 0, 0, 0));
        for (_, (shard, key, reading)) in std::mem::replace(&mut self.waiting, later) {
            let heard = Moment::from_us(reading.heard_us);
            match shards[shard].place(reading.key, heard) {
                Some(index) => shards[shard].fold(index, &reading),
                None => self.homeless.push(key),
            }
        }
    }
}
