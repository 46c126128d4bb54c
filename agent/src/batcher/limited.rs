//! How much the batcher holds, for how long.

use std::time::Duration;

use crate::limits;

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
    /// Most rows of either kind in a datagram, however many fit: to measure what thin ones cost.
    pub rows_max: usize,
    /// Clients that may go by a short id, if the node grants as many; 0 for full ids only.
    pub short_ids_max: usize,
}

impl Default for BatcherLimits {
    fn default() -> Self {
        Self {
            queue_observations_max: limits::QUEUE_OBSERVATIONS,
            burst_batches_max: limits::BURST_BATCHES,
            hold: limits::HOLD,
            age_max: limits::AGE_MAX,
            rows_max: usize::MAX,
            short_ids_max: limits::SHORT_IDS,
        }
    }
}

impl BatcherLimits {
    /// Every limit brought to where the batcher works.
    pub(super) fn clamped(self) -> Self {
        Self {
            queue_observations_max: self.queue_observations_max.max(1),
            burst_batches_max: self.burst_batches_max.clamp(1, limits::BURST_BATCHES_MAX),
            rows_max: self.rows_max.max(1),
            short_ids_max: self.short_ids_max.min(limits::SHORT_IDS_MAX),
            ..self
        }
    }

    pub(super) fn hold_us(&self) -> u64 {
        as_us(self.hold)
    }

    pub(super) fn is_too_old(&self, heard_at_us: u64, now_us: u64) -> bool {
        now_us.saturating_sub(heard_at_us) > as_us(self.age_max)
    }
}

pub(super) fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
