//! Late commits: two writers that commit in reverse order against a consumer that polls. A cursor
//! that followed ids or sequences would skip the one that commits last.
//!
//! `LATE_ROUNDS` sets the count of rounds, 100,000 for a release.

use std::time::{Duration, Instant};

use outbox::testing::PostgresServer;
use outbox::{Message, MessageId, PageQuery, Place, Publish as _, PublishError, Start, Store, Tx};

use crate::support::{NOON, all, message, open};

fn rounds(default: usize) -> usize {
    std::env::var("LATE_ROUNDS").map_or(default, |text| text.parse().unwrap())
}

/// Polls as a consumer does, and keeps the ids.
struct Consumer {
    store: Store,
    query: PageQuery,
    seen: Vec<MessageId>,
}

impl Consumer {
    fn new(place: &Place) -> Self {
        Self {
            store: open(place),
            query: PageQuery::new(Start::Oldest),
            seen: Vec::new(),
        }
    }

    fn poll(&mut self) {
        let (messages, next) = all(&self.store, &self.query);
        self.query.after = Start::Cursor(next);
        self.seen.extend(messages.iter().map(|message| message.id));
    }
}

/// What a round publishes: the first has the lesser id and commits last.
fn pair(round: usize) -> (Message, Message) {
    let time = |later: u64| NOON.plus(Duration::from_millis(2 * round as u64 + later));
    (
        message(time(0), "a.first", "/first"),
        message(time(1), "a.second", "/second"),
    )
}

#[test]
fn transactions_of_postgres_that_commit_in_reverse_order_are_not_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let mut consumer = Consumer::new(&Place::Postgres(address.clone()));
    let connect = || {
        let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
        // The order of commits is what is tried here, not their durability.
        client
            .batch_execute("SET synchronous_commit = off")
            .unwrap();
        client
    };
    let (mut one, mut other) = (connect(), connect());
    let mut expected = Vec::new();
    let mut overlaps = 0;
    // The tables of the first day are made by whoever comes first, who then holds the other up.
    crate::support::publish(&consumer.store, &[message(NOON, "a.first", "/0")]);
    crate::support::publish(&consumer.store, &[message(NOON, "a.second", "/0")]);
    consumer.poll();
    consumer.seen.clear();
    for round in 0..rounds(2_000) {
        let (first, second) = pair(round);
        let mut slow = one.transaction().unwrap();
        Tx::from(&mut slow).publish(&first).unwrap();
        let mut fast = other.transaction().unwrap();
        Tx::from(&mut fast).publish(&second).unwrap();
        fast.commit().unwrap();
        // The second is committed and must wait: the first may still come before it. What may come is
        // the round before, which a transaction of the server's own upkeep had held back.
        consumer.poll();
        overlaps += usize::from(consumer.seen.last() != Some(&second.id));
        slow.commit().unwrap();
        consumer.poll();
        expected.extend([first.id, second.id]);
    }
    let patience = Instant::now() + Duration::from_secs(60);
    while consumer.seen.len() < expected.len() && Instant::now() < patience {
        consumer.poll();
    }
    assert_eq!(consumer.seen, expected);
    assert_eq!(
        overlaps,
        rounds(2_000),
        "a round without overlap tries nothing"
    );
}

#[test]
fn threads_that_commit_to_sqlite_in_any_order_are_not_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(folder.path().join("messages.db"));
    let rounds = rounds(1_000);
    let mut consumer = Consumer::new(&place);
    let writer = |second: bool| {
        // A connection of its own, as another process has.
        let path = folder.path().join("messages.db");
        move || {
            let mut connection = rusqlite::Connection::open(path).unwrap();
            connection.busy_timeout(Duration::from_secs(600)).unwrap();
            connection
                .pragma_update(None, "synchronous", "OFF")
                .unwrap();
            for round in (0..rounds).rev() {
                let (first, other) = pair(round);
                let message = if second { other } else { first };
                let immediate = rusqlite::TransactionBehavior::Immediate;
                let mut transaction = connection.transaction_with_behavior(immediate).unwrap();
                Tx::from(&mut transaction).publish(&message).unwrap();
                transaction.commit().unwrap();
            }
        }
    };
    std::thread::scope(|scope| {
        let writers = [scope.spawn(writer(false)), scope.spawn(writer(true))];
        while writers.iter().any(|writer| !writer.is_finished()) {
            consumer.poll();
        }
    });
    consumer.poll();
    assert_eq!(consumer.seen.len(), 2 * rounds);
    let ids: std::collections::BTreeSet<_> = consumer.seen.iter().collect();
    assert_eq!(ids.len(), 2 * rounds);
}

#[test]
fn jobs_given_later_come_in_the_order_in_which_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(folder.path().join("messages.db"));
    let mut consumer = Consumer::new(&place);
    let store = consumer.store.clone();
    let mut tickets = Vec::new();
    let mut expected = Vec::new();
    for round in (0..500).rev() {
        let (first, second) = pair(round);
        for message in [second, first] {
            expected.push(message.id);
            tickets.push(store.transact_later(move |tx| {
                tx.publish(&message)?;
                Ok::<_, PublishError>(())
            }));
        }
        consumer.poll();
    }
    tickets
        .into_iter()
        .for_each(|ticket| ticket.wait().unwrap());
    consumer.poll();
    assert_eq!(consumer.seen, expected);
}
