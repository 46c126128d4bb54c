//! The node's judgement of an agent's certificate, kept for the one connection that it is about.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::certificate::date;
use crate::identity::Identity;
use crate::refused::Reason;

/// What became clear in one handshake.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Who the agent is or why it may not come in; empty until it has shown a certificate.
    judged: OnceLock<Result<Identity, Reason>>,
    /// It only wants to enrol; empty until it has said hello.
    enrols: OnceLock<bool>,
}

impl Verdict {
    pub(crate) fn get(&self) -> Option<&Result<Identity, Reason>> {
        self.judged.get()
    }

    /// Whether it has no certificate and wants one.
    pub(crate) fn enrols(&self) -> bool {
        self.enrols.get().copied().unwrap_or(false)
    }

    /// Notes what it wants, and returns what it wanted first.
    pub(super) fn note_enrols(&self, enrols: bool) -> bool {
        *self.enrols.get_or_init(|| enrols)
    }
}

/// Verifies one agent: by the authority first, then for an identity.
///
/// There is one per handshake, because a failed TLS session passes on its error as text only.
#[derive(Debug)]
pub(super) struct AgentVerifier {
    authority: Arc<dyn ClientCertVerifier>,
    verdict: Arc<Verdict>,
}

impl AgentVerifier {
    pub(super) fn new(authority: Arc<dyn ClientCertVerifier>, verdict: Arc<Verdict>) -> Self {
        Self { authority, verdict }
    }

    /// Notes the verdict; the first one counts, since a handshake has one certificate.
    fn note(&self, verdict: Result<Identity, Reason>) {
        let _ = self.verdict.judged.set(verdict);
    }
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::ExpiredContext { not_after, .. } => Reason::Expired {
                date: date(*not_after),
            },
            CertificateError::NotValidYetContext { not_before, .. } => Reason::NotValidYet {
                date: date(*not_before),
            },
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Reason::UnknownAuthority
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Reason::WrongUsage
            }
            other => Reason::Other(other.to_string()),
        },
        other => Reason::Other(other.to_string()),
    }
}

impl ClientCertVerifier for AgentVerifier {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .authority
            .verify_client_cert(end_entity, intermediates, now)
            .inspect_err(|error| self.note(Err(reason(error))))?;
        match Identity::from_certificate(end_entity) {
            Ok(identity) => {
                self.note(Ok(identity));
                Ok(verified)
            }
            Err(error) => {
                self.note(Err(Reason::NoIdentity(error.clone())));
                Err(CertificateError::Other(OtherError(Arc::new(error))).into())
            }
        }
    }

    fn offer_client_auth(&self) -> bool {
        !self.verdict.enrols()
    }

    fn client_auth_mandatory(&self) -> bool {
        !self.verdict.enrols()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authority.root_hint_subjects()
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
