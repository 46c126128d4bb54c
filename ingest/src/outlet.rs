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

/// Fixes that wait for their readers; the oldest goes when it is full.
///
/// Takes memory for what waits, not for what could: as an array, 65,536 fixes would take 10 MB of
/// every idle node.
#[derive(Debug)]
pub struct FixQueue {
    waiting: SegQueue<SentFix>,
    /// Those that wait, and those about to.
    len: AtomicUsize,
    len_max: usize,
}

impl FixQueue {
    /// A queue of at most so many fixes; a few more while several workers send at once.
    pub fn new(len_max: usize) -> Self {
        Self {
            waiting: SegQueue::new(),
            len: AtomicUsize::new(0),
            len_max,
        }
    }

    /// Adds a fix; returns the oldest one if that had to give way.
    pub fn force_push(&self, fix: SentFix) -> Option<SentFix> {
        // Counted before it is there, so that taking never counts below zero.
        let is_full = self.len.fetch_add(1, Ordering::Relaxed) >= self.len_max;
        let oldest = if is_full { self.pop() } else { None };
        self.waiting.push(fix);
        oldest
    }

    /// Takes the oldest fix.
    pub fn pop(&self) -> Option<SentFix> {
        let fix = self.waiting.pop()?;
        self.len.fetch_sub(1, Ordering::Relaxed);
        Some(fix)
    }

    /// Fixes that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// A worker's way out.
#[derive(Debug)]
pub struct Outlet {
    fixes: Arc<FixQueue>,
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
            made: 0,
            dropped: 0,
            latency_us: latency_histogram(),
            folded_us: latency_histogram(),
        }
    }

    /// Sends a fix; the oldest waiting one gives way and is counted when the queue is full.
    pub fn send(&mut self, fix: SentFix) {
        self.made += 1;
        if self.fixes.force_push(fix).is_some() {
            self.dropped += 1;
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
        }
        assert_eq!((outlet.made(), outlet.dropped(), queue.len()), (10, 7, 3));
        let left: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|fix| fix.client.0)
            .collect();
        assert_eq!(left, [7, 8, 9]);
        assert!(queue.is_empty());
    }

    #[test]
    fn every_fix_is_taken_or_dropped_once() {
        let queue = Arc::new(FixQueue::new(100));
        let threads = [0, 1].map(|_| {
            let mut outlet = Outlet::new(queue.clone());
            std::thread::spawn(move || {
                (0..50_000).for_each(|client| outlet.send(sent(client)));
                outlet.dropped()
            })
        });
        let mut taken = 0;
        while threads.iter().any(|thread| !thread.is_finished()) {
            taken += u64::from(queue.pop().is_some());
        }
        let dropped: u64 = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        // Two threads may have overshot by one each.
        assert!(queue.len() <= 102, "{}", queue.len());
        taken += std::iter::from_fn(|| queue.pop()).count() as u64;
        assert_eq!(taken + dropped, 100_000);
    }
}
