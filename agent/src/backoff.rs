//! How long to wait before the next attempt to connect.

use std::time::Duration;

use crate::limits::{
    RETRY_FIRST, RETRY_LONG_MAX, RETRY_REFUSED_FIRST, RETRY_SHORT_MAX, RETRY_SHORT_WHILE,
};

/// Jittered exponential back-off.
///
/// Each wait is drawn evenly from [w/2, w], with w doubling from attempt to attempt, so that agents
/// which lost their node together do not come back together. While the node was there a short while
/// ago, w stays short: a node that restarts is found within seconds.
#[derive(Debug)]
pub(crate) struct Backoff {
    random: u64,
    attempts: u32,
    refused: bool,
    /// When the last session ended, on the agent's clock; the start of the process counts as one.
    last_session_us: u64,
}

impl Backoff {
    pub(crate) fn new(seed: u64, now_us: u64) -> Self {
        Self {
            random: seed,
            attempts: 0,
            refused: false,
            last_session_us: now_us,
        }
    }

    /// A session that had begun ended: the next attempt comes soon.
    pub(crate) fn handle_session_ended(&mut self, now_us: u64) {
        self.attempts = 0;
        self.refused = false;
        self.last_session_us = now_us;
    }

    /// The node does not want this agent: attempts become rare until it does.
    pub(crate) fn handle_refused(&mut self) {
        self.attempts = if self.refused { self.attempts } else { 0 };
        self.refused = true;
    }

    /// The wait before the next attempt.
    pub(crate) fn next_wait(&mut self, now_us: u64) -> Duration {
        let apart = Duration::from_micros(now_us.saturating_sub(self.last_session_us));
        let (first, max) = match (self.refused, apart < RETRY_SHORT_WHILE) {
            (true, _) => (RETRY_REFUSED_FIRST, RETRY_LONG_MAX),
            (false, true) => (RETRY_FIRST, RETRY_SHORT_MAX),
            (false, false) => (RETRY_FIRST, RETRY_LONG_MAX),
        };
        let wait = first.saturating_mul(1 << self.attempts.min(16)).min(max);
        self.attempts += 1;
        wait / 2 + wait.mul_f64(self.next_share() / 2.0)
    }

    /// A number in [0, 1): SplitMix64 (Steele, Lea, Flood 2014), upper 53 bits.
    fn next_share(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_fast_and_a_restarted_node_is_found_within_seconds() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed, 0);
            backoff.handle_session_ended(1_000_000);
            let first = backoff.next_wait(1_000_000);
            assert!(
                first >= RETRY_FIRST / 2 && first <= RETRY_FIRST,
                "{first:?}"
            );
            let longest = (0..20).map(|_| backoff.next_wait(60_000_000)).max();
            assert!(longest <= Some(RETRY_SHORT_MAX), "{longest:?}");
        }
    }

    #[test]
    fn a_refused_or_long_forgotten_agent_tries_rarely() {
        let mut backoff = Backoff::new(1, 0);
        backoff.handle_refused();
        let waits: Vec<_> = (0..8).map(|_| backoff.next_wait(0)).collect();
        assert!(waits[0] >= RETRY_REFUSED_FIRST / 2);
        assert!(waits[7] >= RETRY_LONG_MAX / 2 && waits[7] <= RETRY_LONG_MAX);
        backoff.handle_session_ended(0);
        assert!(backoff.next_wait(0) <= RETRY_FIRST);
        let later_us = 2 * RETRY_SHORT_WHILE.as_micros() as u64;
        let last = (0..20).map(|_| backoff.next_wait(later_us)).last();
        assert!(last >= Some(RETRY_LONG_MAX / 2), "{last:?}");
    }

    #[test]
    fn two_agents_do_not_come_back_together() {
        let mut backoffs = [Backoff::new(1, 0), Backoff::new(2, 0)];
        let [a, b] = backoffs.each_mut().map(|backoff| backoff.next_wait(0));
        assert_ne!(a, b);
    }
}
