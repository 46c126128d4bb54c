//! Lines that outlive their process: each is one write to a file, which the system keeps.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// A file that only grows, line by line.
#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    /// Opens it behind its last whole line: a process may be killed in the middle of a write.
    pub(crate) fn open(path: &Path) -> Self {
        let whole: usize = read(path).iter().map(|line| line.len() + 1).sum();
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.set_len(whole as u64).unwrap();
        Self(file)
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Its whole lines.
pub(crate) fn read(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(str::to_owned).collect()
}

/// Bytes in it: whether something goes on.
pub(crate) fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
