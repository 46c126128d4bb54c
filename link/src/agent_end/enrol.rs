//! An agent without a certificate asks a node for its first one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectError as QuinnError, Connection, ConnectionError};
use rustls_pki_types::UnixTime;
use wire::enrol::{Denial, EnrolAnswer, EnrolRequest, Fingerprint, Granted};
use wire::limits::ENROL_ANSWER_BYTES_MAX;

use super::{AgentEndpoint, ConnectError};
use crate::closed::LinkClosed;
use crate::fingerprint;
use crate::refused::Alert;
use crate::tls::{self, Seen};
use crate::transport::{CLOSE_CODE, Knobs};

/// How long the node may take to answer: it writes to its disk and signs.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Where to enrol, and by what to know the right node.
#[derive(Debug, Clone, Copy)]
pub struct EnrolAt<'a> {
    /// The node's address.
    pub node: SocketAddr,
    /// A name for which its certificate must be valid.
    pub server_name: &'a str,
    /// The fingerprint of its authority.
    pub authority: Fingerprint,
    /// A time that is over, in Unix seconds: a clock before it is wrong.
    pub not_before_unix_s: u64,
}

/// Why an agent got no first certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// No connection came about, or none that can be trusted.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The node belongs to another authority. It was told nothing.
    #[error(
        "the node at {node} is of another authority ({instead}) than the fingerprint says \
         ({expected}); the token was not sent. Compare with what \"trilobite token join\" printed; \
         if that is right, somebody stands between this device and the node"
    )]
    Fingerprint {
        /// The node's address.
        node: SocketAddr,
        /// What was expected.
        expected: Fingerprint,
        /// What was seen.
        instead: Fingerprint,
    },
    /// The node lets nobody enrol.
    #[error(
        "the node at {node} does not enrol agents; give it an [enrolment] section in node.toml, or \
         issue the certificate there with \"trilobite ca issue\""
    )]
    NotOffered {
        /// The node's address.
        node: SocketAddr,
    },
    /// The node said no.
    #[error("the node at {node} gives no certificate: {reason}")]
    Denied {
        /// The node's address.
        node: SocketAddr,
        /// What kind of mistake it is.
        why: Denial,
        /// Its words.
        reason: String,
    },
    /// The link ended before an answer came.
    #[error("the node at {node} did not answer: {closed}; the same command may be tried again")]
    Closed {
        /// The node's address.
        node: SocketAddr,
        /// Why it ended.
        closed: LinkClosed,
    },
    /// The answer is none that this version understands, or not what was asked for.
    #[error(
        "the node at {node} answered what makes no sense here: {what}; update the older of both"
    )]
    Answer {
        /// The node's address.
        node: SocketAddr,
        /// What is wrong with it.
        what: String,
    },
    /// The request cannot be sent.
    #[error("the request is too long to be sent")]
    Request,
}

impl AgentEndpoint {
    /// Asks a node for a first certificate. Nothing is said to a node whose authority has another
    /// fingerprint. Asking again with the same request is harmless: the answer may have been lost.
    ///
    /// # Errors
    /// [`EnrolError`], which says what to do.
    pub async fn enrol(
        &self,
        at: EnrolAt<'_>,
        request: &EnrolRequest,
        knobs: &Knobs,
    ) -> Result<Granted, EnrolError> {
        let node = at.node;
        let request = request.encode().map_err(|_| EnrolError::Request)?;
        let connection = self.connect_as_newcomer(at, knobs).await?;
        let asked = tokio::time::timeout(ANSWER_MAX, ask(&connection, &request)).await;
        let answer = asked.unwrap_or(Err(LinkClosed::Silent));
        connection.close(CLOSE_CODE, b"");
        let answer = answer.map_err(|closed| EnrolError::Closed { node, closed })?;
        let nonsense = |what: String| EnrolError::Answer { node, what };
        match EnrolAnswer::parse(&answer) {
            Ok(EnrolAnswer::Granted(granted)) => {
                if fingerprint::of_pem(&granted.authority) == Some(at.authority) {
                    Ok(granted)
                } else {
                    Err(nonsense("another authority's certificate".to_owned()))
                }
            }
            Ok(EnrolAnswer::Denied { why, reason }) => {
                Err(EnrolError::Denied { node, why, reason })
            }
            Ok(_) => Err(nonsense("an answer of a later version".to_owned())),
            Err(error) => Err(nonsense(error.to_string())),
        }
    }

    async fn connect_as_newcomer(
        &self,
        at: EnrolAt<'_>,
        knobs: &Knobs,
    ) -> Result<Connection, EnrolError> {
        let node = at.node;
        let seen = Arc::<Seen>::default();
        let connecting = self
            .endpoint
            .connect_with(newcomer_config(&at, &seen, knobs), node, at.server_name)
            .map_err(|error| match error {
                QuinnError::EndpointStopping => ConnectError::Stopped,
                other => ConnectError::Address {
                    node,
                    name: at.server_name.to_owned(),
                    why: other.to_string(),
                },
            })?;
        let waited = knobs.handshake_timeout;
        let error = match tokio::time::timeout(waited, connecting).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => return Err(ConnectError::NoAnswer { node, waited }.into()),
        };
        if let Some(&instead) = seen.instead.get() {
            let expected = at.authority;
            return Err(EnrolError::Fingerprint {
                node,
                expected,
                instead,
            });
        }
        if let ConnectionError::ConnectionClosed(close) = &error
            && Alert::in_code(close.error_code) == Some(Alert::NO_APPLICATION_PROTOCOL)
        {
            return Err(EnrolError::NotOffered { node });
        }
        Err(ConnectError::of(node, waited, &error).into())
    }
}

fn newcomer_config(at: &EnrolAt<'_>, seen: &Arc<Seen>, knobs: &Knobs) -> ClientConfig {
    let not_before = UnixTime::since_unix_epoch(Duration::from_secs(at.not_before_unix_s));
    let tls = tls::newcomer_config(at.authority, not_before, seen);
    let crypto = QuicClientConfig::try_from(tls)
        .expect("the suites include AES-128-GCM, which QUIC begins with");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(knobs.agent_transport()));
    config
}

/// One request, one answer.
async fn ask(connection: &Connection, request: &[u8]) -> Result<Vec<u8>, LinkClosed> {
    let exchange = async {
        let (mut writer, mut reader) = connection.open_bi().await.ok()?;
        writer.write_all(request).await.ok()?;
        writer.finish().ok()?;
        reader.read_to_end(ENROL_ANSWER_BYTES_MAX).await.ok()
    };
    match exchange.await {
        Some(answer) if !answer.is_empty() => Ok(answer),
        // What failed did so because the link is gone, or is of no more use.
        _ => {
            let end = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
            Err(end.map_or(LinkClosed::Silent, |error| LinkClosed::of(&error)))
        }
    }
}
