//! The agent's judgement of the node's certificate, on a machine that may have no clock.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Verifies the node by the authority and by name, without trusting a clock that is plainly unset.
///
/// A router starts in 1970 and learns the time later, if ever. Its own certificate tells that it
/// is at least as late as the day of issue, so a clock before that day is known to be wrong: then
/// that day counts, and a node's certificate issued still later is taken to be valid from the
/// start of its own interval. A clock that may be right is always used as it is.
///
/// rustls has a verifier for the rest, which brings along reading lists of revoked certificates:
/// agents have none.
#[derive(Debug)]
pub(super) struct NodeVerifier {
    authority: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    issued: UnixTime,
}

impl NodeVerifier {
    /// `issued` is the first second of the agent's own certificate.
    pub(super) fn new(
        authority: Arc<RootCertStore>,
        algorithms: WebPkiSupportedAlgorithms,
        issued: UnixTime,
    ) -> Self {
        Self {
            authority,
            algorithms,
            issued,
        }
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let verify = |time| {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.authority,
                intermediates,
                time,
                algorithms,
            )?;
            verify_server_name(&certificate, server_name)?;
            Ok(ServerCertVerified::assertion())
        };
        if now >= self.issued {
            return verify(now);
        }
        match verify(self.issued) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => verify(not_before),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::support::Installation;
    use crate::tls::AgentCredentials;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// What an agent whose certificate starts at `issued` says, at `now`, of a certificate that claims
    /// to be of the node `name`.
    fn judge(
        agent: &AgentCredentials,
        issued: u64,
        now: u64,
        certificate: &CertificateDer<'_>,
        name: &str,
    ) -> Result<(), Error> {
        let verifier = agent.node_verifier(at(issued));
        let name = ServerName::try_from(name).unwrap();
        verifier
            .verify_server_cert(certificate, &[], &name, &[], at(now))
            .map(drop)
    }

    fn trusts(issued: u64, now: u64, node: std::ops::Range<u64>) -> bool {
        let installation = Installation::new();
        let certificate = installation.node_certificate_valid(node);
        let agent = installation.agent("ap-1");
        judge(&agent, issued, now, &certificate, "localhost").is_ok()
    }

    #[test]
    fn another_authoritys_node_another_name_and_an_agent_are_refused() {
        let (installation, other) = (Installation::new(), Installation::new());
        let agent = installation.agent("ap-1");
        let check = |certificate: &CertificateDer<'_>, name, expected: &str| {
            let error = judge(&agent, 1_000, 1_500, certificate, name).unwrap_err();
            assert!(format!("{error:?}").contains(expected), "{error:?}");
        };
        let node = installation.node_certificate_valid(1_000..2_000);
        check(&node, "elsewhere.example", "NotValidForName");
        let foreign = other.node_certificate_valid(1_000..2_000);
        check(&foreign, "localhost", "UnknownIssuer");
        let no_node = installation.agent_certificate_valid(1_000..2_000);
        check(&no_node, "localhost", "InvalidPurpose");
        check(
            &CertificateDer::from(vec![1, 2, 3]),
            "localhost",
            "BadEncoding",
        );
    }

    #[test]
    fn a_clock_that_may_be_right_is_obeyed() {
        assert!(trusts(1_000, 1_500, 1_000..2_000));
        assert!(
            !trusts(1_000, 2_500, 1_000..2_000),
            "the node's certificate has expired"
        );
        assert!(
            !trusts(1_000, 1_500, 1_600..2_000),
            "the node's certificate starts later"
        );
    }

    #[test]
    fn a_clock_before_the_day_of_issue_is_not() {
        assert!(trusts(1_000, 5, 900..2_000), "valid on the day of issue");
        assert!(trusts(1_000, 5, 1_600..2_000), "issued after the agent's");
        assert!(
            !trusts(1_000, 5, 500..900),
            "expired before the agent's was issued"
        );
    }
}
