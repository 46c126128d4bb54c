//! The calibration file: what is written is what will be read, and what is read is read once.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use site::limits::TEXT_BYTES_MAX;
use site::{Calibration, Problem, Site};

use super::cancel::{Cancel, Cancelled};
use super::files;
use super::origin::Origin;

/// By which another content is told from the one known: two contents with the same are the same,
/// but for chance.
///
/// It is of the content and not of the file's times, since those have the grain of the disk: of two
/// edits within a tick the second would be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    bytes: usize,
    hash: u64,
}

impl Stamp {
    /// The stamp of a content.
    pub fn of(content: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Self {
            bytes: content.len(),
            hash: hasher.finish(),
        }
    }
}

/// The content of a calibration file; `None` where no file is. Every other trouble is an error, for
/// a file that cannot be read is not gone.
///
/// # Errors
/// What the system says, that it is no UTF-8, or that it is longer than any calibration.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let bytes = file
        .take(TEXT_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)?;
    if bytes > TEXT_BYTES_MAX {
        let what = format!("longer than {TEXT_BYTES_MAX} bytes; it is no calibration file");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(Some(text))
}

/// A calibration that lies in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// What a reader of the file gets.
    pub calibration: Calibration,
    /// Of the content.
    pub stamp: Stamp,
    /// Where the old file is kept, if there was another one.
    pub backup: Option<PathBuf>,
}

/// Why a calibration was not stored; the file is what it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Its file could not be read again.
    #[error(
        "what was learned makes no calibration file that could be read again: line {}: {}; {}",
        .problem.line, .problem.what, .problem.what_to_do
    )]
    Unreadable {
        /// The first thing that is wrong with it.
        problem: Box<Problem>,
    },
    /// The file cannot be written.
    #[error("calibration file {path}: cannot be written")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The work was called off.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Writes a calibration with its origin in place of the one that the file has, which becomes a
/// backup. What comes back is what the file says, not what was to be said.
///
/// # Errors
/// [`StoreError`]; nothing is replaced then.
pub fn store(
    path: &Path,
    site: &Site,
    calibration: &Calibration,
    origin: &Origin,
    cancel: &Cancel,
) -> Result<Stored, StoreError> {
    let text = origin.file_text(calibration, site);
    let calibration =
        Calibration::parse(&text, site).map_err(|problems| StoreError::Unreadable {
            problem: Box::new(first(problems)),
        })?;
    cancel.check()?;
    let backup = files::replace(path, &text).map_err(|source| StoreError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(Stored {
        calibration,
        stamp: Stamp::of(&text),
        backup,
    })
}

fn first(problems: Vec<Problem>) -> Problem {
    let mut problems = problems.into_iter();
    problems.next().expect("a refused file has a problem")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office() -> Site {
        Site::parse(include_str!("../../../sites/office.toml")).unwrap()
    }

    #[test]
    fn a_calibration_whose_file_could_not_be_read_again_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.calibration.toml");
        std::fs::write(&path, "site = \"office\"\n").unwrap();
        let odd = Calibration {
            client_offset_deviation_db: Some(1e9),
            ..Calibration::default()
        };
        let cancel = Cancel::default();
        let error = store(&path, &office(), &odd, &Origin::none(), &cancel).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("client_offset_deviation_db"), "{told}");
        assert_eq!(read(&path).unwrap().unwrap(), "site = \"office\"\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_comes_back_is_what_the_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.calibration.toml");
        let site = office();
        let learned = Calibration {
            client_offset_deviation_db: Some(4.0 + 1.0 / 3.0),
            ..Calibration::default()
        };
        let cancel = Cancel::default();
        let stored = store(&path, &site, &learned, &Origin::none(), &cancel).unwrap();
        let text = read(&path).unwrap().unwrap();
        assert_eq!(
            stored.calibration,
            Calibration::parse(&text, &site).unwrap()
        );
        assert_eq!(stored.stamp, Stamp::of(&text));
        cancel.set();
        let late = store(
            &path,
            &site,
            &Calibration::default(),
            &Origin::none(),
            &cancel,
        );
        assert!(matches!(late, Err(StoreError::Cancelled(_))));
        assert_eq!(read(&path).unwrap().unwrap(), text);
    }

    #[test]
    fn only_a_file_that_is_not_there_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("no.toml")).unwrap(), None);
        assert!(read(folder.path()).is_err(), "a folder is no file");
        let path = folder.path().join("bytes.toml");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read(&path).is_err());
    }
}
