//! Files that hold secrets, or that must not be lost by a slip.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to do when the file is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and say so.
    Keep,
    /// Put the new one in its place, in one step.
    Replace,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The owner only (mode 0600).
    Owner,
    /// Everyone (mode 0644).
    All,
}

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read {}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file or its folder cannot be written.
    #[error("cannot write {}; check the path, its permissions and the free space", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there already and stays as it is.
    #[error("{} exists already and was left alone; {what_to_do}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// How to go on.
        what_to_do: &'static str,
    },
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError::Read`] when it is missing or may not be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes a new file; it never shows half of its content under its name, and is on the disk when this
/// returns. Whatever stood there before stays whole if the power fails meanwhile.
///
/// # Errors
/// [`FileError::Exists`] when it is there and is to be kept, [`FileError::Write`] when it cannot be
/// written.
pub fn write(
    path: &Path,
    content: &[u8],
    readers: Readers,
    existing: Existing,
) -> Result<(), FileError> {
    let write_error = |source| FileError::Write {
        path: path.to_owned(),
        source,
    };
    if existing == Existing::Keep && path.exists() {
        let what_to_do = "remove it first, or replace it with --replace";
        return Err(FileError::Exists {
            path: path.to_owned(),
            what_to_do,
        });
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    write_partial(&partial, content, readers).map_err(write_error)?;
    fs::rename(&partial, path).map_err(write_error)?;
    sync_folder(path).map_err(write_error)
}

/// Puts the new name of a file on the disk as well.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write_partial(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    // A leftover of an interrupted run may have other permissions than we want.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(match readers {
            Readers::Owner => 0o600,
            Readers::All => 0o644,
        });
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
