//! What SQLite has of its own: settings, locks of others, full disks, files that are copied.

mod copies;
mod full;

use std::path::Path;
use std::time::Duration;

use outbox::{Place, Publish as _, PublishError, SqlError, SqlErrorKind, Store, TransactError, Tx};

use crate::support::{config, from_oldest, messages, open, publish};

fn place(folder: &Path) -> Place {
    Place::Sqlite(folder.join("messages.db"))
}

#[test]
fn the_settings_in_effect_are_those_that_durability_needs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&place(folder.path()));
    let setting = |name: &'static str| {
        store
            .transact(move |tx| {
                let rows = tx.query(&format!("PRAGMA {name}"), &[])?;
                Ok::<_, SqlError>(rows[0].value(0).unwrap().clone())
            })
            .unwrap()
    };
    assert_eq!(setting("journal_mode"), "wal".into());
    assert_eq!(setting("synchronous"), 2.into(), "2 is FULL");
    assert_eq!(setting("fullfsync"), true.into());
    assert_eq!(setting("auto_vacuum"), 0.into());
}

#[test]
fn a_lock_that_is_held_makes_writers_wait_or_fail_and_readers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let made = messages(3);
    let patient = open(&place);
    let impatient = Store::open(
        outbox::StoreConfig {
            busy_wait: Duration::from_millis(50),
            ..config(&place)
        },
        &[],
    )
    .unwrap();
    publish(&patient, &made[..1]);

    let other = rusqlite::Connection::open(folder.path().join("messages.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let message = made[1].clone();
    let refused = impatient.transact(move |tx| tx.publish(&message));
    let Err(TransactError::Sql(error)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.kind(), SqlErrorKind::Busy);
    let waiting: Vec<_> = made[1..]
        .iter()
        .map(|message| {
            let message = message.clone();
            patient.transact_later(move |tx| tx.publish(&message))
        })
        .collect();
    assert_eq!(from_oldest(&patient), made[..1]);
    other.execute_batch("COMMIT").unwrap();
    waiting.into_iter().for_each(|ticket| {
        ticket.wait().unwrap();
    });
    assert_eq!(from_oldest(&impatient), made);
}

#[test]
fn a_transaction_of_the_service_itself_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&place(folder.path()));
    let made = messages(3);
    let mut own = rusqlite::Connection::open(folder.path().join("messages.db")).unwrap();
    own.execute_batch("CREATE TABLE door (name TEXT)").unwrap();
    let mut transaction = own.transaction().unwrap();
    transaction
        .execute("INSERT INTO door VALUES ('north')", [])
        .unwrap();
    Tx::from(&mut transaction).publish(&made[0]).unwrap();
    transaction.commit().unwrap();
    let mut transaction = own.transaction().unwrap();
    Tx::from(&mut transaction).publish(&made[1]).unwrap();
    transaction.rollback().unwrap();
    publish(&store, &made[2..]);
    assert_eq!(from_oldest(&store), [made[0].clone(), made[2].clone()]);
}

#[test]
fn a_job_that_ends_the_transaction_fails_alone_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&place(folder.path()));
    let made = messages(2);
    let message = made[0].clone();
    let ended = store.transact(move |tx| {
        tx.publish(&message)?;
        tx.execute("ROLLBACK", &[])?;
        Ok::<_, PublishError>(())
    });
    assert!(matches!(ended, Err(TransactError::Sql(_))), "{ended:?}");
    publish(&store, &made[1..]);
    assert_eq!(from_oldest(&store), made[1..]);
}
