//! The node's end: agents arrive, are identified by their certificates, and become links.

mod handshakes;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, Incoming, ServerConfig, TokioRuntime};

use crate::closed::LinkClosed;
use crate::control::{ControlReader, ControlWriter};
use crate::identity::Identity;
use crate::impair::Impairment;
use crate::refused::{Reason, Refused};
use crate::reset_key::ResetKey;
use crate::socket::{self, BindError, canonical};
use crate::stats::LinkStats;
use crate::tls::{self, NodeCredentials, Verdict};
use crate::transport::{CLOSE_CODE, Knobs};

use handshakes::{Admission, Handshakes, Open};

pub use handshakes::HandshakeCounts;

/// A UDP port on which agents arrive.
#[derive(Debug)]
pub struct NodeEndpoint {
    endpoint: Endpoint,
    local_addr: SocketAddr,
    handshakes: Arc<Handshakes>,
    host: RwLock<Arc<Host>>,
}

/// What all handshakes of an endpoint share.
#[derive(Debug, Clone)]
struct Host {
    credentials: NodeCredentials,
    config: ServerConfig,
    knobs: Knobs,
}

impl NodeEndpoint {
    /// Opens a port inside the current tokio runtime.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind(
        address: SocketAddr,
        credentials: &NodeCredentials,
        reset_key: &ResetKey,
        knobs: &Knobs,
    ) -> Result<Self, BindError> {
        Self::bind_with(address, credentials, reset_key, knobs, None)
    }

    /// Opens a port whose outgoing packets meet faults.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind_impaired(
        address: SocketAddr,
        credentials: &NodeCredentials,
        reset_key: &ResetKey,
        knobs: &Knobs,
        impairment: &Impairment,
    ) -> Result<Self, BindError> {
        Self::bind_with(address, credentials, reset_key, knobs, Some(impairment))
    }

    fn bind_with(
        address: SocketAddr,
        credentials: &NodeCredentials,
        reset_key: &ResetKey,
        knobs: &Knobs,
        impairment: Option<&Impairment>,
    ) -> Result<Self, BindError> {
        let socket_error = |source| BindError::Socket { address, source };
        let mut config = ServerConfig::with_crypto(crypto(credentials, &Arc::default()));
        config.transport_config(Arc::new(knobs.node_transport()));
        knobs.bound_incoming(&mut config);

        let socket = socket::open(address, Some(knobs.socket_receive_buffer_bytes), impairment)?;
        let local_addr = socket.local_addr().map_err(socket_error)?;
        let endpoint = Endpoint::new_with_abstract_socket(
            knobs.node_endpoint(reset_key),
            Some(config.clone()),
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(socket_error)?;
        let host = Host {
            credentials: credentials.clone(),
            config,
            knobs: knobs.clone(),
        };
        let handshakes = Arc::new(Handshakes::default());
        Ok(Self {
            endpoint,
            local_addr,
            handshakes,
            host: RwLock::new(Arc::new(host)),
        })
    }

    /// The address and port that the endpoint listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next agent that wants to come in, or `None` once the endpoint is closed.
    ///
    /// Give each arrival a task of its own for [`Arriving::finish`], so that a slow one holds up
    /// nobody. Nothing is lost when the future is dropped before it is ready.
    pub async fn accept(&self) -> Option<Arriving> {
        loop {
            let incoming = self.endpoint.accept().await?;
            let validated = incoming.remote_address_validated();
            let host = self.host();
            match self.handshakes.admit(validated, &host.knobs) {
                Admission::Welcome(open) => {
                    return Some(Arriving {
                        incoming,
                        host,
                        open,
                    });
                }
                // It may retry always when its address is not validated; see quinn's docs.
                Admission::ProveAddress => drop(incoming.retry()),
                Admission::Ignored => incoming.ignore(),
            }
        }
    }

    /// Shows another certificate, and trusts another authority, from the next handshake on.
    /// Links that stand are not touched.
    pub fn replace_credentials(&self, credentials: &NodeCredentials) {
        let host = Host {
            credentials: credentials.clone(),
            ..Host::clone(&self.host())
        };
        *self.host.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(host);
    }

    fn host(&self) -> Arc<Host> {
        self.host
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What became of handshakes so far, and how many are in progress.
    pub fn handshakes(&self) -> HandshakeCounts {
        self.handshakes.counts()
    }

    /// Closes all links with `reason` and lets nobody in any more.
    pub fn close(&self, reason: &str) {
        self.endpoint.close(CLOSE_CODE, reason.as_bytes());
    }

    /// Waits until all links are gone and their peers have most likely been told.
    pub async fn idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

fn crypto(credentials: &NodeCredentials, verdict: &Arc<Verdict>) -> Arc<QuicServerConfig> {
    let config = QuicServerConfig::try_from(tls::node_config(credentials, verdict))
        .expect("the suites include AES-128-GCM, which QUIC begins with");
    Arc::new(config)
}

/// An agent that wants to come in; dropped, it is refused without a word.
#[derive(Debug)]
pub struct Arriving {
    incoming: Incoming,
    host: Arc<Host>,
    open: Open,
}

impl Arriving {
    /// Where the agent sends from; anyone can claim an address here.
    pub fn remote_address(&self) -> SocketAddr {
        canonical(self.incoming.remote_address())
    }

    /// Completes the handshake and reads the agent's identity from its certificate.
    ///
    /// # Errors
    /// [`Refused`], one line for the log, when the peer is not an agent of this installation or
    /// takes longer than [`Knobs::handshake_timeout`].
    pub async fn finish(self) -> Result<AgentLink, Refused> {
        let remote = self.remote_address();
        let Self {
            incoming,
            host,
            open,
        } = self;
        let verdict = Arc::<Verdict>::default();
        let refused = |reason| Refused { remote, reason };

        let mut config = host.config.clone();
        config.crypto = crypto(&host.credentials, &verdict);
        let connecting = incoming
            .accept_with(Arc::new(config))
            .map_err(|error| refused(Reason::of(&error, &verdict)))?;
        let connection = tokio::time::timeout(host.knobs.handshake_timeout, connecting)
            .await
            .map_err(|_| refused(Reason::TooSlow))?
            .map_err(|error| refused(Reason::of(&error, &verdict)))?;
        drop(open);
        match verdict.get() {
            Some(Ok(identity)) => Ok(AgentLink {
                connection,
                identity: identity.clone(),
            }),
            Some(Err(reason)) => Err(refused(reason.clone())),
            None => Err(refused(Reason::NoCertificate)),
        }
    }
}

/// A link to an identified agent, seen from the node.
///
/// Dropping the link and its control stream closes it.
#[derive(Debug)]
pub struct AgentLink {
    connection: Connection,
    identity: Identity,
}

impl AgentLink {
    /// Who the agent is, by its certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the agent sends from now; it may change during a link.
    pub fn remote_address(&self) -> SocketAddr {
        canonical(self.connection.remote_address())
    }

    /// The next datagram.
    ///
    /// Nothing is lost when the future is dropped before it is ready.
    /// # Errors
    /// [`LinkClosed`] once the link has ended and what it had received is read.
    pub async fn read_datagram(&self) -> Result<Bytes, LinkClosed> {
        self.connection
            .read_datagram()
            .await
            .map_err(|error| LinkClosed::of(&error))
    }

    /// The next datagram if one has been received already.
    pub fn try_read_datagram(&self) -> Option<Bytes> {
        let read = pin!(self.connection.read_datagram());
        match read.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(datagram)) => Some(datagram),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Waits for a datagram, then appends it and all others received already, at most `len_max`,
    /// to `out`. Returns how many.
    ///
    /// Nothing is lost when the future is dropped before it is ready.
    /// # Errors
    /// [`LinkClosed`] once the link has ended and what it had received is read.
    pub async fn read_datagrams(
        &self,
        len_max: usize,
        out: &mut Vec<Bytes>,
    ) -> Result<usize, LinkClosed> {
        let before = out.len();
        out.push(self.read_datagram().await?);
        while out.len() - before < len_max {
            match self.try_read_datagram() {
                Some(datagram) => out.push(datagram),
                None => break,
            }
        }
        Ok(out.len() - before)
    }

    /// The control stream, once the agent has written its first frame to it.
    ///
    /// # Errors
    /// [`LinkClosed`] when the link ends before.
    pub async fn accept_control(&self) -> Result<(ControlReader, ControlWriter), LinkClosed> {
        let opened = self.connection.accept_bi().await;
        let (writer, reader) = opened.map_err(|error| LinkClosed::of(&error))?;
        Ok((ControlReader::new(reader), ControlWriter::new(writer)))
    }

    /// What the link has carried so far; readable after it has closed, too.
    pub fn stats(&self) -> LinkStats {
        LinkStats::of(&self.connection.stats())
    }

    /// Closes the link at once and tells the agent why.
    pub fn close(&self, reason: &str) {
        self.connection.close(CLOSE_CODE, reason.as_bytes());
    }

    /// Waits until the link has ended, for whatever reason.
    pub async fn closed(&self) -> LinkClosed {
        LinkClosed::of(&self.connection.closed().await)
    }
}
