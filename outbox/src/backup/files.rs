//! Backup and restore of files of SQLite.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::BackupError;
use crate::migrate;
use crate::store::{Place, SqliteLink, in_transaction};
use crate::value::{SqlError, SqlErrorKind};

/// The file beside a store that tells that it is in use cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InUseError {
    /// Another program restores the store, or uses it while nobody may.
    #[error("{} is locked: another program uses the store; stop it first", .0.display())]
    Locked(PathBuf),
    /// The file cannot be opened.
    #[error(
        "cannot open {}; its folder has to exist, and this user may write there: {source}",
        path.display()
    )]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Marks a store as in use; many programs may use it at once.
pub(crate) fn lock_in_use(place: &Place) -> Result<Option<File>, InUseError> {
    let Place::Sqlite(path) = place else {
        return Ok(None);
    };
    lock(path, File::try_lock_shared).map(Some)
}

/// Keeps everybody else away from a store.
pub(super) fn lock_alone(place: &Place) -> Result<Option<File>, InUseError> {
    let Place::Sqlite(path) = place else {
        return Ok(None);
    };
    lock(path, File::try_lock).map(Some)
}

fn lock(store: &Path, how: fn(&File) -> Result<(), TryLockError>) -> Result<File, InUseError> {
    let path = beside(store, "-lock");
    let io = |source| InUseError::Io {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(io)?;
    match how(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(InUseError::Locked(path)),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

pub(super) fn backup(store: &Path, to: &Path, patience: Duration) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let source = open(store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(patience).map_err(SqlError::from)?;
    let unfinished = Unfinished(beside(to, ".partial"));
    copy(&source, &unfinished.0, patience)?;
    put_in_place(&unfinished.0, to)
}

pub(super) fn restore(store: &Path, from: &Path, replace: bool) -> Result<(), BackupError> {
    let _alone = lock_alone(&Place::Sqlite(store.to_owned()))?;
    if store.exists() && !replace {
        return Err(BackupError::Occupied);
    }
    let source = open(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let unfinished = Unfinished(beside(store, ".restoring"));
    copy(&source, &unfinished.0, Duration::ZERO)?;
    check(&unfinished.0, from)?;
    {
        let mut link = SqliteLink::writer(&unfinished.0, Duration::ZERO)?;
        in_transaction(&mut link, |link| migrate::begin_new_history(link))?;
        link.to_one_file()?;
    }
    if store.exists() {
        gather_into_one_file(store)?;
    }
    // The log of a store that is no more must not meet the new file.
    for suffix in ["-wal", "-shm"] {
        remove(&beside(store, suffix))?;
    }
    put_in_place(&unfinished.0, store)
}

/// Puts the log of a store into its file, so that it is whole until the moment it is replaced. One
/// that is damaged has nothing whole to keep: it is what a backup is for.
fn gather_into_one_file(store: &Path) -> Result<(), BackupError> {
    let gathered = Connection::open(store).and_then(|connection| {
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| {
            row.get::<_, String>(0)
        })
    });
    match gathered {
        Ok(mode) if mode == "delete" => Ok(()),
        Ok(mode) => {
            let text = format!("the journal of the store to replace stays in mode {mode}");
            Err(SqlError::new(SqlErrorKind::Busy, text).into())
        }
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(()),
            _ => Err(SqlError::from(error).into()),
        },
    }
}

/// Copies a whole database into a new file, synchronised with the disk. The copy is of one moment.
fn copy(source: &Connection, to: &Path, patience: Duration) -> Result<(), BackupError> {
    remove(to)?;
    crate::private::make(to).map_err(|source| io(to, source))?;
    let mut copy = Connection::open(to).map_err(SqlError::from)?;
    let began = Instant::now();
    {
        let backup = Backup::new(source, &mut copy).map_err(SqlError::from)?;
        loop {
            // In one step: in several it would begin anew with each commit meanwhile.
            match backup.step(-1).map_err(SqlError::from)? {
                StepResult::Done => break,
                _ if began.elapsed() < patience => std::thread::sleep(Duration::from_millis(20)),
                _ => return Err(SqlError::new(SqlErrorKind::Busy, "the store is locked").into()),
            }
        }
    }
    // One file, without a log beside it.
    let journal = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| {
        row.get::<_, String>(0)
    });
    journal.map_err(SqlError::from)?;
    let found = copy.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    let found = found.map_err(SqlError::from)?;
    if found != "ok" {
        return Err(BackupError::Damaged {
            path: to.to_owned(),
            why: found,
        });
    }
    drop(copy);
    File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(|source| io(to, source))
}

/// Whether a copy is a store that this program knows.
fn check(copy: &Path, from: &Path) -> Result<(), BackupError> {
    let mut link = SqliteLink::reader(copy, Duration::ZERO)?;
    match migrate::check_known(&mut link) {
        Ok(()) => Ok(()),
        Err(migrate::MigrateError::Sql(error)) => Err(BackupError::Damaged {
            path: from.to_owned(),
            why: error.to_string(),
        }),
        Err(error) => Err(error.into()),
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, BackupError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let damaged = |error: rusqlite::Error| BackupError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let connection = connection.map_err(damaged)?;
    // Reads the header: opening alone does not look at the file.
    connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
        .map_err(damaged)?;
    Ok(connection)
}

/// Renames, and makes that durable.
fn put_in_place(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(|source| io(to, source))?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| io(folder, source))
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path, error)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn io(path: &Path, source: std::io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A file that is removed unless it was renamed.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // What is not there need not be removed.
            let _ = fs::remove_file(beside(&self.0, suffix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::Session as _;

    /// A restore that ends before its rename leaves what was committed, wherever it was.
    #[test]
    fn what_is_only_in_the_log_of_a_store_is_kept_until_the_store_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("messages.db");
        let mut link = SqliteLink::writer(&store, Duration::ZERO).unwrap();
        link.batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE a (b); INSERT INTO a VALUES (7)")
            .unwrap();
        // As after a crash: nobody put the log into the file.
        let crashed = folder.path().join("crashed.db");
        for suffix in ["", "-wal"] {
            fs::copy(beside(&store, suffix), beside(&crashed, suffix)).unwrap();
        }
        gather_into_one_file(&crashed).unwrap();
        assert!(!beside(&crashed, "-wal").exists());
        let found = Connection::open(&crashed)
            .unwrap()
            .query_row("SELECT b FROM a", [], |row| row.get::<_, i64>(0));
        assert_eq!(found, Ok(7));
        // Somebody who reads it without the lock of the store is told, and loses nothing.
        assert!(gather_into_one_file(&store).is_err());
        assert!(beside(&store, "-wal").exists());
        // A damaged one can be replaced.
        let junk = folder.path().join("junk.db");
        fs::write(&junk, [7; 8_192]).unwrap();
        gather_into_one_file(&junk).unwrap();
    }
}
