//! Makes and drops the tables of a day.

use crate::limits::LOCK_DAY_WAIT_MAX;
use crate::time::Day;
use crate::tx::Session;
use crate::value::{Dialect, SqlError};

/// Tables of a day as schema 1 had them; `{day}` is the day's number.
pub(crate) const MESSAGE_SQLITE: &str = "
CREATE TABLE outbox_message_{day} (
  sequence INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  time INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  resource TEXT NOT NULL
);
CREATE INDEX outbox_message_{day}_kind ON outbox_message_{day} (kind);
";

/// Added by schema 2. What is asked to be sent again is few among many, so its index is partial.
pub(crate) const KV_SQLITE: &str = "
CREATE TABLE outbox_kv_{day} (
  message BLOB NOT NULL,
  transport TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (message, transport, key)
) WITHOUT ROWID;
CREATE INDEX outbox_kv_{day}_again ON outbox_kv_{day} (transport, message) WHERE key = 'again';
";

/// Makes the tables of a day; the caller knows that they do not exist (SQLite).
pub(crate) fn make_day(session: &mut dyn Session, day: Day) -> Result<(), SqlError> {
    match session.dialect() {
        Dialect::Sqlite => {
            session.batch(&for_day(MESSAGE_SQLITE, day))?;
            session.batch(&for_day(KV_SQLITE, day))?;
            session.execute("INSERT INTO outbox_day (day) VALUES (?1)", &[day.0.into()])?;
        }
        Dialect::Postgres => {
            session.query("SELECT outbox_make_day(?1)", &[day.0.into()])?;
        }
    }
    Ok(())
}

/// Waits until nobody else makes or drops the tables of a day. SQLite has one writer anyway.
pub(crate) fn lock_days(session: &mut dyn Session) -> Result<(), SqlError> {
    if session.dialect() == Dialect::Postgres {
        session.query("SELECT outbox_lock_days()", &[])?;
    }
    Ok(())
}

/// Keeps everybody else out of a day's tables until the transaction ends, so that what is found
/// in them is all that is dropped. Those who come meanwhile wait behind this, so it is itself not
/// patient: `Busy` if the tables are in use for longer than that.
pub(crate) fn lock_day(session: &mut dyn Session, day: Day) -> Result<(), SqlError> {
    if session.dialect() == Dialect::Postgres {
        let patience_ms = LOCK_DAY_WAIT_MAX.as_millis();
        session.batch(&format!("SET LOCAL lock_timeout = {patience_ms}"))?;
        lock_days(session)?;
        session.batch(&for_day(
            "LOCK TABLE outbox_kv_{day}, outbox_message_{day} IN ACCESS EXCLUSIVE MODE",
            day,
        ))?;
    }
    Ok(())
}

/// Drops the tables of a day.
pub(crate) fn drop_day(session: &mut dyn Session, day: Day) -> Result<(), SqlError> {
    session.batch(&for_day(
        "DROP TABLE outbox_kv_{day}; DROP TABLE outbox_message_{day};",
        day,
    ))?;
    session.execute("DELETE FROM outbox_day WHERE day = ?1", &[day.0.into()])?;
    Ok(())
}

/// The statement with the day's number in its place.
pub(crate) fn for_day(sql: &str, day: Day) -> String {
    sql.replace("{day}", &day.0.to_string())
}
