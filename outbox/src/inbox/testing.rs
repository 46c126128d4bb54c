//! Messages, pages and cursors for this module's tests.

use super::feed_page::{FeedCursor, FeedPage};
use crate::{Message, Time};

/// A second since 1970.
pub(super) fn time(second: i64) -> Time {
    Time::from_micros(second * 1_000_000)
}

/// A cursor of this text.
pub(super) fn cursor(text: &str) -> FeedCursor {
    text.parse().unwrap()
}

/// A message with an id made of its number.
pub(super) fn message(number: u64, second: i64, kind: &str, resource: &str) -> Message {
    let id = format!("00000000-0000-7000-8000-{number:012x}");
    Message {
        id: id.parse().unwrap(),
        time: time(second),
        kind: kind.parse().unwrap(),
        resource: resource.parse().unwrap(),
    }
}

/// A page with one message for each second.
pub(super) fn page(seconds: &[i64], next: &str, more: bool) -> FeedPage {
    let one = |(number, &second): (usize, &i64)| {
        message(
            number as u64,
            second,
            "zone.entered",
            "/api/v1/sites/hq/zones/lobby",
        )
    };
    FeedPage {
        messages: seconds.iter().enumerate().map(one).collect(),
        next: cursor(next),
        more,
    }
}
