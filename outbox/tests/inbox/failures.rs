//! What fails is tried again, does not stop others, and at last is dead until somebody looks.

use std::time::Duration;

use outbox::inbox::{Attempt, Bell, BoxError, Failed, Inbox, Until, Which, subscribe};
use outbox::{Message, Time, Tx};

use crate::rig::{NOW, Rig, attempt, drain, effect, effects, inbox, message, receive};

/// Has its effect and then fails.
fn fails(tx: &mut Tx<'_>, message: &Message) -> Result<(), BoxError> {
    effect(tx, message)?;
    Err(format!("code {} for {}", message.id, message.resource).into())
}

/// Tries everything until nothing waits any more; all times of tries.
fn try_until_dead(
    database: &mut outbox::inbox::Database,
    inbox: &Inbox,
    handler: &mut dyn FnMut(&mut Tx<'_>, &Message) -> Result<(), BoxError>,
) -> Vec<Time> {
    let mut tries = Vec::new();
    let mut now = NOW;
    loop {
        match attempt(database, inbox, now, handler) {
            Attempt::Nothing(None) => return tries,
            Attempt::Nothing(Some(due)) => {
                assert!(due > now, "nothing was due, yet {due} is not after {now}");
                now = due;
            }
            Attempt::Done(_) | Attempt::Failed(..) => tries.push(now),
        }
    }
}

pub(crate) fn a_failure_leaves_no_effect_and_is_tried_ever_more_seldom_until_dead(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 5);
    let mut database = rig.ready(&inbox);
    receive(&mut database, &inbox, &[message(1, "a", "/a")]);
    let tries = try_until_dead(&mut database, &inbox, &mut fails);
    assert_eq!(tries.len(), 5);
    let waits: Vec<Duration> = tries.windows(2).map(|two| two[1].since(two[0])).collect();
    assert!(waits[0] >= Duration::from_millis(500) && waits[3] >= Duration::from_secs(4));
    assert!(waits[3] <= Duration::from_secs(8), "{waits:?}");
    assert_eq!(effects(&mut database), [] as [String; 0]);
    let status = database.transact(|tx| inbox.status(tx)).unwrap();
    assert_eq!((status.waiting, status.dead, status.seen), (0, 1, 1));
}

pub(crate) fn panics_and_broken_statements_are_failures_like_others(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 1);
    let mut database = rig.ready(&inbox);
    receive(
        &mut database,
        &inbox,
        &[1, 2].map(|number| message(number, "a", "/a")),
    );
    let panics = &mut |tx: &mut Tx<'_>, message: &Message| {
        effect(tx, message)?;
        panic!("handler of {}", message.resource)
    };
    let Attempt::Failed(_, Failed::Dead(_), error) = attempt(&mut database, &inbox, NOW, panics)
    else {
        panic!("it failed");
    };
    assert_eq!(error, "handler panicked: handler of /a");
    let breaks = &mut |tx: &mut Tx<'_>, message: &Message| {
        effect(tx, message)?;
        tx.execute("INSERT INTO no_such_table VALUES (1)", &[])?;
        Ok(())
    };
    let failed = attempt(&mut database, &inbox, NOW, breaks);
    assert!(
        matches!(failed, Attempt::Failed(_, Failed::Dead(_), _)),
        "{failed:?}"
    );
    assert_eq!(effects(&mut database), [] as [String; 0]);
    receive(&mut database, &inbox, &[message(3, "a", "/a")]);
    assert_eq!(
        drain(&mut database, &inbox, NOW),
        1,
        "the connection is as good as before"
    );
}

pub(crate) fn a_handler_that_overlooks_an_error_has_a_whole_effect_or_none(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 1);
    let mut database = rig.ready(&inbox);
    receive(
        &mut database,
        &inbox,
        &[1, 2].map(|number| message(number, "a", "/a")),
    );
    let overlooks = &mut |tx: &mut Tx<'_>, message: &Message| {
        let _ = tx.execute("INSERT INTO no_such_table VALUES (1)", &[]);
        let _ = effect(tx, message);
        Ok(())
    };
    // SQLite goes on after a statement that failed, PostgreSQL does not.
    let expected = match attempt(&mut database, &inbox, NOW, overlooks) {
        Attempt::Done(_) => 1,
        Attempt::Failed(_, Failed::Dead(_), _) => 0,
        other => panic!("{other:?}"),
    };
    assert_eq!(effects(&mut database).len(), expected);
    assert_eq!(
        drain(&mut database, &inbox, NOW),
        1,
        "the next one is not held up"
    );
    let overlooked = database.transact(|tx| {
        let _ = tx.execute("INSERT INTO no_such_table VALUES (1)", &[]);
        let _ = effect(tx, &message(9, "a", "/a"));
        Ok::<(), outbox::SqlError>(())
    });
    assert_eq!(
        effects(&mut database).len(),
        expected + 1 + usize::from(overlooked.is_ok())
    );
}

pub(crate) fn poison_stops_nobody(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 3);
    let mut database = rig.ready(&inbox);
    let one = |number| message(number, "a", &format!("/{}", number % 2));
    receive(&mut database, &inbox, &(0..20).map(one).collect::<Vec<_>>());
    let mut handler = |tx: &mut Tx<'_>, message: &Message| {
        if message.resource.as_str() == "/0" {
            return fails(tx, message);
        }
        effect(tx, message)
    };
    let mut done = 0;
    for _ in 0..20 {
        let attempt = attempt(&mut database, &inbox, NOW, &mut handler);
        done += usize::from(matches!(attempt, Attempt::Done(_)));
    }
    assert_eq!(done, 10, "all good ones in the first round");
    try_until_dead(&mut database, &inbox, &mut handler);
    let groups = database.transact(|tx| inbox.dead_groups(tx, 10)).unwrap();
    assert_eq!(groups.len(), 1, "one failure, whatever the ids: {groups:?}");
    assert_eq!(groups[0].count, 10);
    assert_eq!(effects(&mut database).len(), 10);
}

pub(crate) fn dead_letters_are_listed_replayed_and_dropped_by_failure_or_id(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 1);
    let mut database = rig.ready(&inbox);
    let some: Vec<_> = (0..6).map(|number| message(number, "a", "/a")).collect();
    receive(&mut database, &inbox, &some);
    let mut two_ways = |_: &mut Tx<'_>, message: &Message| -> Result<(), BoxError> {
        let odd = message.id.as_bytes()[15] % 2 == 1;
        Err(if odd {
            "disk full"
        } else {
            "timeout after 30 s"
        }
        .into())
    };
    try_until_dead(&mut database, &inbox, &mut two_ways);
    let groups = database.transact(|tx| inbox.dead_groups(tx, 10)).unwrap();
    assert_eq!(groups.len(), 2);
    let full = groups
        .iter()
        .find(|group| group.error == "disk full")
        .unwrap();
    let group = Which::Group(full.group.clone());
    let letters = database
        .transact(|tx| inbox.dead_letters(tx, &group, 10))
        .unwrap();
    assert_eq!(letters.len(), 3);
    assert!(
        letters
            .iter()
            .all(|letter| letter.attempts == 1 && letter.replays == 0)
    );

    let replayed = database
        .transact(|tx| inbox.replay_dead(tx, &group, NOW))
        .unwrap();
    assert_eq!(replayed, 3);
    assert_eq!(drain(&mut database, &inbox, NOW), 3);
    assert_eq!(
        receive(&mut database, &inbox, &some),
        0,
        "replayed, and still known"
    );

    let id = Which::Id(some[2].id);
    assert_eq!(
        database
            .transact(|tx| inbox.replay_dead(tx, &id, NOW))
            .unwrap(),
        1
    );
    try_until_dead(&mut database, &inbox, &mut two_ways);
    let letters = database
        .transact(|tx| inbox.dead_letters(tx, &id, 10))
        .unwrap();
    assert_eq!(letters[0].replays, 1, "it came back once");
    assert_eq!(database.transact(|tx| inbox.drop_dead(tx, &id)).unwrap(), 1);
    assert_eq!(
        database
            .transact(|tx| inbox.drop_dead(tx, &Which::All))
            .unwrap(),
        2
    );
    assert_eq!(receive(&mut database, &inbox, &some), 0, "dropped for good");
}

pub(crate) fn what_is_lent_is_nobody_elses_until_its_lease_ends(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 2);
    let mut database = rig.ready(&inbox);
    receive(&mut database, &inbox, &[message(1, "a", "/a")]);
    let minute = Duration::from_secs(60);
    let mut lend = |now| {
        database
            .transact(|tx| inbox.lend(tx, &[], minute, now))
            .unwrap()
    };
    let first = lend(NOW).expect("it is due");
    assert_eq!(first.attempts, 0);
    assert_eq!(lend(NOW.plus(minute / 2)), None);
    let second = lend(NOW.plus(minute)).expect("the lease is over");
    assert_eq!(
        second.attempts, 1,
        "the first try counts, though nobody told its end"
    );
    let mut database = rig.database();
    let late = database
        .transact(|tx| inbox.undone(tx, &first, "late", NOW))
        .unwrap();
    assert_eq!(late, None, "another has it now");
    database
        .transact(|tx| inbox.give_back(tx, &first, NOW))
        .unwrap();
    assert_eq!(
        lend(NOW.plus(minute)),
        None,
        "nor does a late return take it away"
    );
    // The second try ends without a word too: it is dead instead of being tried for ever.
    assert_eq!(lend(NOW.plus(minute * 2)), None);
    let letters = database
        .transact(|tx| inbox.dead_letters(tx, &Which::All, 9))
        .unwrap();
    assert!(
        letters[0].error.contains("no try came to an end"),
        "{letters:?}"
    );
}

pub(crate) fn a_lent_message_is_done_or_undone_or_given_back(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 2);
    let mut database = rig.ready(&inbox);
    receive(&mut database, &inbox, &[message(1, "a", "/a")]);
    let minute = Duration::from_secs(60);
    let mut lend = |now| {
        database
            .transact(|tx| inbox.lend(tx, &[], minute, now))
            .unwrap()
    };
    let lent = lend(NOW).unwrap();
    let mut other = rig.database();
    other
        .transact(|tx| inbox.give_back(tx, &lent, NOW))
        .unwrap();
    let lent = lend(NOW).expect("due at once");
    assert_eq!(lent.attempts, 0, "a try that was none does not count");
    let failed = other
        .transact(|tx| inbox.undone(tx, &lent, "no", NOW))
        .unwrap();
    let Some(Failed::Again(again)) = failed else {
        panic!("{failed:?}");
    };
    let lent = lend(again).unwrap();
    assert_eq!(lent.attempts, 1);
    let failed = other
        .transact(|tx| inbox.undone(tx, &lent, "no", NOW))
        .unwrap();
    assert!(matches!(failed, Some(Failed::Dead(_))), "{failed:?}");
    other
        .transact(|tx| inbox.replay_dead(tx, &Which::All, NOW))
        .unwrap();
    let lent = lend(NOW).unwrap();
    other.transact(|tx| inbox.done(tx, &lent)).unwrap();
    assert_eq!(lend(NOW.plus(minute * 9)), None);
}

pub(crate) fn a_subscription_handles_all_and_tells_what_failed(rig: &Rig) {
    let inbox = inbox(|config| config.attempts_max = 1);
    let mut database = rig.ready(&inbox);
    let some = [(1, "a.b"), (2, "a.c"), (3, "x.y")];
    receive(
        &mut database,
        &inbox,
        &some.map(|(number, kind)| message(number, kind, "/a")),
    );
    let kinds = ["a.*".parse().unwrap()];
    let mut told = Vec::new();
    let handled = subscribe(
        &mut database,
        &inbox,
        &kinds,
        Until::Idle,
        &Bell::new(),
        &mut |tx, message| match message.kind.as_str() {
            "a.b" => effect(tx, message),
            _ => Err("no".into()),
        },
        &mut |trouble| told.push(trouble.to_owned()),
    );
    assert_eq!((handled.done, handled.failed, handled.dead), (1, 1, 1));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("a.c"), "{told:?}");
    assert_eq!(effects(&mut database).len(), 1);
}
