//! Backup and restore, in both databases: what is kept, what is gone, what is refused.

use std::path::Path;

use outbox::testing::PostgresServer;
use outbox::{BackupError, Component, Migration, Place, Start, backup, inspect, restore};

use crate::support::{config, from_oldest, is_gone, messages, open, page, publish};

const NOTES: Component = Component {
    name: "notes",
    migrations: &[Migration {
        version: 1,
        sqlite: "CREATE TABLE note (text TEXT)",
        postgres: "CREATE TABLE note (text text)",
    }],
};

/// Runs a case over a place and a second, empty place of the same kind.
fn over_both(case: fn(&Path, &Place, &Place)) {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| Place::Sqlite(folder.path().join(name));
    case(folder.path(), &place("one.db"), &place("two.db"));
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let files = tempfile::tempdir().unwrap();
    let place = || Place::Postgres(server.database().unwrap());
    case(files.path(), &place(), &place());
}

#[test]
fn a_backup_of_a_store_in_use_is_restored_with_an_epoch_of_its_own() {
    over_both(|folder, one, two| {
        let file = folder.join("backup");
        let made = messages(30);
        let store = outbox::Store::open(config(one), &[NOTES]).unwrap();
        store
            .transact(|tx| tx.execute("INSERT INTO note VALUES ('kept')", &[]))
            .unwrap();
        publish(&store, &made[..10]);
        publish(&store, &made[10..20]);
        let cursor = store.head().unwrap();
        backup(&config(one), &file).unwrap();
        publish(&store, &made[20..]);
        assert_eq!(from_oldest(&store), made, "the store went on");
        assert!(matches!(
            backup(&config(one), &file),
            Err(BackupError::Exists(_))
        ));

        restore(&config(two), &file, false).unwrap();
        let restored = outbox::Store::open(config(two), &[NOTES]).unwrap();
        assert_eq!(from_oldest(&restored), made[..20]);
        let notes = restored
            .read(|reading| reading.query("SELECT text FROM note", &[]))
            .unwrap();
        assert_eq!(notes[0].text(0).unwrap(), "kept");
        assert!(
            is_gone(&restored, cursor),
            "cursors of before could skip what was lost"
        );
        // It goes on: the same ids meet their rows, new ones come behind.
        let at = restored.head().unwrap();
        publish(&restored, &made);
        assert_eq!(page(&restored, Start::Cursor(at)).messages, made[20..]);
    });
}

#[test]
fn a_store_is_replaced_only_if_that_is_said_and_nobody_uses_it() {
    over_both(|folder, one, two| {
        let file = folder.join("backup");
        let made = messages(4);
        let store = open(one);
        publish(&store, &made[..1]);
        store.close();
        backup(&config(one), &file).unwrap();
        let store = open(two);
        publish(&store, &made[1..]);
        let refused = restore(&config(two), &file, true);
        assert!(matches!(refused, Err(BackupError::InUse(_))), "{refused:?}");
        store.close();
        let refused = restore(&config(two), &file, false);
        assert!(matches!(refused, Err(BackupError::Occupied)), "{refused:?}");
        assert_eq!(inspect(&config(two)).unwrap().days.len(), 1);
        restore(&config(two), &file, true).unwrap();
        assert_eq!(from_oldest(&open(two)), made[..1]);
    });
}

#[test]
fn what_is_no_backup_is_refused_and_the_store_stays() {
    over_both(|folder, one, _| {
        let made = messages(2);
        let store = open(one);
        publish(&store, &made);
        store.close();
        let junk = folder.join("junk");
        std::fs::write(
            &junk,
            b"not a database, but long enough to look like one".repeat(100),
        )
        .unwrap();
        assert!(restore(&config(one), &junk, true).is_err());
        assert!(restore(&config(one), &folder.join("nowhere"), true).is_err());
        assert_eq!(from_oldest(&open(one)), made);
    });
    // A database of SQLite without an outbox.
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE a (b)")
        .unwrap();
    let place = Place::Sqlite(folder.path().join("messages.db"));
    let refused = restore(&config(&place), &other, true);
    assert!(
        matches!(refused, Err(BackupError::Damaged { .. })),
        "{refused:?}"
    );
    assert!(!folder.path().join("messages.db").exists());
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .collect();
    assert!(
        left.iter()
            .all(|entry| !entry.file_name().to_string_lossy().contains("restoring"))
    );
}

/// Messages and state tell who was where: the umask of whoever starts the program must not matter.
#[test]
fn stores_and_their_backups_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&Place::Sqlite(path.clone()));
    publish(&store, &messages(1));
    for suffix in ["", "-wal", "-shm"] {
        let path = folder.path().join(format!("store.db{suffix}"));
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    over_both(|folder, one, two| {
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let store = open(one);
        publish(&store, &messages(1));
        let file = folder.join("backup");
        backup(&config(one), &file).unwrap();
        assert_eq!(mode(&file), 0o600);
        restore(&config(two), &file, false).unwrap();
        if let Place::Sqlite(path) = two {
            assert_eq!(mode(path), 0o600);
        }
    });
}
