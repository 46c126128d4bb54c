//! What leaves a worker: fixes through a bounded queue, latencies through a histogram.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
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
pub type FixQueue = ArrayQueue<SentFix>;

/// A worker's way out.
#[derive(Debug)]
pub struct Outlet {
    fixes: Arc<FixQueue>,
    made: u64,
    dropped: u64,
    latency_us: Histogram<u64>,
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
}

/// An empty histogram of latencies in microseconds, three significant digits.
///
/// # Panics
/// Never: the bounds are constants that the histogram accepts.
pub fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_US_MAX, 3).expect("constant bounds are valid")
}
