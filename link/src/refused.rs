//! Why a node refused an agent: one line for the log, one reason to count.

use std::fmt;
use std::net::SocketAddr;

use quinn::ConnectionError;

use crate::identity::IdentityError;
use crate::tls::Verdict;

/// A handshake that did not become a link; prints as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where the peer sent from.
    pub remote: SocketAddr,
    /// What was wrong.
    pub reason: Reason,
}

/// What was wrong with a peer that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It showed no certificate.
    NoCertificate,
    /// Another authority issued its certificate.
    UnknownAuthority,
    /// Its certificate is of no more use.
    Expired {
        /// The last day.
        date: String,
    },
    /// Its certificate is of no use yet.
    NotValidYet {
        /// The first day.
        date: String,
    },
    /// Its certificate is not for agents.
    WrongUsage,
    /// Its certificate does not say who it is.
    NoIdentity(IdentityError),
    /// It wants to enrol, as too many others do.
    Crowded,
    /// It speaks another protocol, or another version of ours.
    WrongProtocol,
    /// It did not finish the handshake in time.
    TooSlow,
    /// It does not trust this node.
    TurnedAway(String),
    /// It gave up by itself before the handshake was done.
    GaveUp,
    /// Anything else, in the words of the library that found it.
    Other(String),
}

impl Reason {
    /// A short name that never changes, for counters.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownAuthority => "unknown_authority",
            Self::Expired { .. } => "expired",
            Self::NotValidYet { .. } => "not_valid_yet",
            Self::WrongUsage => "wrong_usage",
            Self::NoIdentity(_) => "no_identity",
            Self::Crowded => "crowded",
            Self::WrongProtocol => "wrong_protocol",
            Self::TooSlow => "too_slow",
            Self::TurnedAway(_) => "turned_away",
            Self::GaveUp => "gave_up",
            Self::Other(_) => "other",
        }
    }

    /// The reason for a failed handshake: the verdict on the certificate if there was one.
    pub(crate) fn of(error: &ConnectionError, verdict: &Verdict) -> Self {
        if let Some(Err(reason)) = verdict.get() {
            return reason.clone();
        }
        match error {
            ConnectionError::VersionMismatch => Self::WrongProtocol,
            ConnectionError::TransportError(error) => match Alert::in_code(error.code) {
                Some(Alert::CERTIFICATE_REQUIRED) => Self::NoCertificate,
                Some(Alert::NO_APPLICATION_PROTOCOL) => Self::WrongProtocol,
                _ => Self::Other(error.to_string()),
            },
            ConnectionError::ConnectionClosed(close) => match Alert::in_code(close.error_code) {
                Some(_) => Self::TurnedAway(String::from_utf8_lossy(&close.reason).into_owned()),
                None => Self::GaveUp,
            },
            ConnectionError::ApplicationClosed(_) => Self::GaveUp,
            ConnectionError::TimedOut => Self::TooSlow,
            ConnectionError::Reset
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "agent at {} refused: {}", self.remote, self.reason)
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ISSUE: &str = "issue a new one with \"trilobite ca issue\"";
        match self {
            Self::NoCertificate => {
                write!(
                    f,
                    "it showed no certificate; issue one with \"trilobite ca issue\""
                )
            }
            Self::UnknownAuthority => write!(
                f,
                "its certificate is not from this node's authority; {ISSUE} where this node's \
                 ca.pem was made"
            ),
            Self::Expired { date } => write!(f, "its certificate expired on {date}; {ISSUE}"),
            Self::NotValidYet { date } => {
                write!(
                    f,
                    "its certificate is valid from {date} on; check this node's clock"
                )
            }
            Self::WrongUsage => write!(f, "its certificate is not for agents; {ISSUE}"),
            Self::NoIdentity(error) => write!(f, "{error}; {ISSUE}"),
            Self::Crowded => write!(f, "too many enrol at once; it may try again"),
            Self::WrongProtocol => {
                write!(
                    f,
                    "it does not speak trilobite/1; update the older of agent and node"
                )
            }
            Self::TooSlow => {
                write!(
                    f,
                    "it did not finish the handshake in time; check the path to it"
                )
            }
            Self::TurnedAway(why) => write!(
                f,
                "it does not trust this node ({why}); check its ca.pem and the name that it \
                 connects to"
            ),
            Self::GaveUp => {
                write!(
                    f,
                    "it gave up before the handshake was done; check the path to it"
                )
            }
            Self::Other(why) => write!(f, "{why}"),
        }
    }
}

/// A TLS alert (RFC 8446, section 6), as it travels in a QUIC error code (RFC 9001, section 4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alert(u8);

impl Alert {
    pub(crate) const BAD_CERTIFICATE: Self = Self(42);
    pub(crate) const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    pub(crate) const CERTIFICATE_REVOKED: Self = Self(44);
    pub(crate) const CERTIFICATE_EXPIRED: Self = Self(45);
    pub(crate) const CERTIFICATE_UNKNOWN: Self = Self(46);
    pub(crate) const UNKNOWN_CA: Self = Self(48);
    pub(crate) const DECRYPT_ERROR: Self = Self(51);
    pub(crate) const CERTIFICATE_REQUIRED: Self = Self(116);
    pub(crate) const NO_APPLICATION_PROTOCOL: Self = Self(120);

    pub(crate) fn in_code(code: quinn::TransportErrorCode) -> Option<Self> {
        match u64::from(code) {
            code @ 0x100..=0x1ff => Some(Self((code & 0xff) as u8)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_that_says_what_where_and_what_to_do() {
        let check = |reason, expected: &str| {
            let text = Refused {
                remote: ([10, 0, 0, 7], 40_000).into(),
                reason,
            }
            .to_string();
            assert_eq!(text, format!("agent at 10.0.0.7:40000 refused: {expected}"));
        };
        check(
            Reason::Expired {
                date: "2026-11-01".to_owned(),
            },
            "its certificate expired on 2026-11-01; issue a new one with \"trilobite ca issue\"",
        );
        check(
            Reason::NoIdentity(IdentityError::Missing),
            "the certificate names no agent (no URI trilobite://SITE/AGENT in it); issue a new \
             one with \"trilobite ca issue\"",
        );
    }
}
