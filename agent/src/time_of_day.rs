//! The time of day on a device that may have no clock.
//!
//! Observations never need it; certificates do. A router starts in 1970, or at the date of its newest
//! file, and learns the time later, if ever. A node tells its own in `welcome`, over a link whose
//! other end has proven who it is: from then on that counts, carried on by the monotonic clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// When this version was made, in Unix seconds: a clock before it is wrong. `SOURCE_DATE_EPOCH` at
/// build time sets it, as packages do; without it, the month of the source.
pub const BUILT_UNIX_S: u64 = match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => not_before_source(digits(text)),
    None => SOURCE_UNIX_S,
};

/// November 2026, the month of the source.
const SOURCE_UNIX_S: u64 = 1_793_491_200;

/// Builders that care for equal bytes set the date to 0 or to that of their own release. No program
/// is older than its source, and with 0 a device that starts in 1970 would believe its clock.
const fn not_before_source(unix_s: u64) -> u64 {
    if unix_s > SOURCE_UNIX_S {
        unix_s
    } else {
        SOURCE_UNIX_S
    }
}

const fn digits(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let (mut at, mut number) = (0, 0);
    while at < bytes.len() {
        assert!(
            bytes[at].is_ascii_digit(),
            "SOURCE_DATE_EPOCH has digits only"
        );
        number = number * 10 + (bytes[at] - b'0') as u64;
        at += 1;
    }
    number
}

/// What is known of the time of day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeOfDay {
    /// The node's time, and the monotonic clock when it was told.
    told: Option<(u64, u64)>,
}

impl TimeOfDay {
    /// A node that has proven who it is told its time; 0 is no time.
    pub fn handle_told(&mut self, unix_s: u64, now_us: u64) {
        if unix_s > 0 {
            self.told = Some((unix_s, now_us));
        }
    }

    /// The time in Unix seconds, if it is known: the node's, else `own_unix_s` unless that is before
    /// `not_before_unix_s` or before this version was made.
    pub fn unix_s(&self, now_us: u64, own_unix_s: u64, not_before_unix_s: u64) -> Option<u64> {
        if let Some((unix_s, at_us)) = self.told {
            return Some(unix_s + now_us.saturating_sub(at_us) / 1_000_000);
        }
        (own_unix_s >= not_before_unix_s.max(BUILT_UNIX_S)).then_some(own_unix_s)
    }
}

/// What the device's own clock says.
pub(crate) fn own_unix_s() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: u64 = BUILT_UNIX_S + 1_000;

    #[test]
    fn a_clock_that_may_be_right_is_believed_until_a_node_has_told() {
        let mut time = TimeOfDay::default();
        assert_eq!(time.unix_s(7, LATER, 0), Some(LATER));
        assert_eq!(time.unix_s(7, 1_000, 0), None, "before the build");
        assert_eq!(time.unix_s(7, LATER, LATER + 1), None, "before the issue");
        time.handle_told(0, 0);
        assert_eq!(
            time.unix_s(7, 1_000, 0),
            None,
            "an older node tells nothing"
        );
        time.handle_told(LATER, 5_000_000);
        assert_eq!(time.unix_s(12_000_000, 1_000, 0), Some(LATER + 7));
        assert_eq!(time.unix_s(12_000_000, LATER + 99, 0), Some(LATER + 7));
    }

    #[test]
    fn a_date_is_read_from_its_digits() {
        assert_eq!(digits("1793491200"), 1_793_491_200);
    }

    #[test]
    fn no_build_is_older_than_its_source() {
        for (set, built) in [
            ("0", 1_793_491_200),
            ("1793491199", 1_793_491_200),
            ("1793491201", 1_793_491_201),
        ] {
            assert_eq!(not_before_source(digits(set)), built);
        }
    }
}
