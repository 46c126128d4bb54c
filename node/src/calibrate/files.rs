//! The files of a site: what lies beside it, and how one is replaced without losing the old.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::sites::calibration_beside;

/// Where a site's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFiles {
    /// The site file.
    pub site: PathBuf,
    /// Its calibration, which need not exist.
    pub calibration: PathBuf,
    /// Its survey, which need not exist.
    pub survey: PathBuf,
}

impl SiteFiles {
    /// The files of a site: beside the site file, unless the calibration is said to lie elsewhere.
    pub fn of(site: &Path, calibration: Option<&Path>) -> Self {
        Self {
            calibration: calibration.map_or_else(|| calibration_beside(site), Path::to_owned),
            survey: site.with_extension("survey.ndjson"),
            site: site.to_owned(),
        }
    }
}

/// Puts `text` in place of a file at once, so that no reader sees half of it; returns where the old
/// text is kept, when there was another one.
///
/// # Errors
/// What the system says; the old file is then where it was, or at its backup's place.
pub fn replace(path: &Path, text: &str) -> io::Result<Option<PathBuf>> {
    let old = match fs::read(path) {
        Ok(old) if old == text.as_bytes() => return Ok(None),
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let backup = match old {
        Some(old) => {
            let backup = free_name(path)?;
            write_synced(&backup, &old)?;
            Some(backup)
        }
        None => None,
    };
    overwrite(path, text)?;
    Ok(backup)
}

/// Puts `text` in place of a file at once, without a backup.
///
/// # Errors
/// What the system says; the old file is then still there.
pub fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    write_synced(&new, text.as_bytes())?;
    fs::rename(&new, path)
}

/// Moves a file to a backup's name beside it; `None` when there is no such file.
///
/// # Errors
/// What the system says.
pub fn set_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
    let backup = free_name(path)?;
    fs::rename(path, &backup)?;
    Ok(Some(backup))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `FILE.1`, or the first number that is not taken.
fn free_name(path: &Path) -> io::Result<PathBuf> {
    /// More backups than anybody looks through.
    const BACKUPS_MAX: u32 = 9_999;
    for number in 1..=BACKUPS_MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        let name = PathBuf::from(name);
        if !name.exists() {
            return Ok(name);
        }
    }
    let what = format!("{} has {BACKUPS_MAX} backups; remove some", path.display());
    Err(io::Error::other(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_without_a_backup() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.calibration.toml");
        assert_eq!(replace(&path, "one").unwrap(), None);
        assert_eq!(replace(&path, "one").unwrap(), None);
        let first = replace(&path, "two").unwrap().unwrap();
        let second = replace(&path, "three").unwrap().unwrap();
        let third = set_aside(&path).unwrap().unwrap();
        let kept = [first, second, third].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(kept, ["one", "two", "three"]);
        assert!(!path.exists());
        assert_eq!(set_aside(&path).unwrap(), None);
    }

    #[test]
    fn files_lie_beside_the_site() {
        let files = SiteFiles::of(Path::new("sites/office.toml"), None);
        assert_eq!(
            files.calibration,
            Path::new("sites/office.calibration.toml")
        );
        assert_eq!(files.survey, Path::new("sites/office.survey.ndjson"));
    }
}
