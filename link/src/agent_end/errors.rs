//! Why an agent got no link, or could not send over it.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::ConnectionError;

use crate::closed::LinkClosed;
use crate::refused::Alert;

/// Why no link to a node came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The endpoint has been closed.
    #[error("this endpoint is closed")]
    Stopped,
    /// The address cannot be reached from this socket, or the name is no name.
    #[error("cannot connect to {node} as {name:?}: {why}")]
    Address {
        /// The node's address as given.
        node: SocketAddr,
        /// The node's name as given.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing came back.
    #[error(
        "no answer from the node at {node} within {} s; check the address, that the node runs, \
         and that UDP gets through", waited.as_secs_f32()
    )]
    NoAnswer {
        /// The node's address.
        node: SocketAddr,
        /// How long we waited.
        waited: Duration,
    },
    /// The node's certificate was not accepted.
    #[error("the node at {node} is not trusted: {why}")]
    Untrusted {
        /// The node's address.
        node: SocketAddr,
        /// What is wrong and what to do about it.
        why: String,
    },
    /// The node ended the handshake.
    #[error("the node at {node} did not let us in: {closed}")]
    Closed {
        /// The node's address.
        node: SocketAddr,
        /// What it said.
        closed: LinkClosed,
    },
}

/// Why a datagram was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The send buffer is full; nothing was dropped to make room.
    #[error("the send buffer is full")]
    NoRoom,
    /// The path carries less; [`datagram_bytes_max`](crate::NodeLink::datagram_bytes_max) may have
    /// changed.
    #[error("the datagram has {bytes} bytes, the path carries {bytes_max}")]
    TooLong {
        /// Bytes of the datagram.
        bytes: usize,
        /// Bytes that would go through now.
        bytes_max: usize,
    },
    /// The link has closed.
    #[error(transparent)]
    Closed(#[from] LinkClosed),
}

impl ConnectError {
    pub(crate) fn of(node: SocketAddr, waited: Duration, error: &ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => Self::NoAnswer { node, waited },
            ConnectionError::TransportError(error) if Alert::in_code(error.code).is_some() => {
                let what_to_do = match Alert::in_code(error.code) {
                    Some(Alert::UNKNOWN_CA | Alert::DECRYPT_ERROR) => {
                        "give the agent the ca.pem of the node's authority"
                    }
                    Some(Alert::CERTIFICATE_EXPIRED) => {
                        "issue a new one for the node, or check this machine's clock"
                    }
                    Some(Alert::BAD_CERTIFICATE) => {
                        "connect to a name in the node's certificate, or issue one with this name"
                    }
                    _ => "check which program answers there",
                };
                Self::Untrusted {
                    node,
                    why: format!("{}; {what_to_do}", error.reason),
                }
            }
            error => Self::Closed {
                node,
                closed: LinkClosed::of(error),
            },
        }
    }
    /// The same for a link that never opened.
    pub(crate) fn into_closed(self) -> LinkClosed {
        match self {
            Self::Closed { closed, .. } => closed,
            Self::NoAnswer { .. } => LinkClosed::Silent,
            error => LinkClosed::Broken {
                why: error.to_string(),
            },
        }
    }
}
