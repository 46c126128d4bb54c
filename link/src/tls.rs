//! What both ends ask of TLS: version 1.3, certificates both ways but for an enrolment, no early
//! data, no resumption.

mod agent_crypto;
mod agent_verifier;
mod credentials;
mod newcomer;
mod node_verifier;
mod own_certificate;
mod patience;

use std::sync::Arc;

use rustls::crypto::ring::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::UnixTime;
use wire::enrol::Fingerprint;

pub use credentials::{AgentCredentials, NodeCredentials};
pub use own_certificate::CredentialError;

pub(crate) use agent_verifier::Verdict;
pub(crate) use newcomer::Seen;
pub(crate) use patience::Patient;

use agent_verifier::AgentVerifier;
use newcomer::{DoorResolver, PinVerifier};

/// The protocol that both ends must name in the handshake.
pub const ALPN: &[u8] = b"trilobite/1";

/// AES-128 before AES-256: the same strength for our purpose, less work.
const AES_FIRST: [SupportedCipherSuite; 3] = [
    TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
    TLS13_CHACHA20_POLY1305_SHA256,
];

/// For a CPU without AES instructions, whose constant-time AES in software is slow.
const CHACHA_FIRST: [SupportedCipherSuite; 3] = [
    TLS13_CHACHA20_POLY1305_SHA256,
    TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
];

/// Whether nearly every CPU of the target has AES instructions.
const AES_IN_HARDWARE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// The node's order; the server honours the agent's, so that a weak CPU gets what it asks for.
pub(crate) fn node_provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: AES_FIRST.to_vec(),
        ..ring::default_provider()
    })
}

pub(crate) fn agent_provider() -> Arc<CryptoProvider> {
    agent_crypto::provider(&if AES_IN_HARDWARE {
        AES_FIRST
    } else {
        CHACHA_FIRST
    })
}

/// The node's side of one handshake, whose outcome goes to `verdict`.
pub(crate) fn node_config(credentials: &NodeCredentials, verdict: &Arc<Verdict>) -> ServerConfig {
    let verifier = AgentVerifier::new(credentials.agents.clone(), verdict.clone());
    let (usual, enrolling) = (&credentials.certificate, &credentials.enrolling);
    let certificate = DoorResolver::new(usual.clone(), enrolling.clone(), verdict.clone());
    let mut config = ServerConfig::builder_with_provider(credentials.provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3 suites")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![ALPN.to_vec()];
    if credentials.enrolling.is_some() {
        // Behind the usual one: who offers both has a certificate to show.
        config.alpn_protocols.push(wire::enrol::PROTOCOL.to_vec());
    }
    // Early data could be replayed, and a resumed session would skip the certificate's dates.
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config
}

/// The agent's side of its handshakes.
pub(crate) fn agent_config(credentials: &AgentCredentials) -> ClientConfig {
    let verifier = credentials.node_verifier(credentials.not_before);
    let mut config = ClientConfig::builder_with_provider(credentials.provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(credentials.certificate.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = false;
    config.resumption = rustls::client::Resumption::disabled();
    config
}

/// The handshake of an agent that has no certificate and knows the authority's fingerprint only.
/// What it sees instead of that authority goes to `seen`.
pub(crate) fn newcomer_config(
    pinned: Fingerprint,
    not_before: UnixTime,
    seen: &Arc<Seen>,
) -> ClientConfig {
    let provider = agent_provider();
    let verifier = PinVerifier::new(pinned, not_before, provider.clone(), seen.clone());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![wire::enrol::PROTOCOL.to_vec()];
    config.enable_early_data = false;
    config.resumption = rustls::client::Resumption::disabled();
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::Installation;

    #[test]
    fn there_is_no_early_data_and_no_resumption() {
        let installation = Installation::new();
        let node = node_config(&installation.node(), &Arc::default());
        assert_eq!(node.max_early_data_size, 0);
        assert_eq!(node.send_tls13_tickets, 0);
        assert!(!node.session_storage.can_cache());
        assert!(!agent_config(&installation.agent("ap-1")).enable_early_data);
    }

    #[test]
    fn aes_128_comes_first_and_chacha_is_accepted() {
        let suites: Vec<_> = node_provider()
            .cipher_suites
            .iter()
            .map(|suite| suite.suite())
            .collect();
        assert_eq!(suites[0], TLS13_AES_128_GCM_SHA256.suite());
        assert!(suites.contains(&TLS13_CHACHA20_POLY1305_SHA256.suite()));
    }
}
