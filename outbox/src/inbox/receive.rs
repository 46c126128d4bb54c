//! A page becomes rows: each message once, and the cursor with them.

use std::collections::{HashMap, HashSet};

use super::limits::WAITING_MAX;
use super::poller::{After, Purpose, Received, Resume};
use super::{FeedCursor, FeedPage, Inbox, rows};
use crate::{Message, SqlError, Time, Tx, Value};

/// Rows in one statement: few round trips, and far from any database's limit of values.
const ROWS_PER_STATEMENT: usize = 200;

impl Inbox {
    /// Stores what was not seen before and, if the page was asked for to go on, the cursor.
    ///
    /// All of it or nothing is in the transaction; a page that comes again changes nothing.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses; the transaction has to be rolled back.
    pub fn receive(
        &self,
        tx: &mut Tx<'_>,
        page: &FeedPage,
        purpose: Purpose,
        now: Time,
    ) -> Result<Received, SqlError> {
        let onward = (purpose == Purpose::Onward).then_some(&page.next);
        self.receive_all(tx, &page.messages, onward, now)
    }

    fn receive_all(
        &self,
        tx: &mut Tx<'_>,
        messages: &[Message],
        onward: Option<&FeedCursor>,
        now: Time,
    ) -> Result<Received, SqlError> {
        let newest = messages.iter().map(|message| message.time).max();
        let wanted = |message: &&Message| {
            let kinds = &self.config.kinds;
            kinds.is_empty() || kinds.iter().any(|pattern| pattern.matches(&message.kind))
        };
        let messages: Vec<&Message> = messages.iter().filter(wanted).collect();
        let mut received = Received::default();
        for chunk in messages.chunks(ROWS_PER_STATEMENT) {
            let fresh = self.mark_seen(tx, chunk, now)?;
            self.let_wait(tx, &fresh, now)?;
            if self.config.coalesce {
                self.coalesce(tx, &fresh)?;
            }
            received.stored += fresh.len();
            let oldest = fresh.iter().map(|message| message.time).min();
            received.oldest = match (received.oldest, oldest) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        self.keep_place(tx, onward, newest, now)?;
        Ok(received)
    }

    /// Stores one message that came another way than by polling, such as from a broker.
    ///
    /// # Errors
    /// As [`Inbox::receive`].
    pub fn receive_one(
        &self,
        tx: &mut Tx<'_>,
        message: &Message,
        now: Time,
    ) -> Result<Received, SqlError> {
        self.receive_all(tx, std::slice::from_ref(message), None, now)
    }

    /// Where this inbox goes on; `beginning` is for one that never stored a page.
    ///
    /// # Errors
    /// [`SqlError`] when the database does not answer.
    pub fn resume(&self, tx: &mut Tx<'_>, beginning: After) -> Result<Resume, SqlError> {
        let sql = "SELECT cursor, newest_us FROM inbox_place WHERE inbox = ?1";
        let found = tx.query(sql, &[self.name()])?;
        let Some(row) = found.first() else {
            return Ok(Resume {
                after: beginning,
                newest: None,
            });
        };
        let cursor = rows::optional_text(row, 0)?.and_then(|text| text.parse().ok());
        Ok(Resume {
            after: cursor.map_or(beginning, After::Cursor),
            newest: rows::optional_integer(row, 1)?.map(Time::from_micros),
        })
    }

    /// Keeps a place that did not come with a page, as after reading the state anew; anything but a
    /// cursor forgets the place.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses.
    pub fn go_on_from(&self, tx: &mut Tx<'_>, after: &After) -> Result<(), SqlError> {
        let cursor = match after {
            After::Cursor(cursor) => Value::from(cursor.as_str()),
            After::Since(_) | After::Oldest | After::Head => Value::Null,
        };
        let sql = "INSERT INTO inbox_place (inbox, cursor) VALUES (?1, ?2)
            ON CONFLICT (inbox) DO UPDATE SET cursor = excluded.cursor";
        tx.execute(sql, &[self.name(), cursor])?;
        Ok(())
    }

    pub(super) fn name(&self) -> Value {
        Value::from(self.config.name.as_str())
    }

    /// How many messages wait; counting ends at [`WAITING_MAX`].
    pub(super) fn waiting(&self, tx: &mut Tx<'_>) -> Result<u64, SqlError> {
        let sql = format!(
            "SELECT COUNT(*) FROM
                (SELECT 1 FROM inbox_waiting WHERE inbox = ?1 LIMIT {WAITING_MAX}) AS few"
        );
        let found = tx.query(&sql, &[self.name()])?;
        let count = found.first().map_or(Ok(0), |row| row.integer(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Marks ids as seen and gives those messages whose ids were not.
    fn mark_seen<'a>(
        &self,
        tx: &mut Tx<'_>,
        messages: &[&'a Message],
        now: Time,
    ) -> Result<Vec<&'a Message>, SqlError> {
        let mut values = Vec::with_capacity(messages.len() * 4);
        for message in messages {
            values.extend([
                self.name(),
                Value::Text(message.id.to_string()),
                Value::Integer(message.time.as_micros()),
                Value::Integer(now.as_micros()),
            ]);
        }
        let sql = format!(
            "INSERT INTO inbox_seen (inbox, id, time_us, received_us) VALUES {}
             ON CONFLICT (inbox, id) DO NOTHING RETURNING id",
            rows::tuples(messages.len(), 4, 0)
        );
        let mut fresh = HashSet::new();
        for row in tx.query(&sql, &values)? {
            fresh.insert(row.text(0)?.to_owned());
        }
        // Removing makes the first of a page's equal ids the only one.
        let is_fresh = |message: &&&Message| fresh.remove(&message.id.to_string());
        Ok(messages.iter().filter(is_fresh).copied().collect())
    }

    fn let_wait(&self, tx: &mut Tx<'_>, messages: &[&Message], now: Time) -> Result<(), SqlError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut values = Vec::with_capacity(messages.len() * 6);
        for message in messages {
            values.extend([
                self.name(),
                Value::Text(message.id.to_string()),
                Value::Integer(message.time.as_micros()),
                Value::from(message.kind.as_str()),
                Value::from(message.resource.as_str()),
                Value::Integer(now.as_micros()),
            ]);
        }
        let tuples = rows::tuples(messages.len(), 6, 0).replace(')', ",0,0,0)");
        let sql = format!(
            "INSERT INTO inbox_waiting
                (inbox, id, time_us, kind, resource, due_us, attempts, replays, taken)
             VALUES {tuples}"
        );
        tx.execute(&sql, &values)?;
        Ok(())
    }

    /// Of the messages that wait for one resource, keeps the newest.
    ///
    /// One that is being handled now neither goes nor makes others go: its handler may have read the
    /// resource before the change that another tells of.
    fn coalesce(&self, tx: &mut Tx<'_>, fresh: &[&Message]) -> Result<(), SqlError> {
        let resources: HashSet<&str> = fresh
            .iter()
            .map(|message| message.resource.as_str())
            .collect();
        if resources.is_empty() {
            return Ok(());
        }
        let mut values = vec![self.name()];
        values.extend(resources.iter().map(|&resource| Value::from(resource)));
        let sql = format!(
            "SELECT id, resource FROM inbox_waiting
             WHERE inbox = ?1 AND taken = 0 AND resource IN {} ORDER BY id{}",
            rows::list(resources.len(), 1),
            rows::skip_locked(tx)
        );
        let mut newest: HashMap<String, String> = HashMap::new();
        let mut older = Vec::new();
        for row in tx.query(&sql, &values)? {
            let (id, resource) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            // Texts of UUIDs are ordered as the UUIDs are, so the last one is the newest.
            if let Some(before) = newest.insert(resource, id) {
                older.push(Value::Text(before));
            }
        }
        for chunk in older.chunks(ROWS_PER_STATEMENT) {
            let sql = format!(
                "DELETE FROM inbox_waiting WHERE inbox = ?1 AND id IN {}",
                rows::list(chunk.len(), 1)
            );
            let values: Vec<Value> = [self.name()]
                .into_iter()
                .chain(chunk.iter().cloned())
                .collect();
            tx.execute(&sql, &values)?;
        }
        Ok(())
    }

    fn keep_place(
        &self,
        tx: &mut Tx<'_>,
        onward: Option<&FeedCursor>,
        newest: Option<Time>,
        now: Time,
    ) -> Result<(), SqlError> {
        let values = [
            self.name(),
            onward.map(FeedCursor::as_str).into(),
            newest.into(),
            Value::Integer(now.as_micros()),
        ];
        // Without a new value the old one stays; the newest time never goes back.
        let sql = "INSERT INTO inbox_place (inbox, cursor, newest_us, stored_us)
            VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (inbox) DO UPDATE SET
                cursor = COALESCE(excluded.cursor, inbox_place.cursor),
                newest_us = CASE
                    WHEN inbox_place.newest_us IS NULL THEN excluded.newest_us
                    WHEN excluded.newest_us > inbox_place.newest_us THEN excluded.newest_us
                    ELSE inbox_place.newest_us END,
                stored_us = excluded.stored_us";
        tx.execute(sql, &values)?;
        Ok(())
    }
}
