//! Backup of a store while it is used, restore of one that is not, and a look at its state.

mod files;
#[cfg(feature = "postgres")]
mod postgres;

pub use files::InUseError;
pub(crate) use files::lock_in_use;

use std::path::{Path, PathBuf};

use crate::health::DatabaseHealth;
use crate::migrate::{self, Component, MigrateError, Migrated};
use crate::schema::State;
use crate::store::{Place, StoreConfig, in_transaction, reader, writer};
use crate::value::SqlError;

/// A backup was not made, or a store not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is there already.
    #[error("{} exists already; name another file", .0.display())]
    Exists(PathBuf),
    /// The store has messages already.
    #[error("there is a store already; say that it shall be replaced if it shall")]
    Occupied,
    /// The store is in use.
    #[error(transparent)]
    InUse(#[from] InUseError),
    /// A file is damaged, or is no store.
    #[error("{} is no backup of a store: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer program wrote the backup.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refused.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A program of PostgreSQL failed or is not there.
    #[error("{program}: {why}; it comes with PostgreSQL's client programs")]
    Program {
        /// Which program.
        program: &'static str,
        /// What it said.
        why: String,
    },
}

/// Copies a store to a file, as it is at one moment, while it is used. With PostgreSQL the whole
/// database is dumped by `pg_dump`.
///
/// # Errors
/// [`BackupError`]; there is no file then.
pub fn backup(config: &StoreConfig, to: &Path) -> Result<(), BackupError> {
    match &config.place {
        Place::Sqlite(path) => files::backup(path, to, config.busy_wait),
        #[cfg(feature = "postgres")]
        Place::Postgres(address) => postgres::backup(address, to),
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => reader(config).map(|_| ()).map_err(BackupError::from),
    }
}

/// Makes a store of a backup. Nobody may use the store meanwhile. It gets a new epoch, so that
/// cursors of before are answered by `Gone`: what they point at may not be in the backup.
///
/// # Errors
/// [`BackupError`]; a store that was there is then as it was.
pub fn restore(config: &StoreConfig, from: &Path, replace: bool) -> Result<(), BackupError> {
    match &config.place {
        Place::Sqlite(path) => files::restore(path, from, replace),
        #[cfg(feature = "postgres")]
        Place::Postgres(address) => postgres::restore(config, address, from, replace),
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => reader(config).map(|_| ()).map_err(BackupError::from),
    }
}

/// Brings a store's tables to the versions that this program needs; what was done. Opening a store
/// does the same; this refuses while another program uses a store of SQLite.
///
/// # Errors
/// [`BackupError`]; nothing was changed then.
pub fn migrate_store(
    config: &StoreConfig,
    components: &[Component],
) -> Result<Vec<Migrated>, BackupError> {
    let _alone = files::lock_alone(&config.place)?;
    let mut link = writer(config)?;
    Ok(in_transaction(link.as_mut(), |link| {
        migrate::migrate(link, components)
    })?)
}

/// What the database of a store says, without opening the store, and without changing anything.
///
/// # Errors
/// What the database says.
pub fn inspect(config: &StoreConfig) -> Result<DatabaseHealth, SqlError> {
    let mut link = reader(config)?;
    link.begin_snapshot()?;
    let state = State::read(link.as_mut())?;
    let head = crate::page::head(link.as_mut(), &state)?;
    crate::health::database(link.as_mut(), &state, head)
}
