//! What leaves a worker: fixes through a bounded queue, latencies through a histogram.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::queue::SegQueue;
use hdrhistogram::Histogram;
use locate::Fix;
use wire::ClientId;

/// A fix on its way to readers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SentFix {
    /// Index of the site in the pipeline's list.
    pub site: usize,
    /// Whose fix it is.
    pub client: ClientId,
    /// Where the client is.
    pub fix: Fix,
    /// When the fix was made, in microseconds of the node's clock (Unix time; in a replay, the
    /// recording's time).
    pub sent_at_us: u64,
}

/// Fixes that wait for their readers, in the portions in which workers sent them; the oldest portions
/// go when it is full.
///
/// Takes memory for what waits, not for what could: as an array, 65,536 fixes would take 10 MB of
/// every idle node.
#[derive(Debug)]
pub struct FixQueue {
    waiting: SegQueue<Vec<SentFix>>,
    /// Fixes that wait, and those about to.
    len: AtomicUsize,
    len_max: usize,
}

impl FixQueue {
    /// A queue of at most so many fixes; a portion or so more while several workers send at once.
    pub fn new(len_max: usize) -> Self {
        Self {
            waiting: SegQueue::new(),
            len: AtomicUsize::new(0),
            len_max,
        }
    }

    /// Adds fixes; returns how many of the oldest had to give way.
    pub fn force_push(&self, portion: Vec<SentFix>) -> usize {
        if portion.is_empty() {
            return 0;
        }
        // Counted before they are there, so that taking never counts below zero.
        let mut len = self.len.fetch_add(portion.len(), Ordering::Relaxed) + portion.len();
        let mut dropped = 0;
        while len > self.len_max
            && let Some(oldest) = self.pop()
        {
            len -= oldest.len();
            dropped += oldest.len();
        }
        self.waiting.push(portion);
        dropped
    }

    /// Takes the oldest portion; never an empty one.
    pub fn pop(&self) -> Option<Vec<SentFix>> {
        let portion = self.waiting.pop()?;
        self.len.fetch_sub(portion.len(), Ordering::Relaxed);
        Some(portion)
    }

    /// Fixes that wait.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Fixes that leave a worker together: enough for the queue to cost next to nothing per fix.
const PORTION_LEN: usize = 64;

/// A worker's way out.
#[derive(Debug)]
pub struct Outlet {
    fixes: Arc<FixQueue>,
    /// Sent, and not in the queue yet.
    portion: Vec<SentFix>,
    made: u64,
    dropped: u64,
    latency_us: Histogram<u64>,
    folded_us: Histogram<u64>,
}

/// Longest latency that the histogram tells apart: a client's silence ends at a minute.
const LATENCY_US_MAX: u64 = 120_000_000;

impl Outlet {
    /// An outlet into a queue.
    pub fn new(fixes: Arc<FixQueue>) -> Self {
        Self {
            fixes,
            portion: Vec::new(),
            made: 0,
            dropped: 0,
            latency_us: latency_histogram(),
            folded_us: latency_histogram(),
        }
    }

    /// Sends a fix, at the next [`flush`](Self::flush) at the latest.
    #[inline]
    pub fn send(&mut self, fix: SentFix) {
        self.made += 1;
        if self.portion.capacity() == 0 {
            self.portion.reserve_exact(PORTION_LEN);
        }
        self.portion.push(fix);
        if self.portion.len() == PORTION_LEN {
            self.flush();
        }
    }

    /// Lets readers have what was sent; the oldest that wait give way and are counted when the queue
    /// is full. To be called after each sweep.
    pub fn flush(&mut self) {
        if !self.portion.is_empty() {
            let portion = std::mem::take(&mut self.portion);
            self.dropped += self.fixes.force_push(portion) as u64;
        }
    }

    /// Records how long an observation waited from being heard to the sending of the first fix that
    /// uses it.
    pub fn record_latency(&mut self, latency_us: u64) {
        self.latency_us.saturating_record(latency_us);
    }

    /// Records how long an observation waited from being heard to being folded.
    pub fn record_folded(&mut self, folded_us: u64) {
        self.folded_us.saturating_record(folded_us);
    }

    /// Fixes made.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Fixes dropped because readers were slow.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Latencies so far, in microseconds.
    pub fn latency_us(&self) -> &Histogram<u64> {
        &self.latency_us
    }

    /// Times from hearing to folding so far, in microseconds.
    pub fn folded_us(&self) -> &Histogram<u64> {
        &self.folded_us
    }
}

/// An empty histogram of latencies in microseconds, three significant digits.
///
/// # Panics
/// Never: the bounds are constants that the histogram accepts.
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_US_MAX, 3).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use locate::{Flags, Source};
    use site::FloorIndex;

    use super::*;

    fn sent(client: u64) -> SentFix {
        SentFix {
            site: 0,
            client: ClientId(client),
            fix: Fix {
                position_in_site: [0.0; 3].into(),
                covariance_m2: [[1.0, 0.0], [0.0, 1.0]].into(),
                height_deviation_m: 0.0,
                floor: FloorIndex(0),
                floor_probability: 1.0,
                r50_m: 1.0,
                r90_m: 2.0,
                radios: 1,
                observations: 1,
                age_s: 0.0,
                source: Source::Grid,
                flags: Flags::default(),
            },
            sent_at_us: 0,
        }
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted() {
        let queue = Arc::new(FixQueue::new(3));
        let mut outlet = Outlet::new(queue.clone());
        for client in 0..10 {
            outlet.send(sent(client));
            outlet.flush();
        }
        assert_eq!((outlet.made(), outlet.dropped(), queue.len()), (10, 7, 3));
        let left: Vec<_> = std::iter::from_fn(|| queue.pop())
            .flatten()
            .map(|fix| fix.client.0)
            .collect();
        assert_eq!(left, [7, 8, 9]);
        assert!(queue.is_empty());
    }

    #[test]
    fn fixes_leave_in_portions_and_at_the_end_of_a_sweep() {
        let queue = Arc::new(FixQueue::new(1_000));
        let mut outlet = Outlet::new(queue.clone());
        (0..PORTION_LEN as u64 + 1).for_each(|client| outlet.send(sent(client)));
        assert_eq!(queue.len(), PORTION_LEN);
        outlet.flush();
        outlet.flush();
        let portions = std::iter::from_fn(|| queue.pop());
        let lens: Vec<_> = portions.map(|portion| portion.len()).collect();
        assert_eq!((lens, queue.len()), (vec![PORTION_LEN, 1], 0));
    }

    #[test]
    fn every_fix_is_taken_or_dropped_once() {
        let queue = Arc::new(FixQueue::new(100));
        let threads = [0, 1].map(|_| {
            let mut outlet = Outlet::new(queue.clone());
            std::thread::spawn(move || {
                (0..50_000).for_each(|client| outlet.send(sent(client)));
                outlet.flush();
                outlet.dropped()
            })
        });
        let mut taken = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            taken += queue.pop().map_or(0, |portion| portion.len() as u64);
        }
        let dropped: u64 = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        // Two threads may have overshot by a portion each.
        assert!(queue.len() <= 100 + 2 * PORTION_LEN, "{}", queue.len());
        taken += std::iter::from_fn(|| queue.pop()).flatten().count() as u64;
        assert_eq!(taken + dropped, 100_000);
    }
}
