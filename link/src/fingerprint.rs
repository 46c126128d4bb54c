//! SHA-256 of certificates, by which an authority is known before it is trusted.

use rustls::crypto::hash::Hash;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use wire::enrol::Fingerprint;

/// The fingerprint of the first certificate in a PEM text; `None` if there is none.
pub fn of_pem(pem: &str) -> Option<Fingerprint> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(of_der(&certificate))
}

pub(crate) fn of_der(certificate: &CertificateDer<'_>) -> Fingerprint {
    // The suite's own hash: an agent carries it anyway.
    let suite = TLS13_AES_128_GCM_SHA256.tls13();
    let sha256: &dyn Hash = suite
        .expect("it is a suite of TLS 1.3")
        .common
        .hash_provider;
    let hash = sha256.hash(certificate);
    Fingerprint(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256() {
        // FIPS 180-2, appendix B.1: "abc".
        let hash = of_der(&CertificateDer::from(b"abc".to_vec()));
        assert_eq!(
            hash.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
