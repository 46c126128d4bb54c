//! A disk that is full: intake is refused in time, purges work, and it goes on by itself.

use std::path::Path;
use std::process::Command;

use outbox::{Intake, Place, Publish as _, PublishError, Store, StoreConfig, TransactError};

use crate::support::{DAY, NOON, config, from_oldest, message, messages};

/// Set where the test runs on a small file system of its own.
const SMALL_DISK: &str = "OUTBOX_TEST_SMALL_DISK";
const DISK_BYTES: u64 = 24 << 20;

#[test]
fn less_free_space_than_the_headroom_refuses_visibly_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(folder.path().join("messages.db"));
    let made = messages(2);
    let store = Store::open(config(&place), &[]).unwrap();
    crate::support::publish(&store, &made[..1]);
    assert_eq!(store.health().intake, Intake::Open);
    store.close();
    let store = Store::open(
        StoreConfig {
            headroom_bytes: u64::MAX / 2,
            ..config(&place)
        },
        &[],
    )
    .unwrap();
    let message = made[1].clone();
    let refused = store.transact(move |tx| tx.publish(&message));
    assert!(matches!(refused, Err(TransactError::Full)), "{refused:?}");
    let health = store.health();
    assert_eq!((health.intake, health.commits_full), (Intake::Full, 1));
    assert_eq!(from_oldest(&store), made[..1]);
    assert!(store.purge(NOON).is_ok());
}

/// Runs the test below again on a file system of 24 MiB, which only a namespace of its own may mount.
#[test]
fn a_disk_that_fills_up_is_purged_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let itself = std::env::current_exe().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={DISK_BYTES} tmpfs \"$1\" || exit 77; \
         {SMALL_DISK}=\"$1\" exec \"$2\" --exact --nocapture sqlite::full::on_the_small_disk --ignored"
    );
    let run = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"])
        .args([folder.path(), &itself])
        .output();
    let Ok(run) = run else {
        eprintln!("skipped: no unshare to mount a small file system with");
        return;
    };
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    if run.status.code() == Some(77) || said.contains("unshare failed") {
        eprintln!("skipped: no small file system can be mounted here: {said}");
        return;
    }
    assert!(run.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "fills its disk; run by a_disk_that_fills_up_is_purged_and_goes_on"]
fn on_the_small_disk() {
    let Some(folder) = std::env::var_os(SMALL_DISK) else {
        return;
    };
    let folder = Path::new(&folder);
    let place = Place::Sqlite(folder.join("messages.db"));
    let headroom = 4 << 20;
    let open = || {
        Store::open(
            StoreConfig {
                headroom_bytes: headroom,
                ..config(&place)
            },
            &[],
        )
        .unwrap()
    };
    let store = open();
    // Believes this clock, and lays the ballast.
    store.purge(NOON).unwrap();
    assert!(folder.join("messages.db-ballast").exists());
    let mut acknowledged = Vec::new();
    let mut give = |store: &Store, day: u32| -> bool {
        let path = format!("/a/resource/with/a/long/path/{}", "x".repeat(200));
        let some: Vec<_> = (0..200)
            .map(|_| message(NOON.plus(DAY * day), "a.b", &path))
            .collect();
        let ids: Vec<_> = some.iter().map(|message| message.id).collect();
        let given = store.transact(move |tx| {
            for message in &some {
                tx.publish(message)?;
            }
            Ok::<_, PublishError>(())
        });
        match given {
            Ok(()) => acknowledged.extend(ids.into_iter().map(|id| (day, id))),
            Err(TransactError::Full) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    };
    // Messages fill it up to the mark.
    let mut rounds = 0;
    while give(&store, u32::from(rounds > 100)) {
        rounds += 1;
        assert!(rounds < 10_000, "the disk never fills");
    }
    assert!(rounds > 130, "refused at once");
    assert_eq!(store.health().intake, Intake::Full);
    // Somebody else takes all that is left, also what the log of the database held.
    let other = rusqlite::Connection::open(folder.join("messages.db")).unwrap();
    let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = other.query_row(truncate, [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
    drop(other);
    let mut stranger = std::fs::File::create(folder.join("stranger")).unwrap();
    while std::io::Write::write_all(&mut stranger, &[1; 4096]).is_ok() {}
    assert!(!give(&store, 1));
    assert!(folder.join("messages.db-ballast").exists());
    // Purging works with the ballast that was given back, and then it goes on by itself: the freed pages are inside the file.
    for day in 1..=6 {
        store.purge(NOON.plus(DAY * day)).unwrap();
    }
    assert!(
        !folder.join("messages.db-ballast").exists(),
        "nothing was given back"
    );
    let mut more = 0;
    while more < 5 && give(&store, 1) {
        more += 1;
    }
    assert_eq!(more, 5, "{:?}", store.health());
    assert_eq!(store.health().intake, Intake::Open);
    // What was acknowledged and is young enough is there.
    store.close();
    let there: std::collections::BTreeSet<_> = from_oldest(&open())
        .into_iter()
        .map(|message| message.id)
        .collect();
    let expected = acknowledged
        .iter()
        .filter(|(day, _)| *day > 0)
        .map(|(_, id)| *id);
    assert!(expected.clone().count() > 200);
    assert!(expected.clone().all(|id| there.contains(&id)));
    assert_eq!(there.len(), expected.count());
}
