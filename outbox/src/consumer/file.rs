//! The list in a file: 0600, replaced in one step, read again when it changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::book::{BookError, Consumers, NewConsumer};
use super::token::Token;

/// Largest file in bytes: a thousand consumers with long grants have less.
const FILE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// The file of a list of consumers, and the lock beside it.
#[derive(Debug, Clone)]
pub struct ConsumerFile {
    path: PathBuf,
    lock: PathBuf,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}; check its permissions", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}; check its permissions and the free space", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its content is none of ours, or must not become what was asked.
    #[error("{}: {source}", path.display())]
    Book {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: BookError,
    },
    /// The system has no randomness.
    #[error("no randomness from the system")]
    Randomness(#[source] getrandom::Error),
}

impl ConsumerFile {
    /// The file in a folder; it need not exist yet.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            path: dir.join("consumers.json"),
            lock: dir.join("consumers.lock"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The list; `None` where there is no file.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be read or is no list.
    pub fn read(&self) -> Result<Option<Consumers>, FileError> {
        let error = |source| FileError::Read {
            path: self.path.clone(),
            source,
        };
        let length = match fs::metadata(&self.path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(error)?.len(),
        };
        if length > FILE_BYTES_MAX {
            return Err(error(io::ErrorKind::FileTooLarge.into()));
        }
        let text = fs::read_to_string(&self.path).map_err(error)?;
        Consumers::parse(&text).map(Some).map_err(|e| self.book(e))
    }

    /// Makes a consumer. Its token is known to nobody but the caller from then on.
    ///
    /// # Errors
    /// [`FileError`]; then there is no such consumer.
    pub fn create(&self, new: NewConsumer, now_unix_s: u64) -> Result<Token, FileError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(FileError::Randomness)?;
        let token = Token::new(secret);
        let _locked = self.lock()?;
        let mut consumers = self.read()?.unwrap_or_default();
        let added = consumers.add(new, &token, now_unix_s);
        added.map_err(|error| self.book(error))?;
        self.write(&consumers)?;
        Ok(token)
    }

    /// Takes a consumer off the list; whether it was on it. The file stays, and with it the question
    /// for a token.
    ///
    /// # Errors
    /// [`FileError`]; then the list is as it was.
    pub fn revoke(&self, name: &str) -> Result<bool, FileError> {
        let _locked = self.lock()?;
        let mut consumers = self.read()?.unwrap_or_default();
        let revoked = consumers.revoke(name);
        if revoked {
            self.write(&consumers)?;
        }
        Ok(revoked)
    }

    /// Follows the file from now on.
    ///
    /// # Errors
    /// [`FileError`] when what is there now cannot be used.
    pub fn watch(self) -> Result<Watch, FileError> {
        let stamp = self.stamp();
        let now = self.read()?.map(Arc::new);
        Ok(Watch {
            file: self,
            stamp,
            unread: None,
            now,
        })
    }

    fn book(&self, source: BookError) -> FileError {
        FileError::Book {
            path: self.path.clone(),
            source,
        }
    }

    /// Held until it is dropped; the system releases it when a process dies.
    fn lock(&self) -> Result<File, FileError> {
        let error = |source| FileError::Write {
            path: self.lock.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let file = private(&mut options).open(&self.lock).map_err(error)?;
        leave_to_the_folders_owner(&self.lock).map_err(error)?;
        file.lock().map_err(error)?;
        Ok(file)
    }

    fn write(&self, consumers: &Consumers) -> Result<(), FileError> {
        let partial = self.path.with_extension("json.partial");
        let written = || -> io::Result<()> {
            match fs::remove_file(&partial) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            let mut file = private(&mut options).open(&partial)?;
            file.write_all(consumers.text().as_bytes())?;
            file.sync_all()?;
            leave_to_the_folders_owner(&partial)?;
            fs::rename(&partial, &self.path)?;
            match cfg!(unix) {
                true => File::open(folder(&self.path))?.sync_all(),
                false => Ok(()),
            }
        };
        written().map_err(|source| FileError::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// What changes whenever the file is replaced.
    fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some((inode, metadata.len(), metadata.modified().ok()))
    }
}

type Stamp = (u64, u64, Option<std::time::SystemTime>);

/// A file that is followed.
#[derive(Debug)]
pub struct Watch {
    file: ConsumerFile,
    stamp: Option<Stamp>,
    /// Of the file that could not be read and was told of.
    unread: Option<Option<Stamp>>,
    now: Option<Arc<Consumers>>,
}

impl Watch {
    /// The list as it was last good; `None` where there is no file.
    pub fn now(&self) -> Option<Arc<Consumers>> {
        self.now.clone()
    }

    /// Looks whether the file has changed; whether the list is another now. Cheap: it opens the file
    /// only if it has.
    ///
    /// # Errors
    /// [`FileError`] once, when a new file cannot be used; the last good list stays in force. One
    /// that cannot be read is tried again at each look: it may say that a token is revoked.
    pub fn look(&mut self) -> Result<bool, FileError> {
        // Before it is read: a change meanwhile is seen at the next look.
        let stamp = self.file.stamp();
        if stamp == self.stamp {
            return Ok(false);
        }
        let read = self.file.read();
        if let Err(error @ FileError::Read { .. }) = read {
            return match self.unread.replace(stamp) {
                Some(told) if told == stamp => Ok(false),
                _ => Err(error),
            };
        }
        (self.stamp, self.unread) = (stamp, None);
        self.now = read?.map(Arc::new);
        Ok(true)
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What root writes belongs to the folder's owner: a process without root's rights must be able to
/// open it after a person made a token as root.
#[cfg(unix)]
fn leave_to_the_folders_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, lchown};
    const ROOT: u32 = 0;
    let folder = fs::metadata(folder(path))?;
    // Not through a link that the folder's owner may have put here.
    let own = fs::symlink_metadata(path)?;
    match own.uid() == ROOT && own.is_file() && folder.uid() != ROOT {
        true => lchown(path, Some(folder.uid()), Some(folder.gid())),
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn leave_to_the_folders_owner(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::consumer::{Grant, May, Unknown};

    fn new(name: &str) -> NewConsumer {
        NewConsumer {
            name: name.to_owned(),
            grant: Grant::new(May::ReadMessages, ["/api/v1/sites/hq"], ["zone.*"]).unwrap(),
            valid: Duration::from_secs(100),
        }
    }

    #[test]
    fn who_follows_the_file_sees_consumers_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConsumerFile::in_dir(dir.path());
        let mut watch = file.clone().watch().unwrap();
        assert!(watch.now().is_none() && !watch.look().unwrap());
        let token = file.create(new("a"), 1_000).unwrap();
        assert!(watch.look().unwrap() && !watch.look().unwrap());
        let list = watch.now().unwrap();
        assert_eq!(list.find(&token, 1_000).unwrap().name, "a");
        assert!(file.revoke("a").unwrap() && !file.revoke("a").unwrap());
        assert!(watch.look().unwrap());
        let list = watch.now().expect("an empty list still asks for a token");
        assert_eq!(list.find(&token, 1_000), Err(Unknown::Nobody));
    }

    #[test]
    fn a_damaged_file_is_told_once_and_the_last_good_list_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConsumerFile::in_dir(dir.path());
        let token = file.create(new("a"), 1_000).unwrap();
        let mut watch = file.clone().watch().unwrap();
        fs::write(file.path(), "{\"consumers\": [").unwrap();
        let error = watch.look().unwrap_err().to_string();
        assert!(
            error.contains("consumers.json") && error.contains("mend it"),
            "{error}"
        );
        assert!(!watch.look().unwrap());
        assert!(watch.now().unwrap().find(&token, 1_000).is_ok());
        assert!(
            file.clone().watch().is_err(),
            "a start must not begin with it"
        );
        assert!(file.create(new("b"), 1_000).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_once_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConsumerFile::in_dir(dir.path());
        file.create(new("a"), 1_000).unwrap();
        let mut watch = file.clone().watch().unwrap();
        assert!(file.revoke("a").unwrap());
        let good = fs::read(file.path()).unwrap();
        // In the place of a read that fails for a moment: the same file cannot be read, then it can.
        let then = std::time::UNIX_EPOCH + Duration::from_secs(1_000);
        let write = |bytes: &[u8]| {
            fs::write(file.path(), bytes).unwrap();
            let opened = File::options().write(true).open(file.path()).unwrap();
            opened.set_modified(then).unwrap();
        };
        write(&vec![0xff; good.len()]);
        let error = watch.look().unwrap_err();
        assert!(matches!(error, FileError::Read { .. }), "{error}");
        assert!(!watch.look().unwrap(), "told once");
        assert_eq!(watch.now().unwrap().iter().count(), 1);
        write(&good);
        assert!(watch.look().unwrap() && !watch.look().unwrap());
        assert_eq!(watch.now().unwrap().iter().count(), 0, "it is revoked");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = ConsumerFile::in_dir(dir.path());
        file.create(new("a"), 1_000).unwrap();
        for name in ["consumers.json", "consumers.lock"] {
            let mode = fs::metadata(dir.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "nothing half-written stays");
    }
}
