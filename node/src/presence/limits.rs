//! Limits of presence, with their reasons and what happens when they are met.

use std::time::Duration;

/// Fixes that wait for the presence thread: half a second at the rate of the largest node; 4 MB.
/// The oldest goes when it is full, and is counted.
pub const FIXES_WAITING_MAX: usize = 65_536;

/// Orders that wait beside them, and clients of whom it must not be forgotten that they ended.
/// Further ones are refused, logged and counted; an agent tells again at its next session.
pub const ORDERS_WAITING_MAX: usize = 65_536;

/// Changes in one round of the writer: a group commit takes some thousands in a few milliseconds
/// each, and what is in a round is out of reach for newer news until it ends.
pub const ROUND_LEN_MAX: usize = 2_048;

/// Clients whose pseudonyms end in one transaction at a rotation: a few hundred statements, so that
/// other writers get their turn in between.
pub const ROTATED_PER_COMMIT_MAX: usize = 100;

/// How often time is looked at: a client's times in zones are exact, their telling is this late.
pub const TICK: Duration = Duration::from_secs(1);

/// First and longest pause after a round that the store did not take.
pub const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// An access point is offline when no session of its agent lived for so long: a reconnect takes a
/// second or two, a restart of the agent ten.
pub const AP_GRACE: Duration = Duration::from_secs(20);

/// Late fixes of a client that ended are ignored for so long: a worker's line lives for a minute.
pub const ENDED_IGNORED: Duration = Duration::from_secs(120);

/// How long the row of a visit or client that ended answers with its reason, at least.
pub const TOMBSTONE_AGE_MIN: Duration = Duration::from_secs(8 * 86_400);

/// How long it does: longer than messages are kept, which go by whole days and late, so that whoever
/// reads one finds out what became of its resource.
pub fn tombstone_age(retention: Duration) -> Duration {
    TOMBSTONE_AGE_MIN.max(retention.saturating_add(Duration::from_secs(3 * 86_400)))
}

/// How often old rows are looked for, and how many go in one transaction.
pub const PURGE_INTERVAL: Duration = Duration::from_secs(600);
/// Rows purged in one transaction.
pub const PURGED_PER_COMMIT_MAX: i64 = 1_000;

/// How long an order to forget a client waits for the store before it answers that it is not done.
pub const ORDER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stop waits for the last round.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_answers_longer_than_messages_are_kept() {
        let day = Duration::from_secs(86_400);
        let ages = [1, 5, 7, 60].map(|days| tombstone_age(days * day));
        assert_eq!(ages, [8, 8, 10, 63].map(|days| days * day));
    }
}
