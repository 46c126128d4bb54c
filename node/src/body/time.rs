//! Times in bodies: RFC 3339, UTC, milliseconds.

use std::time::SystemTime;

/// `us` microseconds since 1970 as `2026-11-20T10:15:00.250Z`; the year 9999 for what no calendar
/// holds.
pub fn rfc3339(us: u64) -> String {
    let ms = i64::try_from(us / 1_000).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

/// Microseconds since 1970 by this machine's clock.
pub fn now_us() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_rfc_3339_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        // `date -u -d 2026-11-20T10:15:00.250Z +%s%3N`
        assert_eq!(rfc3339(1_795_169_700_250_999), "2026-11-20T10:15:00.250Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-"));
    }
}
