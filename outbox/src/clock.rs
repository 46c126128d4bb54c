//! A clock that leaps forward must not purge everything.

use crate::Time;
use crate::limits::CLOCK_STEP_MAX;

/// Whether the clock may be believed when messages are purged by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// It went on from where it was.
    Believed,
    /// It leapt more than a day ahead of the latest clock that was believed, or the store was not
    /// in use for so long; which of the two, only an operator knows.
    Leapt {
        /// The latest clock that was believed.
        believed: Time,
        /// The clock that was not.
        now: Time,
    },
}

impl Clock {
    /// Judges `now` against the latest clock that was believed.
    pub(crate) fn judge(believed: Time, now: Time) -> Self {
        // A store that is new has believed none.
        let new = believed.as_micros() == 0;
        if new || now.since(believed) <= CLOCK_STEP_MAX {
            Self::Believed
        } else {
            Self::Leapt { believed, now }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_leap_of_more_than_a_day_is_not_believed() {
        let believed = Time::from_micros(1_766_000_000_000_000);
        let check = |now: Time, expected: bool| {
            assert_eq!(
                Clock::judge(believed, now) == Clock::Believed,
                expected,
                "{now}"
            );
        };
        check(believed, true);
        check(believed.plus(CLOCK_STEP_MAX), true);
        check(
            believed.plus(CLOCK_STEP_MAX + Duration::from_micros(1)),
            false,
        );
        // A clock that steps back purges less, never more.
        check(believed.minus(CLOCK_STEP_MAX * 400), true);
        assert_eq!(
            Clock::judge(Time::from_micros(0), believed),
            Clock::Believed
        );
    }
}
