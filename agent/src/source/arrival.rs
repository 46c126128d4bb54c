//! From the system's clock, which may be set at any time, to the agent's monotonic one.

use std::time::{Duration, SystemTime};

/// Maps times of arrival within one drain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrivals {
    /// The system's clock at this moment.
    system_now: Option<Duration>,
    now_us: u64,
    /// Nothing that waits came before this time of the agent's clock.
    since_us: u64,
}

impl Arrivals {
    /// All that is waiting at `now_us` came after `since_us`.
    pub(super) fn new(now_us: u64, since_us: u64) -> Self {
        let system_now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::at(system_now.ok(), now_us, since_us)
    }

    fn at(system_now: Option<Duration>, now_us: u64, since_us: u64) -> Self {
        Self {
            system_now,
            now_us,
            since_us: since_us.min(now_us),
        }
    }

    /// The time of the agent's clock; now where the kernel did not stamp.
    ///
    /// If the system's clock was set in between, the result is wrong by no more than the time
    /// between two drains.
    pub(super) fn agent_us(&self, arrived_at: Option<Duration>) -> u64 {
        let (Some(now), Some(arrived_at)) = (self.system_now, arrived_at) else {
            return self.now_us;
        };
        let age = now.saturating_sub(arrived_at).as_micros();
        let age_us = u64::try_from(age).unwrap_or(u64::MAX);
        self.now_us.saturating_sub(age_us).max(self.since_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_taken_off_within_what_can_be() {
        let check = |arrived_at: Option<u64>, expected_us: u64| {
            let second = Duration::from_secs(1_000);
            let arrivals = Arrivals::at(Some(second), 50_000_000, 49_000_000);
            let arrived_at = arrived_at.map(Duration::from_millis);
            assert_eq!(arrivals.agent_us(arrived_at), expected_us, "{arrived_at:?}");
        };
        check(Some(1_000_000), 50_000_000);
        check(Some(999_900), 49_900_000);
        check(None, 50_000_000);
        // Set forwards and backwards since it arrived.
        check(Some(5), 49_000_000);
        check(Some(2_000_000), 50_000_000);
    }
}
