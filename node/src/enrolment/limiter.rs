//! How often one source may be wrong.
//!
//! Nobody guesses a token of 128 bits; this keeps whoever tries from filling the log and the disk's
//! time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures of one source within [`WINDOW`] after which it is not listened to until that is over.
pub(super) const FAILURES_MAX: u32 = 5;

/// How long failures count.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Sources that are remembered. One more displaces the one whose window began first, so that nobody
/// shuts the door for others by failing from many addresses.
pub(super) const SOURCES_MAX: usize = 1_024;

/// Failures of each source in its present window.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    sources: HashMap<IpAddr, (Instant, u32)>,
}

impl Limiter {
    /// Whether a source is listened to.
    pub(super) fn admits(&self, source: IpAddr, now: Instant) -> bool {
        self.sources
            .get(&network(source))
            .is_none_or(|(since, failures)| {
                now.saturating_duration_since(*since) >= WINDOW || *failures < FAILURES_MAX
            })
    }

    /// A source that was listened to was wrong.
    pub(super) fn note_failure(&mut self, source: IpAddr, now: Instant) {
        let source = network(source);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            self.forget_oldest();
        }
        let entry = self.sources.entry(source).or_insert((now, 0));
        if now.saturating_duration_since(entry.0) >= WINDOW {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }

    fn forget_oldest(&mut self) {
        let oldest = self.sources.iter().min_by_key(|(_, (since, _))| *since);
        if let Some(oldest) = oldest.map(|(source, _)| *source) {
            self.sources.remove(&oldest);
        }
    }
}

/// In IPv6 one household has 2^64 addresses: they count as one.
fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(ip) => {
            let host = u128::from(u64::MAX);
            IpAddr::V6((u128::from(ip) & !host).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_source_that_fails_has_to_wait_and_others_have_not() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            assert!(limiter.admits(source(1), now));
            limiter.note_failure(source(1), now);
        }
        assert!(!limiter.admits(source(1), now));
        assert!(limiter.admits(source(2), now));
        assert!(limiter.admits(source(1), now + WINDOW));
    }

    #[test]
    fn the_addresses_of_one_household_are_one_source() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for host in 0..FAILURES_MAX {
            limiter.note_failure(format!("2001:db8::{host}").parse().unwrap(), now);
        }
        assert!(!limiter.admits("2001:db8::ffff".parse().unwrap(), now));
        assert!(limiter.admits("2001:db8:0:1::1".parse().unwrap(), now));
    }

    #[test]
    fn memory_is_bounded_however_many_fail_and_nobody_is_shut_out() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for number in 0..5_000 {
            let now = now + Duration::from_millis(number.into());
            for _ in 0..FAILURES_MAX {
                assert!(limiter.admits(source(number), now));
                limiter.note_failure(source(number), now);
            }
        }
        assert_eq!(limiter.sources.len(), SOURCES_MAX);
        let now = now + Duration::from_secs(5);
        assert!(limiter.admits(source(20_000), now));
        // The oldest made room, and those that failed last still wait.
        assert!(limiter.admits(source(4_999 - SOURCES_MAX as u32), now));
        assert!(!limiter.admits(source(5_000 - SOURCES_MAX as u32), now));
        assert!(!limiter.admits(source(4_999), now));
    }
}
