//! The folder that all processes of a run share, and what they agree on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outbox::inbox::{Inbox, InboxConfig};
use outbox::{Component, Migration, Place, Store, StoreConfig};

/// The state that messages tell of: a row for each, by the message's id.
const STATE: Component = Component {
    name: "crash_rig",
    migrations: &[Migration {
        version: 1,
        sqlite: "CREATE TABLE state (id TEXT PRIMARY KEY, resource TEXT NOT NULL)",
        postgres: "CREATE TABLE state (id TEXT PRIMARY KEY, resource TEXT NOT NULL)",
    }],
};

/// Where a run takes place.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new run over these databases.
    pub(crate) fn make(path: &Path, store: &str, consumer: &str, url: &str) -> Self {
        fs::write(path.join("places"), format!("{store}\n{consumer}\n{url}\n")).unwrap();
        Self::at(path)
    }

    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn place(&self, line: usize) -> String {
        let text = fs::read_to_string(self.file("places")).unwrap();
        text.lines().nth(line).unwrap().to_owned()
    }

    /// The database of messages and state.
    pub(crate) fn store_place(&self) -> Place {
        self.place(0).parse().unwrap()
    }

    /// The consumer's own database.
    pub(crate) fn consumer_place(&self) -> Place {
        self.place(1).parse().unwrap()
    }

    /// Where the feed is.
    pub(crate) fn feed_url(&self) -> String {
        self.place(2)
    }

    /// Opens the store; a database that is down is tried again until it is there.
    pub(crate) fn open_store(&self) -> Store {
        let config = StoreConfig {
            commit_window: Duration::from_millis(2),
            purge_interval: Duration::ZERO,
            look_interval: Duration::from_millis(20),
            headroom_bytes: 1 << 20,
            ..StoreConfig::new(self.store_place())
        };
        again(|| Store::open(config.clone(), &[STATE]))
    }

    /// The consumer's inbox.
    pub(crate) fn inbox() -> Inbox {
        Inbox::new(InboxConfig::new("crash")).unwrap()
    }

    /// Asks a process to end.
    pub(crate) fn tell_to_stop(&self, role: &str) {
        fs::write(self.file(&format!("stop.{role}")), "").unwrap();
    }

    pub(crate) fn is_told_to_stop(&self, role: &str) -> bool {
        self.file(&format!("stop.{role}")).exists()
    }
}

/// Tries until it works, as a service does whose database is down; the rig's own patience ends it.
pub(crate) fn again<T, E: std::fmt::Display>(mut work: impl FnMut() -> Result<T, E>) -> T {
    loop {
        match work() {
            Ok(done) => return done,
            Err(error) => eprintln!("again: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
