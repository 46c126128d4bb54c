//! The tables of the outbox, one per day, and what is written to them.
//!
//! `outbox_state` has one row: what is true of the whole store. `outbox_kind` numbers the types.
//! `outbox_day` lists the days that have tables, `outbox_message_D` and `outbox_kv_D` for day
//! number D (days since 1970). A message goes to the day in its id, so that the same id again
//! meets its own row.

pub(crate) mod tables;

use crate::limits::KINDS_MAX;
use crate::time::Day;
use crate::tx::{PublishError, Published, Session, one_row};
use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};
use crate::{Cursor, Message, MessageId, Time};

use crate::cursor::Position;

/// The one row of `outbox_state`, seen in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) epoch: u64,
    /// Everything up to here can be read without a gap, and nothing will be added to it.
    pub(crate) horizon: Position,
    /// Whether a transaction that still runs keeps later ones from being read.
    pub(crate) held: bool,
    /// The last message that was purged.
    pub(crate) purged: Position,
    /// The last day that was purged; no message is taken for it or a day before it.
    pub(crate) purged_day: Day,
    /// The latest clock that was believed, in microseconds.
    pub(crate) clock_us: i64,
}

impl State {
    pub(crate) fn read(session: &mut dyn Session) -> Result<Self, SqlError> {
        let sql = match session.dialect() {
            Dialect::Sqlite => {
                "SELECT epoch, 0, sequence, purged_transaction, purged_sequence, purged_day, clock, \
                 0 FROM outbox_state"
            }
            // All transactions below the oldest one that still runs have ended.
            Dialect::Postgres => {
                "SELECT epoch, pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, \
                 9223372036854775807, purged_transaction, purged_sequence, purged_day, clock, \
                 (pg_snapshot_xmin(pg_current_snapshot()) \
                 < pg_snapshot_xmax(pg_current_snapshot()))::int FROM outbox_state"
            }
        };
        let row = one_row(session, sql, &[])?;
        let position = |column| -> Result<Position, SqlError> {
            let (transaction, sequence) = (row.integer(column)?, row.integer(column + 1)?);
            Ok(Position {
                transaction,
                sequence,
            })
        };
        Ok(Self {
            epoch: row.integer(0)?.cast_unsigned(),
            horizon: position(1)?,
            held: row.integer(7)? != 0,
            purged: position(3)?,
            purged_day: Day(row.integer(5)?),
            clock_us: row.integer(6)?,
        })
    }

    pub(crate) const fn cursor(&self, at: Position) -> Cursor {
        Cursor {
            epoch: self.epoch,
            at,
        }
    }
}

/// The days that have tables, oldest first.
pub(crate) fn days(session: &mut dyn Session) -> Result<Vec<Day>, SqlError> {
    let rows = session.query("SELECT day FROM outbox_day ORDER BY day", &[])?;
    rows.iter().map(|row| Ok(Day(row.integer(0)?))).collect()
}

/// The message in a row of id, time, name of the type, resource.
pub(crate) fn message(row: &Row) -> Result<Message, SqlError> {
    let broken = |what: &str| {
        let text = format!("a row of the outbox has no valid {what}");
        SqlError::new(SqlErrorKind::Shape, text)
    };
    let id = row
        .blob(0)?
        .try_into()
        .ok()
        .and_then(|id| MessageId::from_bytes(id).ok());
    Ok(Message {
        id: id.ok_or_else(|| broken("id"))?,
        time: Time::from_micros(row.integer(1)?),
        kind: row.text(2)?.parse().map_err(|_| broken("type"))?,
        resource: row.text(3)?.parse().map_err(|_| broken("resource"))?,
    })
}

pub(crate) fn publish(
    session: &mut dyn Session,
    message: &Message,
) -> Result<Published, PublishError> {
    match session.dialect() {
        Dialect::Sqlite => publish_to_sqlite(session, message),
        Dialect::Postgres => publish_to_postgres(session, message),
    }
}

/// SQLite has one writer, so the sequence is drawn in the transaction without anybody waiting.
fn publish_to_sqlite(
    session: &mut dyn Session,
    message: &Message,
) -> Result<Published, PublishError> {
    let day = message.id.day();
    let kind = kind_number(session, message)?;
    let insert = format!(
        "INSERT INTO outbox_message_{day} (sequence, id, time, kind, resource)
         VALUES ((SELECT sequence + 1 FROM outbox_state), ?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        day = day.0
    );
    let values = [
        message.id.into(),
        message.time.into(),
        kind.into(),
        Value::from(&message.resource),
    ];
    let inserted = match session.execute(&insert, &values) {
        Err(error) if error.kind() == SqlErrorKind::NoSuchTable => {
            // The first message of its day, or a day that is gone.
            if day <= State::read(session)?.purged_day {
                return Err(PublishError::Purged(message.id));
            }
            tables::make_day(session, day)?;
            session.execute(&insert, &values)?
        }
        inserted => inserted?,
    };
    if inserted == 0 {
        return Ok(Published::Already);
    }
    session.execute("UPDATE outbox_state SET sequence = sequence + 1", &[])?;
    Ok(Published::New)
}

fn kind_number(session: &mut dyn Session, message: &Message) -> Result<i64, PublishError> {
    let find = "SELECT number FROM outbox_kind WHERE name = ?1";
    if let Some(row) = session.query(find, &[Value::from(&message.kind)])?.first() {
        return Ok(row.integer(0)?);
    }
    let known = one_row(session, "SELECT count(*) FROM outbox_kind", &[])?.integer(0)?;
    if usize::try_from(known).unwrap_or(usize::MAX) >= KINDS_MAX {
        return Err(PublishError::TooManyKinds(message.kind.clone()));
    }
    session.execute(
        "INSERT INTO outbox_kind (name) VALUES (?1)",
        &[Value::from(&message.kind)],
    )?;
    Ok(one_row(session, find, &[Value::from(&message.kind)])?.integer(0)?)
}

/// One call of a function that lives in the database: one round trip.
fn publish_to_postgres(
    session: &mut dyn Session,
    message: &Message,
) -> Result<Published, PublishError> {
    let values = [
        Value::from(message.id),
        message.id.day().0.into(),
        message.time.into(),
        Value::from(&message.kind),
        Value::from(&message.resource),
    ];
    let row = one_row(
        session,
        "SELECT outbox_publish(?1, ?2, ?3, ?4, ?5)",
        &values,
    )?;
    match row.integer(0)? {
        1 => Ok(Published::New),
        0 => Ok(Published::Already),
        -1 => Err(PublishError::Purged(message.id)),
        _ => Err(PublishError::TooManyKinds(message.kind.clone())),
    }
}
