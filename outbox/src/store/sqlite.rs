//! Connections to SQLite: what is set on them, and how they are spoken to.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::tx::Session;
use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};

use super::link::Link;

/// Statements kept ready on one connection: pages over days and types have texts of their own.
const STATEMENTS_KEPT: usize = 128;

/// A connection of the store's own.
pub(crate) struct SqliteLink {
    connection: Connection,
    /// The last error of a statement.
    trouble: Option<SqlError>,
}

impl SqliteLink {
    /// Opens the file for writing, makes it if it does not exist, and sets what durability needs.
    pub(crate) fn writer(path: &Path, busy_wait: Duration) -> Result<Self, SqlError> {
        crate::private::make(path).map_err(|error| {
            let text = format!("cannot make or write {}: {error}", path.display());
            SqlError::new(SqlErrorKind::Other, text)
        })?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(busy_wait)?;
        // An existing file keeps its page size; a new one gets a size that fits file systems.
        connection.execute_batch(
            "PRAGMA page_size = 4096;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = 67108864;
             PRAGMA wal_autocheckpoint = 2000;
             PRAGMA cache_size = -32768;",
        )?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        let link = Self {
            connection,
            trouble: None,
        };
        link.check_durable()?;
        Ok(link)
    }

    /// Opens the file for reading; nothing can be written through it.
    pub(crate) fn reader(path: &Path, busy_wait: Duration) -> Result<Self, SqlError> {
        // Not opened read-only: the first reader after a crash recovers the log.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy_wait)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -16384;")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(Self {
            connection,
            trouble: None,
        })
    }

    /// Puts everything into the file itself, so that it can be renamed.
    pub(crate) fn to_one_file(&self) -> Result<(), SqlError> {
        let sql = "PRAGMA journal_mode = DELETE";
        let mode: String = self.connection.query_row(sql, [], |row| row.get(0))?;
        if mode == "delete" {
            return Ok(());
        }
        Err(SqlError::new(
            SqlErrorKind::Busy,
            format!("the journal stays in mode {mode}"),
        ))
    }

    /// Keeps an error, so that it can be told why SQLite ended a transaction by itself.
    fn note<T>(&mut self, result: Result<T, SqlError>) -> Result<T, SqlError> {
        if let Err(error) = &result {
            self.trouble = Some(error.again());
        }
        result
    }

    /// The settings that are in effect, not those that were asked for.
    fn check_durable(&self) -> Result<(), SqlError> {
        let journal: String = self
            .connection
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        let synchronous: i64 = self
            .connection
            .query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        if journal == "wal" && synchronous == 2 {
            return Ok(());
        }
        let text = format!(
            "the file cannot be kept durable (journal {journal}, synchronous {synchronous}); put \
             it on a local file system that supports a write-ahead log"
        );
        Err(SqlError::new(SqlErrorKind::Other, text))
    }
}

impl Link for SqliteLink {
    fn begin(&mut self) -> Result<(), SqlError> {
        // The write lock at once: a transaction that first reads could not get it later.
        self.batch("BEGIN IMMEDIATE")
    }

    fn begin_snapshot(&mut self) -> Result<(), SqlError> {
        self.batch("BEGIN")
    }

    fn commit(&mut self) -> Result<(), SqlError> {
        self.execute("COMMIT", &[]).map(|_| ())
    }

    fn roll_back(&mut self) -> Result<(), SqlError> {
        self.batch("ROLLBACK")
    }

    fn roll_back_to(&mut self, savepoint: &str) -> Result<(), SqlError> {
        self.execute(&format!("ROLLBACK TO SAVEPOINT {savepoint}"), &[])
            .map(|_| ())
    }

    fn is_open(&self) -> bool {
        true
    }

    fn in_transaction(&mut self) -> bool {
        !self.connection.is_autocommit()
    }

    fn trouble(&mut self) -> Option<SqlError> {
        // A statement that failed did nothing; only a transaction that is gone is trouble.
        if self.in_transaction() {
            return None;
        }
        let unknown = || SqlError::new(SqlErrorKind::Other, "the job ended the transaction");
        Some(self.trouble.take().unwrap_or_else(unknown))
    }

    fn restart_log(&mut self) {
        // What cannot be done now is tried again when the next commit is.
        let _ = self.batch("PRAGMA wal_checkpoint(PASSIVE)");
    }

    fn free_bytes_inside(&mut self) -> Result<u64, SqlError> {
        let number = |sql| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        let free = number("PRAGMA freelist_count")?.saturating_mul(number("PRAGMA page_size")?);
        Ok(u64::try_from(free).unwrap_or(0))
    }
}

impl Session for SqliteLink {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let result = execute(&self.connection, sql, values);
        self.note(result)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let result = query(&self.connection, sql, values);
        self.note(result)
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        let result = self.connection.execute_batch(sql).map_err(SqlError::from);
        self.note(result)
    }
}

impl Session for rusqlite::Transaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        execute(self, sql, values)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        query(self, sql, values)
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        Ok(self.execute_batch(sql)?)
    }
}

fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
    let mut statement = connection.prepare_cached(sql)?;
    let changed = statement.execute(rusqlite::params_from_iter(values))?;
    Ok(changed as u64)
}

fn query(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next()? {
        let mut taken = Vec::with_capacity(columns);
        for column in 0..columns {
            taken.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Integer(value),
                ValueRef::Real(value) => Value::Real(value),
                ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
                ValueRef::Blob(value) => Value::Blob(value.to_vec()),
            });
        }
        answer.push(Row(taken));
    }
    Ok(answer)
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqlErrorKind::Busy,
            Some(ErrorCode::DiskFull) => SqlErrorKind::Full,
            Some(ErrorCode::ConstraintViolation) => SqlErrorKind::Constraint,
            // SQLite has no code of its own for it.
            _ if error.to_string().starts_with("no such table") => SqlErrorKind::NoSuchTable,
            _ => SqlErrorKind::Other,
        };
        let text = match kind {
            SqlErrorKind::Busy => {
                format!("another process held the store's lock for too long ({error})")
            }
            SqlErrorKind::Full => format!("no space left for the store ({error})"),
            _ => error.to_string(),
        };
        Self::new(kind, text)
    }
}
