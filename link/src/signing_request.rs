//! A request for a certificate (PKCS #10, RFC 2986), made on a device and read by an authority.
//!
//! Only what this house needs: an Ed25519 key (RFC 8410), at most one common name, attributes that
//! are passed over. The reader is strict, copies nothing, goes nowhere deeper than it is written
//! here, and believes nothing before the request's own signature has shown that the sender has the
//! key.

mod der;

use rcgen::{PKCS_ED25519, PublicKeyData};
use rustls_pki_types::SignatureVerificationAlgorithm;
use wire::AgentName;
use wire::limits::SIGNING_REQUEST_BYTES_MAX;

use der::{Der, encode};

/// Object identifier 1.3.101.112 (RFC 8410, section 3): Ed25519, both as key and as signature.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Object identifier 2.5.4.3 (X.520): common name.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Bytes of an Ed25519 public key.
pub const KEY_BYTES: usize = 32;

/// Tags of what stands in a request (X.690, section 8).
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OID: u8 = 0x06;
    pub(super) const UTF8: u8 = 0x0c;
    pub(super) const PRINTABLE: u8 = 0x13;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const ATTRIBUTES: u8 = 0xa0;
}

/// A request whose signature is right: who sent it has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRequest {
    key: [u8; KEY_BYTES],
    common_name: Option<String>,
}

/// Why a request cannot be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningRequestError {
    /// It is longer than [`SIGNING_REQUEST_BYTES_MAX`].
    #[error("the request has {0} bytes; at most {SIGNING_REQUEST_BYTES_MAX} are read")]
    TooLong(usize),
    /// It is no PKCS #10 request in DER.
    #[error("not a certificate request (PKCS #10 in DER)")]
    Malformed,
    /// The key is of another kind.
    #[error("the key of the request is not Ed25519; let the agent make it")]
    OtherKey,
    /// The signature is not by the key.
    #[error("the request is not signed by its own key")]
    Signature,
}

impl SigningRequest {
    /// Reads a request in DER and checks its signature.
    ///
    /// # Errors
    /// [`SigningRequestError`]; whatever the bytes are, nothing else happens.
    pub fn parse(bytes: &[u8]) -> Result<Self, SigningRequestError> {
        if bytes.len() > SIGNING_REQUEST_BYTES_MAX {
            return Err(SigningRequestError::TooLong(bytes.len()));
        }
        let malformed = SigningRequestError::Malformed;
        let mut request = Der::new(bytes).only(tag::SEQUENCE).ok_or(malformed)?;
        let (info, signed) = request.element(tag::SEQUENCE).ok_or(malformed)?;
        let algorithm = request.take(tag::SEQUENCE).ok_or(malformed)?;
        let signature = bits(&mut request).ok_or(malformed)?;
        if !request.is_empty() {
            return Err(malformed);
        }
        let request = Self::parse_info(info)?;
        if !is_ed25519(algorithm).ok_or(malformed)? {
            return Err(SigningRequestError::OtherKey);
        }
        let ed25519: &dyn SignatureVerificationAlgorithm = webpki::ring::ED25519;
        ed25519
            .verify_signature(&request.key, signed, signature)
            .map_err(|_| SigningRequestError::Signature)?;
        Ok(request)
    }

    /// What is signed: version, subject, key, attributes.
    fn parse_info(mut info: Der<'_>) -> Result<Self, SigningRequestError> {
        let malformed = SigningRequestError::Malformed;
        let version = info.take(tag::INTEGER).ok_or(malformed)?;
        let subject = info.take(tag::SEQUENCE).ok_or(malformed)?;
        let mut public_key = info.take(tag::SEQUENCE).ok_or(malformed)?;
        // Attributes wish for what the authority alone decides.
        info.take(tag::ATTRIBUTES).ok_or(malformed)?;
        if version.bytes() != [0] || !info.is_empty() {
            return Err(malformed);
        }
        let algorithm = public_key.take(tag::SEQUENCE).ok_or(malformed)?;
        let key = bits(&mut public_key).ok_or(malformed)?;
        if !public_key.is_empty() {
            return Err(malformed);
        }
        if !is_ed25519(algorithm).ok_or(malformed)? {
            return Err(SigningRequestError::OtherKey);
        }
        Ok(Self {
            key: key.try_into().map_err(|_| malformed)?,
            common_name: common_name(subject).ok_or(malformed)?,
        })
    }

    /// The public key.
    pub fn key(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }

    /// Whether the request may be meant for this agent: it names this one or none.
    pub fn may_be_for(&self, agent: &AgentName) -> bool {
        let named = self.common_name.as_deref();
        named.is_none_or(|named| named == agent.as_str())
    }
}

impl PublicKeyData for SigningRequest {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ED25519
    }
}

/// Whether an AlgorithmIdentifier is that of Ed25519, which has no parameters.
fn is_ed25519(mut algorithm: Der<'_>) -> Option<bool> {
    let oid = algorithm.take(tag::OID)?;
    Some(oid.bytes() == ED25519 && algorithm.is_empty())
}

/// The bytes of a bit string of whole bytes.
fn bits<'a>(from: &mut Der<'a>) -> Option<&'a [u8]> {
    match from.take(tag::BIT_STRING)?.bytes().split_first() {
        Some((0, bytes)) => Some(bytes),
        _ => None,
    }
}

/// The one common name of a subject, if it has any; two of them are as good as malformed.
fn common_name(mut subject: Der<'_>) -> Option<Option<String>> {
    let mut found = None;
    while !subject.is_empty() {
        let mut set = subject.take(tag::SET)?;
        while !set.is_empty() {
            let mut attribute = set.take(tag::SEQUENCE)?;
            let kind = attribute.take(tag::OID)?;
            let (value_tag, value) = attribute.any()?;
            if !attribute.is_empty() {
                return None;
            }
            if kind.bytes() != COMMON_NAME {
                continue;
            }
            let text = matches!(value_tag, tag::UTF8 | tag::PRINTABLE)
                .then(|| std::str::from_utf8(value.bytes()).ok())??;
            if found.replace(text.to_owned()).is_some() {
                return None;
            }
        }
    }
    Some(found)
}

/// Writes a request for a key, in the name of an agent if that is known; `sign` signs with the key.
pub(crate) fn write<E>(
    key: &[u8; KEY_BYTES],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    agent: Option<&AgentName>,
) -> Result<Vec<u8>, E> {
    let algorithm = encode(tag::SEQUENCE, &encode(tag::OID, ED25519));
    let subject = agent.map_or(Vec::new(), |agent| {
        let name = encode(tag::UTF8, agent.as_str().as_bytes());
        let attribute = [encode(tag::OID, COMMON_NAME), name].concat();
        encode(tag::SET, &encode(tag::SEQUENCE, &attribute))
    });
    let public_key = [algorithm.clone(), bit_string(key)].concat();
    let info = [
        encode(tag::INTEGER, &[0]),
        encode(tag::SEQUENCE, &subject),
        encode(tag::SEQUENCE, &public_key),
        encode(tag::ATTRIBUTES, &[]),
    ];
    let info = encode(tag::SEQUENCE, &info.concat());
    let signature = bit_string(&sign(&info)?);
    Ok(encode(
        tag::SEQUENCE,
        &[info, algorithm, signature].concat(),
    ))
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    encode(tag::BIT_STRING, &[&[0], bytes].concat())
}

#[cfg(test)]
mod tests;
