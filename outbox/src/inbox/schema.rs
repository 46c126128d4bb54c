//! The inbox's tables, in the consumer's own database.
//!
//! Types are those that both databases share. An id is its canonical text, so that a person with a
//! database shell sees what is meant.

use super::rows::optional_integer;
use crate::{Dialect, SqlError, Tx, Value};

/// What there is of a message that was received: seen for the whole window; waiting until its
/// effect is committed; dead after too many tries. A message that is waiting or dead is also seen.
const TABLES: [&str; 9] = [
    "CREATE TABLE IF NOT EXISTS inbox_version (version BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS inbox_seen (
        inbox TEXT NOT NULL, id TEXT NOT NULL, time_us BIGINT NOT NULL, received_us BIGINT NOT NULL,
        PRIMARY KEY (inbox, id)) {keyed}",
    "CREATE INDEX IF NOT EXISTS inbox_seen_by_age ON inbox_seen (inbox, received_us)",
    "CREATE TABLE IF NOT EXISTS inbox_waiting (
        inbox TEXT NOT NULL, id TEXT NOT NULL, time_us BIGINT NOT NULL, kind TEXT NOT NULL,
        resource TEXT NOT NULL, attempts BIGINT NOT NULL, replays BIGINT NOT NULL,
        due_us BIGINT NOT NULL, taken BIGINT NOT NULL, error TEXT,
        PRIMARY KEY (inbox, id)) {keyed}",
    "CREATE INDEX IF NOT EXISTS inbox_waiting_by_due ON inbox_waiting (inbox, due_us, id)",
    "CREATE INDEX IF NOT EXISTS inbox_waiting_by_resource ON inbox_waiting (inbox, resource)",
    "CREATE TABLE IF NOT EXISTS inbox_dead (
        inbox TEXT NOT NULL, id TEXT NOT NULL, time_us BIGINT NOT NULL, kind TEXT NOT NULL,
        resource TEXT NOT NULL, attempts BIGINT NOT NULL, replays BIGINT NOT NULL,
        failed_us BIGINT NOT NULL, failure_group TEXT NOT NULL, error TEXT NOT NULL,
        PRIMARY KEY (inbox, id)) {keyed}",
    "CREATE INDEX IF NOT EXISTS inbox_dead_by_group ON inbox_dead (inbox, failure_group, failed_us)",
    "CREATE TABLE IF NOT EXISTS inbox_place (
        inbox TEXT NOT NULL PRIMARY KEY, cursor TEXT, newest_us BIGINT, stored_us BIGINT)",
];

/// The version of [`TABLES`]; a program knows its own and those before.
const VERSION: i64 = 1;

/// Makes the tables where they are missing.
///
/// # Errors
/// [`SchemaError::TooNew`] for tables of a later version of this program, [`SchemaError::Sql`] when
/// the database refuses.
pub(super) fn create(tx: &mut Tx<'_>) -> Result<(), SchemaError> {
    let keyed = match tx.dialect() {
        // The key is the table: one tree instead of two.
        Dialect::Sqlite => "WITHOUT ROWID",
        Dialect::Postgres => {
            // Two consumers that start at once would both find no table and both make one.
            let sql = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7237128891653)) AS locked";
            tx.query(sql, &[])?;
            ""
        }
    };
    for table in TABLES {
        tx.execute(&table.replace("{keyed}", keyed), &[])?;
    }
    let rows = tx.query("SELECT MAX(version) FROM inbox_version", &[])?;
    let found = rows
        .first()
        .map(|row| optional_integer(row, 0))
        .transpose()?;
    match found.flatten() {
        None => {
            let sql = "INSERT INTO inbox_version (version) VALUES (?1)";
            tx.execute(sql, &[Value::Integer(VERSION)])?;
            Ok(())
        }
        Some(found) if found > VERSION => Err(SchemaError::TooNew { found }),
        Some(_) => Ok(()),
    }
}

/// Why there are no tables to work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A later version made them.
    #[error(
        "the inbox's tables are of version {found}, this program knows {VERSION}; use a newer one"
    )]
    TooNew {
        /// Their version.
        found: i64,
    },
    /// The database refused.
    #[error("the inbox's tables cannot be made")]
    Sql(#[from] SqlError),
}
