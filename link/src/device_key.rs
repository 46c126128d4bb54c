//! The key of an agent: made on the device, kept there, and used to ask for certificates.

use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::sign::SigningKey;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use wire::AgentName;

use crate::signing_request::{self, KEY_BYTES};

/// What stands in front of the 32 secret bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An Ed25519 key that never leaves its device.
pub struct DeviceKey {
    key: Arc<dyn SigningKey>,
    public: [u8; KEY_BYTES],
    pem: String,
}

/// Why there is no key, or nothing signed by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceKeyError {
    /// The system has no randomness.
    #[error("cannot make a key; the system's source of randomness may be missing")]
    Make(#[source] getrandom::Error),
    /// The text is another key, or none.
    #[error(
        "the key is no Ed25519 key in PKCS #8, and only such can be renewed; enrol this device, or \
         issue certificates by hand"
    )]
    Read,
    /// The signature failed.
    #[error("cannot sign with the device's key")]
    Sign(#[source] rustls::Error),
}

impl DeviceKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`DeviceKeyError::Make`].
    pub fn generate() -> Result<Self, DeviceKeyError> {
        let mut der = [0; PKCS8_PREFIX.len() + KEY_BYTES];
        let (prefix, secret) = der.split_at_mut(PKCS8_PREFIX.len());
        prefix.copy_from_slice(&PKCS8_PREFIX);
        getrandom::fill(secret).map_err(DeviceKeyError::Make)?;
        Self::from_pem(&pem(&der))
    }

    /// Reads a key that this house has made.
    ///
    /// # Errors
    /// [`DeviceKeyError::Read`] for keys of other kinds, too.
    pub fn from_pem(pem: &str) -> Result<Self, DeviceKeyError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .ok()
            .and_then(|der| any_eddsa_type(&der).ok())
            .ok_or(DeviceKeyError::Read)?;
        // The last element of the key in its usual wrapping are its bytes.
        let wrapped = key.public_key().ok_or(DeviceKeyError::Read)?;
        let public = wrapped.last_chunk().ok_or(DeviceKeyError::Read)?;
        Ok(Self {
            public: *public,
            key,
            pem: pem.to_owned(),
        })
    }

    /// The key as PEM, for a file that its owner alone may read.
    pub fn to_pem(&self) -> String {
        self.pem.clone()
    }

    /// A request for a certificate (PKCS #10, DER), in the name of the agent if it knows that.
    ///
    /// # Errors
    /// [`DeviceKeyError::Sign`].
    pub fn signing_request(&self, agent: Option<&AgentName>) -> Result<Vec<u8>, DeviceKeyError> {
        signing_request::write(&self.public, |info| self.sign(info), agent)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, DeviceKeyError> {
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519]);
        let signer = signer.expect("an Ed25519 key signs as such");
        signer.sign(message).map_err(DeviceKeyError::Sign)
    }
}

/// 48 bytes as PEM: 64 letters of base64 (RFC 4648, section 4), which is one line.
fn pem(der: &[u8; PKCS8_PREFIX.len() + KEY_BYTES]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = der.chunks(3).flat_map(|three| {
        let bits = three
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift & 63) as usize]))
    });
    let line: String = letters.collect();
    format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n")
}

impl fmt::Debug for DeviceKey {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;

    use super::*;
    use crate::signing_request::SigningRequest;

    #[test]
    fn a_stored_key_makes_the_same_requests() {
        let made = DeviceKey::generate().unwrap();
        let read = DeviceKey::from_pem(&made.to_pem()).unwrap();
        let agent = AgentName::new("ap-1").unwrap();
        let request = made.signing_request(Some(&agent)).unwrap();
        assert_eq!(request, read.signing_request(Some(&agent)).unwrap());
        assert!(SigningRequest::parse(&request).unwrap().may_be_for(&agent));
        assert!(!format!("{made:?}").contains('['));
    }

    #[test]
    fn a_key_is_the_one_that_another_program_reads_and_makes() {
        let ours = DeviceKey::generate().unwrap();
        let read = KeyPair::from_pem(&ours.to_pem()).unwrap();
        assert_eq!(read.algorithm(), &rcgen::PKCS_ED25519);
        assert_eq!(read.public_key_raw(), ours.public);

        let theirs = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let read = DeviceKey::from_pem(&theirs.serialize_pem()).unwrap();
        assert_eq!(theirs.public_key_raw(), read.public);
    }

    #[test]
    fn another_kind_of_key_says_what_to_do() {
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        for pem in [other.serialize_pem(), "no key".to_owned()] {
            let error = DeviceKey::from_pem(&pem).unwrap_err().to_string();
            assert!(error.contains("enrol this device"), "{error}");
        }
    }
}
