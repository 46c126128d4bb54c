//! How an agent without a certificate gets its first one: one request, one answer.
//!
//! They travel on a connection of their own (application protocol [`PROTOCOL`]), each as one frame
//! like those of the control stream, and nothing else does. The names of the certificate are those
//! that the join token was made for; the request only brings the key.

mod token;

use serde::{Deserialize, Serialize};

use crate::envelope::{self, LENGTH_BYTES};
use crate::limits::{ENROL_ANSWER_BYTES_MAX, ENROL_REQUEST_BYTES_MAX};

pub use token::{Fingerprint, FingerprintError, JoinToken, SECRET_BYTES, TokenError};

/// The application protocol (ALPN) of an enrolment.
pub const PROTOCOL: &[u8] = b"trilobite-enrol/1";

/// What an agent asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The join token's secret.
    #[serde(with = "crate::byte_string")]
    pub secret: [u8; SECRET_BYTES],
    /// A PKCS #10 request (RFC 2986) for the key that was made on the device, in DER; at most
    /// [`SIGNING_REQUEST_BYTES_MAX`](crate::limits::SIGNING_REQUEST_BYTES_MAX).
    #[serde(with = "crate::short_bytes")]
    pub signing_request: Vec<u8>,
}

impl std::fmt::Debug for EnrolRequest {
    /// Hides the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolRequest").finish_non_exhaustive()
    }
}

/// What the node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnrolAnswer {
    /// The certificate.
    Granted(Granted),
    /// There is none.
    Denied {
        /// What kind of mistake it is, for a program.
        why: Denial,
        /// What is wrong and what to do about it, for a person.
        reason: String,
    },
    /// An answer of a later version.
    Unknown,
}

/// A certificate and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The agent's certificate as PEM.
    pub certificate: String,
    /// The authority's certificate as PEM; the agent has checked its fingerprint in the handshake.
    pub authority: String,
    /// The node's clock in Unix seconds, for a device that has none.
    pub time_unix_s: u64,
}

/// Why an agent gets no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Denial {
    /// The request cannot be read, or its key or signature is unfit.
    Malformed,
    /// No such token: never made, revoked or forgotten.
    UnknownToken,
    /// The token's time is over.
    ExpiredToken,
    /// The token was redeemed with another key.
    UsedToken,
    /// The request names another agent than the token.
    OtherName,
    /// The node does not serve the token's site.
    UnknownSite,
    /// Too many requests failed from this address, or too many wait.
    TooMany,
    /// The node cannot keep its tokens or sign now; its log says why.
    NodeTrouble,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// Why an enrolment's bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There are fewer or more bytes than the length in front says, or too many.
    #[error("the enrolment message has {bytes} bytes, which is not what it announces")]
    Length {
        /// Bytes that are there.
        bytes: usize,
    },
    /// The bytes are no such message.
    #[error("malformed enrolment message: {0}")]
    Malformed(String),
}

impl EnrolRequest {
    /// The bytes of the request.
    ///
    /// # Errors
    /// [`MessageError::Length`] when the signing request is too long.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        encode(self, ENROL_REQUEST_BYTES_MAX)
    }

    /// Reads a request that fills `bytes`.
    ///
    /// # Errors
    /// [`MessageError`]; nothing of the sender's is repeated in it but a few escaped characters.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        parse(bytes, ENROL_REQUEST_BYTES_MAX)
    }
}

impl EnrolAnswer {
    /// The bytes of the answer.
    ///
    /// # Errors
    /// [`MessageError::Length`] when a certificate is too long.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        encode(self, ENROL_ANSWER_BYTES_MAX)
    }

    /// Reads an answer that fills `bytes`.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        struct Denied {
            why: Denial,
            reason: String,
        }
        let body = body(bytes, ENROL_ANSWER_BYTES_MAX)?;
        let answer = || match envelope::type_of(body)? {
            "granted" => envelope::parse(body).map(Self::Granted),
            "denied" => {
                envelope::parse(body).map(|Denied { why, reason }| Self::Denied { why, reason })
            }
            _ => Ok(Self::Unknown),
        };
        answer().map_err(MessageError::Malformed)
    }
}

fn encode(message: &impl Serialize, bytes_max: usize) -> Result<Vec<u8>, MessageError> {
    let mut bytes = Vec::new();
    envelope::append(&mut bytes, message, bytes_max - LENGTH_BYTES)
        .map_err(|bytes| MessageError::Length { bytes })?;
    Ok(bytes)
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], bytes_max: usize) -> Result<T, MessageError> {
    envelope::parse(body(bytes, bytes_max)?).map_err(MessageError::Malformed)
}

/// What the length in front announces, which must be all there is.
fn body(bytes: &[u8], bytes_max: usize) -> Result<&[u8], MessageError> {
    let wrong_length = MessageError::Length { bytes: bytes.len() };
    let Some((length, body)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(wrong_length);
    };
    if bytes.len() > bytes_max || u32::from_be_bytes(*length) as usize != body.len() {
        return Err(wrong_length);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SIGNING_REQUEST_BYTES_MAX;

    fn request(signing_request_bytes: usize) -> EnrolRequest {
        EnrolRequest {
            secret: [7; SECRET_BYTES],
            signing_request: vec![1; signing_request_bytes],
        }
    }

    #[test]
    fn messages_survive_the_trip() {
        let request = request(SIGNING_REQUEST_BYTES_MAX);
        let bytes = request.encode().unwrap();
        assert_eq!(EnrolRequest::parse(&bytes).unwrap(), request);
        let answers = [
            EnrolAnswer::Granted(Granted {
                certificate: "c".repeat(1_000),
                authority: "a".repeat(1_000),
                time_unix_s: 1_793_491_200,
            }),
            EnrolAnswer::Denied {
                why: Denial::UsedToken,
                reason: "used".to_owned(),
            },
        ];
        for answer in answers {
            let bytes = answer.encode().unwrap();
            assert_eq!(EnrolAnswer::parse(&bytes).unwrap(), answer);
        }
    }

    #[test]
    fn a_reason_of_a_later_version_is_a_denial_all_the_same() {
        let known = EnrolAnswer::Denied {
            why: Denial::UsedToken,
            reason: String::new(),
        };
        let mut bytes = known.encode().unwrap();
        let at = bytes.windows(4).position(|four| four == b"used").unwrap();
        bytes[at..at + 4].copy_from_slice(b"lost");
        let Ok(EnrolAnswer::Denied { why, .. }) = EnrolAnswer::parse(&bytes) else {
            panic!("a denial");
        };
        assert_eq!(why, Denial::Unknown);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let good = request(100).encode().unwrap();
        for cut in 0..good.len() {
            assert!(EnrolRequest::parse(&good[..cut]).is_err(), "{cut} bytes");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(matches!(
            EnrolRequest::parse(&longer),
            Err(MessageError::Length { .. })
        ));
        let giant = vec![0; ENROL_REQUEST_BYTES_MAX + 1];
        assert!(matches!(
            EnrolRequest::parse(&giant),
            Err(MessageError::Length { .. })
        ));
        let error = encode(&request(SIGNING_REQUEST_BYTES_MAX + 1), 1 << 20).unwrap();
        let error = parse::<EnrolRequest>(&error, 1 << 20).unwrap_err();
        assert!(error.to_string().contains("at most"), "{error}");
    }

    #[test]
    fn no_debug_text_shows_the_secret() {
        let text = format!("{:?}", request(1));
        assert!(!text.contains('7'), "{text}");
    }
}
