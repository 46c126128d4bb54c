//! An authority as a folder: `ca.pem`, `ca.key`, `node.pem`, `node.key`, `agents/ID.pem` and
//! `agents/ID.key`. Keys are readable by their owner only.

use std::fs;
use std::path::{Path, PathBuf};

use wire::{AgentName, SiteName};

use super::{Authority, AuthorityError, Issued};
use crate::private_file::{self, Existing, FileError, Readers};

/// Where an issued certificate and its key were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key, mode 0600.
    pub key: PathBuf,
}

/// An authority and the folder that it lives in.
#[derive(Debug)]
pub struct AuthorityDir {
    dir: PathBuf,
    authority: Authority,
}

impl AuthorityDir {
    /// Makes a new authority in `dir`, which is created if it is missing.
    ///
    /// # Errors
    /// [`FileError::Exists`] when the folder has an authority already: every certificate in the
    /// field would be void without it, so it is never overwritten.
    pub fn create(dir: &Path) -> Result<Self, AuthorityError> {
        for path in [dir.join("ca.key"), dir.join("ca.pem")] {
            if path.exists() {
                let what_to_do = "use this authority, or choose another folder";
                return Err(FileError::Exists { path, what_to_do }.into());
            }
        }
        create_dir(dir)?;
        let authority = Authority::create()?;
        let key_pem = authority.key_pem();
        let certificate_pem = authority.certificate_pem();
        private_file::write(
            &dir.join("ca.key"),
            key_pem.as_bytes(),
            Readers::Owner,
            Existing::Keep,
        )?;
        let path = dir.join("ca.pem");
        private_file::write(
            &path,
            certificate_pem.as_bytes(),
            Readers::All,
            Existing::Keep,
        )?;
        Ok(Self {
            dir: dir.to_owned(),
            authority,
        })
    }

    /// Opens the authority in `dir`.
    ///
    /// # Errors
    /// [`AuthorityError`] when `ca.pem` or `ca.key` is missing, unreadable or not of this pair.
    pub fn open(dir: &Path) -> Result<Self, AuthorityError> {
        let certificate = private_file::read(&dir.join("ca.pem"))?;
        let key = private_file::read(&dir.join("ca.key"))?;
        let (certificate, key) = (
            String::from_utf8_lossy(&certificate),
            String::from_utf8_lossy(&key),
        );
        Ok(Self {
            dir: dir.to_owned(),
            authority: Authority::load(&certificate, &key)?,
        })
    }

    /// The authority itself.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The certificate that nodes and agents trust.
    pub fn certificate_path(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Issues `agents/ID.pem` and `agents/ID.key`.
    ///
    /// # Errors
    /// [`FileError::Exists`] when they are there and are to be kept; else as
    /// [`Authority::issue_agent`].
    pub fn issue_agent(
        &self,
        agent: &AgentName,
        site: &SiteName,
        days: u32,
        existing: Existing,
    ) -> Result<IssuedFiles, AuthorityError> {
        let dir = self.dir.join("agents");
        create_dir(&dir)?;
        let issued = self.authority.issue_agent(agent, site, days)?;
        Ok(write_pair(&dir, agent.as_str(), &issued, existing)?)
    }

    /// Issues `node.pem` and `node.key` for a node that agents reach under any of `names`.
    ///
    /// # Errors
    /// [`FileError::Exists`] when they are there and are to be kept; else as
    /// [`Authority::issue_node`].
    pub fn issue_node(
        &self,
        names: &[String],
        days: u32,
        existing: Existing,
    ) -> Result<IssuedFiles, AuthorityError> {
        let issued = self.authority.issue_node(names, days)?;
        Ok(write_pair(&self.dir, "node", &issued, existing)?)
    }
}

fn create_dir(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|source| FileError::Write {
        path: dir.to_owned(),
        source,
    })
}

fn write_pair(
    dir: &Path,
    stem: &str,
    issued: &Issued,
    existing: Existing,
) -> Result<IssuedFiles, FileError> {
    let files = IssuedFiles {
        certificate: dir.join(format!("{stem}.pem")),
        key: dir.join(format!("{stem}.key")),
    };
    if existing == Existing::Keep && files.certificate.exists() {
        let what_to_do = "remove it first, or replace it with --replace";
        return Err(FileError::Exists {
            path: files.certificate,
            what_to_do,
        });
    }
    private_file::write(
        &files.key,
        issued.key_pem.as_bytes(),
        Readers::Owner,
        existing,
    )?;
    let certificate = issued.certificate_pem.as_bytes();
    private_file::write(&files.certificate, certificate, Readers::All, existing)?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::CERTIFICATE_DAYS;

    fn names() -> (AgentName, SiteName) {
        (
            AgentName::new("ap-1").unwrap(),
            SiteName::new("hq").unwrap(),
        )
    }

    #[test]
    fn an_authority_is_found_again_and_issues_what_its_own_certificate_verifies() {
        let temp = tempfile::tempdir().unwrap();
        let created = AuthorityDir::create(temp.path()).unwrap();
        let opened = AuthorityDir::open(temp.path()).unwrap();
        assert_eq!(
            opened.authority().certificate_pem(),
            created.authority().certificate_pem()
        );

        let (agent, site) = names();
        let files = opened
            .issue_agent(&agent, &site, CERTIFICATE_DAYS, Existing::Keep)
            .unwrap();
        let ca = opened.certificate_path();
        let credentials =
            crate::AgentCredentials::from_files(&ca, &files.certificate, &files.key).unwrap();
        assert_eq!(credentials.identity().to_string(), "trilobite://hq/ap-1");
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let dir = AuthorityDir::create(temp.path()).unwrap();
        let (agent, site) = names();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let issued = dir.issue_agent(&agent, &site, 7, Existing::Keep).unwrap();
        let node = dir
            .issue_node(&["localhost".to_owned()], 7, Existing::Keep)
            .unwrap();
        for key in [temp.path().join("ca.key"), issued.key, node.key] {
            assert_eq!(mode(&key), 0o600, "{}", key.display());
        }
    }

    #[test]
    fn nothing_is_overwritten_unless_asked_for() {
        let temp = tempfile::tempdir().unwrap();
        let dir = AuthorityDir::create(temp.path()).unwrap();
        let again = AuthorityDir::create(temp.path()).unwrap_err().to_string();
        assert!(
            again.contains("ca.key exists already and was left alone"),
            "{again}"
        );

        let (agent, site) = names();
        let first = dir.issue_agent(&agent, &site, 7, Existing::Keep).unwrap();
        let before = fs::read(&first.key).unwrap();
        dir.issue_agent(&agent, &site, 7, Existing::Keep)
            .unwrap_err();
        assert_eq!(fs::read(&first.key).unwrap(), before);
        dir.issue_agent(&agent, &site, 7, Existing::Replace)
            .unwrap();
        assert_ne!(fs::read(&first.key).unwrap(), before);
    }

    #[test]
    fn files_that_do_not_fit_say_what_to_do() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        AuthorityDir::create(one.path()).unwrap();
        AuthorityDir::create(other.path()).unwrap();
        fs::copy(other.path().join("ca.key"), one.path().join("ca.key")).unwrap();
        let mixed = AuthorityDir::open(one.path()).unwrap_err().to_string();
        assert!(mixed.contains("do not belong together"), "{mixed}");

        let missing = AuthorityDir::open(&one.path().join("nowhere"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("ca.pem; check the path"), "{missing}");
    }
}
