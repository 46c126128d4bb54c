//! The share of a processor that the agent may take.
//!
//! The budget is that of a second. When it is used up before the second is, the agent rests until it
//! has been earned: it neither reads its sources nor packs batches. What waits meanwhile is dropped
//! as ever, the oldest first and counted, when the queue is full or its age is up.

use std::time::Duration;

use crate::limits::{PACE_REST_MAX, PACE_WINDOW};

/// Decides when to rest. All times are microseconds; `cpu_us` is the processor time that the
/// agent's thread has used so far.
#[derive(Debug)]
pub(super) struct Pace {
    /// From 0 to 1, of one processor.
    share: f64,
    window_began_us: u64,
    window_began_cpu_us: u64,
    rest_until_us: u64,
    rests: u32,
    rested: Duration,
}

impl Pace {
    pub(super) fn new(cpu_percent: u8) -> Self {
        Self {
            share: f64::from(cpu_percent.clamp(1, 100)) / 100.0,
            window_began_us: 0,
            window_began_cpu_us: 0,
            rest_until_us: 0,
            rests: 0,
            rested: Duration::ZERO,
        }
    }

    /// A turn of the loop is done.
    pub(super) fn handle_turn(&mut self, now_us: u64, cpu_us: u64) {
        let passed_us = now_us.saturating_sub(self.window_began_us);
        let spent_us = cpu_us.saturating_sub(self.window_began_cpu_us) as f64;
        let window_us = PACE_WINDOW.as_micros() as u64;
        if spent_us > self.share * window_us as f64 {
            let earned_us = self
                .window_began_us
                .saturating_add((spent_us / self.share) as u64);
            let latest_us = now_us.saturating_add(PACE_REST_MAX.as_micros() as u64);
            self.rest_until_us = earned_us.min(latest_us);
            if self.rest_until_us > now_us {
                self.rests = self.rests.saturating_add(1);
                self.rested += Duration::from_micros(self.rest_until_us - now_us);
            }
            self.begin(self.rest_until_us.max(now_us), cpu_us);
        } else if passed_us >= window_us {
            self.begin(now_us, cpu_us);
        }
    }

    /// Until when the agent rests; `None` while it works.
    pub(super) fn resting_until_us(&self, now_us: u64) -> Option<u64> {
        (now_us < self.rest_until_us).then_some(self.rest_until_us)
    }

    /// How often the agent rested, and how long in all.
    pub(super) fn rests(&self) -> (u32, Duration) {
        (self.rests, self.rested)
    }

    fn begin(&mut self, now_us: u64, cpu_us: u64) {
        self.window_began_us = now_us;
        self.window_began_cpu_us = cpu_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works in steps of `cpu_us` with nothing between them, for a minute; the share it took.
    fn share_taken(cpu_percent: u8, cpu_us: u64) -> f64 {
        let mut pace = Pace::new(cpu_percent);
        let (mut now_us, mut cpu) = (0, 0);
        while now_us < 60_000_000 {
            if let Some(until_us) = pace.resting_until_us(now_us) {
                now_us = until_us;
            }
            now_us += cpu_us;
            cpu += cpu_us;
            pace.handle_turn(now_us, cpu);
        }
        cpu as f64 / now_us as f64
    }

    #[test]
    fn a_busy_agent_takes_its_share_and_no_more() {
        for cpu_percent in [2, 10, 50] {
            let taken = share_taken(cpu_percent, 1_000);
            let share = f64::from(cpu_percent) / 100.0;
            assert!(
                (0.9 * share..=1.1 * share).contains(&taken),
                "{cpu_percent} %: {taken}"
            );
        }
    }

    #[test]
    fn an_agent_within_its_share_never_rests() {
        let mut pace = Pace::new(10);
        for turn in 1..1_000 {
            pace.handle_turn(turn * 100_000, turn * 9_000);
            assert_eq!(pace.resting_until_us(turn * 100_000), None);
        }
        assert_eq!(pace.rests(), (0, Duration::ZERO));
    }

    #[test]
    fn no_rest_is_longer_than_the_node_bears() {
        let mut pace = Pace::new(1);
        // A handshake on a slow device.
        pace.handle_turn(3_000_000, 2_500_000);
        let latest_us = 3_000_000 + PACE_REST_MAX.as_micros() as u64;
        assert_eq!(pace.resting_until_us(3_000_000), Some(latest_us));
        assert_eq!(pace.resting_until_us(latest_us), None);
        assert_eq!(pace.rests(), (1, PACE_REST_MAX));
    }
}
