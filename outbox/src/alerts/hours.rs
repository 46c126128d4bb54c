//! Which hour it is, and whether it was seen whole.

use std::time::Duration;

use crate::Time;

const HOUR_US: i64 = 3_600_000_000;

/// The wall clock and the clock that nobody sets may differ by so much between two looks.
const STEP_MAX: Duration = Duration::from_secs(60);

/// Longest time between two looks: after a longer one nobody knows what was missed.
const LOOK_MAX: Duration = Duration::from_secs(300);

/// What a look at the clocks told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The hour goes on.
    Same(i64),
    /// An hour has ended, and the next one began.
    Next {
        /// The one that ended.
        closed: i64,
        /// Whether it was seen from its beginning to its end.
        whole: bool,
    },
    /// The clock was set, the machine slept, or this is the first look.
    Jump,
}

/// Follows the hours.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hours {
    last: Option<Look>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    now: Time,
    running: Duration,
    hour: i64,
    whole: bool,
}

impl Hours {
    pub(super) fn step(&mut self, now: Time, running: Duration) -> Step {
        let hour = now.as_micros().div_euclid(HOUR_US);
        let Some(last) = self.last else {
            return self.jump(now, running, hour);
        };
        let passed = running.saturating_sub(last.running);
        let expected = last.now.plus(passed);
        let apart = now.since(expected).max(expected.since(now));
        if apart > STEP_MAX || passed > LOOK_MAX || hour > last.hour + 1 {
            return self.jump(now, running, hour);
        }
        // A clock that is set back a little stays in the hour that has begun.
        let next = hour == last.hour + 1;
        self.last = Some(Look {
            now,
            running,
            hour: hour.max(last.hour),
            whole: next || last.whole,
        });
        if next {
            Step::Next {
                closed: last.hour,
                whole: last.whole,
            }
        } else {
            Step::Same(last.hour)
        }
    }

    fn jump(&mut self, now: Time, running: Duration, hour: i64) -> Step {
        self.last = Some(Look {
            now,
            running,
            hour,
            whole: false,
        });
        Step::Jump
    }
}
