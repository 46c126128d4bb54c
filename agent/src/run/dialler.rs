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
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("the name of node {address} cannot be resolved; check it, or give an IP address")]
    Resolve {
        address: NodeAddress,
        source: std::io::Error,
    },
    #[error("node {0}: the name has no address")]
    NoAddress(NodeAddress),
    #[error(transparent)]
    Bind(#[from] BindError),
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
async fn resolve(address: &NodeAddress) -> Result<SocketAddr, DialError> {
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

fn any_port_towards(node: SocketAddr) -> SocketAddr {
    match node {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}
