//! Deals the observations of a burst to batches, so that no client loses much with any one of them.

use std::collections::VecDeque;

use wire::Observation;

use super::RowsMax;

/// A burst, dealt: batches in the order in which they leave.
///
/// **Spread.** The observations of one radio are grouped by client and dealt round to as many
/// batches as they need, so a client's observations go to different batches as evenly as they can.
/// Inside a batch, two observations of a client are neighbours only if the client has more than half
/// of the batch: the batch, rotated so that the client with most observations comes first, fills the
/// even places and then the odd ones. Nobody else can then reach from the even places to a
/// neighbouring odd one.
#[derive(Debug, Default)]
pub(super) struct Deal {
    /// Sort keys of the burst: radio (8 bits), client (40 bits of a hash), place in the queue (16).
    keys: Vec<u64>,
    dealt: Vec<Observation>,
    /// Where each batch ends in `dealt`.
    ends: Vec<usize>,
    /// The first of `ends` that has not left, and of `dealt`.
    batch: usize,
    next: usize,
}

const INDEX_BITS: u32 = 16;
const CLIENT_BITS: u32 = 40;

impl Deal {
    pub(super) fn with_capacity(observations: usize) -> Self {
        Self {
            keys: Vec::with_capacity(observations),
            dealt: Vec::with_capacity(observations),
            ends: Vec::with_capacity(wire::limits::RADIOS_MAX),
            batch: 0,
            next: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.dealt.len()
    }

    pub(super) fn len(&self) -> usize {
        self.dealt.len() - self.next
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Observation> {
        self.dealt[self.next..].iter()
    }

    pub(super) fn clear(&mut self) {
        self.dealt.clear();
        self.ends.clear();
        self.batch = 0;
        self.next = 0;
    }

    /// Takes the first `count` observations out of `queue` and deals them; the deal was empty.
    pub(super) fn deal(
        &mut self,
        queue: &mut VecDeque<Observation>,
        count: usize,
        rows_max: &RowsMax,
    ) {
        debug_assert!(self.is_empty() && count <= 1 << INDEX_BITS);
        self.clear();
        self.keys.clear();
        self.keys
            .extend(queue.iter().take(count).enumerate().map(|(i, o)| key(i, o)));
        self.keys.sort_unstable();
        for of_radio in self.keys.chunk_by(|a, b| radio(*a) == radio(*b)) {
            let ranges = of_radio
                .iter()
                .any(|&key| queue[index(key)].range.is_some());
            let rows = if ranges {
                rows_max.with_ranges
            } else {
                rows_max.without_ranges
            };
            let batches = of_radio.len().div_ceil(rows);
            for batch in 0..batches {
                for key in interleaved(of_radio, batch, batches) {
                    self.dealt.push(queue[index(key)]);
                }
                self.ends.push(self.dealt.len());
            }
        }
        queue.drain(..count);
    }

    /// What is left of the next batch.
    pub(super) fn batch(&self) -> &[Observation] {
        self.ends
            .get(self.batch)
            .map_or(&[], |&end| &self.dealt[self.next..end])
    }

    /// Removes those observations of the next batch that are `unwanted`; returns how many.
    pub(super) fn discard_from_batch(&mut self, unwanted: impl Fn(&Observation) -> bool) -> usize {
        if !self.batch().iter().any(&unwanted) {
            return 0;
        }
        let end = self.ends[self.batch];
        let mut kept_from = end;
        for from in (self.next..end).rev() {
            if !unwanted(&self.dealt[from]) {
                kept_from -= 1;
                self.dealt[kept_from] = self.dealt[from];
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

    /// Puts what has not left back to the front of the queue.
    pub(super) fn give_back(&mut self, queue: &mut VecDeque<Observation>) {
        for observation in self.dealt[self.next..].iter().rev() {
            queue.push_front(*observation);
        }
        self.clear();
    }
}

/// Sorts by radio, then by client, then by place in the queue. Two clients may share the 40 bits;
/// they are then spread as if they were one.
fn key(index: usize, observation: &Observation) -> u64 {
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): ids may be consecutive.
    let client = observation.client.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CLIENT_BITS);
    u64::from(observation.radio) << (CLIENT_BITS + INDEX_BITS) | client << INDEX_BITS | index as u64
}

fn radio(key: u64) -> u64 {
    key >> (CLIENT_BITS + INDEX_BITS)
}

fn client(key: u64) -> u64 {
    key >> INDEX_BITS
}

fn index(key: u64) -> usize {
    (key & ((1 << INDEX_BITS) - 1)) as usize
}

/// Every `batches`-th of `sorted` from `batch` on, in an order that keeps equal clients apart.
fn interleaved(sorted: &[u64], batch: usize, batches: usize) -> impl Iterator<Item = u64> {
    let len = (sorted.len() - batch).div_ceil(batches);
    let member = move |i: usize| sorted[batch + i * batches];
    let first = longest_run(len, |i| client(member(i)));
    let even_places = len.div_ceil(2);
    (0..len).map(move |place| {
        let i = first + place / 2 + if place % 2 == 0 { 0 } else { even_places };
        member(if i < len { i } else { i - len })
    })
}

/// Where the longest run of equal values begins.
fn longest_run(len: usize, value: impl Fn(usize) -> u64) -> usize {
    let (mut longest_from, mut longest) = (0, 0);
    let mut from = 0;
    for i in 1..=len {
        if i == len || value(i) != value(from) {
            if i - from > longest {
                (longest_from, longest) = (from, i - from);
            }
            from = i;
        }
    }
    longest_from
}
