//! From an agent's clock to the node's: a router without a clock must work.

/// How long a minimum of the delay stays valid: long enough to find an undelayed batch, short
/// enough that a drift of 100 ppm moves the result by 2 ms only.
const EPOCH_US: u64 = 10_000_000;

/// Samples that must disagree before a jump of the agent's clock is believed.
const JUMP_SAMPLES: u32 = 3;

/// Smallest delay above the minimum that may be a jump of the clock rather than a queue, in
/// microseconds.
const JUMP_US: i64 = 2_000_000;

/// Estimate of `node time - agent time` from the least delayed batches.
///
/// Each batch gives `arrival - sent`, which is the offset plus a delay that is never negative, so
/// that the minimum over some seconds is the best estimate; two overlapping epochs let it follow
/// drift in both directions.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClockMap {
    offset_us: i64,
    current_min_us: i64,
    previous_min_us: i64,
    epoch_began_us: u64,
    jumps: u32,
    known: bool,
}

impl ClockMap {
    /// Takes a batch's two times in; returns when it was sent, by the node's clock.
    pub fn handle_batch(&mut self, sent_us: u64, arrived_us: u64) -> u64 {
        let sample = arrived_us.wrapping_sub(sent_us) as i64;
        if !self.known {
            self.restart(sample, arrived_us);
        }
        self.follow(sample, arrived_us);
        let sent_at_node = sent_us.wrapping_add(self.offset_us as u64);
        sent_at_node.min(arrived_us)
    }

    fn follow(&mut self, sample: i64, arrived_us: u64) {
        if sample.wrapping_sub(self.offset_us) > JUMP_US {
            self.jumps += 1;
            if self.jumps >= JUMP_SAMPLES {
                self.restart(sample, arrived_us);
            }
        } else {
            self.jumps = 0;
        }
        if arrived_us.saturating_sub(self.epoch_began_us) >= EPOCH_US {
            self.previous_min_us = self.current_min_us;
            self.current_min_us = sample;
            self.epoch_began_us = arrived_us;
        }
        self.current_min_us = self.current_min_us.min(sample);
        self.offset_us = self.current_min_us.min(self.previous_min_us);
    }

    fn restart(&mut self, sample: i64, now_us: u64) {
        *self = Self {
            offset_us: sample,
            current_min_us: sample,
            previous_min_us: sample,
            epoch_began_us: now_us,
            jumps: 0,
            known: true,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OFFSET_US: u64 = 7_000_000_000;

    #[test]
    fn a_delayed_batch_is_dated_by_the_undelayed_ones() {
        let mut clock = ClockMap::default();
        for i in 0..10 {
            let sent = i * 100_000;
            clock.handle_batch(sent, sent + OFFSET_US + 400 + i * 10);
        }
        assert_eq!(
            clock.handle_batch(2_000_000, 2_000_000 + OFFSET_US + 900_000),
            7_002_000_400
        );
    }

    #[test]
    fn drift_is_followed_both_ways() {
        for ppm in [-100i64, 100] {
            let mut clock = ClockMap::default();
            let mut error = 0;
            for i in 0..6_000u64 {
                let sent = i * 100_000;
                let arrived = OFFSET_US + sent.wrapping_add_signed(sent as i64 * ppm / 1_000_000);
                error = clock.handle_batch(sent, arrived).abs_diff(arrived);
            }
            assert!(error <= 2_100, "{ppm} ppm: {error} us");
        }
    }

    #[test]
    fn a_clock_that_jumps_is_believed_after_three_batches() {
        let mut clock = ClockMap::default();
        clock.handle_batch(50_000_000, 60_000_000);
        let mut dated = 0;
        for i in 1..=3 {
            dated = clock.handle_batch(1_000_000, 60_000_000 + i * 250_000);
        }
        assert_eq!(dated, 60_750_000);
    }

    proptest! {
        #[test]
        fn never_dates_a_batch_into_the_future(times in prop::collection::vec(any::<(u64, u64)>(), 1..50)) {
            let mut clock = ClockMap::default();
            for (sent, arrived) in times {
                prop_assert!(clock.handle_batch(sent, arrived) <= arrived);
            }
        }
    }
}
