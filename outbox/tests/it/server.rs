//! What PostgreSQL has of its own: settings, crashes, transactions of the service itself.

use outbox::testing::PostgresServer;
use outbox::{
    MigrateError, OpenError, Place, Publish as _, PublishError, SqlError, Start, Store,
    TransactError, Tx, backup, restore,
};

use crate::support::{DAY, NOON, config, from_oldest, message, messages, open, page, publish};

#[test]
fn a_server_that_is_not_durable_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut system = |change: &str| {
        // It refuses to share a call with another statement.
        client
            .batch_execute(&format!("ALTER SYSTEM {change}"))
            .unwrap();
        client.batch_execute("SELECT pg_reload_conf()").unwrap();
    };
    system("SET full_page_writes = off");
    // The setting of a new session is what counts.
    let off = || {
        let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
        let row = client.query_one("SHOW full_page_writes", &[]).unwrap();
        row.get::<_, String>(0) == "off"
    };
    while !off() {}
    let Err(error) = Store::open(config(&Place::Postgres(address.clone())), &[]) else {
        panic!("opened");
    };
    assert!(
        error.to_string().contains("full_page_writes is off"),
        "{error}"
    );
    // A session's own default does not count: durability is set for each.
    system("RESET full_page_writes");
    while off() {}
    client
        .batch_execute("ALTER ROLE tester SET synchronous_commit = off")
        .unwrap();
    let store = open(&Place::Postgres(address));
    let rows = store
        .transact(|tx| tx.query("SHOW synchronous_commit", &[]))
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "on");
}

#[test]
fn a_crash_of_the_server_loses_nothing_and_the_store_connects_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let store = open(&Place::Postgres(server.database().unwrap()));
    let made = messages(30);
    let mut unanswered = 0;
    for (round, some) in made.chunks(10).enumerate() {
        publish(&store, &some[..5]);
        let head = page(&store, Start::Oldest).next;
        server.kill().unwrap();
        let one = some[5].clone();
        let failed = store.transact(move |tx| tx.publish(&one));
        assert!(
            matches!(
                failed,
                Err(TransactError::Sql(_) | TransactError::Unknown(_))
            ),
            "{failed:?}"
        );
        unanswered += 1;
        assert!(store.head().is_err());
        assert!(store.health().database.is_err());
        server.start().unwrap();
        assert_eq!(server.unclean_starts().unwrap(), round + 1);
        // Done again with the same ids: what was committed without an answer is not doubled.
        publish(&store, some);
        assert_eq!(page(&store, Start::Cursor(head)).messages.len(), 5);
    }
    assert_eq!(unanswered, 3);
    assert_eq!(from_oldest(&store), made);
}

/// Numbers of transactions that ended without the disk being told are given out again after a
/// crash. A cursor among them would skip what is committed under them then.
#[test]
fn no_message_is_skipped_whose_transaction_has_a_number_that_came_before_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let store = open(&Place::Postgres(address.clone()));
    let made = messages(4);
    publish(&store, &made[..2]);
    let mut other = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut number = || -> i64 {
        let mut transaction = other.transaction().unwrap();
        let sql = "SELECT pg_current_xact_id()::text::bigint";
        let row = transaction.query_one(sql, &[]).unwrap();
        transaction.rollback().unwrap();
        row.get(0)
    };
    let given = (0..50).map(|_| number()).max().unwrap();
    let cursors = [
        store.read(|reading| Ok::<_, SqlError>(reading.cursor())),
        store.head(),
        Ok(page(&store, Start::Oldest).next),
        Ok(page(&store, Start::Head).next),
        Ok(store.health().database.unwrap().head),
    ];
    server.kill().unwrap();
    server.start().unwrap();
    // The first one finds its connection broken.
    let lost = made[2].clone();
    let _ = store.transact(move |tx| tx.publish(&lost));
    let again = made[2].clone();
    let sql = "SELECT pg_current_xact_id()::text::bigint";
    let taken = store.transact(move |tx| {
        tx.publish(&again)?;
        Ok::<_, PublishError>(tx.query(sql, &[])?[0].integer(0)?)
    });
    let taken = taken.unwrap();
    assert!(
        taken <= given,
        "{taken} came anew, after {given}: nothing was tried"
    );
    publish(&store, &made[3..]);
    for cursor in cursors {
        let cursor = cursor.unwrap();
        let follows = store.follow().wait(&cursor, std::time::Instant::now());
        assert!(follows, "{cursor}");
        assert_eq!(
            page(&store, Start::Cursor(cursor)).messages,
            made[2..],
            "{cursor}"
        );
    }
}

#[test]
fn a_transaction_of_the_service_itself_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let store = open(&Place::Postgres(address.clone()));
    let made = messages(3);
    let mut own = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut transaction = own.transaction().unwrap();
    transaction
        .batch_execute("CREATE TABLE door (name text)")
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
fn an_address_where_nobody_listens_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let place = Place::Postgres(format!("postgres://nobody:secret@127.0.0.1:{port}/none"));
    let Err(error @ OpenError::Sql { .. }) = Store::open(config(&place), &[]) else {
        panic!("opened");
    };
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("no connection to PostgreSQL") && !text.contains("secret"),
        "{text}"
    );
}

/// Whoever reads an old day, as a dump does, or publishes to it again must not hold up the writer
/// for long, and nothing that is committed to it while its purge waits is dropped unseen.
#[test]
fn a_purge_leaves_a_day_that_is_in_use_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let store = open(&Place::Postgres(address.clone()));
    let made = messages(2);
    publish(&store, &made[..1]);
    let young = message(NOON.plus(DAY * 6), "a.b", "/young");
    publish(&store, std::slice::from_ref(&young));
    let old = NOON.plus(DAY * 6);

    let mut other = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut dump = other.transaction().unwrap();
    let table = format!("outbox_message_{}", NOON.as_micros() / 86_400_000_000);
    dump.execute(&format!("SELECT * FROM {table}"), &[])
        .unwrap();
    // With the patience of the store, a minute, it would not return before the reader ends.
    let purged = store.purge(old).unwrap();
    assert_eq!((purged.days.len(), purged.kept_in_use), (0, 1));
    assert_eq!(store.health().days_kept_in_use, 1);
    dump.rollback().unwrap();

    let mut late = other.transaction().unwrap();
    Tx::from(&mut late).publish(&made[1]).unwrap();
    let purged = store.purge(old).unwrap();
    assert_eq!((purged.days.len(), purged.kept_in_use), (0, 1));
    late.commit().unwrap();
    // The late message lies behind the young one now, which must not be lost with its day.
    let purged = store.purge(old).unwrap();
    assert_eq!((purged.days.len(), purged.kept_for_younger), (0, 1));
    assert_eq!(
        from_oldest(&store),
        [made[0].clone(), young, made[1].clone()]
    );
    assert_eq!(store.health().days_kept_in_use, 0);
}

/// Between the end of `pg_restore` and the new history the tables hold another server's epoch and
/// transactions: cursors of before would be answered, and messages skipped.
#[test]
fn a_database_whose_restore_was_broken_off_is_not_opened_until_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let place = Place::Postgres(address.clone());
    let made = messages(2);
    let store = open(&place);
    publish(&store, &made);
    store.close();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("backup");
    backup(&config(&place), &file).unwrap();

    // A lock on what is to be replaced stops the restore between its mark and its end.
    let mut other = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut look = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut lock = other.transaction().unwrap();
    lock.execute("SELECT * FROM outbox_state", &[]).unwrap();
    std::thread::scope(|scope| {
        let restoring = scope.spawn(|| restore(&config(&place), &file, true));
        let waits = "SELECT count(*) FROM pg_stat_activity \
                     WHERE application_name = 'pg_restore' AND wait_event_type = 'Lock'";
        while look.query_one(waits, &[]).unwrap().get::<_, i64>(0) == 0 {
            assert!(!restoring.is_finished(), "{:?}", restoring.join());
        }
        let refused = Store::open(config(&place), &[]);
        let Err(OpenError::Migrate { source, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(matches!(source, MigrateError::HalfRestored), "{source}");
        lock.rollback().unwrap();
        restoring.join().unwrap().unwrap();
    });
    assert_eq!(from_oldest(&open(&place)), made);

    // A restore that changes nothing leaves the store as it was.
    let junk = files.path().join("junk");
    std::fs::write(&junk, "no dump").unwrap();
    assert!(restore(&config(&place), &junk, true).is_err());
    assert_eq!(from_oldest(&open(&place)), made);
}

/// A transaction that does not end, of whomever, keeps all later messages from their consumers.
#[test]
fn a_transaction_that_holds_messages_back_shows_in_the_age_of_the_horizon() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let store = open(&Place::Postgres(address.clone()));
    let made = messages(2);
    publish(&store, &made[..1]);
    let mut other = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut slow = other.transaction().unwrap();
    slow.execute("SELECT pg_current_xact_id()", &[]).unwrap();
    publish(&store, &made[1..]);
    assert_eq!(from_oldest(&store), made[..1]);
    // The keeper looks every 20 ms; it counts from its first look on.
    let looked = |wanted: &dyn Fn(std::time::Duration) -> bool| {
        while !wanted(store.health().horizon_age) {
            std::thread::yield_now();
        }
    };
    looked(&|age| !age.is_zero());
    let one = store.health().horizon_age;
    looked(&|age| age > one + std::time::Duration::from_millis(100));
    slow.rollback().unwrap();
    looked(&|age| age.is_zero());
    assert_eq!(from_oldest(&store), made);
}
