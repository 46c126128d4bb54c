//! From the address of a node to a link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use link::{AgentCredentials, AgentEndpoint, BindError, ConnectError, Knobs, NodeLink};

use crate::limits::CONNECT_MAX;
use crate::route::NodeAddress;

/// Connects to nodes, from an own socket for each link or from a shared one.
pub(super) struct Dialler {
    credentials: AgentCredentials,
    server_name: Option<String>,
    knobs: Knobs,
    shared: Option<AgentEndpoint>,
}

/// A link that stands, and its socket unless that is shared.
pub(super) struct Dialled {
    pub(super) link: NodeLink,
    pub(super) endpoint: Option<AgentEndpoint>,
}

/// Why there is no link.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name is not known.
    #[error("the name of node {address} cannot be resolved; check it, or give an IP address")]
    Resolve {
        /// The node.
        address: NodeAddress,
        /// What the system said.
        source: std::io::Error,
    },
    /// The name is known and stands for nothing.
    #[error("node {0}: the name has no address")]
    NoAddress(NodeAddress),
    /// There is no socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The node does not answer, or is not trusted.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl Dialler {
    pub(super) fn new(
        credentials: AgentCredentials,
        server_name: Option<String>,
        mut knobs: Knobs,
    ) -> Self {
        knobs.handshake_timeout = knobs.handshake_timeout.min(CONNECT_MAX);
        Self {
            credentials,
            server_name,
            knobs,
            shared: None,
        }
    }

    /// Shows this certificate from the next link on.
    pub(super) fn use_credentials(&mut self, credentials: AgentCredentials) {
        self.credentials = credentials;
    }

    pub(super) fn share(&mut self, endpoint: AgentEndpoint) {
        self.shared = Some(endpoint);
    }

    pub(super) async fn dial(&self, address: &NodeAddress) -> Result<Dialled, DialError> {
        let node = resolve(address).await?;
        let own = match &self.shared {
            Some(_) => None,
            None => Some(AgentEndpoint::bind(any_port_towards(node), &self.knobs)?),
        };
        let Some(endpoint) = self.shared.as_ref().or(own.as_ref()) else {
            unreachable!("either shared or bound just now");
        };
        let server_name = self.server_name.as_deref().unwrap_or(&address.host);
        let link = endpoint
            .connect(node, server_name, &self.credentials, &self.knobs)
            .await?;
        Ok(Dialled {
            link,
            endpoint: own,
        })
    }
}

/// Looks a name up on every attempt, since a node may have moved.
pub(crate) async fn resolve(address: &NodeAddress) -> Result<SocketAddr, DialError> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, address.port));
    }
    tokio::net::lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(|source| DialError::Resolve {
            address: address.clone(),
            source,
        })?
        .next()
        .ok_or_else(|| DialError::NoAddress(address.clone()))
}

pub(crate) fn any_port_towards(node: SocketAddr) -> SocketAddr {
    match node {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}
