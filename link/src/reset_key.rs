//! The secret by which a restarted node tells agents that their connections are gone.
//!
//! A stateless reset (RFC 9000, section 10.3) carries a token that only the holder of this key can
//! make. A node that keeps it across restarts answers the first packet of an old connection with
//! one, and the agent connects anew at once, not after the idle timeout.

use std::fmt;
use std::path::{Path, PathBuf};

use quinn::crypto::{CryptoError, HmacKey};

use crate::private_file::{self, Existing, FileError, Readers};

/// Bytes of the key.
const KEY_BYTES: usize = 64;

/// The secret of a node's stateless resets and connection ids.
#[derive(Clone)]
pub struct ResetKey {
    tokens: [u8; 32],
    connection_ids: u64,
}

/// Why there is no reset key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetKeyError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds something else.
    #[error("{}: has {bytes} bytes, a reset key has {KEY_BYTES}; remove the file to get a new key", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
    },
    /// The system has no random numbers to give.
    #[error("no randomness from the system")]
    Randomness(#[source] getrandom::Error),
}

impl ResetKey {
    /// Makes a key that lives as long as this process.
    ///
    /// # Errors
    /// [`ResetKeyError::Randomness`].
    pub fn random() -> Result<Self, ResetKeyError> {
        Ok(Self::from_bytes(&random_bytes()?))
    }

    /// Reads the key from a file, which is made (mode 0600) if it is missing.
    ///
    /// # Errors
    /// [`ResetKeyError`] when the file cannot be read or made, or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, ResetKeyError> {
        if !path.exists() {
            private_file::write(path, &random_bytes()?, Readers::Owner, Existing::Keep)?;
        }
        let content = private_file::read(path)?;
        match <&[u8; KEY_BYTES]>::try_from(content.as_slice()) {
            Ok(bytes) => Ok(Self::from_bytes(bytes)),
            Err(_) => Err(ResetKeyError::Length {
                path: path.to_owned(),
                bytes: content.len(),
            }),
        }
    }

    fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let ids = blake3::derive_key("trilobite 2026 connection ids", bytes);
        let (first, _) = ids
            .split_first_chunk()
            .expect("a hash is longer than eight bytes");
        Self {
            tokens: blake3::derive_key("trilobite 2026 stateless reset tokens", bytes),
            connection_ids: u64::from_le_bytes(*first),
        }
    }

    /// Key by which connection ids of an earlier run are known again.
    pub(crate) fn connection_id_key(&self) -> u64 {
        self.connection_ids
    }
}

fn random_bytes() -> Result<[u8; KEY_BYTES], ResetKeyError> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(ResetKeyError::Randomness)?;
    Ok(bytes)
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(blake3::keyed_hash(&self.tokens, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        // blake3 compares hashes in constant time.
        let signature = blake3::Hash::from_slice(signature).map_err(|_| CryptoError)?;
        match blake3::keyed_hash(&self.tokens, data) == signature {
            true => Ok(()),
            false => Err(CryptoError),
        }
    }
}

impl fmt::Debug for ResetKey {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResetKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(key: &ResetKey) -> [u8; 32] {
        let mut token = [0; 32];
        key.sign(b"connection", &mut token);
        token
    }

    #[test]
    fn a_missing_file_is_made_and_then_read_again() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("reset.key");
        let made = ResetKey::from_file(&path).unwrap();
        let read = ResetKey::from_file(&path).unwrap();
        assert_eq!(token(&made), token(&read));
        assert_eq!(made.connection_ids, read.connection_ids);
        made.verify(b"connection", &token(&read)).unwrap();
        assert!(made.verify(b"another", &token(&read)).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_file_of_another_length_is_refused_and_kept() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("reset.key");
        std::fs::write(&path, b"short").unwrap();
        let error = ResetKey::from_file(&path).unwrap_err().to_string();
        assert!(
            error.contains("has 5 bytes, a reset key has 64; remove the file"),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
    }
}
