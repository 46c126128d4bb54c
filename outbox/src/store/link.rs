//! A connection of the store's own, to either database.

use crate::tx::Session;
use crate::value::SqlError;

use super::config::{Place, StoreConfig};
use super::sqlite::SqliteLink;

/// A connection that can begin and end transactions.
pub(crate) trait Link: Session + Send {
    /// Begins a transaction that writes.
    fn begin(&mut self) -> Result<(), SqlError>;

    /// Begins a transaction that reads one state of everything.
    fn begin_snapshot(&mut self) -> Result<(), SqlError>;

    /// Commits. After an error the transaction may still be under way.
    fn commit(&mut self) -> Result<(), SqlError>;

    /// Rolls back.
    fn roll_back(&mut self) -> Result<(), SqlError>;

    /// Rolls back what was done since a savepoint.
    fn roll_back_to(&mut self, savepoint: &str) -> Result<(), SqlError>;

    /// Whether it can still be used.
    fn is_open(&self) -> bool;

    /// Whether a transaction is under way: SQLite ends one by itself in some kinds of trouble.
    fn in_transaction(&mut self) -> bool;

    /// Why the transaction, or what was done since a savepoint, cannot be committed any more.
    fn trouble(&mut self) -> Option<SqlError>;

    /// Lets the log of what was committed begin anew, so that it needs no more of a disk that is
    /// nearly full. Waits for nobody.
    fn restart_log(&mut self);

    /// Bytes that the store can reuse without asking the file system.
    fn free_bytes_inside(&mut self) -> Result<u64, SqlError>;
}

/// A connection that writes.
pub(crate) fn writer(config: &StoreConfig) -> Result<Box<dyn Link>, SqlError> {
    connect(config, Use::Write)
}

/// A connection that only reads.
pub(crate) fn reader(config: &StoreConfig) -> Result<Box<dyn Link>, SqlError> {
    connect(config, Use::Read)
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Write,
    Read,
}

fn connect(config: &StoreConfig, wanted: Use) -> Result<Box<dyn Link>, SqlError> {
    let connect = || -> Result<Box<dyn Link>, SqlError> {
        Ok(match (&config.place, wanted) {
            (Place::Sqlite(path), Use::Write) => {
                Box::new(SqliteLink::writer(path, config.busy_wait)?)
            }
            (Place::Sqlite(path), Use::Read) => {
                Box::new(SqliteLink::reader(path, config.busy_wait)?)
            }
            (Place::Postgres(address), _) => connect_postgres(address, config, wanted)?,
        })
    };
    #[cfg(feature = "testing")]
    let connect = || crate::testing::statements::over(&config.place, connect);
    connect()
}

#[cfg(feature = "postgres")]
fn connect_postgres(
    address: &str,
    config: &StoreConfig,
    wanted: Use,
) -> Result<Box<dyn Link>, SqlError> {
    Ok(Box::new(super::postgres::PostgresLink::connect(
        address, config, wanted,
    )?))
}

#[cfg(not(feature = "postgres"))]
fn connect_postgres(_: &str, _: &StoreConfig, _: Use) -> Result<Box<dyn Link>, SqlError> {
    Err(SqlError::new(
        crate::value::SqlErrorKind::Other,
        "this program was built without PostgreSQL; build it with the feature postgres",
    ))
}

/// Runs `work` in a transaction of its own.
pub(crate) fn in_transaction<T, E: From<SqlError>>(
    link: &mut dyn Link,
    work: impl FnOnce(&mut dyn Link) -> Result<T, E>,
) -> Result<T, E> {
    link.begin()?;
    let result = work(link).and_then(|done| {
        link.commit()?;
        Ok(done)
    });
    if result.is_err() && link.is_open() && link.in_transaction() {
        // The first error tells more; a transaction that stays open makes the next one fail.
        let _ = link.roll_back();
    }
    result
}
