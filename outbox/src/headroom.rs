//! Free space: a store that is full must still be able to purge.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::limits::BALLAST_BYTES_MAX;
use crate::store::{Link, Place, Shared};
use crate::value::{SqlError, SqlErrorKind};

/// Whether anything is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Transactions are taken in.
    Open,
    /// There is less free space than the headroom: transactions are refused, purges work.
    Full,
}

/// Refuses if the file system has less free space than the headroom.
pub(crate) fn check(shared: &Shared, link: &mut dyn Link) -> Result<(), SqlError> {
    let Place::Sqlite(path) = &shared.config.place else {
        return Ok(());
    };
    let free = free_bytes(path)?;
    let wanted = shared.config.headroom_bytes;
    let mut room = free >= wanted;
    if !room {
        // Pages that a purge freed inside the file are as good, but what is committed passes
        // through a log that must find its space as well.
        room = free.saturating_add(link.free_bytes_inside()?) >= wanted;
        link.restart_log();
    }
    let intake = if room { Intake::Open } else { Intake::Full };
    shared.counters.intake(intake, free);
    match intake {
        Intake::Open => Ok(()),
        Intake::Full => Err(SqlError::new(
            SqlErrorKind::Full,
            format!("{free} bytes are free beside the store, and {wanted} must stay free"),
        )),
    }
}

/// Free bytes of the file system that a file lies on.
fn free_bytes(path: &Path) -> Result<u64, SqlError> {
    let folder = folder(path);
    let stat = rustix::fs::statvfs(folder).map_err(|error| {
        let text = format!(
            "cannot ask for the free space of {}: {error}",
            folder.display()
        );
        SqlError::new(SqlErrorKind::Other, text)
    })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Size of the file that is given back when the file system is full all the same.
pub(crate) fn ballast_bytes(headroom_bytes: u64) -> u64 {
    (headroom_bytes / 4).min(BALLAST_BYTES_MAX)
}

/// The file beside a store that holds space for its purge.
pub(crate) fn ballast_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push("-ballast");
    name.into()
}

/// Makes the ballast if it is not there and there is room for it. It is a reserve: without it
/// everything works until the file system is full, so that it fails in silence.
pub(crate) fn keep_ballast(place: &Place, bytes: u64) {
    let Place::Sqlite(store) = place else { return };
    let path = ballast_path(store);
    let there = fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes);
    let room = || free_bytes(store).is_ok_and(|free| free >= bytes.saturating_mul(4));
    if !there && room() && write_ballast(&path, bytes).is_err() {
        let _ = fs::remove_file(&path);
    }
}

/// Gives the ballast back to the file system.
pub(crate) fn give_back(place: &Place) {
    if let Place::Sqlite(store) = place {
        // If it is not there, there is nothing to give.
        let _ = fs::remove_file(ballast_path(store));
    }
}

/// Written, not only made long: a hole holds no space.
fn write_ballast(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let block = [0xb5_u8; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left)
            .unwrap_or(block.len())
            .min(block.len());
        file.write_all(&block[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}
