//! Deals the observations of a burst to batches, so that no client loses much with any one of them.

mod airs;
mod key;
mod look;
mod met;
mod sort;

use std::ops::Range;

use super::{Queue, RowsMax, Waiting};
use airs::Airs;
use key::Key;
use look::{Look, Unlike};
use met::Met;

pub(super) use look::{Due, Mix};

/// A burst, dealt: batches in the order in which they leave. The observations stay where they are,
/// at the front of the batcher's queue; here is only their order.
///
/// **Spread.** The observations of one radio are grouped by client and dealt round to as many
/// batches as they need, so a client's observations go to different batches as evenly as they can.
/// In a batch, those with full ids come first, then those with short ids, as they lie in the
/// datagram; in a burst a client is among one of them. Among each, two observations of a client are
/// neighbours only if the client has more than half of them: they are rotated so that the client with most
/// observations comes first, and fill the even places and then the odd ones. Nobody else can then
/// reach from the even places to a neighbouring odd one. Where no client has two in a batch, short
/// ids below 65,536 just ascend: the node walks its table in one direction. Where channel or noise
/// floor differ, a batch is gathered by them after that, whoever is neighbours then: rows take less
/// room so.
///
/// **Plain bursts.** Mostly no client is in a burst twice, one radio heard all, on one channel, and
/// all go by ids of one kind. There is nothing to spread then: they leave as they came, cut into batches of even
/// length. Sources name clients in much the same order each time, and so short ids nearly ascend.
#[derive(Debug, Default)]
pub(super) struct Deal {
    /// Observations at the front of the queue that belong to the burst, left or not.
    burst: usize,
    burst_max: usize,
    /// The burst in the order in which it leaves; empty when that is the order of the queue.
    order: Vec<Key>,
    scratch: Vec<Key>,
    airs: Airs,
    met: Met,
    /// Where each batch ends in that order.
    ends: Vec<usize>,
    /// The first of `ends` that has not left, and of the burst.
    batch: usize,
    next: usize,
    heard_first_us: u64,
    heard_last_us: u64,
}

impl Deal {
    /// For bursts of at most so many observations, and of so many that go by full ids only, and for
    /// short ids below this.
    pub(super) fn new(burst_max: usize, full_max: usize, short_ids_max: usize) -> Self {
        Self {
            burst_max,
            order: Vec::with_capacity(burst_max),
            scratch: Vec::with_capacity(burst_max),
            airs: Airs::with_capacity(burst_max),
            ends: Vec::with_capacity(wire::limits::RADIOS_MAX),
            met: Met::new(short_ids_max, full_max),
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.burst
    }

    /// Observations at the front of the queue that belong to the burst, left or not.
    #[inline]
    pub(super) fn burst(&self) -> usize {
        self.burst
    }

    /// Observations of the burst that have left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.next
    }

    /// When the earliest and the latest of the burst were heard.
    pub(super) fn heard_us(&self) -> (u64, u64) {
        (self.heard_first_us, self.heard_last_us)
    }

    /// Where in the queue that lies which has not left.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (self.next..self.burst).map(|place| self.index(place))
    }

    /// What is left of the next batch: where in the queue it lies.
    pub(super) fn batch(&self) -> impl Iterator<Item = usize> + Clone {
        self.places().map(|place| self.index(place))
    }

    /// [`Deal::batch`] where that is one stretch of the queue whose ids are of one kind, without ranges
    /// and in the same air.
    pub(super) fn plain_batch(&self) -> Option<Range<usize>> {
        self.order.is_empty().then(|| self.places())
    }

    fn places(&self) -> Range<usize> {
        self.next..self.ends.get(self.batch).copied().unwrap_or(self.next)
    }

    /// Where in the queue that lies which leaves as number `place`.
    fn index(&self, place: usize) -> usize {
        self.order.get(place).map_or(place, |key| key.index())
    }

    pub(super) fn clear(&mut self) {
        self.burst = 0;
        self.order.clear();
        self.ends.clear();
        self.batch = 0;
        self.next = 0;
    }

    /// Deals what is due at the front of `queue`; the deal was empty. `short_id` is asked for each
    /// in turn.
    ///
    /// Most bursts are looked at once: what does not tell whether they are plain waits until it is
    /// known that they are not.
    pub(super) fn deal(
        &mut self,
        queue: &mut Queue,
        due: Due,
        rows_max: &RowsMax,
        short_id: impl FnMut(&Waiting) -> Option<u32>,
    ) -> Mix {
        debug_assert!(self.is_empty());
        self.clear();
        let room = due.batches_max * rows_max.datagram();
        let count_max = self.burst_max.min(room / rows_max.row(true, false)).max(1);
        let look = Look::at(
            queue,
            &due,
            (count_max, room),
            rows_max,
            &mut self.met,
            short_id,
        );
        (self.heard_first_us, self.heard_last_us) = (look.heard_first_us, look.heard_last_us);
        let mix = look.mix;
        self.burst = mix.full + mix.short;
        let is_plain = look.unlike.is_nothing()
            && match mix {
                Mix { full: 0, .. } => !look.short_id_twice,
                Mix { short: 0, .. } => !self.met.client_twice(queue.range(0..self.burst)),
                _ => false,
            };
        if is_plain {
            self.cut(mix, rows_max);
        } else {
            self.spread(queue, look.unlike, rows_max);
        }
        mix
    }

    /// Cuts a plain burst into batches of even length.
    fn cut(&mut self, mix: Mix, rows_max: &RowsMax) {
        let batches = rows_max.batches(mix.full, mix.short, false, 1);
        let ends = (1..=batches).map(|batch| batch * self.burst / batches);
        self.ends.extend(ends);
    }

    /// Spreads a burst in which clients come twice, or in which not all are of one kind.
    fn spread(&mut self, queue: &Queue, unlike: Unlike, rows_max: &RowsMax) {
        self.list(queue);
        sort::sort(&mut self.order, &mut self.scratch);
        // What is sorted is dealt from one list to the other.
        std::mem::swap(&mut self.order, &mut self.scratch);
        self.order.clear();
        let mut from = 0;
        while let Some(first) = self.scratch.get(from) {
            let radio = first.radio();
            let of_radio = self.scratch[from..].partition_point(|key| key.radio() == radio);
            self.deal_radio(from..from + of_radio, queue, unlike, rows_max);
            from += of_radio;
        }
    }

    /// Lists the burst in the order of the queue.
    fn list(&mut self, queue: &Queue) {
        let burst = queue.range(0..self.burst).enumerate();
        self.order
            .extend(burst.map(|(index, waiting)| Key::new(index, waiting)));
    }

    /// Deals the sorted observations of one radio, which lie in `scratch`.
    fn deal_radio(
        &mut self,
        of_radio: Range<usize>,
        queue: &Queue,
        unlike: Unlike,
        rows_max: &RowsMax,
    ) {
        let sorted = &self.scratch[of_radio];
        let (order, airs) = (&mut self.order, &mut self.airs);
        let has_range = |key: &Key| queue.get(key.index()).is_some_and(Waiting::has_range);
        let ranges = unlike.ranges && sorted.iter().any(has_range);
        let air_count = match unlike.airs {
            true => airs.count(sorted, queue),
            false => 1,
        };
        let (full, short) = sorted.split_at(sorted.partition_point(|key| !key.is_short()));
        let batches = rows_max.batches(full.len(), short.len(), ranges, air_count);
        let crowded = (is_crowded(full, batches), is_crowded(short, batches));
        for batch in 0..batches {
            // Short ones are dealt on from where full ones ended.
            let first_short = (batch + batches - full.len() % batches) % batches;
            let from = order.len();
            deal_batch(order, full, batch, batches, crowded.0);
            let from_short = order.len();
            deal_batch(order, short, first_short, batches, crowded.1);
            if air_count > 1 {
                let (full, short) = order[from..].split_at_mut(from_short - from);
                airs.gather(full, queue);
                airs.gather(short, queue);
            }
            self.ends.push(order.len());
        }
    }

    /// Removes those observations of the next batch that are `unwanted`; returns how many.
    pub(super) fn discard_from_batch(
        &mut self,
        queue: &Queue,
        unwanted: impl Fn(&Waiting) -> bool,
    ) -> usize {
        if self.order.is_empty() {
            self.list(queue);
        }
        let places = self.places();
        let mut kept_from = places.end;
        for from in places.rev() {
            if !queue.get(self.order[from].index()).is_some_and(&unwanted) {
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
    pub(super) fn give_back(&mut self, queue: &mut Queue) {
        let burst = self.burst;
        if self.order.is_empty() {
            self.list(queue);
        }
        let left = &mut self.order[self.next..];
        left.sort_unstable_by_key(|key| key.index());
        let mut left = left.iter().map(|key| key.index()).peekable();
        queue.retain(|index, _| index >= burst || left.next_if_eq(&index).is_some());
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
