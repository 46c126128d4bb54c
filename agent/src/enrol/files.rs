//! Where an enrolled device keeps who it is: `agent.key`, `agent.pem` and `ca.pem` in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use link::DeviceKey;
use link::fingerprint;
use link::private_file::{self, Existing, FileError, Readers};
use wire::enrol::Fingerprint;

use super::EnrolmentError;

/// Why the files cannot be used or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// This device is somebody already.
    #[error("{} exists already and was left alone; choose another folder with --out, or remove it if this device shall become another agent", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The files of one device.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// The key until its certificate has come.
    waiting_key: PathBuf,
}

impl Files {
    /// Looks for what is in the way, before anything is made or asked.
    pub(super) fn prepare(
        dir: &Path,
        config: Option<&Path>,
        pinned: Fingerprint,
    ) -> Result<Self, FilesError> {
        fs::create_dir_all(dir).map_err(|source| FileError::Write {
            path: dir.to_owned(),
            source,
        })?;
        let files = Self {
            authority: dir.join("ca.pem"),
            certificate: dir.join("agent.pem"),
            key: dir.join("agent.key"),
            waiting_key: dir.join("agent.key.waiting"),
        };
        // Without the key a certificate is what an interrupted run has left.
        let waits = files.waiting_key.exists();
        let in_the_way = [
            (&files.key, true),
            (&files.certificate, !waits),
            (&files.authority, !waits && !holds(&files.authority, pinned)),
        ];
        let in_the_way = in_the_way
            .into_iter()
            .map(|(path, counts)| (&**path, counts));
        let config = config.map(|path| (path, true));
        for (path, counts) in in_the_way.chain(config) {
            if counts && path.exists() {
                let path = path.to_owned();
                return Err(FilesError::Exists { path });
            }
        }
        Ok(files)
    }

    /// The key that waits for its certificate; made now unless an earlier run has.
    pub(super) fn key(&self) -> Result<DeviceKey, EnrolmentError> {
        if self.waiting_key.exists() {
            let pem = private_file::read(&self.waiting_key).map_err(FilesError::File)?;
            return Ok(DeviceKey::from_pem(&String::from_utf8_lossy(&pem))?);
        }
        let key = DeviceKey::generate()?;
        write(&self.waiting_key, &key.to_pem(), Existing::Keep)?;
        Ok(key)
    }

    /// Stores both certificates, and at last gives the key its name: then the device is enrolled.
    pub(super) fn store(&self, authority: &str, certificate: &str) -> Result<(), FilesError> {
        write(&self.authority, authority, Existing::Replace)?;
        write(&self.certificate, certificate, Existing::Replace)?;
        let key = private_file::read(&self.waiting_key)?;
        private_file::write(&self.key, &key, Readers::Owner, Existing::Keep)?;
        fs::remove_file(&self.waiting_key).map_err(|source| FileError::Write {
            path: self.waiting_key.clone(),
            source,
        })?;
        Ok(())
    }

    pub(super) fn store_config(&self, path: &Path, text: &str) -> Result<(), FilesError> {
        write(path, text, Existing::Keep)
    }
}

fn write(path: &Path, text: &str, existing: Existing) -> Result<(), FilesError> {
    Ok(private_file::write(
        path,
        text.as_bytes(),
        Readers::Owner,
        existing,
    )?)
}

/// Whether a file has the certificate of the authority that is trusted anyway.
fn holds(path: &Path, pinned: Fingerprint) -> bool {
    let pem = private_file::read(path).unwrap_or_default();
    fingerprint::of_pem(&String::from_utf8_lossy(&pem)) == Some(pinned)
}
