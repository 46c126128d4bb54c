//! Observations in, batches out: hold, spread, drop the oldest, count everything.
//!
//! The batcher knows neither sockets nor clocks. Observations wait in one queue. They leave together
//! when the oldest has waited [`BatcherLimits::hold`], or as soon as there are enough to fill
//! [`BatcherLimits::burst_batches_max`] datagrams, since a burst costs the node a fraction of what
//! lone datagrams cost. What leaves together is dealt to datagrams by `deal`: the loss of one
//! datagram should cost a client one observation, not all of them.
//!
//! Sequence and observation numbers are given at [`Batcher::poll_batch`], so that whatever is dropped
//! here leaves no gap that would look like loss.

mod deal;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use wire::batch::{BatchWriter, Header, rows_max};
use wire::frame::Counters;
use wire::{Observation, Session};

use crate::limits;
use deal::Deal;

/// How much may wait, for how long, and how much leaves at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatcherLimits {
    /// Observations that may wait; one more and the oldest goes.
    pub queue_observations_max: usize,
    /// Datagrams' worth of observations that leave without waiting for the deadline.
    pub burst_batches_max: usize,
    /// How long the oldest observation waits for others to share a burst with.
    pub hold: Duration,
    /// Older observations are not sent any more.
    pub age_max: Duration,
}

impl Default for BatcherLimits {
    fn default() -> Self {
        Self {
            queue_observations_max: limits::QUEUE_OBSERVATIONS,
            burst_batches_max: limits::BURST_BATCHES,
            hold: limits::HOLD,
            age_max: limits::AGE_MAX,
        }
    }
}

impl BatcherLimits {
    /// Every limit brought to where the batcher works.
    fn clamped(self) -> Self {
        Self {
            queue_observations_max: self.queue_observations_max.max(1),
            burst_batches_max: self.burst_batches_max.clamp(1, limits::BURST_BATCHES_MAX),
            ..self
        }
    }

    fn hold_us(&self) -> u64 {
        as_us(self.hold)
    }

    fn is_too_old(&self, observation: &Observation, now_us: u64) -> bool {
        now_us.saturating_sub(observation.heard_at_us) > as_us(self.age_max)
    }
}

fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Collects observations and packs them into batches.
///
/// Times are microseconds of the clock that stamps the observations. Allocates nothing after
/// [`Batcher::new`].
#[derive(Debug)]
pub struct Batcher {
    limits: BatcherLimits,
    queue: VecDeque<Observation>,
    deal: Deal,
    /// What was heard until then is on its way out; `u64::MAX` while everything is.
    leave_until_us: u64,
    session: Option<Session>,
    datagram_bytes_max: usize,
    writer: BatchWriter,
    rows: RowsMax,
    counters: Counters,
}

/// How many rows surely fit a datagram.
#[derive(Debug, Clone, Copy)]
struct RowsMax {
    without_ranges: usize,
    with_ranges: usize,
}

impl RowsMax {
    fn new(datagram_bytes_max: usize) -> Self {
        Self {
            without_ranges: rows_max(datagram_bytes_max, false),
            with_ranges: rows_max(datagram_bytes_max, true),
        }
    }
}

impl Batcher {
    /// A batcher without a session: it collects, and waits for [`Batcher::handle_connected`].
    pub fn new(limits: BatcherLimits) -> Self {
        let datagram_bytes_max = limits::DATAGRAM_BYTES_MAX;
        let rows = RowsMax::new(datagram_bytes_max);
        let limits = limits.clamped();
        Self {
            queue: VecDeque::with_capacity(limits.queue_observations_max),
            deal: Deal::with_capacity(limits.burst_batches_max * rows.without_ranges),
            leave_until_us: 0,
            session: None,
            datagram_bytes_max,
            writer: BatchWriter::new(datagram_bytes_max),
            rows,
            counters: Counters::default(),
            limits,
        }
    }

    /// Takes in one observation; when the queue is full, the oldest goes.
    pub fn handle_observation(&mut self, observation: Observation) {
        self.counters.observations_offered += 1;
        if self.room() == 0 {
            self.shed_oldest();
        }
        self.queue.push_back(observation);
    }

    /// Counts observations that cannot be kept: the key that makes their addresses pseudonyms has
    /// not come yet, since there was no connection so far.
    pub fn handle_without_key(&mut self, observations: u64) {
        self.counters.observations_offered += observations;
        self.counters.dropped.disconnected += observations;
    }

    /// A session began; what grew too old while there was none goes.
    pub fn handle_connected(&mut self, session: Session, now_us: u64) {
        let before = self.waiting();
        self.deal.give_back(&mut self.queue);
        self.queue.retain(|o| !self.limits.is_too_old(o, now_us));
        self.counters.dropped.disconnected += (before - self.waiting()) as u64;
        self.session = Some(session);
    }

    /// The session ended. Of what it handed over, the transport never sent the newest `datagrams`,
    /// with these `observations` in them.
    pub fn handle_disconnected(&mut self, datagrams: u64, observations: u64) {
        self.session = None;
        self.counters.datagrams_unsent += datagrams;
        self.counters.dropped.unsent += observations;
    }

    /// Everything that waits now leaves without waiting for its deadline.
    pub fn handle_flush(&mut self) {
        if !self.queue.is_empty() {
            self.leave_until_us = u64::MAX;
        }
    }

    /// Time to leave is up: what still waits is dropped.
    pub fn handle_give_up(&mut self) {
        let waiting = self.waiting() as u64;
        match self.session {
            Some(_) => self.counters.dropped.too_old += waiting,
            None => self.counters.dropped.disconnected += waiting,
        }
        self.deal.clear();
        self.queue.clear();
        self.leave_until_us = 0;
    }

    /// The largest datagram that the path takes now.
    pub fn handle_datagram_bytes_max(&mut self, bytes: usize) {
        let bytes = bytes.clamp(limits::DATAGRAM_BYTES_MIN, limits::DATAGRAM_BYTES_MAX);
        if bytes != self.datagram_bytes_max {
            self.datagram_bytes_max = bytes;
            self.writer = BatchWriter::new(bytes);
            self.rows = RowsMax::new(bytes);
        }
    }

    /// Packs the next batch that is due into `out` and numbers it; it counts as handed over.
    ///
    /// Returns how many observations it holds; `None` when nothing is due or there is no session.
    /// `out` is overwritten.
    pub fn poll_batch(&mut self, now_us: u64, out: &mut Vec<u8>) -> Option<usize> {
        let session = self.session?;
        loop {
            if self.deal.is_empty() && !self.deal_burst(now_us) {
                return None;
            }
            let too_old = self
                .deal
                .discard_from_batch(|o| self.limits.is_too_old(o, now_us));
            if too_old > 0 {
                self.counters.dropped.too_old += too_old as u64;
                continue;
            }
            let batch = self.deal.batch();
            let heard_last_us = batch.iter().map(|o| o.heard_at_us).max();
            let (Some(first), Some(heard_last_us)) = (batch.first(), heard_last_us) else {
                continue;
            };
            let header = Header {
                session,
                sequence: self.counters.datagrams_sent,
                first_observation: self.counters.observations_sent,
                // Radios of a recording are read with a little skew; an age is never negative.
                sent_us: now_us.max(heard_last_us),
                radio: first.radio,
            };
            let packed = self.writer.encode(&header, batch, out);
            self.deal.handle_taken(packed);
            self.counters.datagrams_sent += 1;
            self.counters.observations_sent += packed as u64;
            return Some(packed);
        }
    }

    /// When [`Batcher::poll_batch`] has something to give next; `None` while nothing waits or there
    /// is no session. 0 means now.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.session?;
        let leaving = self
            .queue
            .front()
            .is_some_and(|o| o.heard_at_us <= self.leave_until_us);
        if leaving || !self.deal.is_empty() || self.is_burst_full() {
            return Some(0);
        }
        self.deadline_us()
    }

    /// When the oldest of the queue must leave.
    ///
    /// A recording that is read ahead is packed with this as its clock, deadline by deadline.
    pub fn deadline_us(&self) -> Option<u64> {
        Some(
            self.queue
                .front()?
                .heard_at_us
                .saturating_add(self.limits.hold_us()),
        )
    }

    /// Observations that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.deal.len()
    }

    /// Observations that can be taken in before the oldest must go.
    pub fn room(&self) -> usize {
        self.limits
            .queue_observations_max
            .saturating_sub(self.waiting())
    }

    /// Observations that a source which can wait should give now: two bursts keep the transport busy,
    /// and what waits in the source does not grow old.
    pub fn room_soon(&self) -> usize {
        (2 * self.burst_observations())
            .saturating_sub(self.waiting())
            .min(self.room())
    }

    /// When the earliest observation that still waits was heard. Looks at all of them.
    pub fn heard_first_us(&self) -> Option<u64> {
        self.queue
            .iter()
            .chain(self.deal.iter())
            .map(|o| o.heard_at_us)
            .min()
    }

    /// Counters since the last [`Batcher::close_books`].
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Ends an account and opens the next one: returns counters in which everything offered is
    /// dropped or sent. What waits is offered anew in the next account, so that every observation
    /// stands in exactly one.
    pub fn close_books(&mut self) -> Counters {
        let waiting = self.waiting() as u64;
        let next = Counters {
            observations_offered: waiting,
            ..Counters::default()
        };
        let mut closed = std::mem::replace(&mut self.counters, next);
        closed.observations_offered -= waiting;
        closed
    }

    /// Observations that fill a whole burst.
    fn burst_observations(&self) -> usize {
        let burst = self.limits.burst_batches_max * self.rows.without_ranges;
        burst.min(self.limits.queue_observations_max)
    }

    /// A whole burst was heard before its deadline. Sources that are read at unequal pace could
    /// hide that; a queue that sources no longer add to counts, too.
    fn is_burst_full(&self) -> bool {
        let burst = self.burst_observations();
        let deadline_us = self.deadline_us().unwrap_or(0);
        let last = self.queue.get(burst - 1);
        last.is_some_and(|last| last.heard_at_us <= deadline_us)
            || self.queue.len() >= burst && self.room_soon() == 0
    }

    /// Moves what is due, at most one burst, from the queue into the deal.
    fn deal_burst(&mut self, now_us: u64) -> bool {
        let Some(deadline_us) = self.deadline_us() else {
            self.leave_until_us = 0;
            return false;
        };
        if deadline_us <= now_us {
            self.leave_until_us = self.leave_until_us.max(now_us);
        }
        let (burst, until_us) = (self.burst_observations(), self.leave_until_us);
        let due = self
            .queue
            .iter()
            .take(burst)
            .take_while(|o| o.heard_at_us <= until_us)
            .count();
        let count = if due == 0 && self.is_burst_full() {
            burst
        } else {
            due
        };
        self.deal.deal(&mut self.queue, count, &self.rows);
        count > 0
    }

    /// Drops one of the oldest: what is already dealt came before what is queued.
    fn shed_oldest(&mut self) {
        if !self.deal.drop_one() {
            self.queue.pop_front();
        }
        match self.session {
            Some(_) => self.counters.dropped.queue_full += 1,
            None => self.counters.dropped.disconnected += 1,
        }
    }
}
