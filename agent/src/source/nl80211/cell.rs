//! One interface of an access point, and which of its rows are news.

use crate::address::Address;
use crate::channel::Channel;
use crate::limits::STATION_TIME_SLACK;
use crate::nl80211::{Interface, Station};

/// An interface whose stations are polled.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) index: u32,
    /// Its BSSID.
    pub(super) address: Option<Address>,
    pub(super) freq_mhz: Option<u16>,
    pub(super) noise_dbm: Option<i8>,
    /// When its stations were last read to the end.
    pub(super) polled_us: Option<u64>,
}

/// What a row is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The client was heard at this time, after the last poll.
    Heard(u64),
    /// It says what the last poll has said already.
    Stale,
}

impl Cell {
    pub(super) fn new(interface: &Interface<'_>) -> Self {
        Self {
            name: interface.name.to_owned(),
            index: interface.index,
            address: interface.address,
            freq_mhz: interface.freq_mhz,
            noise_dbm: None,
            polled_us: None,
        }
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        self.freq_mhz.and_then(Channel::at_mhz)
    }

    /// Whether the client was heard since the last poll, or within `interval_us` at the first.
    pub(super) fn judge(&self, row: &Station, now_us: u64, interval_us: u64) -> News {
        let Some(inactive_ms) = row.inactive_ms else {
            // Nobody knows; a driver that does not say gets the benefit of the doubt.
            return News::Heard(now_us);
        };
        let inactive_us = u64::from(inactive_ms) * 1_000;
        let heard_at_us = now_us.saturating_sub(inactive_us);
        let fresh = match self.polled_us {
            Some(polled_us) => heard_at_us > polled_us + STATION_TIME_SLACK.as_micros() as u64,
            None => inactive_us < interval_us,
        };
        if fresh {
            News::Heard(heard_at_us)
        } else {
            News::Stale
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_news_if_its_client_was_heard_since_the_last_poll() {
        let check = |polled_s: Option<u64>, inactive_ms, expected_ms: Option<u64>| {
            let mut cell = Cell::new(&Interface {
                index: 1,
                name: "wlan0",
                kind: crate::nl80211::InterfaceKind::AccessPoint,
                address: None,
                freq_mhz: None,
            });
            cell.polled_us = polled_s.map(|s| s * 1_000_000);
            let row = Station {
                address: Address::new([2; 6]),
                inactive_ms,
                signal_dbm: None,
                signal_avg_dbm: None,
                associated: None,
            };
            let expected = expected_ms.map_or(News::Stale, |ms| News::Heard(ms * 1_000));
            let news = cell.judge(&row, 10_000_000, 1_000_000);
            assert_eq!(news, expected, "{polled_s:?} {inactive_ms:?}");
        };
        check(Some(9), Some(0), Some(10_000));
        check(Some(9), Some(900), Some(9_100));
        check(Some(9), Some(1_000), None);
        // The kernel's milliseconds are ticks of up to ten.
        check(Some(9), Some(990), None);
        check(Some(9), Some(60_000), None);
        check(None, Some(900), Some(9_100));
        check(None, Some(1_000), None);
        check(Some(9), Some(u32::MAX), None);
        check(Some(9), None, Some(10_000));
    }
}
