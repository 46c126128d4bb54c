//! The agent's judgement of the node's certificate, on a machine that may have no clock.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Verifies the node by the authority and by name, without trusting a clock that is plainly unset.
///
/// A router starts in 1970 and learns the time later, if ever. Its own certificate tells that it
/// is at least as late as the day of issue, so a clock before that day is known to be wrong: then
/// that day counts, and a node's certificate issued still later is taken to be valid from the
/// start of its own interval. A clock that may be right is always used as it is.
#[derive(Debug)]
pub(super) struct NodeVerifier {
    authority: Arc<dyn ServerCertVerifier>,
    issued: UnixTime,
}

impl NodeVerifier {
    /// `issued` is the first second of the agent's own certificate.
    pub(super) fn new(authority: Arc<dyn ServerCertVerifier>, issued: UnixTime) -> Self {
        Self { authority, issued }
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |time| {
            let authority = &self.authority;
            authority.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                time,
            )
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
        self.authority
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authority.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::Installation;
    use std::time::Duration;

    /// Whether an agent whose certificate starts at `issued` trusts, at `now`, a node whose
    /// certificate is valid in `node`.
    fn trusts(issued: u64, now: u64, node: std::ops::Range<u64>) -> bool {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let installation = Installation::new();
        let authority = installation.agent("ap-1").node;
        let verifier = NodeVerifier::new(authority, at(issued));
        let certificate = installation.node_certificate_valid(node);
        let name = ServerName::try_from("localhost").unwrap();
        verifier
            .verify_server_cert(&certificate, &[], &name, &[], at(now))
            .is_ok()
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
