//! The n-th write, synchronisation or truncation of a file of SQLite fails.

use std::path::Path;

use outbox::Place;

use crate::step;
use crate::vfs::{How, Operation, Plan};
use crate::work::{Told, check, consume, messages, write};

/// More operations than any run has.
const OPERATIONS_MAX: i64 = 2_000;

struct Places {
    store: Place,
    consumer: Place,
}

fn places(folder: &Path) -> Places {
    let place = |name: &str| {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        Place::Sqlite(folder.join("messages.db"))
    };
    Places {
        store: place("store"),
        consumer: place("consumer"),
    }
}

/// One run for each n, until one has no fault. How many there were, and what was told.
fn every(operation: Operation, how: How) -> (i64, Told) {
    let mut told = Told::default();
    // Two of the ways are close to the others: every third is enough of them.
    let step = match how {
        How::Refused | How::Torn => step(1),
        How::Full | How::Lied => step(3),
    };
    for nth in (1..OPERATIONS_MAX).step_by(step) {
        let folder = tempfile::tempdir().unwrap();
        // As SQLite names files: without links on the way.
        let path = folder.path().canonicalize().unwrap();
        let places = places(&path);
        let rounds = messages();
        let plan = Plan::begin(&path, operation, nth, how, false);
        write(&places.store, &rounds, &mut told);
        consume(&places.store, &places.consumer);
        let hit = plan.end();
        check(&places.store, &places.consumer, &rounds);
        if !hit {
            return (nth - 1, told);
        }
    }
    panic!("there is no end of operations");
}

#[test]
fn a_write_that_is_refused_loses_and_repeats_nothing() {
    let (faults, told) = every(Operation::Write, How::Refused);
    assert!(
        faults > 30 && told.not_committed + told.unknown > 5,
        "{faults} {told:?}"
    );
}

#[test]
fn a_write_that_is_torn_loses_and_repeats_nothing() {
    let (faults, told) = every(Operation::Write, How::Torn);
    assert!(
        faults > 30 && told.not_committed + told.unknown > 5,
        "{faults} {told:?}"
    );
}

#[test]
fn a_write_that_was_done_and_says_that_it_failed_repeats_nothing() {
    let (faults, told) = every(Operation::Write, How::Lied);
    assert!(faults > 30 && told.unknown > 0, "{faults} {told:?}");
}

#[test]
fn a_write_without_space_loses_and_repeats_nothing() {
    let (faults, told) = every(Operation::Write, How::Full);
    assert!(faults > 30 && told.not_committed > 1, "{faults} {told:?}");
}

#[test]
fn a_synchronisation_that_fails_loses_and_repeats_nothing() {
    let (faults, told) = every(Operation::Sync, How::Refused);
    assert!(faults > 10 && told.unknown > 2, "{faults} {told:?}");
}

#[test]
fn a_truncation_that_fails_loses_and_repeats_nothing() {
    every(Operation::Truncate, How::Refused);
}

/// From the n-th write or synchronisation on nothing works any more; then the process starts again.
#[test]
fn a_disk_that_goes_away_and_comes_back_loses_and_repeats_nothing() {
    for operation in [Operation::Write, Operation::Sync] {
        let mut nth = 1;
        while gone_from(operation, nth) {
            nth += 1;
        }
        assert!(nth > 10, "only {nth} operations failed");
    }
}

fn gone_from(operation: Operation, nth: i64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let places = places(&path);
    let rounds = messages();
    let plan = Plan::begin(&path, operation, nth, How::Refused, true);
    let (acknowledged, refused) = until_it_breaks(&places.store, &rounds);
    let hit = plan.end();
    // What was acknowledged is there, before anybody gives it again; what was refused is not.
    let store = crate::work::open(&places.store).unwrap();
    let page = store.page(&outbox::PageQuery::new(outbox::Start::Oldest));
    let there = page.unwrap().messages;
    assert!(
        rounds[..acknowledged]
            .iter()
            .flatten()
            .all(|message| there.contains(message))
    );
    if refused {
        assert_eq!(
            there.len(),
            acknowledged * rounds[0].len(),
            "refused, and there"
        );
    }
    store.close();
    write(&places.store, &rounds, &mut Told::default());
    consume(&places.store, &places.consumer);
    check(&places.store, &places.consumer, &rounds);
    hit
}

/// How many rounds were acknowledged, and whether the next was told to be not committed.
fn until_it_breaks(place: &Place, rounds: &[Vec<outbox::Message>]) -> (usize, bool) {
    let Ok(store) = crate::work::open(place) else {
        return (0, true);
    };
    for (index, round) in rounds.iter().enumerate() {
        let messages = round.clone();
        if let Err(error) = store.transact(move |tx| crate::work::change(tx, &messages)) {
            return (index, !matches!(error, outbox::TransactError::Unknown(_)));
        }
    }
    (rounds.len(), true)
}
