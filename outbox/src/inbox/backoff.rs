//! How long to wait before the next try: twice as long each time, never all consumers at once.

use std::time::Duration;

/// Waiting times between tries, with their jitter drawn from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    state: u64,
}

impl Backoff {
    /// Waits at least about `min / 2` and at most `max`; the same seed draws the same jitter.
    #[must_use]
    pub(crate) fn new(min: Duration, max: Duration, seed: u64) -> Self {
        let state = seed;
        Self { min, max, state }
    }

    /// The wait after so many failures in a row (1 or more): a random share, half or more, of
    /// `min` doubled for each failure after the first, or of `max` where that is less.
    pub(crate) fn after(&mut self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        full / 2 + self.share_of(full / 2)
    }

    /// A random share, from none to all, of a duration.
    pub(crate) fn share_of(&mut self, whole: Duration) -> Duration {
        // The top 53 bits fill the mantissa of a double exactly.
        let unit = (self.draw() >> 11) as f64 / (1u64 << 53) as f64;
        whole.mul_f64(unit)
    }

    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014):
    /// jitter needs no more, and it needs no crate.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs for seed 1234567, as listed with other implementations of SplitMix64.
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO, 1_234_567);
        assert_eq!(backoff.draw(), 6_457_827_717_110_365_317);
        assert_eq!(backoff.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn waits_double_up_to_the_most_and_keep_half() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
        for seed in 0..100 {
            let mut backoff = Backoff::new(min, max, seed);
            for (failures, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (4_000_000, 60)] {
                let full = Duration::from_secs(full);
                let wait = backoff.after(failures);
                assert!(
                    full / 2 <= wait && wait <= full,
                    "{failures} failures: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn two_consumers_do_not_wait_equally_long() {
        let wait =
            |seed| Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed).after(10);
        assert_ne!(wait(1), wait(2));
        assert_eq!(wait(1), wait(1));
    }
}
