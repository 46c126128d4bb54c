//! What a relay keeps in the store: its place, and what came of each message.

use std::collections::{BTreeMap, HashMap};

use super::limits::REFUSALS_MAX;
use crate::kv::KV_AGAIN;
use crate::store::Reading;
use crate::tx::{Session, Tx};
use crate::value::{Dialect, SqlError, SqlErrorKind, Value};
use crate::{Component, Cursor, MessageId, Migration, Time};

/// The table of relays; a store with relays is opened with it.
pub const COMPONENT: Component = Component {
    name: "relay",
    migrations: &[Migration {
        version: 1,
        sqlite: "CREATE TABLE relay_place (
            transport TEXT PRIMARY KEY, cursor TEXT NOT NULL, stored_us INTEGER NOT NULL)",
        postgres: "CREATE TABLE relay_place (
            transport text PRIMARY KEY, cursor text NOT NULL, stored_us bigint NOT NULL)",
    }],
};

pub(super) const ATTEMPTED: &str = "attempted";
pub(super) const ACKED: &str = "acked";
pub(super) const REFUSED: &str = "refused";
pub(super) const DELIVERY: &str = "delivery";

/// What is known of one message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// How often it was sent.
    pub(super) attempts: u32,
    pub(super) is_acked: bool,
    /// How often its receiver refused it.
    pub(super) refusals: u32,
}

impl Marks {
    /// Whether it is not sent again by itself: acknowledged, or refused too often.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_acked || self.refusals >= REFUSALS_MAX
    }
}

/// Where a relay goes on; nothing if it never stored a place, or one that means nothing any more.
pub(super) fn place(
    reading: &mut Reading<'_>,
    transport: &str,
) -> Result<Option<Cursor>, SqlError> {
    let sql = "SELECT cursor FROM relay_place WHERE transport = ?1";
    let rows = reading.query(sql, &[transport.into()])?;
    rows.first()
        .map_or(Ok(None), |row| Ok(row.text(0)?.parse().ok()))
}

/// Every relay that stored a place, with the place if it still means something, and when.
pub(super) fn places_stored(
    reading: &mut Reading<'_>,
) -> Result<Vec<(String, Option<Cursor>, Time)>, SqlError> {
    let sql = "SELECT transport, cursor, stored_us FROM relay_place ORDER BY transport";
    let rows = reading.query(sql, &[])?;
    let place = |row: &crate::Row| {
        let stored = Time::from_micros(row.integer(2)?);
        Ok((row.text(0)?.to_owned(), row.text(1)?.parse().ok(), stored))
    };
    rows.iter().map(place).collect()
}

pub(super) fn keep_place(
    tx: &mut Tx<'_>,
    transport: &str,
    place: &Cursor,
    now: Time,
) -> Result<(), SqlError> {
    let sql = "INSERT INTO relay_place (transport, cursor, stored_us) VALUES (?1, ?2, ?3)
        ON CONFLICT (transport) DO UPDATE SET cursor = excluded.cursor, stored_us = excluded.stored_us";
    let values = [transport.into(), place.to_string().into(), now.into()];
    tx.execute(sql, &values)?;
    Ok(())
}

/// What is known of messages; those of which nothing is known are missing.
pub(super) fn marks(
    reading: &mut Reading<'_>,
    transport: &str,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, Marks>, SqlError> {
    let mut known: HashMap<MessageId, Marks> = HashMap::new();
    let pairs = messages.iter().map(|id| (*id, ()));
    for (day, some) in by_day(reading.link(), pairs)? {
        let sql = format!(
            "SELECT message, key, value FROM outbox_kv_{day} WHERE transport = ?1 AND message IN ({})",
            places(2, some.len())
        );
        let mut values = vec![Value::from(transport)];
        values.extend(some.iter().map(|(id, ())| Value::from(*id)));
        for row in reading.query(&sql, &values)? {
            let id = row.blob(0)?.try_into().ok();
            let id = id
                .and_then(|id| MessageId::from_bytes(id).ok())
                .ok_or_else(|| {
                    SqlError::new(
                        SqlErrorKind::Shape,
                        "a key-value pair has no valid message id",
                    )
                })?;
            let marks = known.entry(id).or_default();
            match row.text(1)? {
                ATTEMPTED => marks.attempts = count(row.text(2)?),
                REFUSED => marks.refusals = count(row.text(2)?),
                ACKED => marks.is_acked = true,
                _ => {}
            }
        }
    }
    Ok(known)
}

/// Keeps one pair beside each message, with one statement for each day. Messages that were purged
/// meanwhile are passed over.
pub(super) fn put(
    tx: &mut Tx<'_>,
    transport: &str,
    key: &str,
    values: &[(MessageId, String)],
) -> Result<(), SqlError> {
    let blob = match tx.dialect() {
        Dialect::Sqlite => "BLOB",
        Dialect::Postgres => "bytea",
    };
    for (day, some) in by_day(tx.session, values.iter().cloned())? {
        let rows: Vec<String> = (0..some.len())
            .map(|n| {
                format!(
                    "(CAST(?{} AS {blob}), CAST(?{} AS text))",
                    2 * n + 3,
                    2 * n + 4
                )
            })
            .collect();
        let sql = format!(
            "WITH v (id, value) AS (VALUES {})
             INSERT INTO outbox_kv_{day} (message, transport, key, value)
             SELECT m.id, CAST(?1 AS text), CAST(?2 AS text), v.value
             FROM v JOIN outbox_message_{day} AS m ON m.id = v.id WHERE true
             ON CONFLICT (message, transport, key) DO UPDATE SET value = excluded.value",
            rows.join(", ")
        );
        let mut given = vec![Value::from(transport), Value::from(key)];
        for (id, value) in some {
            given.extend([Value::from(id), Value::from(value)]);
        }
        tx.session.execute(&sql, &given)?;
    }
    Ok(())
}

/// Forgets that messages were asked for again.
pub(super) fn forget_again(
    tx: &mut Tx<'_>,
    transport: &str,
    messages: &[MessageId],
) -> Result<(), SqlError> {
    let pairs = messages.iter().map(|id| (*id, ()));
    for (day, some) in by_day(tx.session, pairs)? {
        let sql = format!(
            "DELETE FROM outbox_kv_{day} WHERE key = '{KV_AGAIN}' AND transport = ?1 AND message IN ({})",
            places(2, some.len())
        );
        let mut values = vec![Value::from(transport)];
        values.extend(some.iter().map(|(id, ())| Value::from(*id)));
        tx.session.execute(&sql, &values)?;
    }
    Ok(())
}

/// Sorts by day, leaving out days without tables: PostgreSQL aborts a transaction that asks in vain.
fn by_day<S: Session + ?Sized, T>(
    session: &mut S,
    pairs: impl Iterator<Item = (MessageId, T)>,
) -> Result<BTreeMap<i64, Vec<(MessageId, T)>>, SqlError> {
    let mut days: BTreeMap<i64, Vec<(MessageId, T)>> = BTreeMap::new();
    for (id, value) in pairs {
        days.entry(id.day().0).or_default().push((id, value));
    }
    let rows = session.query("SELECT day FROM outbox_day", &[])?;
    let mut there = Vec::with_capacity(rows.len());
    for row in &rows {
        there.push(row.integer(0)?);
    }
    days.retain(|day, _| there.contains(day));
    Ok(days)
}

/// `?2, ?3, ...`
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|n| format!("?{n}")).collect();
    places.join(", ")
}

/// The number that a value begins with.
fn count(value: &str) -> u32 {
    let number = value.split(' ').next().unwrap_or_default();
    number.parse().unwrap_or(0)
}
