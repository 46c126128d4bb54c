//! Transactions: kept as a whole, in order, once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use outbox::{
    Dialect, Message, PageQuery, Place, Publish as _, PublishError, Published, SqlError, Start,
    Store, TransactError, Tx, Value,
};

use crate::support::{all, from_oldest, messages, open, page, publish};

pub(super) fn what_is_committed_is_read_in_the_order_of_commits(place: &Place) {
    let store = open(place);
    let mut expected = messages(20);
    // Ids in another order than commits.
    expected.reverse();
    for message in &expected {
        publish(&store, std::slice::from_ref(message));
    }
    assert_eq!(from_oldest(&store), expected);
    // And after a restart.
    store.close();
    assert_eq!(from_oldest(&open(place)), expected);
}

pub(super) fn the_same_id_again_stores_nothing_twice(place: &Place) {
    let store = open(place);
    let once = messages(1).remove(0);
    let give = |message: Message| store.transact(move |tx| tx.publish(&message)).unwrap();
    assert_eq!(give(once.clone()), Published::New);
    assert_eq!(give(once.clone()), Published::Already);
    let twice = once.clone();
    let in_one = store.transact(move |tx| {
        tx.publish(&twice)?;
        tx.publish(&twice)
    });
    assert_eq!(in_one.unwrap(), Published::Already);
    assert_eq!(from_oldest(&store), [once]);
}

pub(super) fn a_job_that_refuses_is_rolled_back_alone(place: &Place) {
    let mut config = crate::support::config(place);
    // All of them meet in one commit.
    config.commit_window = Duration::from_millis(200);
    let store = Store::open(config, &[]).unwrap();
    make_things(&store);
    let made = messages(4);
    let job = |index: usize, fails: bool| {
        let message = made[index].clone();
        store.transact_later(move |tx| {
            tx.execute(
                "INSERT INTO thing VALUES (?1)",
                &[Value::Integer(index as i64)],
            )
            .map_err(|error| error.to_string())?;
            tx.publish(&message).map_err(|error| error.to_string())?;
            if fails {
                Err("no".to_owned())
            } else {
                Ok(index)
            }
        })
    };
    let first = job(0, false);
    let refused = job(1, true);
    let message = made[2].clone();
    let panics = store.transact_later(move |tx| -> Result<(), PublishError> {
        tx.publish(&message)?;
        panic!("a mistake in a job");
    });
    let last = job(3, false);
    assert_eq!(first.wait().unwrap(), 0);
    assert!(matches!(refused.wait(), Err(TransactError::Refused(why)) if why == "no"));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics.wait()));
    assert!(panicked.is_err());
    assert_eq!(last.wait().unwrap(), 3);
    assert_eq!(from_oldest(&store), [made[0].clone(), made[3].clone()]);
    assert_eq!(things(&store), [0, 3]);
}

pub(super) fn a_job_that_goes_on_after_an_error_is_kept_only_where_that_is_sound(place: &Place) {
    let store = open(place);
    let message = messages(1).remove(0);
    let result = store.transact(move |tx| {
        tx.publish(&message)?;
        let failed = tx.execute("INSERT INTO nowhere VALUES (1)", &[]);
        assert!(failed.is_err());
        Ok::<_, PublishError>(tx.dialect())
    });
    // SQLite undoes the statement, PostgreSQL the transaction: what is told is what is kept.
    match result {
        Ok(dialect) => {
            assert_eq!(dialect, Dialect::Sqlite);
            assert_eq!(from_oldest(&store).len(), 1);
        }
        Err(error) => {
            assert!(matches!(error, TransactError::Sql(_)), "{error}");
            assert!(from_oldest(&store).is_empty());
        }
    }
    // And it goes on.
    publish(&store, &messages(1));
}

pub(super) fn a_closed_store_takes_nothing(place: &Place) {
    let store = open(place);
    let clone = store.clone();
    let made = messages(1);
    publish(&store, &made);
    store.close();
    let refused = clone.transact(|_| Ok::<_, SqlError>(()));
    assert!(matches!(refused, Err(TransactError::Closed)));
    assert_eq!(from_oldest(&clone), made);
}

pub(super) fn two_stores_on_one_database_lose_and_repeat_nothing(place: &Place) {
    const EACH: usize = 150;
    let reader = open(place);
    let (done, ended) = mpsc::channel();
    let seen = std::thread::scope(|scope| {
        for _ in 0..2 {
            let done = done.clone();
            scope.spawn(move || {
                // A connection of its own, as another process has.
                let store = open(place);
                for message in messages(EACH) {
                    publish(&store, &[message]);
                }
                done.send(()).unwrap();
            });
        }
        drop(done);
        let mut query = PageQuery::new(Start::Oldest);
        let mut seen = Vec::new();
        let mut writers = 2;
        loop {
            let last_look = writers == 0;
            let (new, next) = all(&reader, &query);
            seen.extend(new.into_iter().map(|message| message.id));
            query.after = Start::Cursor(next);
            if last_look {
                return seen;
            }
            writers -= ended.try_iter().count();
        }
    });
    assert_eq!(seen.len(), 2 * EACH);
    let stored: Vec<_> = from_oldest(&reader)
        .into_iter()
        .map(|message| message.id)
        .collect();
    assert_eq!(seen, stored);
}

pub(super) fn followers_and_hooks_wake(place: &Place) {
    let store = open(place);
    let hooked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&hooked);
    store.on_commit(Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let head = store.head().unwrap();
    assert!(
        !store
            .follow()
            .wait(&head, Instant::now() + Duration::from_millis(50))
    );
    let patience = Instant::now() + Duration::from_secs(60);
    let follow = store.follow();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| follow.wait(&head, patience));
        publish(&store, &messages(1));
        assert!(waiting.join().unwrap());
    });
    assert!(hooked.load(Ordering::Relaxed) > 0);
    // What another process commits is found too.
    let head = page(&store, Start::Cursor(head)).next;
    publish(&open(place), &messages(1));
    assert!(store.follow().wait(&head, patience));
}

pub(super) fn state_and_cursor_are_of_one_moment(place: &Place) {
    let store = open(place);
    make_things(&store);
    let put = |n: usize, message: Message| {
        let job = move |tx: &mut Tx<'_>| {
            tx.execute("INSERT INTO thing VALUES (?1)", &[Value::Integer(n as i64)])?;
            tx.publish(&message)?;
            Ok::<_, PublishError>(())
        };
        store.transact(job).unwrap();
    };
    let made = messages(6);
    made[..3]
        .iter()
        .enumerate()
        .for_each(|(n, message)| put(n, message.clone()));
    // A late joiner reads the state; the world goes on while it reads.
    let (state, cursor) = store
        .read(|reading| {
            made[3..]
                .iter()
                .enumerate()
                .for_each(|(n, message)| put(n + 3, message.clone()));
            let rows = reading.query("SELECT n FROM thing ORDER BY n", &[])?;
            Ok::<_, SqlError>((rows.len(), reading.cursor()))
        })
        .unwrap();
    assert_eq!(state, 3);
    let (missed, _) = all(&store, &PageQuery::new(Start::Cursor(cursor)));
    assert_eq!(missed, made[3..]);
    // Readers do not write.
    let write =
        store.read(|reading| reading.query("INSERT INTO thing VALUES (9) RETURNING n", &[]));
    assert!(write.is_err());
    assert_eq!(things(&store).len(), 6);
}

pub(super) fn the_database_keeps_values_of_every_kind(place: &Place) {
    let store = open(place);
    let values: [Value; 5] = [
        i64::MIN.into(),
        0.5.into(),
        "ü'; DROP TABLE kept; --".into(),
        vec![0_u8, 255].into(),
        Value::Null,
    ];
    let given = values.clone();
    let rows = store
        .transact(move |tx| {
            let (real, blob) = match tx.dialect() {
                Dialect::Sqlite => ("REAL", "BLOB"),
                Dialect::Postgres => ("double precision", "bytea"),
            };
            let make =
                format!("CREATE TABLE kept (a bigint, b {real}, c text, d {blob}, e bigint)");
            tx.execute(&make, &[])?;
            tx.execute("INSERT INTO kept VALUES (?1, ?2, ?3, ?4, ?5)", &given)?;
            tx.query(
                "SELECT a, b, c, d, e FROM kept WHERE c = ?1",
                &[given[2].clone()],
            )
        })
        .unwrap();
    let kept: Vec<_> = (0..5)
        .map(|column| rows[0].value(column).unwrap().clone())
        .collect();
    assert_eq!(kept, values);
}

fn make_things(store: &Store) {
    store
        .transact(|tx| tx.execute("CREATE TABLE thing (n bigint)", &[]))
        .unwrap();
}

fn things(store: &Store) -> Vec<i64> {
    let rows = store
        .read(|reading| reading.query("SELECT n FROM thing ORDER BY n", &[]))
        .unwrap();
    rows.iter().map(|row| row.integer(0).unwrap()).collect()
}

/// Panics when it is dropped, on whatever thread that is.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a panic that the test wants");
        }
    }
}

pub(super) fn nothing_that_a_caller_does_ends_the_writer(place: &Place) {
    let store = open(place);
    let made = messages(3);
    let (told, heard) = mpsc::channel();
    let own = store.clone();
    let waiting = std::sync::Mutex::new(true);
    store.on_commit(Box::new(move || {
        // The keeper's thread may wait for the writer, the writer may not.
        let writer = std::thread::current().name() == Some("outbox-writer");
        if writer && std::mem::take(&mut *waiting.lock().unwrap()) {
            let later = own.transact_later(|_| Ok::<_, SqlError>(()));
            let now = own.transact(|_| Ok::<_, SqlError>(()));
            let purged = own.purge(outbox::Time::now());
            told.send((now, later.wait(), purged)).unwrap();
        }
        if writer {
            panic!("a panic that the test wants");
        }
    }));
    publish(&store, &made[..1]);
    let (now, later, purged) = heard.recv().unwrap();
    assert!(matches!(now, Err(TransactError::Sql(_))), "{now:?}");
    assert!(matches!(later, Err(TransactError::Unknown(_))), "{later:?}");
    assert!(purged.is_err(), "{purged:?}");
    // The hook panicked, and its panic ended nothing.
    publish(&store, &made[1..2]);
    // A result that nobody waits for is dropped by the writer.
    drop(store.transact_later(|_| Ok::<_, SqlError>(Trap)));
    publish(&store, &made[2..]);
    assert_eq!(from_oldest(&store), made);
    // The hook holds a clone.
    store.close();
}
