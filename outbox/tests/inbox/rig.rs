//! Databases for tests, and shorthands for what they do with them.

use outbox::inbox::{Attempt, BoxError, Database, FeedPage, Inbox, InboxConfig, Purpose};
use outbox::{Message, Place, SqlError, Time, Tx, Value};
use tempfile::TempDir;

/// A day in microseconds.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// When the tests take place.
pub(crate) const NOW: Time = Time::from_micros(1_800_000_000_000_000);

/// A database of the test's own.
pub(crate) struct Rig {
    /// Where it is.
    pub(crate) place: Place,
    _folder: Option<TempDir>,
}

impl Rig {
    /// A new file of SQLite.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            place: Place::Sqlite(folder.path().join("consumer.sqlite")),
            _folder: Some(folder),
        }
    }

    /// A database that is there already.
    pub(crate) fn at(place: Place) -> Self {
        let _folder = None;
        Self { place, _folder }
    }

    /// A connection.
    pub(crate) fn database(&self) -> Database {
        Database::open(self.place.clone()).unwrap()
    }

    /// A connection with the inbox's tables and one for effects.
    pub(crate) fn ready(&self, inbox: &Inbox) -> Database {
        let mut database = self.database();
        database.transact(|tx| inbox.create(tx)).unwrap();
        let sql = "CREATE TABLE IF NOT EXISTS effect (id TEXT NOT NULL, resource TEXT NOT NULL)";
        database.transact(|tx| tx.execute(sql, &[])).unwrap();
        database
    }
}

/// An inbox with the usual rules, changed.
pub(crate) fn inbox(change: impl FnOnce(&mut InboxConfig)) -> Inbox {
    let mut config = InboxConfig::new("test");
    change(&mut config);
    Inbox::new(config).unwrap()
}

/// A moment so many seconds after [`NOW`].
pub(crate) fn at(second: i64) -> Time {
    Time::from_micros(NOW.as_micros() + second * 1_000_000)
}

/// A message with an id made of its number.
pub(crate) fn message(number: u64, kind: &str, resource: &str) -> Message {
    let id = format!("00000000-0000-7000-8000-{number:012x}");
    Message {
        id: id.parse().unwrap(),
        time: NOW,
        kind: kind.parse().unwrap(),
        resource: resource.parse().unwrap(),
    }
}

/// A page.
pub(crate) fn page(messages: &[Message], next: &str) -> FeedPage {
    FeedPage {
        messages: messages.to_vec(),
        next: next.parse().unwrap(),
        more: false,
    }
}

/// Stores messages as a page.
pub(crate) fn receive(database: &mut Database, inbox: &Inbox, messages: &[Message]) -> usize {
    let page = page(messages, "c1");
    let received = database.transact(|tx| inbox.receive(tx, &page, Purpose::Onward, NOW));
    received.unwrap().stored
}

/// Notes a message as handled.
pub(crate) fn effect(tx: &mut Tx<'_>, message: &Message) -> Result<(), BoxError> {
    let values = [
        Value::Text(message.id.to_string()),
        Value::from(message.resource.as_str()),
    ];
    tx.execute("INSERT INTO effect (id, resource) VALUES (?1, ?2)", &values)?;
    Ok(())
}

/// One attempt at a time of day.
pub(crate) fn attempt(
    database: &mut Database,
    inbox: &Inbox,
    now: Time,
    handler: &mut dyn FnMut(&mut Tx<'_>, &Message) -> Result<(), BoxError>,
) -> Attempt {
    database
        .transact(|tx| inbox.attempt(tx, &[], now, handler))
        .unwrap()
}

/// Handles all that is due; how many.
pub(crate) fn drain(database: &mut Database, inbox: &Inbox, now: Time) -> usize {
    let mut count = 0;
    while let Attempt::Done(_) = attempt(database, inbox, now, &mut effect) {
        count += 1;
    }
    count
}

/// The ids that had an effect, in order, as often as they had it.
pub(crate) fn effects(database: &mut Database) -> Vec<String> {
    let read = |tx: &mut Tx<'_>| -> Result<Vec<String>, SqlError> {
        let rows = tx.query("SELECT id FROM effect ORDER BY id", &[])?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    };
    database.transact(read).unwrap()
}
