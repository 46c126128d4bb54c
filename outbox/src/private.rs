//! Files that only their owner may read: messages tell who was where.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Makes an empty file with mode 0600 if there is none, whatever the umask. SQLite gives the files
/// that it makes beside it the same mode.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    file.map(|_| ())
}
