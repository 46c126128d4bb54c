//! The agent's end: one link to a node, over which it hands off what it has heard.

mod enrol;
mod errors;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, SendDatagramError, TokioRuntime};

use crate::closed::LinkClosed;
use crate::control::{ControlReader, ControlWriter};
use crate::impair::Impairment;
use crate::socket::{self, BindError, canonical};
use crate::stats::LinkStats;
use crate::tls::{self, AgentCredentials};
use crate::transport::{CLOSE_CODE, Knobs};

pub use enrol::{EnrolAt, EnrolError};
pub use errors::{ConnectError, SendError};

/// A UDP socket from which agents connect; clones share it.
///
/// An agent needs one; a load generator may use one for many agents.
#[derive(Debug, Clone)]
pub struct AgentEndpoint {
    endpoint: Endpoint,
    local_addr: SocketAddr,
}

impl AgentEndpoint {
    /// Opens a socket inside the current tokio runtime; `0.0.0.0:0` or `[::]:0` suit most.
    ///
    /// # Errors
    /// [`BindError`] when the socket cannot be had.
    pub fn bind(address: SocketAddr, knobs: &Knobs) -> Result<Self, BindError> {
        Self::bind_with(address, knobs, None)
    }

    /// Opens a socket whose outgoing packets meet faults.
    ///
    /// # Errors
    /// [`BindError`] when the socket cannot be had.
    pub fn bind_impaired(
        address: SocketAddr,
        knobs: &Knobs,
        impairment: &Impairment,
    ) -> Result<Self, BindError> {
        Self::bind_with(address, knobs, Some(impairment))
    }

    fn bind_with(
        address: SocketAddr,
        knobs: &Knobs,
        impairment: Option<&Impairment>,
    ) -> Result<Self, BindError> {
        let socket_error = |source| BindError::Socket { address, source };
        let socket = socket::open(address, impairment)?;
        let local_addr = socket.local_addr().map_err(socket_error)?;
        let endpoint = Endpoint::new_with_abstract_socket(
            knobs.agent_endpoint(),
            None,
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(socket_error)?;
        Ok(Self {
            endpoint,
            local_addr,
        })
    }

    /// The address and port that the socket got.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Connects to a node whose certificate must be valid for `server_name`.
    ///
    /// A link is no proof yet that the node accepts the agent's certificate: in TLS 1.3 the node
    /// sees it after the agent is done. The answer to the first control frame is that proof, and
    /// [`LinkClosed::Refused`] the opposite.
    /// # Errors
    /// [`ConnectError`], which says what to do.
    pub async fn connect(
        &self,
        node: SocketAddr,
        server_name: &str,
        credentials: &AgentCredentials,
        knobs: &Knobs,
    ) -> Result<NodeLink, ConnectError> {
        let waited = knobs.handshake_timeout;
        let connecting = self
            .endpoint
            .connect_with(client_config(credentials, knobs), node, server_name)
            .map_err(|error| match error {
                quinn::ConnectError::EndpointStopping => ConnectError::Stopped,
                other => ConnectError::Address {
                    node,
                    name: server_name.to_owned(),
                    why: other.to_string(),
                },
            })?;
        match tokio::time::timeout(waited, connecting).await {
            Ok(Ok(connection)) => Ok(NodeLink { connection }),
            Ok(Err(error)) => Err(ConnectError::of(node, waited, &error)),
            Err(_) => Err(ConnectError::NoAnswer { node, waited }),
        }
    }

    /// Sends from another socket from now on, as an agent does whose address has changed.
    #[cfg(test)]
    pub(crate) fn rebind(&self, socket: std::net::UdpSocket) {
        self.endpoint.rebind(socket).expect("a usable socket");
    }

    /// Closes all links with `reason`.
    pub fn close(&self, reason: &str) {
        self.endpoint.close(CLOSE_CODE, reason.as_bytes());
    }

    /// Waits until all links are gone and the node has most likely been told.
    pub async fn idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// The configuration of one connection to a node.
pub(crate) fn client_config(credentials: &AgentCredentials, knobs: &Knobs) -> ClientConfig {
    let crypto = QuicClientConfig::try_from(tls::agent_config(credentials))
        .expect("the suites include AES-128-GCM, which QUIC begins with");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(knobs.agent_transport()));
    config
}

/// A link to a node, seen from the agent.
///
/// Dropping the link and its control stream closes it.
#[derive(Debug)]
pub struct NodeLink {
    connection: Connection,
}

impl NodeLink {
    /// The node's address.
    pub fn remote_address(&self) -> SocketAddr {
        canonical(self.connection.remote_address())
    }

    /// Longest datagram that goes through now, in bytes.
    ///
    /// Ask before packing each batch: it grows in the first round trips, and shrinks to 1,162 for
    /// ten seconds when the path seems to carry less, which heavy loss can look like. What still
    /// waits then and is longer is never sent, which [`LinkStats::datagrams_sent`] shows.
    pub fn datagram_bytes_max(&self) -> usize {
        self.connection.max_datagram_size().unwrap_or(0)
    }

    /// Free bytes of the send buffer: a datagram of this length will be taken.
    pub fn datagram_room(&self) -> usize {
        self.connection.datagram_send_buffer_space()
    }

    /// Hands a datagram over, if there is room for it.
    ///
    /// # Errors
    /// [`SendError`]; the datagram was not taken, and no other was dropped for it.
    pub fn send_datagram(&self, datagram: Bytes) -> Result<(), SendError> {
        let bytes = datagram.len();
        // Polled once, this either takes the datagram or finds the buffer full, under one lock.
        let send = pin!(self.connection.send_datagram_wait(datagram));
        match send.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => Err(self.send_error(bytes, error)),
            Poll::Pending => Err(SendError::NoRoom),
        }
    }

    /// Hands a datagram over as soon as there is room for it.
    ///
    /// For load generators: an agent does better to keep what waits in its batcher.
    /// # Errors
    /// [`SendError::TooLong`] or [`SendError::Closed`].
    pub async fn send_datagram_wait(&self, datagram: Bytes) -> Result<(), SendError> {
        let bytes = datagram.len();
        let sent = self.connection.send_datagram_wait(datagram).await;
        sent.map_err(|error| self.send_error(bytes, error))
    }

    fn send_error(&self, bytes: usize, error: SendDatagramError) -> SendError {
        match error {
            SendDatagramError::ConnectionLost(error) => LinkClosed::of(&error).into(),
            SendDatagramError::TooLarge
            | SendDatagramError::UnsupportedByPeer
            | SendDatagramError::Disabled => SendError::TooLong {
                bytes,
                bytes_max: self.datagram_bytes_max(),
            },
        }
    }

    /// Opens the control stream. The node learns of it with the first frame.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link ends before.
    pub async fn open_control(&self) -> Result<(ControlReader, ControlWriter), LinkClosed> {
        let opened = self.connection.open_bi().await;
        let (writer, reader) = opened.map_err(|error| LinkClosed::of(&error))?;
        Ok((ControlReader::new(reader), ControlWriter::new(writer)))
    }

    /// What the link has carried so far; readable after it has closed, too.
    pub fn stats(&self) -> LinkStats {
        LinkStats::of(&self.connection.stats())
    }

    /// Closes the link at once and tells the node why. What waits in the send buffer is never
    /// sent; [`stats`](Self::stats) tells how much that was.
    pub fn close(&self, reason: &str) {
        self.connection.close(CLOSE_CODE, reason.as_bytes());
    }

    /// Whether the node has closed as well, which it does when it hears of the close. QUIC itself
    /// stays for three probe timeouts more, in case that other packets ask again.
    pub fn is_close_answered(&self) -> bool {
        self.connection.stats().frame_rx.connection_close > 0
    }

    /// Waits until the link has ended, for whatever reason.
    pub async fn closed(&self) -> LinkClosed {
        LinkClosed::of(&self.connection.closed().await)
    }
}
