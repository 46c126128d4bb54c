//! Deals the observations of a burst to batches, so that no client loses much with any one of them.

mod key;
mod sort;

use std::collections::VecDeque;
use std::ops::Range;

use wire::Observation;

use super::RowsMax;
use key::Key;

/// A burst, dealt: batches in the order in which they leave. The observations stay where they are,
/// at the front of the batcher's queue; here is only their order.
///
/// **Spread.** The observations of one radio are grouped by client and dealt round to as many
/// batches as they need, so a client's observations go to different batches as evenly as they can.
/// In a batch, those with full ids come first, then those with short ids, as they lie in the
/// datagram; in a burst a client is among one of them. Among each, two observations of a client are
/// neighbours only if the client has more than half of them: they are rotated so that the client with most
/// observations comes first, and fill the even places and then the odd ones. Nobody else can then
/// reach from the even places to a neighbouring odd one. Where no client has two in a batch, which
/// is the rule, short ids just ascend: the node walks its table in one direction.
#[derive(Debug, Default)]
pub(super) struct Deal {
    /// The burst in the order in which it leaves; first filled in the order of the queue.
    order: Vec<Key>,
    scratch: Vec<Key>,
    /// Where each batch ends in `order`.
    ends: Vec<usize>,
    /// The first of `ends` that has not left, and of `order`.
    batch: usize,
    next: usize,
    heard_first_us: u64,
    heard_last_us: u64,
}

/// Which observations belong to a burst, from the front of the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// So many, whenever they were heard.
    pub(super) at_least: usize,
    /// Further ones until the first that was heard later.
    pub(super) until_us: u64,
    /// Full datagrams that they may fill.
    pub(super) batches_max: usize,
}

/// What a burst is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mix {
    pub(super) full: usize,
    pub(super) short: usize,
}

impl Deal {
    pub(super) fn with_capacity(observations: usize) -> Self {
        Self {
            order: Vec::with_capacity(observations),
            scratch: Vec::with_capacity(observations),
            ends: Vec::with_capacity(wire::limits::RADIOS_MAX),
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.order.len()
    }

    /// Observations that have not left.
    pub(super) fn len(&self) -> usize {
        self.order.len() - self.next
    }

    /// Observations at the front of the queue that belong to the burst, left or not.
    pub(super) fn burst(&self) -> usize {
        self.order.len()
    }

    /// When the earliest and the latest of the burst were heard.
    pub(super) fn heard_us(&self) -> (u64, u64) {
        (self.heard_first_us, self.heard_last_us)
    }

    /// What has not left.
    pub(super) fn iter<'a>(
        &'a self,
        queue: &'a VecDeque<Observation>,
    ) -> impl Iterator<Item = &'a Observation> {
        let left = self.order[self.next..].iter();
        left.filter_map(|key| queue.get(key.index()))
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.ends.clear();
        self.batch = 0;
        self.next = 0;
    }

    /// Deals what is due at the front of `queue`; the deal was empty. `short_id` is asked for each
    /// in turn.
    pub(super) fn deal(
        &mut self,
        queue: &VecDeque<Observation>,
        due: Due,
        rows_max: &RowsMax,
        mut short_id: impl FnMut(&Observation) -> Option<u32>,
    ) -> Mix {
        debug_assert!(self.is_empty());
        self.clear();
        let room = due.batches_max * rows_max.datagram();
        let (mut used, mut short, mut ranges) = (0, 0, false);
        let (mut heard_first_us, mut heard_last_us) = (u64::MAX, 0);
        let mut order = std::mem::take(&mut self.order);
        let (front, back) = queue.as_slices();
        let observations = front.iter().chain(back).take(order.capacity()).enumerate();
        order.extend(observations.map_while(|(index, observation)| {
            if index >= due.at_least && observation.heard_at_us > due.until_us {
                return None;
            }
            let short_id = short_id(observation);
            let has_range = observation.range.is_some();
            used += rows_max.row(short_id.is_some(), has_range);
            if used > room && index > 0 {
                return None;
            }
            short += usize::from(short_id.is_some());
            ranges |= has_range;
            heard_first_us = heard_first_us.min(observation.heard_at_us);
            heard_last_us = heard_last_us.max(observation.heard_at_us);
            Some(Key::new(index, observation, short_id))
        }));
        self.order = order;
        (self.heard_first_us, self.heard_last_us) = (heard_first_us, heard_last_us);
        sort::sort(&mut self.order, &mut self.scratch);
        // What is sorted is dealt from one list to the other.
        std::mem::swap(&mut self.order, &mut self.scratch);
        self.order.clear();
        let mut from = 0;
        while let Some(first) = self.scratch.get(from) {
            let radio = first.radio();
            let of_radio = self.scratch[from..].partition_point(|key| key.radio() == radio);
            self.deal_radio(from..from + of_radio, queue, ranges, rows_max);
            from += of_radio;
        }
        Mix {
            full: self.order.len() - short,
            short,
        }
    }

    /// Deals the sorted observations of one radio, which lie in `scratch`.
    fn deal_radio(
        &mut self,
        of_radio: Range<usize>,
        queue: &VecDeque<Observation>,
        ranges: bool,
        rows_max: &RowsMax,
    ) {
        let sorted = &self.scratch[of_radio];
        let order = &mut self.order;
        let has_range = |key: &Key| queue[key.index()].range.is_some();
        let ranges = ranges && sorted.iter().any(has_range);
        let (full, short) = sorted.split_at(sorted.partition_point(|key| !key.is_short()));
        let batches = rows_max.batches(full.len(), short.len(), ranges);
        let crowded = (is_crowded(full, batches), is_crowded(short, batches));
        for batch in 0..batches {
            // Short ones are dealt on from where full ones ended.
            let first_short = (batch + batches - full.len() % batches) % batches;
            deal_batch(order, full, batch, batches, crowded.0);
            deal_batch(order, short, first_short, batches, crowded.1);
            self.ends.push(order.len());
        }
    }

    /// What is left of the next batch.
    pub(super) fn batch<'a>(
        &'a self,
        queue: &'a VecDeque<Observation>,
    ) -> impl Iterator<Item = (&'a Observation, Option<u32>)> + Clone {
        let end = self.ends.get(self.batch).copied().unwrap_or(self.next);
        let keys = self.order[self.next..end].iter();
        keys.map(|key| (&queue[key.index()], key.short_id()))
    }

    /// Removes those observations of the next batch that are `unwanted`; returns how many.
    pub(super) fn discard_from_batch(&mut self, unwanted: impl Fn(usize) -> bool) -> usize {
        let end = self.ends.get(self.batch).copied().unwrap_or(self.next);
        let mut kept_from = end;
        for from in (self.next..end).rev() {
            if !unwanted(self.order[from].index()) {
                kept_from -= 1;
                self.order[kept_from] = self.order[from];
            }
        }
        let discarded = kept_from - self.next;
        self.handle_taken(discarded);
        discarded
    }

    /// The first `count` observations of the next batch have left.
    pub(super) fn handle_taken(&mut self, count: usize) {
        self.next += count;
        while self
            .ends
            .get(self.batch)
            .is_some_and(|&end| end <= self.next)
        {
            self.batch += 1;
        }
    }

    /// Drops one observation; says whether there was one.
    pub(super) fn drop_one(&mut self) -> bool {
        let one = !self.is_empty();
        self.handle_taken(usize::from(one));
        one
    }

    /// Leaves in the queue what has not left, and nothing else of the burst.
    pub(super) fn give_back(&mut self, queue: &mut VecDeque<Observation>) {
        let left = &mut self.order[self.next..];
        left.sort_unstable_by_key(|key| key.index());
        // The last one left goes to the last place of the burst and so on: always one at or behind
        // its own, so nothing is overwritten that is still to be moved.
        let mut to = self.next + left.len();
        for key in left.iter().rev() {
            to -= 1;
            queue[to] = queue[key.index()];
        }
        queue.drain(..to);
        self.clear();
    }
}

/// A client has two in one of the batches.
fn is_crowded(sorted: &[Key], batches: usize) -> bool {
    let next_in_batch = sorted.iter().skip(batches);
    next_in_batch.zip(sorted).any(|(a, b)| a.is_same_client(*b))
}

/// Appends every `batches`-th of `sorted` from `first` on, with equal clients apart.
fn deal_batch(order: &mut Vec<Key>, sorted: &[Key], first: usize, batches: usize, crowded: bool) {
    let members = sorted.get(first..).unwrap_or_default();
    if !crowded {
        order.extend(members.iter().step_by(batches));
        return;
    }
    let len = members.len().div_ceil(batches);
    let member = |i: usize| members[i * batches];
    let longest = longest_run(len, |a, b| member(a).is_same_client(member(b)));
    let even_places = len.div_ceil(2);
    order.extend((0..len).map(|place| {
        let i = longest + place / 2 + if place % 2 == 0 { 0 } else { even_places };
        member(if i < len { i } else { i - len })
    }));
}

/// Where the longest run of equal values begins.
fn longest_run(len: usize, are_equal: impl Fn(usize, usize) -> bool) -> usize {
    let (mut longest_from, mut longest) = (0, 0);
    let mut from = 0;
    for i in 1..=len {
        if i == len || !are_equal(i, from) {
            if i - from > longest {
                (longest_from, longest) = (from, i - from);
            }
            from = i;
        }
    }
    longest_from
}
