//! The key of an agent: made on the device, kept there, and used to ask for certificates.

use std::fmt;

use rcgen::{KeyPair, PKCS_ED25519};
use wire::AgentName;

use crate::signing_request;

/// An Ed25519 key that never leaves its device.
pub struct DeviceKey(KeyPair);

/// Why there is no key, or nothing signed by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceKeyError {
    /// The system has no randomness.
    #[error("cannot make a key; the system's source of randomness may be missing")]
    Make(#[source] rcgen::Error),
    /// The text is another key, or none.
    #[error(
        "the key is no Ed25519 key in PKCS #8, and only such can be renewed; enrol this device, or \
         issue certificates by hand"
    )]
    Read(#[source] rcgen::Error),
    /// The signature failed.
    #[error("cannot sign with the device's key")]
    Sign(#[source] rcgen::Error),
}

impl DeviceKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`DeviceKeyError::Make`].
    pub fn generate() -> Result<Self, DeviceKeyError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(DeviceKeyError::Make)?;
        Ok(Self(key))
    }

    /// Reads a key that this house has made.
    ///
    /// # Errors
    /// [`DeviceKeyError::Read`] for keys of other kinds, too.
    pub fn from_pem(pem: &str) -> Result<Self, DeviceKeyError> {
        let key = KeyPair::from_pem(pem).map_err(DeviceKeyError::Read)?;
        if key.algorithm() != &PKCS_ED25519 {
            return Err(DeviceKeyError::Read(
                rcgen::Error::UnsupportedSignatureAlgorithm,
            ));
        }
        Ok(Self(key))
    }

    /// The key as PEM, for a file that its owner alone may read.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// A request for a certificate (PKCS #10, DER), in the name of the agent if it knows that.
    ///
    /// # Errors
    /// [`DeviceKeyError::Sign`].
    pub fn signing_request(&self, agent: Option<&AgentName>) -> Result<Vec<u8>, DeviceKeyError> {
        signing_request::write(&self.0, agent).map_err(DeviceKeyError::Sign)
    }
}

impl fmt::Debug for DeviceKey {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
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
    fn another_kind_of_key_says_what_to_do() {
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        for pem in [other.serialize_pem(), "no key".to_owned()] {
            let error = DeviceKey::from_pem(&pem).unwrap_err().to_string();
            assert!(error.contains("enrol this device"), "{error}");
        }
    }
}
