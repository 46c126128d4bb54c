//! Reads tar archives: enough of ustar and GNU's form for what packages hold.

use std::io::Write;
use std::process::{Command, Stdio};

/// A file or folder of an archive.
pub(super) struct Entry {
    /// Without `./` in front and `/` behind.
    pub(super) path: String,
    pub(super) is_folder: bool,
    pub(super) mode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) modified_s: u64,
    pub(super) bytes: Vec<u8>,
}

const BLOCK: usize = 512;

/// The entries of a compressed archive, sorted by path.
#[track_caller]
pub(super) fn of_tar_gz(bytes: &[u8]) -> Vec<Entry> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes));
        gzip.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "not compressed by gzip");
    of_tar(&output.stdout)
}

/// The entries of an archive, sorted by path.
#[track_caller]
pub(super) fn of_tar(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(BLOCK) {
        if header[0] == 0 {
            break;
        }
        let text = |from: usize, len: usize| {
            let field = header[from..from + len].split(|byte| *byte == 0).next();
            String::from_utf8(field.unwrap().to_vec()).unwrap()
        };
        let number = |from, len| u64::from_str_radix(text(from, len).trim(), 8).unwrap();
        let len = usize::try_from(number(124, 12)).unwrap();
        let path = [text(345, 155), text(0, 100)].join("/");
        let path = path.trim_matches('/').trim_start_matches("./");
        entries.push(Entry {
            path: path.trim_end_matches('/').to_owned(),
            is_folder: header[156] == b'5',
            mode: number(100, 8) as u32,
            user: number(108, 8) as u32,
            group: number(116, 8) as u32,
            modified_s: number(136, 12),
            bytes: rest[..len].to_vec(),
        });
        bytes = &rest[len.next_multiple_of(BLOCK)..];
    }
    assert!(!entries.is_empty(), "no archive");
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    entries
}

/// What a file of an archive holds.
#[track_caller]
pub(super) fn bytes<'a>(entries: &'a [Entry], path: &str) -> &'a [u8] {
    let entry = entries.iter().find(|entry| entry.path == path);
    &entry.unwrap_or_else(|| panic!("no {path}")).bytes
}

/// What a file of an archive holds, as text.
#[track_caller]
pub(super) fn text<'a>(entries: &'a [Entry], path: &str) -> &'a str {
    std::str::from_utf8(bytes(entries, path)).unwrap()
}
