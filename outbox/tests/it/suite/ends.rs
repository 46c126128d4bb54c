//! The end of a store while jobs wait: each gets an answer, and nobody waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use outbox::testing::{StatementFault, StatementFaults};
use outbox::{
    Message, Place, Publish as _, PublishError, Store, StoreConfig, Ticket, Time, TransactError,
};

use crate::support::{NOON, config, from_oldest, message, messages, open};

type Given = Ticket<(), PublishError>;

/// A job that keeps the writer busy and then publishes.
struct Busy {
    /// Told once it runs.
    runs: mpsc::Receiver<()>,
    /// It goes on when this is used or dropped.
    go: mpsc::Sender<()>,
    ticket: Given,
}

fn busy(store: &Store, message: &Message) -> Busy {
    let (running, runs) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let message = message.clone();
    let ticket = store.transact_later(move |tx| {
        // Either may have stopped listening.
        let _ = running.send(());
        let _ = wait.recv();
        tx.publish(&message).map(|_| ())
    });
    Busy { runs, go, ticket }
}

fn give(store: &Store, message: &Message) -> Given {
    let message = message.clone();
    store.transact_later(move |tx| tx.publish(&message).map(|_| ()))
}

pub(super) fn a_store_that_is_dropped_commits_what_waits_and_ends_its_threads(place: &Place) {
    let store = open(place);
    let made = messages(60);
    let first = busy(&store, &made[0]);
    let tickets: Vec<_> = made[1..].iter().map(|one| give(&store, one)).collect();
    let dropping = std::thread::spawn(move || drop(store));
    // It waits for its threads, of which one waits for this.
    assert!(!dropping.is_finished());
    first.go.send(()).unwrap();
    dropping.join().unwrap();
    for ticket in tickets.into_iter().chain([first.ticket]) {
        ticket.wait().unwrap();
    }
    assert_eq!(from_oldest(&open(place)), made);
}

pub(super) fn the_last_clone_may_go_on_the_writers_own_thread(place: &Place) {
    let config = StoreConfig {
        purge_interval: Duration::from_millis(1),
        ..config(place)
    };
    let store = Store::open(config, &[]).unwrap();
    // Of today, since this store purges by itself.
    let made: Vec<_> = (0..3)
        .map(|_| message(Time::now(), "test.made", "/things/1"))
        .collect();
    let first = busy(&store, &made[0]);
    first.runs.recv().unwrap();
    let (own, message) = (store.clone(), made[1].clone());
    let last = store.transact_later(move |tx| {
        drop(own);
        tx.publish(&message).map(|_| ())
    });
    let behind = give(&store, &made[2]);
    // The store's other thread waits for the writer too: it purges.
    while store.health().jobs_waiting < 3 {
        std::thread::yield_now();
    }
    drop(store);
    first.go.send(()).unwrap();
    for ticket in [first.ticket, last, behind] {
        ticket.wait().unwrap();
    }
    assert_eq!(from_oldest(&open(place)), made);
}

/// A mistake in the driver of the database ends the writer, at whatever statement.
pub(super) fn a_writer_that_dies_answers_everybody_who_waits(place: &Place) {
    let quiet = StoreConfig {
        look_interval: Duration::from_secs(3_600),
        ..config(place)
    };
    open(place).close();
    let (mut closed, mut unknown) = (0, 0);
    for nth in 1.. {
        let made = messages(4);
        let faults =
            StatementFaults::begin(std::slice::from_ref(place), nth, 1, StatementFault::Panics);
        let opened = catch_unwind(|| Store::open(quiet.clone(), &[]).unwrap());
        let Ok(store) = opened else {
            // There was no writer yet: the panic is the caller's.
            faults.end();
            continue;
        };
        let Busy { runs, go, ticket } = busy(&store, &made[0]);
        // It runs, or never will: the others wait behind it.
        let _ = runs.recv();
        let mut tickets = vec![ticket];
        tickets.extend(made[1..].iter().map(|one| give(&store, one)));
        let clone = store.clone();
        let purging = std::thread::spawn(move || clone.purge(NOON).is_ok());
        // A writer that is dead does not hear it.
        let _ = go.send(());
        let mut kept = Vec::new();
        let mut not_kept = Vec::new();
        for (ticket, message) in tickets.into_iter().zip(&made) {
            match catch_unwind(AssertUnwindSafe(|| ticket.wait())) {
                Ok(Ok(())) => kept.push(message),
                Ok(Err(TransactError::Unknown(_))) => unknown += 1,
                Ok(Err(TransactError::Closed)) => {
                    closed += 1;
                    not_kept.push(message);
                }
                Ok(Err(error)) => panic!("{error}"),
                // In a statement of the job itself, which is rolled back, and the writer lives.
                Err(_) => not_kept.push(message),
            }
        }
        let purged = purging.join().unwrap();
        store.close();
        let statements = faults.end();
        let there = from_oldest(&open(place));
        assert!(kept.iter().all(|message| there.contains(message)));
        assert!(!not_kept.iter().any(|message| there.contains(message)));
        if statements < nth {
            assert!(purged && kept.len() == made.len(), "{kept:?}");
            break;
        }
    }
    assert!(closed > 3 && unknown > 3, "{closed} {unknown}");
}
