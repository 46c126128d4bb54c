//! The n-th statement fails, over SQLite and over PostgreSQL: work of jobs and of the store itself, the
//! beginning and the end of transactions, the opening of connections.

use outbox::Place;
use outbox::testing::{PostgresServer, StatementFault, StatementFaults};

use crate::step;
use crate::work::{Told, check, consume, messages, open, prepare, write};

/// More statements than any run has.
const STATEMENTS_MAX: i64 = 2_000;

/// One run for each n, until one has no fault. How many statements there were, and what was told.
fn every(
    step: usize,
    count: i64,
    fault: StatementFault,
    mut places: impl FnMut() -> [Place; 2],
) -> (i64, Told) {
    let mut told = Told::default();
    for nth in (1..STATEMENTS_MAX).step_by(step) {
        let [store, consumer] = places();
        let rounds = messages();
        let faults = StatementFaults::begin(&[store.clone(), consumer.clone()], nth, count, fault);
        write(&store, &rounds, &mut told);
        consume(&store, &consumer);
        let statements = faults.end();
        check(&store, &consumer, &rounds);
        if statements < nth {
            return (statements, told);
        }
    }
    panic!("there is no end of statements");
}

/// With the making of the tables.
fn on_sqlite(step: usize, count: i64, fault: StatementFault) -> Told {
    // Kept until the next run is done with its own.
    let mut folder = None;
    let (statements, told) = every(step, count, fault, || {
        let folder = folder.insert(tempfile::tempdir().unwrap());
        ["store.db", "consumer.db"].map(|name| Place::Sqlite(folder.path().join(name)))
    });
    assert!(statements > 120, "only {statements} statements");
    told
}

#[test]
fn a_statement_that_sqlite_refuses_loses_and_repeats_nothing() {
    let told = on_sqlite(step(1), 1, StatementFault::Refused);
    assert!(told.not_committed > 20 && told.unknown > 2, "{told:?}");
}

/// The second is, for one, the rollback after a commit or a statement that failed.
#[test]
fn two_statements_that_sqlite_refuses_lose_and_repeat_nothing() {
    let told = on_sqlite(step(2), 2, StatementFault::Refused);
    assert!(told.not_committed > 10 && told.unknown > 0, "{told:?}");
}

#[test]
fn a_statement_at_which_sqlite_ends_the_transaction_loses_and_repeats_nothing() {
    let told = on_sqlite(step(2), 1, StatementFault::Ended);
    assert!(told.not_committed > 10 && told.unknown > 0, "{told:?}");
}

#[test]
fn a_statement_that_was_done_and_says_that_it_failed_repeats_nothing() {
    let told = on_sqlite(step(2), 1, StatementFault::Unanswered);
    assert!(told.not_committed > 10 && told.unknown > 0, "{told:?}");
}

#[test]
fn statements_that_fail_on_postgres_lose_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    // Each try costs two databases. Their tables are made before: what fails is the work.
    let step = step(23);
    let mut made: Vec<String> = Vec::new();
    let mut places = || {
        // Those of the try before.
        for done_with in made.drain(..) {
            server.drop_database(&done_with).unwrap();
        }
        made.extend([(); 2].map(|()| server.database().unwrap()));
        let [store, consumer] = [0, 1].map(|index| Place::Postgres(made[index].clone()));
        open(&store).unwrap().close();
        prepare(&consumer);
        [store, consumer]
    };
    for (fault, count) in [
        (StatementFault::Refused, 1),
        (StatementFault::Refused, 2),
        (StatementFault::Ended, 1),
        (StatementFault::Unanswered, 1),
    ] {
        let (statements, told) = every(step, count, fault, &mut places);
        assert!(statements > 80, "only {statements} statements");
        assert!(told.unknown + told.not_committed > 0, "{told:?}");
        // With great steps it hangs on luck whether one of them is a commit.
        assert!(step > 1 || told.unknown > 0, "{told:?}");
    }
}
