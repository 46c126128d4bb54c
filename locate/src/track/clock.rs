//! Times in four bytes.

/// A time of the caller's clock: its milliseconds without what lies above 2^32 (50 days).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Clock(u32);

impl Clock {
    /// `None` for a time so far off that a double has no milliseconds for it any more.
    pub(super) fn new(now_s: f64) -> Option<Self> {
        let now_ms = (now_s * 1e3).round();
        let is_exact = now_ms.abs() < (1_u64 << f64::MANTISSA_DIGITS) as f64;
        is_exact.then_some(Self(now_ms as i64 as u32))
    }

    /// Seconds from `before` to this time; negative when the clock ran back. Right for times less
    /// than 24 days apart; clients are forgotten long before.
    pub(super) fn since_s(self, before: Self) -> f64 {
        // Wraps as the times themselves do.
        f64::from(self.0.wrapping_sub(before.0) as i32) * 1e-3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_wrap_and_run_back() {
        let wrap_s = f64::from(u32::MAX) * 1e-3;
        for (before_s, now_s, passed_s) in [
            (5.0, 5.25, 0.25),
            (wrap_s - 1.0, wrap_s + 1.0, 2.0),
            (40.0 * wrap_s + 0.25, 40.0 * wrap_s + 0.75, 0.5),
            (wrap_s + 1.0, wrap_s - 1.0, -2.0),
            (-0.5, 0.5, 1.0),
        ] {
            let [before, now] = [before_s, now_s].map(|time_s| Clock::new(time_s).unwrap());
            let found_s = now.since_s(before);
            assert!(
                (found_s - passed_s).abs() < 2e-3,
                "{before_s} to {now_s}: {found_s}"
            );
        }
        for no_time in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(Clock::new(no_time), None);
        }
    }
}
