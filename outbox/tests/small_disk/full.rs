//! The disk, and what happens on it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use outbox::{
    Intake, Message, PageQuery, Place, Publish as _, PublishError, Start, Store, StoreConfig, Time,
    TransactError,
};

const DISK_BYTES: u64 = 24 << 20;

/// What the shell ends with where nothing can be mounted.
const NO_MOUNT: i32 = 77;

/// Noon of a day long after 1970, so that days before it have positive numbers too.
const NOON: Time = Time::from_micros(1_766_059_200_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// Mounts the disk in a namespace, and starts this program there.
pub(crate) fn on_a_small_disk() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={DISK_BYTES} tmpfs \"$1\" || exit {NO_MOUNT}; exec \"$2\" on \"$1\""
    );
    let run = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"])
        .args([folder.path(), &std::env::current_exe().unwrap()])
        .output();
    let Ok(run) = run else {
        eprintln!("skipped: no unshare to mount a small file system with");
        return;
    };
    let said = String::from_utf8_lossy(&run.stderr);
    if run.status.code() == Some(NO_MOUNT) || said.contains("unshare failed") {
        eprintln!("skipped: no small file system can be mounted here: {said}");
        return;
    }
    assert!(run.status.success(), "{said}");
}

fn message(time: Time, resource: &str) -> Message {
    Message::at(time, "a.b".parse().unwrap(), resource.parse().unwrap())
}

fn from_oldest(store: &Store) -> Vec<Message> {
    let mut query = PageQuery::new(Start::Oldest);
    let mut taken = Vec::new();
    loop {
        let page = store.page(&query).unwrap();
        taken.extend(page.messages);
        query.after = Start::Cursor(page.next);
        if !page.more {
            return taken;
        }
    }
}

/// On the small disk.
pub(crate) fn fill_and_purge(folder: &Path) {
    let place = Place::Sqlite(folder.join("messages.db"));
    let headroom = 4 << 20;
    let open = || {
        Store::open(
            StoreConfig {
                commit_window: Duration::ZERO,
                purge_interval: Duration::ZERO,
                headroom_bytes: headroom,
                ..StoreConfig::new(place.clone())
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
            .map(|_| message(NOON.plus(DAY * day), &path))
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
    let there: BTreeSet<_> = from_oldest(&open())
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
