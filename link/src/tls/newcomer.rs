//! The handshake of an agent that has no certificate yet.
//!
//! The node tells by the application protocol whether somebody wants to enrol, before it asks for a
//! certificate: only who offers nothing but the enrolment's protocol is not asked for one. The agent
//! tells by the fingerprint of the authority whether it speaks to the right node, before it says
//! anything: the node shows the authority's certificate behind its own.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use wire::enrol::Fingerprint;

use super::agent_verifier::Verdict;
use super::node_verifier::NodeVerifier;
use crate::fingerprint;

/// The node's certificate as a handshake needs it, and a note of what the handshake is for.
#[derive(Debug)]
pub(super) struct DoorResolver {
    usual: Arc<dyn ResolvesServerCert>,
    /// With the authority behind it; `None` where nobody may enrol.
    enrolling: Option<Arc<CertifiedKey>>,
    verdict: Arc<Verdict>,
}

impl DoorResolver {
    pub(super) fn new(
        usual: Arc<dyn ResolvesServerCert>,
        enrolling: Option<Arc<CertifiedKey>>,
        verdict: Arc<Verdict>,
    ) -> Self {
        Self {
            usual,
            enrolling,
            verdict,
        }
    }
}

impl ResolvesServerCert for DoorResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let only = |mut offered: Box<dyn Iterator<Item = &[u8]> + '_>| {
            offered.next() == Some(wire::enrol::PROTOCOL) && offered.next().is_none()
        };
        let offered = hello.alpn();
        let wants = offered.is_some_and(|offered| only(Box::new(offered)));
        let enrols = wants && self.enrolling.is_some();
        // A second hello of the same handshake must not change its mind.
        if self.verdict.note_enrols(enrols) != enrols {
            return None;
        }
        match &self.enrolling {
            Some(certificate) if enrols => Some(certificate.clone()),
            _ => self.usual.resolve(hello),
        }
    }
}

/// What an agent that trusts nobody yet found out about a node.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The authority was not among the certificates; the fingerprint of the last one shown.
    pub(crate) instead: OnceLock<Fingerprint>,
}

/// Trusts the authority with one fingerprint, and a node with a certificate of that.
#[derive(Debug)]
pub(super) struct PinVerifier {
    pinned: Fingerprint,
    not_before: UnixTime,
    provider: Arc<CryptoProvider>,
    seen: Arc<Seen>,
}

impl PinVerifier {
    /// A clock before `not_before` is known to be wrong.
    pub(super) fn new(
        pinned: Fingerprint,
        not_before: UnixTime,
        provider: Arc<CryptoProvider>,
        seen: Arc<Seen>,
    ) -> Self {
        Self {
            pinned,
            not_before,
            provider,
            seen,
        }
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let is_pinned = |shown: &&CertificateDer<'_>| fingerprint::of_der(shown) == self.pinned;
        let Some(authority) = intermediates.iter().find(is_pinned) else {
            let last = intermediates.last().unwrap_or(end_entity);
            let _ = self.seen.instead.set(fingerprint::of_der(last));
            return Err(unknown());
        };
        let mut roots = RootCertStore::empty();
        roots
            .add(authority.clone().into_owned())
            .map_err(|_| unknown())?;
        let verifier = NodeVerifier::new(Arc::new(roots), *self.algorithms(), self.not_before);
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
