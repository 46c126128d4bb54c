//! Who an agent is: one URI in its certificate, never a word of its payload.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use wire::id::NameError;
use wire::{AgentName, SiteName};

/// The scheme of the URI that names an agent.
const SCHEME: &str = "trilobite://";

/// An agent and the one site it may speak for; as text `trilobite://SITE/AGENT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The agent; it has one certificate.
    pub agent: AgentName,
    /// The site whose clients it hears.
    pub site: SiteName,
}

/// Why a certificate does not say who the agent is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The bytes are not an X.509 version 3 certificate.
    #[error("the certificate is unreadable")]
    NotACertificate,
    /// There is no `trilobite://` URI among the subject alternative names.
    #[error("the certificate names no agent (no URI {SCHEME}SITE/AGENT in it)")]
    Missing,
    /// There are several; which one counts must not be a guess.
    #[error("the certificate names several agents")]
    Several,
    /// The URI is not a site and an agent.
    #[error("the certificate has the URI {0:?}; expected {SCHEME}SITE/AGENT")]
    Malformed(String),
    /// The URI has a site or agent that is not a name.
    #[error("the certificate has the URI {uri:?}")]
    Name {
        /// The URI as the certificate has it.
        uri: String,
        /// What is wrong with the name.
        source: NameError,
    },
}

impl Identity {
    /// Reads the identity out of a certificate that has been verified already.
    ///
    /// # Errors
    /// [`IdentityError`] unless exactly one URI of the scheme is there and well formed.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let certificate = webpki::EndEntityCert::try_from(certificate)
            .map_err(|_| IdentityError::NotACertificate)?;
        let mut uris = certificate
            .valid_uri_names()
            .filter(|uri| uri.starts_with(SCHEME));
        let uri = uris.next().ok_or(IdentityError::Missing)?;
        if uris.next().is_some() {
            return Err(IdentityError::Several);
        }
        uri.parse()
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let malformed = || IdentityError::Malformed(uri.to_owned());
        let name_error = |source| IdentityError::Name {
            uri: uri.to_owned(),
            source,
        };
        let path = uri.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let (site, agent) = path.split_once('/').ok_or_else(malformed)?;
        Ok(Self {
            site: SiteName::new(site).map_err(name_error)?,
            agent: AgentName::new(agent).map_err(name_error)?,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.site, self.agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_prints_and_reads_back() {
        let uri = "trilobite://hq.north/ap-03";
        let identity: Identity = uri.parse().unwrap();
        assert_eq!(identity.site.as_str(), "hq.north");
        assert_eq!(identity.agent.as_str(), "ap-03");
        assert_eq!(identity.to_string(), uri);
    }

    #[test]
    fn anything_but_site_and_agent_is_refused() {
        let refused = |uri: &str| uri.parse::<Identity>().unwrap_err();
        for uri in [
            "",
            "hq/ap",
            "https://hq/ap",
            "trilobite://hq",
            "Trilobite://hq/ap",
        ] {
            assert_eq!(refused(uri), IdentityError::Malformed(uri.to_owned()));
        }
        for uri in [
            "trilobite:///ap",
            "trilobite://hq/",
            "trilobite://hq/ap/2",
            "trilobite://h q/a",
        ] {
            assert!(matches!(refused(uri), IdentityError::Name { .. }), "{uri}");
        }
    }
}
