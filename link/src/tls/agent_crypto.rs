//! What an agent can do in its handshakes: as little as a node of this house asks for.
//!
//! Authorities, nodes and agents have Ed25519 keys, and nodes agree on keys by X25519. Leaving out
//! RSA and the curves of NIST makes the program smaller by what an access point notices, and leaves
//! nothing to negotiate down to.

use std::sync::Arc;

use rustls::crypto::ring::{kx_group, sign};
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::sign::SigningKey;
use rustls::{SignatureScheme, SupportedCipherSuite};
use rustls_pki_types::PrivateKeyDer;

/// Signatures of nodes and authorities that an agent can check.
const SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[webpki::ring::ED25519],
    mapping: &[(SignatureScheme::ED25519, &[webpki::ring::ED25519])],
};

/// With these cipher suites, the first first.
pub(super) fn provider(cipher_suites: &[SupportedCipherSuite]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: cipher_suites.to_vec(),
        kx_groups: vec![kx_group::X25519],
        signature_verification_algorithms: SIGNATURES,
        secure_random: &OfTheSystem,
        key_provider: &Ed25519Keys,
    })
}

/// The system's randomness. That of ring is the same, but asking for it brings along all that ring
/// can do.
#[derive(Debug)]
struct OfTheSystem;

impl SecureRandom for OfTheSystem {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(bytes).map_err(|_| GetRandomFailed)
    }
}

/// Reads keys of agents.
#[derive(Debug)]
struct Ed25519Keys;

impl KeyProvider for Ed25519Keys {
    fn load_private_key(
        &self,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        match &key {
            PrivateKeyDer::Pkcs8(key) => sign::any_eddsa_type(key),
            _ => Err(rustls::Error::General("not a key in PKCS #8".into())),
        }
    }
}
