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
mod limited;
mod pack;
mod queue;
mod rows_max;
#[cfg(test)]
mod tests;
mod waiting;

use wire::batch::BatchWriter;
use wire::frame::{Counters, Define, Defined};
use wire::{Kind, Observation, Session};

use crate::limits;
use crate::short_ids::{ShortIds, tick};
use deal::{Deal, Due, Mix};
use queue::Queue;
use rows_max::RowsMax;
use waiting::Waiting;

pub use limited::BatcherLimits;

/// Collects observations and packs them into batches.
///
/// Times are microseconds of the clock that stamps the observations. Allocates nothing after
/// [`Batcher::new`] but the frames of [`Batcher::poll_define`].
#[derive(Debug)]
pub struct Batcher {
    limits: BatcherLimits,
    /// What is dealt, left or not, and behind it what waits to be dealt.
    queue: Queue,
    deal: Deal,
    /// When that was dealt.
    dealt_at_us: u64,
    /// What the last burst was made of: what the next one will most likely be made of.
    mix: Mix,
    short_ids: ShortIds,
    /// What was heard until then is on its way out; `u64::MAX` while everything is.
    leave_until_us: u64,
    session: Option<Session>,
    datagram_bytes_max: usize,
    writer: BatchWriter,
    rows: RowsMax,
    counters: Counters,
}

impl Batcher {
    /// A batcher without a session: it collects, and waits for [`Batcher::handle_connected`].
    pub fn new(limits: BatcherLimits) -> Self {
        let datagram_bytes_max = limits::DATAGRAM_BYTES_MAX;
        let limits = limits.clamped();
        let rows = RowsMax::new(datagram_bytes_max, limits.rows_max);
        let burst = |full, short| {
            let burst = rows.observations(full, short, limits.burst_batches_max);
            burst.min(limits.queue_observations_max)
        };
        let (burst, full) = (burst(0, 1), burst(1, 0));
        Self {
            // What has left stays in the queue until the whole burst has.
            queue: Queue::with_capacity(limits.queue_observations_max + burst),
            deal: Deal::new(burst, full, limits.short_ids_max),
            dealt_at_us: 0,
            mix: Mix::default(),
            short_ids: ShortIds::new(limits.short_ids_max),
            leave_until_us: 0,
            session: None,
            datagram_bytes_max,
            writer: BatchWriter::new(datagram_bytes_max),
            rows,
            counters: Counters::default(),
            limits,
        }
    }

    /// Takes the memory of the queue from the system now, and not when a node goes away and the queue
    /// fills: a device that has none left should show it at the start.
    pub fn touch_memory(&mut self) {
        self.queue.touch_memory();
    }

    /// Takes in one observation; when the queue is full, the oldest goes.
    #[inline]
    pub fn handle_observation(&mut self, observation: Observation) {
        self.counters.observations_offered += 1;
        if self.room() == 0 {
            self.shed_oldest();
        }
        self.queue.push(&observation);
    }

    /// As [`Batcher::handle_observation`] of each in turn.
    #[inline]
    pub fn handle_observations(
        &mut self,
        observations: impl ExactSizeIterator<Item = Observation>,
    ) {
        if observations.len() > self.room() {
            observations.for_each(|observation| self.handle_observation(observation));
        } else {
            self.counters.observations_offered += observations.len() as u64;
            self.queue.extend(observations);
        }
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
        self.mix = Mix::default();
        self.queue
            .retain(|_, waiting| !self.limits.is_too_old(waiting.heard_at_us(), now_us));
        self.counters.dropped.disconnected += (before - self.waiting()) as u64;
        self.session = Some(session);
    }

    /// The node of the session that began keeps so many short ids.
    pub fn handle_short_ids(&mut self, granted: u32, now_us: u64) {
        self.short_ids.handle_granted(granted, now_us);
    }

    /// The node has acknowledged definitions of short ids.
    pub fn handle_defined(&mut self, defined: &Defined) {
        self.short_ids.handle_defined(defined);
    }

    /// Definitions of short ids to send now: a few frames with each burst, `None` when no more.
    /// Asked for only while the control stream has room.
    pub fn poll_define(&mut self, now_us: u64) -> Option<Define> {
        self.short_ids.poll_define(now_us)
    }

    /// [`Batcher::poll_define`] has something to give.
    pub fn has_define(&self) -> bool {
        self.short_ids.has_defines()
    }

    /// The session ended. Of what it handed over, the transport never sent the newest `datagrams`,
    /// with these `observations` in them.
    pub fn handle_disconnected(&mut self, datagrams: u64, observations: u64) {
        self.session = None;
        self.short_ids.handle_disconnected();
        self.counters.datagrams_unsent += datagrams;
        self.counters.dropped.unsent += observations;
    }

    /// Everything that waits now leaves without waiting for its deadline.
    pub fn handle_flush(&mut self) {
        if self.undealt() > 0 {
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
            self.rows = RowsMax::new(bytes, self.limits.rows_max);
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
            let (heard_first_us, _) = self.deal.heard_us();
            if self.limits.is_too_old(heard_first_us, now_us) && self.drop_too_old(now_us) {
                continue;
            }
            let packed = self.pack(session, now_us, out);
            if packed == 0 {
                // Any datagram takes a row: the batch was empty, and with it the burst.
                debug_assert!(self.deal.is_empty());
                self.retire_burst();
                continue;
            }
            self.deal.handle_taken(packed);
            self.retire_burst();
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
            .get(self.deal.burst())
            .is_some_and(|first| first.heard_at_us() <= self.leave_until_us);
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
                .get(self.deal.burst())?
                .heard_at_us()
                .saturating_add(self.limits.hold_us()),
        )
    }

    /// Observations that wait.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.queue.len() - self.deal.left()
    }

    /// Observations that can be taken in before the oldest must go.
    #[inline]
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
        let undealt = self.deal.burst()..self.queue.len();
        self.deal
            .iter()
            .chain(undealt)
            .filter_map(|index| self.queue.get(index))
            .map(Waiting::heard_at_us)
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

    /// Observations that fill a whole burst, if it is made like the last one.
    pub fn burst_observations(&self) -> usize {
        let Mix { full, short } = self.mix;
        let datagrams = self.limits.burst_batches_max;
        let burst = self.rows.observations(full, short, datagrams);
        burst.clamp(1, self.limits.queue_observations_max)
    }

    /// A whole burst was heard before its deadline. Sources that are read at unequal pace could
    /// hide that; a queue that sources no longer add to counts, too.
    fn is_burst_full(&self) -> bool {
        let burst = self.burst_observations();
        let deadline_us = self.deadline_us().unwrap_or(0);
        let last = self.queue.get(self.deal.burst() + burst - 1);
        last.is_some_and(|last| last.heard_at_us() <= deadline_us)
            || self.undealt() >= burst && self.room_soon() == 0
    }

    /// Deals what is due, at most one burst. Nothing is dealt when this is called.
    fn deal_burst(&mut self, now_us: u64) -> bool {
        let (Some(first), Some(deadline_us)) = (self.queue.get(0), self.deadline_us()) else {
            self.leave_until_us = 0;
            return false;
        };
        if deadline_us <= now_us {
            self.leave_until_us = self.leave_until_us.max(now_us);
        }
        let (at_least, until_us) = if first.heard_at_us() <= self.leave_until_us {
            (0, self.leave_until_us)
        } else if self.is_burst_full() {
            (self.burst_observations(), deadline_us)
        } else {
            return false;
        };
        let due = Due {
            at_least,
            until_us,
            batches_max: self.limits.burst_batches_max,
        };
        self.dealt_at_us = now_us;
        let (deal, short_ids) = (&mut self.deal, &mut self.short_ids);
        self.mix = if short_ids.is_granted() {
            let mut burst = short_ids.handle_burst(tick(now_us));
            let mix = deal.deal(&mut self.queue, due, &self.rows, |waiting| {
                // Another access point is no client that the node would keep.
                match waiting.kind() {
                    Kind::Beacon => None,
                    _ => burst.handle_heard(waiting.client()),
                }
            });
            burst.end();
            mix
        } else {
            deal.deal(&mut self.queue, due, &self.rows, |_| None)
        };
        true
    }

    /// Drops what is too old in the next batch; says whether there was any.
    fn drop_too_old(&mut self, now_us: u64) -> bool {
        let too_old = |waiting: &Waiting| self.limits.is_too_old(waiting.heard_at_us(), now_us);
        let dropped = self.deal.discard_from_batch(&self.queue, too_old);
        self.counters.dropped.too_old += dropped as u64;
        self.retire_burst();
        dropped > 0
    }

    /// Takes a burst out of the queue when all of it has left.
    fn retire_burst(&mut self) {
        if self.deal.is_empty() {
            self.queue.remove_first(self.deal.burst());
            self.deal.clear();
        }
    }

    /// Observations that no burst has taken yet.
    fn undealt(&self) -> usize {
        self.queue.len() - self.deal.burst()
    }

    /// Drops one of the oldest: what is already dealt came before what is queued.
    #[cold]
    fn shed_oldest(&mut self) {
        if self.deal.drop_one() {
            self.retire_burst();
        } else {
            self.queue.remove_first(1);
        }
        match self.session {
            Some(_) => self.counters.dropped.queue_full += 1,
            None => self.counters.dropped.disconnected += 1,
        }
    }
}
