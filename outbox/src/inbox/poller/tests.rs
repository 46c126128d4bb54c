//! The poller against feeds of every kind, in simulated time.

use super::*;
use crate::inbox::testing::{cursor, page, time};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> PollerConfig {
    PollerConfig::default()
}

fn fresh() -> Resume {
    Resume {
        after: After::Oldest,
        newest: None,
    }
}

fn resumed() -> Resume {
    Resume {
        after: After::Cursor(cursor("c9")),
        newest: Some(time(1_000)),
    }
}

fn poller(resume: Resume) -> Poller {
    Poller::new(config(), resume, 7, Duration::ZERO)
}

/// `stored` messages that were new, the oldest of this second.
fn stored(stored: usize, oldest: i64) -> Received {
    Received {
        stored,
        oldest: (stored > 0).then(|| time(oldest)),
    }
}

/// The next request and when it comes, looking no earlier than `now`.
fn next(poller: &mut Poller, now: Duration) -> (PollRequest, Duration) {
    let at = poller.poll_timeout().expect("something is due").max(now);
    if at > now {
        let early = at - Duration::from_micros(1);
        assert_eq!(poller.poll_request(early), None, "not before its time");
    }
    let request = poller.poll_request(at).expect("it is time");
    assert_eq!(poller.poll_request(at), None, "one at a time");
    assert_eq!(poller.poll_timeout(), None, "the answer comes first");
    (request, at)
}

#[test]
fn a_new_consumer_goes_on_by_cursor_and_is_held() {
    let mut poller = poller(fresh());
    let (request, _) = next(&mut poller, Duration::ZERO);
    assert_eq!(request.after, After::Oldest);
    assert_eq!(request.purpose, Purpose::Onward);
    assert_eq!(request.wait, Duration::from_secs(30));
    poller.handle_page(&page(&[5], "c1", true), stored(1, 5), SECOND);
    let (request, at) = next(&mut poller, SECOND);
    assert_eq!(at, SECOND, "where there is more, there is no pause");
    assert_eq!(request.after, After::Cursor(cursor("c1")));
    poller.handle_page(&page(&[6], "c2", false), stored(1, 6), SECOND);
    let (request, at) = next(&mut poller, SECOND);
    assert_eq!(at, SECOND + GATHER);
    assert_eq!(request.after, After::Cursor(cursor("c2")));
    assert_eq!(poller.after(), &After::Cursor(cursor("c2")));
}

#[test]
fn after_a_restart_the_last_minute_is_looked_at_again_and_the_cursor_stays() {
    let mut poller = poller(resumed());
    let (request, _) = next(&mut poller, Duration::ZERO);
    assert_eq!(request.purpose, Purpose::Overlap);
    assert_eq!(request.after, After::Since(time(940)));
    assert_eq!(request.wait, Duration::ZERO);
    poller.handle_page(&page(&[950, 990], "o1", true), stored(0, 0), SECOND);
    let (request, _) = next(&mut poller, SECOND);
    assert_eq!(request.purpose, Purpose::Overlap);
    assert_eq!(request.after, After::Cursor(cursor("o1")));
    // A page of nothing but later messages: the cursor brings those.
    poller.handle_page(&page(&[1_001, 1_002], "o2", true), stored(2, 1_001), SECOND);
    let (request, _) = next(&mut poller, SECOND);
    assert_eq!(request.purpose, Purpose::Onward);
    assert_eq!(request.after, After::Cursor(cursor("c9")));
}

#[test]
fn an_overlap_ends_with_the_feed_or_after_enough_pages_and_failures_do_not_end_it() {
    let mut poller = poller(resumed());
    next(&mut poller, Duration::ZERO);
    poller.handle_failure(Failure::Broken, SECOND);
    let (request, _) = next(&mut poller, SECOND);
    assert_eq!(request.after, After::Since(time(940)), "asked again");
    poller.handle_page(&page(&[], "o", false), stored(0, 0), SECOND);
    assert_eq!(next(&mut poller, SECOND).0.purpose, Purpose::Onward);

    let mut poller = Poller::new(config(), resumed(), 7, Duration::ZERO);
    for number in 0..OVERLAP_PAGES_MAX {
        let (request, _) = next(&mut poller, Duration::ZERO);
        assert_eq!(request.purpose, Purpose::Overlap);
        let next = format!("o{number}");
        poller.handle_page(&page(&[950], &next, true), stored(0, 0), Duration::ZERO);
    }
    assert_eq!(next(&mut poller, Duration::ZERO).0.purpose, Purpose::Onward);
}

#[test]
fn doubt_overlaps_and_so_does_time() {
    let mut poller = poller(fresh());
    next(&mut poller, Duration::ZERO);
    poller.handle_failure(Failure::NotStored, SECOND);
    // Nothing is known yet before which to look.
    assert_eq!(next(&mut poller, SECOND).0.purpose, Purpose::Onward);
    poller.handle_page(&page(&[100], "c1", false), stored(1, 100), SECOND);
    next(&mut poller, SECOND);
    poller.handle_failure(Failure::NotStored, SECOND);
    let (request, _) = next(&mut poller, SECOND);
    assert_eq!(request.after, After::Since(time(40)));
    poller.handle_page(&page(&[], "o", false), stored(0, 0), SECOND);
    assert_eq!(next(&mut poller, SECOND).0.purpose, Purpose::Onward);
    let later = config().overlap_every + SECOND;
    poller.handle_page(&page(&[], "c1", false), stored(0, 0), later);
    assert_eq!(next(&mut poller, later).0.purpose, Purpose::Overlap);
}

#[test]
fn failures_back_off_and_a_page_ends_that() {
    let mut poller = poller(fresh());
    let mut now = Duration::ZERO;
    let mut waits = Vec::new();
    for _ in 0..12 {
        let (_, at) = next(&mut poller, now);
        waits.push(at - now);
        now = at;
        poller.handle_failure(Failure::Broken, now);
    }
    assert!(waits[1] >= config().retry_min / 2 && waits[1] <= config().retry_min);
    assert!(waits[11] >= config().retry_max / 2 && waits[11] <= config().retry_max);
    let (_, at) = next(&mut poller, now);
    poller.handle_page(&page(&[], "c", false), stored(0, 0), at);
    next(&mut poller, at);
    poller.handle_failure(Failure::Broken, at);
    assert!(next(&mut poller, at).1 - at <= config().retry_min);
}

#[test]
fn a_feed_that_says_when_is_believed_within_reason() {
    let mut poller = poller(fresh());
    let mut now = Duration::ZERO;
    for (asked, most) in [(7, 10), (0, 1), (u64::MAX / 2, 4_000)] {
        now = next(&mut poller, now).1;
        let asked = Duration::from_secs(asked);
        poller.handle_failure(
            Failure::Busy {
                retry_after: Some(asked),
            },
            now,
        );
        let wait = next(&mut poller, now).1 - now;
        assert!(wait >= asked.min(RETRY_AFTER_MAX), "{asked:?}: {wait:?}");
        assert!(wait < Duration::from_secs(most), "{asked:?}: {wait:?}");
        poller.handle_page(&page(&[], "c", false), stored(0, 0), now);
    }
    now = next(&mut poller, now).1;
    poller.handle_failure(Failure::Refused, now);
    let wait = next(&mut poller, now).1 - now;
    assert!(
        wait >= config().retry_max / 2,
        "a person has to look: {wait:?}"
    );
}

#[test]
fn a_gap_is_told_and_nothing_is_asked_before_the_state_was_read() {
    let mut poller = poller(fresh());
    next(&mut poller, Duration::ZERO);
    let gone = Gone {
        oldest: Some(cursor("old")),
        resync: Some("/api/v1/sites".into()),
    };
    poller.handle_failure(Failure::Gone(gone.clone()), SECOND);
    assert_eq!(poller.poll_event(), Some(Event::Resync(gone)));
    assert_eq!(poller.poll_event(), None, "told once");
    assert_eq!(poller.poll_timeout(), None);
    assert_eq!(poller.poll_request(SECOND * 1_000_000), None);
    poller.handle_resynced(After::Cursor(cursor("state")), SECOND);
    assert_eq!(
        next(&mut poller, SECOND).0.after,
        After::Cursor(cursor("state"))
    );
}

#[test]
fn a_gap_before_the_overlap_is_none_for_the_cursor() {
    let mut poller = poller(resumed());
    assert_eq!(
        next(&mut poller, Duration::ZERO).0.purpose,
        Purpose::Overlap
    );
    poller.handle_failure(Failure::Gone(Gone::default()), SECOND);
    assert_eq!(poller.poll_event(), None);
    assert_eq!(
        next(&mut poller, SECOND).0.after,
        After::Cursor(cursor("c9"))
    );
}

#[test]
fn a_feed_that_does_not_hold_is_asked_ever_more_seldom_up_to_the_pace() {
    let mut poller = poller(fresh());
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let (_, at) = next(&mut poller, now);
        pauses.push(at - now);
        now = at;
        poller.handle_page(&page(&[], "c", false), stored(0, 0), now);
    }
    assert!(pauses[1] <= GATHER && pauses.is_sorted(), "{pauses:?}");
    assert_eq!(pauses[11], config().pace);
    let (_, at) = next(&mut poller, now);
    poller.handle_page(&page(&[1], "d", false), stored(1, 1), at);
    assert_eq!(next(&mut poller, at).1, at + GATHER, "news: faster at once");
}

#[test]
fn a_held_request_is_asked_again_at_once() {
    let mut poller = poller(fresh());
    let (request, at) = next(&mut poller, Duration::ZERO);
    let answered = at + request.wait;
    poller.handle_page(&page(&[], "c", false), stored(0, 0), answered);
    assert_eq!(next(&mut poller, answered).1, answered + GATHER);
}

#[test]
fn a_feed_that_runs_in_circles_gets_no_hot_loop() {
    let mut poller = poller(fresh());
    let mut now = Duration::ZERO;
    let mut requests = 0u32;
    while now < SECOND * 60 {
        now = next(&mut poller, now).1;
        poller.handle_page(&page(&[], "same", true), stored(0, 0), now);
        requests += 1;
    }
    assert!(requests < 20, "{requests} in a minute");

    let mut poller = Poller::new(config(), fresh(), 7, Duration::ZERO);
    let (mut now, mut requests) = (Duration::ZERO, 0u32);
    while now < SECOND * 60 {
        now = next(&mut poller, now).1;
        let circle = format!("c{}", requests % 2);
        poller.handle_page(&page(&[1], &circle, true), stored(0, 0), now);
        requests += 1;
    }
    assert!(requests <= FRUITLESS_PAGES_MAX + 60 * 20 + 1, "{requests}");
}

#[test]
fn a_fresh_broker_makes_polls_ten_times_rarer_and_silence_ends_it() {
    let mut poller = poller(fresh());
    let slow = config().pace * BROKER_SLOWER;
    let mut now = SECOND;
    next(&mut poller, now);
    poller.handle_broker_message(time(100), now);
    poller.handle_page(&page(&[], "c", false), stored(0, 0), now);
    let (request, at) = next(&mut poller, now);
    assert_eq!(at, now + slow);
    assert_eq!(
        request.wait,
        Duration::ZERO,
        "a held request is no rare one"
    );
    now = at;
    poller.handle_page(&page(&[], "c", false), stored(0, 0), now);
    // The broker says nothing more: it stops vouching for itself before the slow poll is due.
    let (request, at) = next(&mut poller, now);
    assert_eq!(at, SECOND + config().broker_fresh);
    assert_eq!(request.wait, config().wait);
}

#[test]
fn a_broker_that_misses_messages_is_not_trusted_and_one_that_is_late_is() {
    for (oldest, trusted) in [(100, false), (118, true)] {
        let mut poller = poller(fresh());
        next(&mut poller, SECOND);
        poller.handle_broker_message(time(120), SECOND);
        poller.handle_page(&page(&[oldest], "c", false), stored(1, oldest), SECOND);
        let (_, at) = next(&mut poller, SECOND);
        assert_eq!(at > SECOND + config().pace, trusted, "{oldest}: {at:?}");
    }
}

#[test]
fn more_waiting_at_the_feed_is_fetched_whatever_the_broker_does() {
    let mut poller = poller(fresh());
    poller.handle_broker_message(time(1), Duration::ZERO);
    next(&mut poller, Duration::ZERO);
    poller.handle_page(&page(&[1], "c", true), stored(0, 0), SECOND);
    assert_eq!(next(&mut poller, SECOND).1, SECOND);
}

#[test]
fn answers_nobody_waits_for_change_nothing() {
    let mut poller = poller(fresh());
    poller.handle_page(&page(&[1], "c", false), stored(1, 1), SECOND);
    poller.handle_failure(Failure::Gone(Gone::default()), SECOND);
    assert_eq!(poller.poll_event(), None);
    assert_eq!(next(&mut poller, SECOND).0.after, After::Oldest);
}
