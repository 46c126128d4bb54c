//! `trilobite-agent enroll`: from a join token to key, certificate and configuration.
//!
//! The key is made here and stays here. It is on the disk, under a name that says that it waits,
//! before the node hears of it: if the answer is lost, the same command asks again with the same key
//! and gets the same certificate anew, as nobody else does.

mod files;
mod report;

use std::path::PathBuf;

use link::{AgentCredentials, AgentEndpoint, BindError, EnrolAt, EnrolError, Knobs};
use wire::enrol::{EnrolRequest, Fingerprint, JoinToken};

use crate::route::NodeAddress;
use crate::run::{DialError, any_port_towards, resolve};
use crate::time_of_day::BUILT_UNIX_S;

pub use files::FilesError;

use files::Files;

/// How to enrol this device.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The node.
    pub node: NodeAddress,
    /// The name in its certificate, where that is not the host above.
    pub server_name: Option<String>,
    /// The join token.
    pub token: JoinToken,
    /// The authority's fingerprint, where the token has none.
    pub authority: Option<Fingerprint>,
    /// Folder for the three files.
    pub out: PathBuf,
    /// Configuration to write.
    pub write_config: Option<PathBuf>,
}

/// Why a device is not enrolled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// Neither token nor flag says which authority is to be trusted.
    #[error(
        "which authority may this device trust? give --ca-fingerprint, or the whole token that \
         \"trilobite token join\" printed"
    )]
    NoFingerprint,
    /// Token and flag say different things.
    #[error(
        "the token is of the authority {of_token}, and --ca-fingerprint is {given}; one of them is \
         from elsewhere"
    )]
    Fingerprints {
        /// The token's.
        of_token: Fingerprint,
        /// The flag's.
        given: Fingerprint,
    },
    /// Files are in the way, or cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The node has no address.
    #[error(transparent)]
    Address(#[from] DialError),
    /// There is no socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The key could not be made or used.
    #[error(transparent)]
    Key(#[from] link::DeviceKeyError),
    /// The node gave no certificate.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// What the node gave is no certificate for this key.
    #[error(
        "the node's answer is of no use; nothing was stored, and the same command may be tried again"
    )]
    Unfit(#[source] link::CredentialError),
}

impl EnrolmentError {
    /// Whether the command line or what it names is wrong, and nothing was asked.
    pub fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::NoFingerprint
                | Self::Fingerprints { .. }
                | Self::Files(FilesError::Exists { .. })
        )
    }
}

impl Enrolment {
    /// Enrols this device; returns what to tell.
    ///
    /// # Errors
    /// [`EnrolmentError`] says what is wrong, where, and what to do. Unless the files are stored,
    /// none is in anybody's way: the command may be repeated.
    pub async fn run(self) -> Result<String, EnrolmentError> {
        let authority = self.authority()?;
        let files = Files::prepare(&self.out, self.write_config.as_deref(), authority)?;
        let key = files.key()?;
        let request = EnrolRequest {
            secret: self.token.secret,
            signing_request: key.signing_request(None)?,
        };
        let node = resolve(&self.node).await?;
        let knobs = Knobs::default();
        let endpoint = AgentEndpoint::bind(any_port_towards(node), &knobs)?;
        let at = EnrolAt {
            node,
            server_name: self.server_name.as_deref().unwrap_or(&self.node.host),
            authority,
            not_before_unix_s: BUILT_UNIX_S,
        };
        let granted = endpoint.enrol(at, &request, &knobs).await?;
        let credentials =
            AgentCredentials::from_pem(&granted.authority, &granted.certificate, &key.to_pem())
                .map_err(EnrolmentError::Unfit)?;
        files.store(&granted.authority, &granted.certificate)?;
        let config = report::config(&self, &files);
        if let Some(path) = &self.write_config {
            files.store_config(path, &config)?;
        }
        Ok(report::told(&self, &credentials, &files, &config))
    }

    fn authority(&self) -> Result<Fingerprint, EnrolmentError> {
        match (self.token.authority, self.authority) {
            (Some(of_token), Some(given)) if of_token != given => {
                Err(EnrolmentError::Fingerprints { of_token, given })
            }
            (of_token, given) => of_token.or(given).ok_or(EnrolmentError::NoFingerprint),
        }
    }
}

#[cfg(test)]
mod tests;
