//! Moments of messages: microseconds since 1970 in UTC, RFC 3339 as text.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits::TEXT_BYTES_MAX;

const DAY_US: i64 = 86_400_000_000;
/// The first and last moments with a four-digit year.
const MIN_US: i64 = -62_135_596_800_000_000;
const MAX_US: i64 = 253_402_207_199_999_999;

/// A moment in UTC, to the microsecond, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time; write RFC 3339 with an offset, such as 2026-03-01T08:00:00Z")]
#[non_exhaustive]
pub struct TimeError;

/// A day in UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub(crate) i64);

impl Time {
    /// The system's clock now.
    pub fn now() -> Self {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
        };
        Self::from_micros(micros)
    }

    /// Microseconds since 1970 in UTC; beyond the years 1 and 9999 the nearest moment within.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < MIN_US {
            Self(MIN_US)
        } else if micros > MAX_US {
            Self(MAX_US)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970 in UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The day it lies in.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_US))
    }

    /// The moment so much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The moment so much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` it is; nothing if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Day {
    /// Its first moment.
    pub const fn start(self) -> Time {
        Time::from_micros(self.0.saturating_mul(DAY_US))
    }

    /// The day after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Day {
    /// Year, month and day: `2026-03-01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.start().to_string();
        f.write_str(text.get(..10).unwrap_or(&text))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.6}"),
            Err(_) => write!(f, "{} us since 1970", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TimeError);
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| TimeError)?;
        Ok(Self::from_micros(timestamp.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_with_microseconds() {
        for micros in [0, 1, 1_766_000_000_123_456, -1, MIN_US, MAX_US] {
            let time = Time::from_micros(micros);
            assert_eq!(time.to_string().parse(), Ok(time), "{time}");
        }
        assert_eq!(Time(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
    }

    #[test]
    fn offsets_are_taken_into_account() {
        let parsed: Time = "2026-03-01T09:00:00+01:00".parse().unwrap();
        assert_eq!(parsed.to_string(), "2026-03-01T08:00:00.000000Z");
    }

    #[test]
    fn hostile_text_is_refused_and_far_moments_are_bounded() {
        let long = "2026-03-01T09:00:00Z".repeat(1_000);
        for text in [
            "",
            "now",
            "2026",
            "2026-03-01",
            "\0",
            "2026-13-01T00:00:00Z",
            "é",
            &long,
        ] {
            assert_eq!(text.parse::<Time>(), Err(TimeError), "{text:?}");
        }
        for micros in [i64::MIN, i64::MAX] {
            let time = Time::from_micros(micros);
            assert_eq!(time.to_string().parse(), Ok(time));
            let far = Duration::from_secs(u64::MAX);
            assert!(time.plus(far) >= time && time.minus(far) <= time);
        }
    }

    #[test]
    fn days_begin_at_midnight_also_before_1970() {
        assert_eq!(Time(0).day(), Day(0));
        assert_eq!(Time(-1).day(), Day(-1));
        assert_eq!(Time(DAY_US).day(), Day(0).next());
        assert_eq!(Time(DAY_US + 5).day().start(), Time(DAY_US));
        assert_eq!(Day(0).to_string(), "1970-01-01");
    }
}
