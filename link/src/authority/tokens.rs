//! Join tokens: who may get a first certificate, once.
//!
//! They live in a small text file beside the authority's, one line each. A token's secret is not in
//! it, only its BLAKE3 hash: the secret has 128 random bits, so that nobody finds it by trying, and
//! the slow hashes that weak passwords need would only slow the node down.
//!
//! - Whoever changes the file holds `join-tokens.lock`, so that the node and a person's command do
//!   not undo each other's work, and replaces it in one step.
//! - A token is marked as redeemed, with the key that redeems it, and that is on the disk before
//!   the caller may sign anything. If the answer is lost, or the node dies before it, the same key
//!   may ask again; no other ever may.

mod line;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wire::enrol::{Fingerprint, JoinToken, SECRET_BYTES};
use wire::{AgentName, SiteName};

use crate::private_file::{self, Existing, FileError, Readers};
use crate::signing_request::KEY_BYTES;

/// Tokens that are kept: a thousand devices may be about to join. Beyond it none is made until some
/// are redeemed, revoked or over.
pub const TOKENS_MAX: usize = 1_000;

/// Longest time for which a token may be valid. It lies in chats and notes meanwhile.
pub const VALID_MAX: Duration = Duration::from_secs(7 * 86_400);

/// How long a token that is over is remembered, so that who comes late is told so.
const REMEMBERED_S: u64 = 7 * 86_400;

/// A token as the node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    hash: blake3::Hash,
    /// The agent that it makes.
    pub agent: AgentName,
    /// The site for which that agent will speak.
    pub site: SiteName,
    /// When it was made, in Unix seconds.
    pub made_unix_s: u64,
    /// Its last second, in Unix seconds.
    pub until_unix_s: u64,
    /// When it was redeemed, if it was, and with which key.
    pub redeemed: Option<Redeemed>,
}

/// What is known of a token's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeemed {
    /// When, in Unix seconds.
    pub at_unix_s: u64,
    /// With which public key.
    pub key: [u8; KEY_BYTES],
}

/// What became of an attempt to redeem a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// The agent to certify.
    pub agent: AgentName,
    /// Its site.
    pub site: SiteName,
    /// The same key had redeemed it before.
    pub again: bool,
}

/// Why a token book cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The book or its lock could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line of the book is none of ours.
    #[error(
        "{}, line {line}: not a join token; mend the line, or remove the file: unused tokens are \
         void then", path.display()
    )]
    Line {
        /// The book.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// There are too many.
    #[error(
        "{TOKENS_MAX} join tokens are open already; wait until some are over, or revoke some: \
         \"trilobite token list\""
    )]
    Full,
    /// The time is not one for which a token may be valid.
    #[error("a join token must be valid for one second to seven days")]
    Validity,
    /// The system has no randomness.
    #[error("no randomness from the system")]
    Randomness(#[source] getrandom::Error),
}

/// Why a token is not redeemed. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedeemError<E> {
    /// No such token.
    #[error("there is no such join token; it was revoked, or is of another node")]
    Unknown,
    /// Its time is over.
    #[error(
        "the join token for agent {agent} is over; make a new one with \"trilobite token join\""
    )]
    Expired {
        /// The agent that it was for.
        agent: AgentName,
    },
    /// Another key has redeemed it.
    #[error(
        "the join token for agent {agent} was redeemed with another key; if that was not this \
         device, somebody else has a certificate of this name"
    )]
    Used {
        /// The agent that it was for.
        agent: AgentName,
    },
    /// The caller does not want it redeemed.
    #[error("{0}")]
    Refused(E),
    /// The book cannot be used.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// The join tokens of one authority.
#[derive(Debug, Clone)]
pub struct TokenBook {
    path: PathBuf,
    lock: PathBuf,
}

impl TokenBook {
    /// The book in an authority's folder; it need not exist yet.
    pub fn beside(authority_dir: &Path) -> Self {
        Self {
            path: authority_dir.join("join-tokens"),
            lock: authority_dir.join("join-tokens.lock"),
        }
    }

    /// Makes a token, which is known to nobody but the caller from then on.
    ///
    /// # Errors
    /// [`BookError`]; then there is no token.
    pub fn make(
        &self,
        agent: &AgentName,
        site: &SiteName,
        authority: Fingerprint,
        valid: Duration,
        now_unix_s: u64,
    ) -> Result<JoinToken, BookError> {
        if valid < Duration::from_secs(1) || valid > VALID_MAX {
            return Err(BookError::Validity);
        }
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(BookError::Randomness)?;
        let _locked = self.lock()?;
        let mut entries = self.read()?;
        forget_old(&mut entries, now_unix_s);
        let open = entries.iter().filter(|entry| entry.is_open(now_unix_s));
        if open.count() >= TOKENS_MAX {
            return Err(BookError::Full);
        }
        entries.push(TokenEntry {
            hash: blake3::hash(&secret),
            agent: agent.clone(),
            site: site.clone(),
            made_unix_s: now_unix_s,
            until_unix_s: now_unix_s + valid.as_secs(),
            redeemed: None,
        });
        self.write(&entries)?;
        Ok(JoinToken {
            secret,
            authority: Some(authority),
        })
    }

    /// All tokens that are remembered, in the order in which they were made.
    ///
    /// # Errors
    /// [`BookError`] when the book cannot be read.
    pub fn entries(&self) -> Result<Vec<TokenEntry>, BookError> {
        // Read without the lock: the file is only ever replaced as a whole.
        self.read()
    }

    /// Forgets the token with this id; returns it.
    ///
    /// # Errors
    /// [`BookError`] when the book cannot be read or written.
    pub fn revoke(&self, id: &str) -> Result<Vec<TokenEntry>, BookError> {
        let _locked = self.lock()?;
        let (revoked, kept): (Vec<_>, Vec<_>) =
            self.read()?.into_iter().partition(|entry| entry.id() == id);
        if !revoked.is_empty() {
            self.write(&kept)?;
        }
        Ok(revoked)
    }

    /// Redeems a token with a key, if `admits` lets its agent and site in. That it is redeemed is on
    /// the disk when this returns.
    ///
    /// # Errors
    /// [`RedeemError`]; then the token is as it was.
    pub fn redeem<E>(
        &self,
        secret: &[u8; SECRET_BYTES],
        key: &[u8; KEY_BYTES],
        now_unix_s: u64,
        admits: impl FnOnce(&AgentName, &SiteName) -> Result<(), E>,
    ) -> Result<Redemption, RedeemError<E>> {
        let hash = blake3::hash(secret);
        let _locked = self.lock()?;
        let mut entries = self.read()?;
        let found = entries.iter_mut().find(|entry| entry.hash == hash);
        let entry = found.ok_or(RedeemError::Unknown)?;
        let (agent, site) = (entry.agent.clone(), entry.site.clone());
        if entry.redeemed.is_some_and(|redeemed| redeemed.key != *key) {
            return Err(RedeemError::Used { agent });
        }
        if now_unix_s > entry.until_unix_s {
            return Err(RedeemError::Expired { agent });
        }
        admits(&agent, &site).map_err(RedeemError::Refused)?;
        let again = entry.redeemed.is_some();
        if !again {
            entry.redeemed = Some(Redeemed {
                at_unix_s: now_unix_s,
                key: *key,
            });
            forget_old(&mut entries, now_unix_s);
            self.write(&entries)?;
        }
        Ok(Redemption { agent, site, again })
    }

    fn lock(&self) -> Result<File, BookError> {
        let error = |source| FileError::Write {
            path: self.lock.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.lock).map_err(error)?;
        self.leave_to_the_folders_owner(&self.lock);
        // Held until it is dropped; the system releases it when a process dies.
        file.lock().map_err(error)?;
        Ok(file)
    }

    fn read(&self) -> Result<Vec<TokenEntry>, BookError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let text = private_file::read(&self.path)?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
        lines
            .map(|(index, text)| {
                line::parse(text).ok_or_else(|| BookError::Line {
                    path: self.path.clone(),
                    line: index + 1,
                })
            })
            .collect()
    }

    fn write(&self, entries: &[TokenEntry]) -> Result<(), BookError> {
        let text = line::text(entries);
        let (owner, replace) = (Readers::Owner, Existing::Replace);
        private_file::write(&self.path, text.as_bytes(), owner, replace)?;
        self.leave_to_the_folders_owner(&self.path);
        Ok(())
    }

    /// What root writes belongs to the folder's owner: a node without root's rights must be able to
    /// open it after a person made a token as root. Where root may not give files away, they stay.
    #[cfg(unix)]
    fn leave_to_the_folders_owner(&self, path: &Path) {
        use std::os::unix::fs::{MetadataExt, lchown};
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let left = std::fs::metadata(folder).and_then(|folder| {
            // The folder's owner may have put a link here: root must not give away what it names.
            let owned = std::fs::symlink_metadata(path)?.uid() == folder.uid();
            match owned {
                true => Ok(()),
                false => lchown(path, Some(folder.uid()), Some(folder.gid())),
            }
        });
        if let Err(error) = left {
            let path = path.display();
            tracing::warn!(
                "{path} stays root's, and a node of another user cannot open it: {error}"
            );
        }
    }

    #[cfg(not(unix))]
    fn leave_to_the_folders_owner(&self, _path: &Path) {}
}

impl TokenEntry {
    /// What the token is called in lists and logs; it tells nothing of the secret.
    pub fn id(&self) -> String {
        self.hash.to_hex().chars().take(8).collect()
    }

    fn is_open(&self, now_unix_s: u64) -> bool {
        self.redeemed.is_none() && now_unix_s <= self.until_unix_s
    }
}

fn forget_old(entries: &mut Vec<TokenEntry>, now_unix_s: u64) {
    entries.retain(|entry| now_unix_s <= entry.until_unix_s + REMEMBERED_S);
}

#[cfg(test)]
mod tests;
