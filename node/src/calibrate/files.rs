//! The files of a site: what lies beside it, and how one is replaced without losing the old.
//!
//! New content is written beside the file under a name of its own, synced, and moved into its place;
//! then the folder is synced, so that after a loss of power there is the old file or the new one.
//! A link is followed: the file that it names is replaced, and the link stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::sites::calibration_beside;

/// More backups than anybody looks through.
const BACKUPS_MAX: u32 = 9_999;

/// Links followed to a file.
const LINKS_MAX: usize = 16;

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

/// Who may read a file that did not exist; one that did keeps its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Only who runs the program: the file tells where people were.
    Owner,
    /// Whom the system's usual permissions let.
    Usual,
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
/// What the system says; the old file is then where it was.
pub fn replace(path: &Path, text: &str) -> io::Result<Option<PathBuf>> {
    let path = &followed(path)?;
    let old = match fs::read(path) {
        Ok(old) if old == text.as_bytes() => return Ok(None),
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            overwrite(path, text, Readers::Usual)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let permissions = fs::metadata(path)?.permissions();
    let (backup, file) = reserve(path)?;
    removed_on_error(&backup, filled(file, &old, Some(permissions)))?;
    let done = overwrite(path, text, Readers::Usual);
    if done.is_err() && fs::read(path).is_ok_and(|now| now == old) {
        // The first error is the one to tell.
        let _ = fs::remove_file(&backup);
    }
    done.map(|()| Some(backup))
}

/// Puts `text` in place of a file at once, without a backup.
///
/// # Errors
/// What the system says; the old file is then still there.
pub fn overwrite(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let path = &followed(path)?;
    let permissions = match fs::metadata(path) {
        Ok(found) => Some(found.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Nobody may read in the new file what the old one did not show.
    let at_first = permissions.as_ref().map_or(readers, |_| Readers::Owner);
    let (new, file) = create_beside(path, at_first)?;
    let done = filled(file, text.as_bytes(), permissions).and_then(|()| fs::rename(&new, path));
    removed_on_error(&new, done)?;
    sync_folder(path)
}

/// Moves a file to a backup's name beside it; `None` when there is no such file.
///
/// # Errors
/// What the system says; the file is then where it was.
pub fn set_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    let path = &followed(path)?;
    match fs::symlink_metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    // The name is ours before the file moves onto it, so that no other backup is overwritten.
    let (backup, _) = reserve(path)?;
    removed_on_error(&backup, fs::rename(path, &backup))?;
    sync_folder(path)?;
    Ok(Some(backup))
}

/// Opens a file to append to it; one that does not exist is made for `readers`.
///
/// # Errors
/// What the system says.
pub fn open_to_append(path: &Path, readers: Readers) -> io::Result<File> {
    let path = &followed(path)?;
    match create(path, readers) {
        Ok(file) => {
            sync_folder(path)?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// The file that a path names in the end: links are followed, also to a file that is not there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            // No link, or nothing.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other(format!(
        "{} is a link to a link, more than {LINKS_MAX} times; mend it",
        path.display()
    )))
}

/// A new file under a name beside `path` that nobody has.
fn create_beside(path: &Path, readers: Readers) -> io::Result<(PathBuf, File)> {
    loop {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = extended(path, &format!("{:016x}.new", u64::from_le_bytes(random)));
        match create(&name, readers) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (name, file)),
        }
    }
}

/// `FILE.1`, or the first number that is not taken, as an empty file that is ours.
fn reserve(path: &Path) -> io::Result<(PathBuf, File)> {
    for number in 1..=BACKUPS_MAX {
        let name = extended(path, &number.to_string());
        match create(&name, Readers::Owner) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (name, file)),
        }
    }
    let what = format!("{} has {BACKUPS_MAX} backups; remove some", path.display());
    Err(io::Error::other(what))
}

fn create(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    options.open(path)
}

fn filled(mut file: File, bytes: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.sync_all()
}

/// Leaves no file behind that was made for something that did not come about.
fn removed_on_error(made: &Path, done: io::Result<()>) -> io::Result<()> {
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(made);
    }
    done
}

/// Makes a new or changed name last.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder_of(path))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn extended(path: &Path, by: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(by);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_kept_and_links_stay_links() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real.toml");
        let link = folder.path().join("link.toml");
        symlink("real.toml", &link).unwrap();
        // The link names a file that is not there yet.
        assert_eq!(replace(&link, "one").unwrap(), None);
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        let backup = replace(&link, "two").unwrap().unwrap();
        assert_eq!(backup, folder.path().join("real.toml.1"));
        assert_eq!([mode(&real), mode(&backup)], [0o640, 0o640]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&link).unwrap(), "two");
        assert_eq!(
            set_aside(&link).unwrap().unwrap(),
            folder.path().join("real.toml.2")
        );
        assert_eq!(set_aside(&link).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_for_its_owner_is_read_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.survey.ndjson");
        open_to_append(&path, Readers::Owner)
            .unwrap()
            .write_all(b"a")
            .unwrap();
        open_to_append(&path, Readers::Owner)
            .unwrap()
            .write_all(b"b")
            .unwrap();
        assert_eq!(
            (mode(&path), fs::read_to_string(&path).unwrap()),
            (0o600, "ab".into())
        );
        overwrite(&path, "c", Readers::Usual).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_fails_leaves_no_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder.toml");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        assert!(overwrite(&path, "text", Readers::Usual).is_err());
        assert!(replace(&path, "text").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

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
