//! Purging: whole days, and not because of a clock.

use std::time::Duration;

use outbox::{
    Clock, PageError, PageQuery, Place, Publish as _, PublishError, Start, Time, TransactError,
};

use crate::support::{DAY, NOON, from_oldest, is_gone, message, open, page, publish};

pub(super) fn whole_days_go_and_their_cursors_with_them(place: &Place) {
    let store = open(place);
    let made: Vec<_> = (0..8_u32)
        .map(|day| message(NOON.plus(DAY * day), "a.b", &format!("/{day}")))
        .collect();
    let start = store.head().unwrap();
    let mut behind = Vec::new();
    for message in &made {
        publish(&store, std::slice::from_ref(message));
        behind.push(page(&store, Start::Cursor(*behind.last().unwrap_or(&start))).next);
    }
    // Believes the clock day by day.
    let mut dropped = 0;
    for day in 0..8 {
        let purged = store.purge(NOON.plus(DAY * day)).unwrap();
        assert_eq!(purged.clock, Clock::Believed);
        dropped += purged.days.len();
        // Five days and the rest of a day stay.
        assert_eq!(dropped, (day as usize).saturating_sub(5), "day {day}");
    }
    assert_eq!(from_oldest(&store), made[2..]);
    assert!(is_gone(&store, start) && is_gone(&store, behind[0]));
    assert!(!is_gone(&store, behind[1]), "everything behind it is kept");
    let Err(PageError::Gone { oldest }) = store.page(&PageQuery::new(Start::Cursor(start))) else {
        panic!("a gap was hidden");
    };
    assert_eq!(page(&store, Start::Cursor(oldest)).messages, made[2..]);
    let since = store.page(&PageQuery::new(Start::Since(NOON)));
    assert!(matches!(since, Err(PageError::Gone { .. })), "{since:?}");
    assert!(store.follow().wait(&start, std::time::Instant::now()));
    // Nothing is left: the place is remembered all the same.
    for day in 8..30 {
        store.purge(NOON.plus(DAY * day)).unwrap();
    }
    assert!(from_oldest(&store).is_empty());
    assert!(is_gone(&store, behind[6]) && !is_gone(&store, behind[7]));
}

pub(super) fn a_late_commit_keeps_its_day_while_younger_ones_lie_before_it(place: &Place) {
    let store = open(place);
    let at = |hours: u32| NOON.plus(Duration::from_secs(3_600) * hours);
    let made = [
        message(at(0), "a.b", "/1"),
        message(at(30), "a.b", "/2"),
        message(at(1), "a.b", "/3"),
    ];
    made.iter()
        .for_each(|message| publish(&store, std::slice::from_ref(message)));
    let days = |hours: u32| store.purge(at(hours)).unwrap().days;
    for day in 0..6 {
        assert!(days(24 * day).is_empty());
    }
    // The first day is past its age, but behind its last commit the second would not be found.
    assert!(days(5 * 24 + 13).is_empty());
    assert_eq!(store.health().days_kept_for_younger, 1);
    assert!(days(5 * 24 + 29).is_empty());
    assert_eq!(from_oldest(&store), made);
    assert_eq!(days(5 * 24 + 30), [NOON.day()]);
}

pub(super) fn a_message_of_a_clock_that_leapt_keeps_no_day(place: &Place) {
    let store = open(place);
    let leapt = message(NOON.plus(DAY * 3_650), "a.b", "/2");
    let made = [
        message(NOON, "a.b", "/1"),
        leapt.clone(),
        // A commit of each day comes behind what was published during the leap.
        message(NOON.plus(DAY / 4), "a.b", "/3"),
        message(NOON.plus(DAY), "a.b", "/4"),
    ];
    made.iter()
        .for_each(|message| publish(&store, std::slice::from_ref(message)));
    let mut gone = Vec::new();
    for day in 0..8 {
        let purged = store.purge(NOON.plus(DAY * day)).unwrap();
        assert_eq!((purged.kept_for_younger, purged.ahead_of_clock), (0, 1));
        gone.extend(purged.days);
    }
    assert_eq!(store.health().days_ahead_of_clock, 1);
    assert_eq!(gone[..2], [NOON.day(), NOON.day().next()]);
}

pub(super) fn a_clock_that_leaps_purges_nothing_until_it_is_accepted(place: &Place) {
    let store = open(place);
    let made = message(NOON, "a.b", "/1");
    publish(&store, std::slice::from_ref(&made));
    store.purge(NOON).unwrap();
    let leapt = NOON.plus(DAY * 400);
    for _ in 0..2 {
        let purged = store.purge(leapt).unwrap();
        assert!(purged.days.is_empty());
        // PostgreSQL has made the tables of the next day as well.
        assert!((1..=2).contains(&purged.kept_for_clock));
        assert_eq!(
            purged.clock,
            Clock::Leapt {
                believed: NOON,
                now: leapt
            }
        );
    }
    assert!(matches!(store.health().clock, Clock::Leapt { .. }));
    assert_eq!(from_oldest(&store), [made]);
    // The clock comes back by itself.
    assert_eq!(
        store.purge(NOON.plus(DAY / 2)).unwrap().clock,
        Clock::Believed
    );
    assert_eq!(store.health().clock, Clock::Believed);
    // It leaps again, and somebody who knows says that it is right.
    store.purge(leapt).unwrap();
    store.accept_clock(leapt).unwrap();
    let purged = store.purge(leapt).unwrap();
    assert_eq!(
        (purged.days[0], purged.clock),
        (NOON.day(), Clock::Believed)
    );
    assert!(from_oldest(&store).is_empty());
}

pub(super) fn a_purged_day_takes_no_message(place: &Place) {
    let store = open(place);
    publish(
        &store,
        &[
            message(NOON, "a.b", "/1"),
            message(NOON.plus(DAY * 9), "a.b", "/2"),
        ],
    );
    store.purge(NOON.plus(DAY * 9)).unwrap();
    for time in [NOON, NOON.minus(DAY * 10), Time::from_micros(0)] {
        let late = message(time, "a.b", "/3");
        let refused = store.transact(move |tx| tx.publish(&late));
        let purged = matches!(
            refused,
            Err(TransactError::Refused(PublishError::Purged(_)))
        );
        assert!(purged, "{refused:?}");
    }
    // Days that were not purged are open, also those before the newest.
    publish(
        &store,
        &[message(
            NOON.plus(DAY + Duration::from_secs(1)),
            "a.b",
            "/4",
        )],
    );
    assert_eq!(from_oldest(&store).len(), 2);
}

pub(super) fn a_purge_that_fails_is_told_until_one_ends_well(place: &Place) {
    let store = open(place);
    publish(&store, &[message(NOON, "a.b", "/1")]);
    assert_eq!(store.health().last_purge, None);
    let rename = |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        store.transact(move |tx| tx.execute(&sql, &[])).unwrap();
    };
    rename("outbox_day", "hidden");
    let sooner = NOON.plus(DAY / 2);
    for failed in 1..3 {
        assert!(store.purge(sooner).is_err());
        let health = store.health();
        assert_eq!(health.purges_failed, failed);
        assert_eq!(health.purge_error.unwrap().0, sooner);
    }
    rename("hidden", "outbox_day");
    store.purge(NOON.plus(DAY)).unwrap();
    let health = store.health();
    assert_eq!(health.purges_failed, 2);
    assert_eq!(health.last_purge, Some(NOON.plus(DAY)));
    assert_eq!(health.purge_error, None);
}
