//! What each end shows and whom it trusts.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::UnixTime;

use super::node_verifier::NodeVerifier;
use super::own_certificate::{CredentialError, OwnCertificate, Pem};
use super::{agent_provider, node_provider};
use crate::certificate::{self, Usage, Validity};
use crate::identity::Identity;

/// What a node shows, and whom it trusts.
#[derive(Clone)]
pub struct NodeCredentials {
    pub(crate) certificate: Arc<SingleCertAndKey>,
    pub(crate) agents: Arc<dyn ClientCertVerifier>,
    /// The certificate with the authority's behind it, where agents without one may enrol.
    pub(crate) enrolling: Option<Arc<CertifiedKey>>,
    with_authority: Arc<CertifiedKey>,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl NodeCredentials {
    /// Takes the authority's certificate, the node's own and its key, all as PEM text.
    ///
    /// # Errors
    /// [`CredentialError`] when one of them is unfit; it names the culprit.
    pub fn from_pem(
        authority: &str,
        certificate: &str,
        key: &str,
    ) -> Result<Self, CredentialError> {
        Self::new(
            &Pem::from_text("the authority's certificate", authority),
            &Pem::from_text("the node's certificate", certificate),
            &Pem::from_text("the node's key", key),
        )
    }

    /// Reads `ca.pem`, `node.pem` and `node.key`, wherever they are.
    ///
    /// # Errors
    /// [`CredentialError`] when one of them is missing or unfit; it names the file.
    pub fn from_files(
        authority: &Path,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, CredentialError> {
        let (certificate, key) = (Pem::from_file(certificate)?, Pem::from_file(key)?);
        Self::new(&Pem::from_file(authority)?, &certificate, &key)
    }

    fn new(authority: &Pem, certificate: &Pem, key: &Pem) -> Result<Self, CredentialError> {
        let provider = node_provider();
        let own = OwnCertificate::new(Usage::Node, certificate, key, &provider)?;
        if UnixTime::now() < own.validity.not_before {
            let (what, date) = (
                certificate.what.clone(),
                certificate::date(own.validity.not_before),
            );
            return Err(CredentialError::NotValidYet { what, date });
        }
        let agents =
            WebPkiClientVerifier::builder_with_provider(authority.roots()?, provider.clone())
                .build()
                .map_err(|_| CredentialError::BadCertificate {
                    what: authority.what.clone(),
                })?;
        let mut with_authority = CertifiedKey::clone(&own.certified);
        with_authority.cert.extend(authority.certificates()?);
        Ok(Self {
            certificate: own.resolver,
            agents,
            enrolling: None,
            with_authority: Arc::new(with_authority),
            provider,
        })
    }

    /// Lets agents without a certificate in to ask for one, and for nothing else.
    #[must_use]
    pub fn with_enrolment(mut self) -> Self {
        self.enrolling = Some(self.with_authority.clone());
        self
    }
}

impl fmt::Debug for NodeCredentials {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCredentials").finish_non_exhaustive()
    }
}

/// What an agent shows, and whom it trusts.
#[derive(Clone)]
pub struct AgentCredentials {
    pub(crate) certificate: Arc<SingleCertAndKey>,
    authority: Arc<RootCertStore>,
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) not_before: UnixTime,
    not_after: UnixTime,
    identity: Identity,
}

impl AgentCredentials {
    /// Takes the authority's certificate, the agent's own and its key, all as PEM text.
    ///
    /// # Errors
    /// [`CredentialError`] when one of them is unfit; it names the culprit.
    pub fn from_pem(
        authority: &str,
        certificate: &str,
        key: &str,
    ) -> Result<Self, CredentialError> {
        Self::new(
            &Pem::from_text("the authority's certificate", authority),
            &Pem::from_text("the agent's certificate", certificate),
            &Pem::from_text("the agent's key", key),
        )
    }

    /// Reads `ca.pem`, `ID.pem` and `ID.key`, wherever they are.
    ///
    /// # Errors
    /// [`CredentialError`] when one of them is missing or unfit; it names the file.
    pub fn from_files(
        authority: &Path,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, CredentialError> {
        let (certificate, key) = (Pem::from_file(certificate)?, Pem::from_file(key)?);
        Self::new(&Pem::from_file(authority)?, &certificate, &key)
    }

    /// Who this agent is, by its certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The first second of the certificate, in Unix seconds: the day of issue, so that a clock before
    /// it is wrong.
    pub fn issued_at_unix_s(&self) -> u64 {
        self.not_before.as_secs()
    }

    /// The last second of the certificate, in Unix seconds.
    pub fn expires_at_unix_s(&self) -> u64 {
        self.not_after.as_secs()
    }

    /// Judges nodes; a clock before `issued` is known to be wrong.
    pub(super) fn node_verifier(&self, issued: UnixTime) -> NodeVerifier {
        let algorithms = self.provider.signature_verification_algorithms;
        NodeVerifier::new(self.authority.clone(), algorithms, issued)
    }

    /// A certificate that seems to start in the future is fine here: the router's clock may not
    /// be set yet, and the node, whose clock is right, has the last word.
    fn new(authority: &Pem, certificate: &Pem, key: &Pem) -> Result<Self, CredentialError> {
        let provider = agent_provider();
        let own = OwnCertificate::new(Usage::Agent, certificate, key, &provider)?;
        let identity = Identity::from_certificate(&own.leaf).map_err(|source| {
            CredentialError::NoIdentity {
                what: certificate.what.clone(),
                source,
            }
        })?;
        let Validity {
            not_before,
            not_after,
        } = own.validity;
        Ok(Self {
            certificate: own.resolver,
            authority: authority.roots()?,
            provider,
            not_before,
            not_after,
            identity,
        })
    }
}

impl fmt::Debug for AgentCredentials {
    /// Shows who the agent is and nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCredentials")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::{Installation, PAST};

    fn refused(authority: &str, certificate: &str, key: &str) -> String {
        AgentCredentials::from_pem(authority, certificate, key)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn unfit_credentials_say_what_is_wrong_and_where() {
        let installation = Installation::new();
        let ca = installation.authority.certificate_pem();
        let one = installation.issue_agent("ap-1");
        let other = installation.issue_agent("ap-2");
        let expired = installation.issue_agent_valid("ap-3", PAST);
        let node = installation.issue_node();

        let check = |certificate: &str, key: &str, expected: &str| {
            let text = refused(ca, certificate, key);
            assert!(text.contains(expected), "{text}");
        };
        check(
            "",
            &one.key_pem,
            "the agent's certificate: no PEM certificate",
        );
        check(
            &one.certificate_pem,
            "",
            "the agent's key: no PEM private key",
        );
        check(
            &one.certificate_pem,
            &other.key_pem,
            "is not the key of the agent's certificate",
        );
        check(
            &expired.certificate_pem,
            &expired.key_pem,
            "expired on 2001-09-09",
        );
        check(
            &node.certificate_pem,
            &node.key_pem,
            "not a certificate for an agent",
        );

        let text = refused("", &one.certificate_pem, &one.key_pem);
        assert!(
            text.starts_with("the authority's certificate: no PEM"),
            "{text}"
        );
    }

    #[test]
    fn an_agent_without_a_clock_may_use_a_certificate_of_the_future() {
        let installation = Installation::new();
        let future = installation.issue_agent_valid("ap-1", 8_000_000_000..9_000_000_000);
        let ca = installation.authority.certificate_pem();
        AgentCredentials::from_pem(ca, &future.certificate_pem, &future.key_pem).unwrap();
    }

    #[test]
    fn no_debug_text_shows_a_key() {
        let installation = Installation::new();
        let text = format!("{:?} {:?}", installation.node(), installation.agent("ap-1"));
        assert!(!text.contains("key"), "{text}");
    }
}
