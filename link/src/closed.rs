//! Why a link ended, in words that help at both ends.

use std::fmt;

use quinn::ConnectionError;

use crate::refused::Alert;

/// Why a link ended; prints as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkClosed {
    /// This end closed it.
    Here,
    /// The other end closed it and said why.
    Peer {
        /// Its words; may be empty.
        reason: String,
    },
    /// The other end refused our certificate.
    ///
    /// In TLS 1.3 an agent is through with the handshake before the node has seen its
    /// certificate, so this may be the first thing heard on a link that seemed to stand.
    Refused {
        /// What is wrong and what to do about it.
        why: String,
    },
    /// The other end has restarted and knows nothing of this link.
    Restarted,
    /// Nothing was heard from the other end for the idle timeout.
    Silent,
    /// One end broke the rules of QUIC, or ran out of something.
    Broken {
        /// What happened.
        why: String,
    },
}

impl LinkClosed {
    pub(crate) fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::LocallyClosed => Self::Here,
            ConnectionError::ApplicationClosed(close) => Self::Peer {
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            ConnectionError::ConnectionClosed(close) => match Alert::in_code(close.error_code) {
                Some(alert) => Self::Refused {
                    why: refusal(alert, &String::from_utf8_lossy(&close.reason)),
                },
                None => Self::Broken {
                    why: close.to_string(),
                },
            },
            ConnectionError::Reset => Self::Restarted,
            ConnectionError::TimedOut => Self::Silent,
            ConnectionError::TransportError(_)
            | ConnectionError::VersionMismatch
            | ConnectionError::CidsExhausted => Self::Broken {
                why: error.to_string(),
            },
        }
    }
}

/// What an alert from the node means to the agent; `detail` is what the node said in addition.
fn refusal(alert: Alert, detail: &str) -> String {
    const ISSUE: &str = "issue a new one with \"trilobite ca issue\"";
    let certificate = "the node refused this agent's certificate";
    let why = match alert {
        Alert::CERTIFICATE_REQUIRED => "the node asks for a certificate and got none".to_owned(),
        Alert::UNKNOWN_CA | Alert::DECRYPT_ERROR => {
            format!(
                "{certificate}: another authority issued it; {ISSUE} where the node's ca.pem was made"
            )
        }
        Alert::CERTIFICATE_EXPIRED => {
            format!("{certificate}: it has expired or is not valid yet; {ISSUE}")
        }
        Alert::UNSUPPORTED_CERTIFICATE => format!("{certificate}: it is not for agents; {ISSUE}"),
        Alert::CERTIFICATE_REVOKED => format!("{certificate}: it was revoked; {ISSUE}"),
        Alert::CERTIFICATE_UNKNOWN => format!("{certificate}: it names no agent; {ISSUE}"),
        Alert::BAD_CERTIFICATE => format!("{certificate}: it is unreadable; {ISSUE}"),
        Alert::NO_APPLICATION_PROTOCOL => {
            "the node does not speak trilobite/1; update the older of agent and node".to_owned()
        }
        _ => "the node refused the handshake".to_owned(),
    };
    if detail.is_empty() {
        why
    } else {
        format!("{why} (the node says: {detail})")
    }
}

impl fmt::Display for LinkClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => write!(f, "closed by this end"),
            Self::Peer { reason } if reason.is_empty() => write!(f, "closed by the other end"),
            Self::Peer { reason } => write!(f, "closed by the other end: {reason}"),
            Self::Refused { why } => write!(f, "{why}"),
            Self::Restarted => write!(f, "the other end has restarted"),
            Self::Silent => write!(f, "nothing heard from the other end any more"),
            Self::Broken { why } => write!(f, "connection broken: {why}"),
        }
    }
}

impl std::error::Error for LinkClosed {}
