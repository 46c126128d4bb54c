//! Fixes per second, from a count that is told in steps.

use std::time::Duration;

/// The count at the first and the last look that found it changed.
///
/// A worker tells its counters four times a second. Only a look that finds a new count knows when
/// that count was true, give or take the time between two looks.
#[derive(Debug, Clone, Default)]
pub(super) struct FixRate {
    seen: Option<u64>,
    first: Option<(Duration, u64)>,
    last: Option<(Duration, u64)>,
}

impl FixRate {
    /// The count as it is shown at this time of the run.
    pub(super) fn look(&mut self, at: Duration, fixes: u64) {
        let changed = self.seen.is_some_and(|seen| seen != fixes);
        self.seen = Some(fixes);
        if changed {
            self.first.get_or_insert((at, fixes));
            self.last = Some((at, fixes));
        }
    }

    /// Fixes per second between the two looks; `None` when there were no two.
    pub(super) fn per_s(&self) -> Option<f64> {
        let ((first_at, first), (last_at, last)) = (self.first?, self.last?);
        let passed_s = last_at.checked_sub(first_at)?.as_secs_f64();
        (passed_s > 0.0).then(|| (last - first) as f64 / passed_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_in_steps_gives_its_rate() {
        let mut rate = FixRate::default();
        assert_eq!(rate.per_s(), None);
        // 1,000 a second, told each quarter of a second, looked at each 20th.
        for look in 0..=100u64 {
            rate.look(Duration::from_millis(50 * look), 250 * (look * 50 / 250));
        }
        assert_eq!(rate.per_s(), Some(1_000.0));
    }
}
