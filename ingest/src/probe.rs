//! Latency probes: a sample of observations that are followed to the first fix that uses them.

use crate::directory::Directory;
use crate::limits::{PROBES_PER_SEGMENT_MAX, SEGMENTS};
use crate::outlet::Outlet;

/// One batch in so many gives a probe.
const BATCHES_PER_PROBE: u64 = 4;

/// An observation that waits for its client's next fix.
#[derive(Debug, Clone, Copy)]
struct Probe {
    key: u64,
    heard_us: u64,
}

/// The observations being followed, by segment of their client.
#[derive(Debug)]
pub(crate) struct Probes {
    segments: Vec<Vec<Probe>>,
    batches: u64,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            segments: vec![Vec::new(); SEGMENTS],
            batches: 0,
        }
    }
}

impl Probes {
    /// Which of a batch's rows to follow, if any: a different one each time, so that no position in
    /// a batch is favoured.
    pub(crate) fn row_to_follow(&mut self, len: usize) -> Option<usize> {
        self.batches += 1;
        if len == 0 || !self.batches.is_multiple_of(BATCHES_PER_PROBE) {
            return None;
        }
        Some((self.batches / BATCHES_PER_PROBE) as usize % len)
    }

    /// Keys and times of what is followed, sorted.
    #[cfg(test)]
    pub(crate) fn followed(&self) -> Vec<(u64, u64)> {
        let probes = self.segments.iter().flatten();
        let mut followed: Vec<_> = probes.map(|probe| (probe.key, probe.heard_us)).collect();
        followed.sort_unstable();
        followed
    }

    /// Follows an observation that was folded.
    pub(crate) fn follow(&mut self, key: u64, heard_us: u64) {
        let waiting = &mut self.segments[Directory::segment_of(key)];
        if waiting.len() < PROBES_PER_SEGMENT_MAX {
            waiting.push(Probe { key, heard_us });
        }
    }

    /// The client has a fix: its probes have arrived.
    pub(crate) fn arrive(&mut self, key: u64, now_us: u64, outlet: &mut Outlet) {
        self.segments[Directory::segment_of(key)].retain(|probe| {
            if probe.key == key {
                outlet.record_latency(now_us.saturating_sub(probe.heard_us));
            }
            probe.key != key
        });
    }

    /// The client is forgotten, and its probes with it.
    pub(crate) fn forget(&mut self, key: u64) {
        self.segments[Directory::segment_of(key)].retain(|probe| probe.key != key);
    }
}
