//! What is received is stored once, survives crashes, and is forgotten in time.

use std::time::Duration;

use outbox::inbox::{After, Attempt, Purpose, Resume};
use outbox::{SqlError, Time, TransactError};

use crate::rig::{
    DAY_US, NOW, Rig, at, attempt, drain, effect, effects, inbox, message, page, receive,
};

pub(crate) fn a_page_that_comes_again_changes_nothing(rig: &Rig) {
    let inbox = inbox(|_| {});
    let mut database = rig.ready(&inbox);
    let some = [1, 2, 3, 2].map(|number| message(number, "zone.entered", "/a"));
    assert_eq!(
        receive(&mut database, &inbox, &some),
        3,
        "once within a page"
    );
    assert_eq!(receive(&mut database, &inbox, &some), 0);
    assert_eq!(drain(&mut database, &inbox, NOW), 3);
    assert_eq!(
        receive(&mut database, &inbox, &some),
        0,
        "known after it was handled"
    );
    assert_eq!(drain(&mut database, &inbox, NOW), 0);
    assert_eq!(effects(&mut database).len(), 3);
}

pub(crate) fn large_pages_are_stored_whole(rig: &Rig) {
    let inbox = inbox(|config| config.coalesce = true);
    let mut database = rig.ready(&inbox);
    let one = |number| message(number, "zone.entered", &format!("/r{}", number % 700));
    let many: Vec<_> = (0..1_001).map(one).collect();
    assert_eq!(receive(&mut database, &inbox, &many), 1_001);
    assert_eq!(
        drain(&mut database, &inbox, NOW),
        700,
        "the newest of each resource"
    );
}

pub(crate) fn the_cursor_comes_with_the_page_and_an_overlap_leaves_it(rig: &Rig) {
    let inbox = inbox(|_| {});
    let mut database = rig.ready(&inbox);
    let mut resumed = || {
        database
            .transact(|tx| inbox.resume(tx, After::Head))
            .unwrap()
    };
    let nothing = Resume {
        after: After::Head,
        newest: None,
    };
    assert_eq!(resumed(), nothing);
    let store = |next: &str, purpose, number| {
        let page = page(&[message(number, "a", "/a")], next);
        let mut database = rig.database();
        database
            .transact(|tx| inbox.receive(tx, &page, purpose, NOW))
            .unwrap();
    };
    store("o1", Purpose::Overlap, 1);
    assert_eq!(
        resumed(),
        Resume {
            after: After::Head,
            newest: Some(NOW)
        }
    );
    store("c1", Purpose::Onward, 2);
    store("o2", Purpose::Overlap, 3);
    let after = After::Cursor("c1".parse().unwrap());
    assert_eq!(
        resumed(),
        Resume {
            after: after.clone(),
            newest: Some(NOW)
        }
    );
    let mut database = rig.database();
    database
        .transact(|tx| inbox.go_on_from(tx, &After::Oldest))
        .unwrap();
    assert_eq!(resumed().after, After::Head, "the place is forgotten");
}

pub(crate) fn inboxes_of_one_database_do_not_know_each_other(rig: &Rig) {
    let (one, other) = (inbox(|_| {}), inbox(|config| config.name = "other".into()));
    let mut database = rig.ready(&one);
    let some = [message(1, "a", "/a")];
    assert_eq!(receive(&mut database, &one, &some), 1);
    assert_eq!(drain(&mut database, &other, NOW), 0);
    assert_eq!(receive(&mut database, &other, &some), 1);
    assert_eq!(drain(&mut database, &one, NOW), 1);
    assert_eq!(drain(&mut database, &other, NOW), 1);
}

pub(crate) fn unwanted_types_are_ignored_and_subscribers_take_their_own(rig: &Rig) {
    let inbox = inbox(|config| {
        config.kinds = ["zone.*", "ap.online"]
            .map(|kind| kind.parse().unwrap())
            .to_vec();
    });
    let mut database = rig.ready(&inbox);
    let kinds = [
        "zone.entered",
        "zone.left",
        "ap.online",
        "ap.offline",
        "zone",
        "new.kind",
    ];
    let some: Vec<_> = (1..)
        .zip(kinds)
        .map(|(n, kind)| message(n, kind, "/a"))
        .collect();
    assert_eq!(receive(&mut database, &inbox, &some), 3);
    let zones = ["zone.*".parse().unwrap()];
    let mut taken = Vec::new();
    while let Some(delivery) = database
        .transact(|tx| inbox.dequeue_of(tx, &zones, NOW))
        .unwrap()
    {
        taken.push(delivery.message.kind.to_string());
    }
    assert_eq!(taken, ["zone.entered", "zone.left"]);
    let left = database
        .transact(|tx| inbox.dequeue(tx, NOW))
        .unwrap()
        .unwrap();
    assert_eq!(left.message, some[2]);
}

pub(crate) fn a_crash_between_receiving_and_handling_loses_nothing_and_repeats_nothing(rig: &Rig) {
    let inbox = inbox(|_| {});
    let some = [message(1, "a", "/a"), message(2, "a", "/b")];
    // The process dies before the commit of a page: nothing of it is there, nor the cursor.
    let mut database = rig.ready(&inbox);
    let page = page(&some, "c1");
    let died = database.transact(|tx| {
        inbox.receive(tx, &page, Purpose::Onward, NOW)?;
        Err::<(), SqlError>(tx.execute("no statement", &[]).unwrap_err())
    });
    assert!(matches!(died, Err(TransactError::Refused(_))));
    drop(database);
    let mut database = rig.database();
    let resume = database
        .transact(|tx| inbox.resume(tx, After::Oldest))
        .unwrap();
    assert_eq!(resume.after, After::Oldest);
    assert_eq!(receive(&mut database, &inbox, &some), 2);
    // It dies after the commit, and again within a handler's transaction.
    drop(database);
    let mut database = rig.database();
    let dying = std::panic::AssertUnwindSafe(|| {
        database.transact(|tx| {
            let delivery = inbox.dequeue(tx, NOW)?.expect("a message waits");
            effect(tx, &delivery.message).expect("an effect");
            if delivery.message == some[0] {
                panic!("dies here");
            }
            Ok::<(), SqlError>(())
        })
    });
    assert!(std::panic::catch_unwind(dying).is_err());
    let mut database = rig.database();
    assert_eq!(effects(&mut database), [] as [String; 0]);
    assert_eq!(drain(&mut database, &inbox, NOW), 2);
    assert_eq!(
        effects(&mut database),
        some.map(|message| message.id.to_string())
    );
}

pub(crate) fn only_the_newest_of_a_resource_waits_where_that_is_wanted(rig: &Rig) {
    let inbox = inbox(|config| config.coalesce = true);
    let mut database = rig.ready(&inbox);
    let some = [(1, "/a"), (5, "/a"), (3, "/a"), (2, "/b")];
    receive(
        &mut database,
        &inbox,
        &some.map(|(n, resource)| message(n, "a.b", resource)),
    );
    // Older than what waits: it goes. Newer: the other goes.
    receive(
        &mut database,
        &inbox,
        &[message(4, "a.b", "/a"), message(6, "a.b", "/b")],
    );
    assert_eq!(drain(&mut database, &inbox, NOW), 2);
    let handled = [5, 6].map(|number| message(number, "a", "/a").id.to_string());
    assert_eq!(effects(&mut database), handled);
}

pub(crate) fn what_is_being_handled_makes_no_message_superfluous(rig: &Rig) {
    let inbox = inbox(|config| config.coalesce = true);
    let mut database = rig.ready(&inbox);
    receive(&mut database, &inbox, &[message(5, "a.b", "/a")]);
    let minute = Duration::from_secs(60);
    let lent = database
        .transact(|tx| inbox.lend(tx, &[], minute, NOW))
        .unwrap()
        .unwrap();
    // Its command may have read the state before the change that this one tells of.
    receive(&mut database, &inbox, &[message(4, "a.b", "/a")]);
    database.transact(|tx| inbox.done(tx, &lent)).unwrap();
    assert_eq!(drain(&mut database, &inbox, NOW), 1);
}

pub(crate) fn ids_are_forgotten_when_both_clocks_call_them_old(rig: &Rig) {
    let inbox = inbox(|_| {});
    let mut database = rig.ready(&inbox);
    let later = |days: i64| Time::from_micros(NOW.as_micros() + days * DAY_US);
    let mut purge = |now| database.transact(|tx| inbox.purge(tx, now)).unwrap();
    assert_eq!(purge(later(100)), 0, "before anything came");
    let mut database = rig.database();
    let some: Vec<_> = (1..=4).map(|number| message(number, "a", "/a")).collect();
    receive(&mut database, &inbox, &some);
    assert_eq!(drain(&mut database, &inbox, NOW), 4);
    assert_eq!(
        purge(later(100)),
        0,
        "the consumer's clock alone says nothing"
    );
    let mut newer = message(9, "a", "/a");
    newer.time = later(8);
    receive(&mut database, &inbox, &[newer]);
    assert_eq!(purge(later(6)), 0, "the feed's clock alone says nothing");
    assert_eq!(purge(later(8)), 4);
    assert_eq!(purge(later(8)), 0);
    assert_eq!(
        receive(&mut database, &inbox, &some[..1]),
        1,
        "unknown again"
    );
}

pub(crate) fn what_waits_or_is_dead_stays_known(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 1);
    let mut database = rig.ready(&inbox);
    let some = [message(1, "a", "/a"), message(2, "a", "/b")];
    receive(&mut database, &inbox, &some);
    let failed = attempt(&mut database, &inbox, NOW, &mut |_, _| Err("no".into()));
    assert!(matches!(failed, Attempt::Failed(..)), "{failed:?}");
    let mut newer = message(9, "a", "/a");
    newer.time = Time::from_micros(NOW.as_micros() + 50 * DAY_US);
    receive(&mut database, &inbox, &[newer.clone()]);
    let purged = database.transact(|tx| inbox.purge(tx, newer.time)).unwrap();
    assert_eq!(purged, 0);
    assert_eq!(receive(&mut database, &inbox, &some), 0);
}

pub(crate) fn a_clock_that_was_ahead_delays_nothing_for_ever(rig: &Rig) {
    let inbox = inbox(|_| {});
    let mut database = rig.ready(&inbox);
    let page = page(&[message(1, "a", "/a")], "c1");
    let year = 365 * 86_400;
    database
        .transact(|tx| inbox.receive(tx, &page, Purpose::Onward, at(year)))
        .unwrap();
    assert_eq!(drain(&mut database, &inbox, NOW), 1);
}
