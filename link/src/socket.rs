//! The UDP socket below an endpoint.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::udp::UdpSocketState;
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};

use crate::impair::{Impaired, Impairment};

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is taken, not ours, or needs more rights.
    #[error("cannot listen on UDP {address}; choose another address or stop what uses it")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket is open but cannot be used.
    #[error("cannot use the UDP socket on {address}")]
    Socket {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Opens a socket inside the current tokio runtime.
pub(crate) fn open(
    address: SocketAddr,
    impairment: Option<&Impairment>,
) -> Result<Arc<dyn AsyncUdpSocket>, BindError> {
    let bind_error = |source| BindError::Bind { address, source };
    let socket_error = |source| BindError::Socket { address, source };
    let socket = UdpSocket::bind(address).map_err(bind_error)?;
    let socket = TokioRuntime.wrap_udp_socket(socket).map_err(socket_error)?;
    Ok(match impairment {
        Some(impairment) => Arc::new(Impaired::new(socket, impairment.clone())),
        None => socket,
    })
}

/// Asks for a larger receive buffer, which is a wish: the system may grant less, which is logged.
pub(crate) fn enlarge_receive_buffer(socket: &UdpSocket, wanted_bytes: usize) -> io::Result<()> {
    let state = UdpSocketState::new(socket.into())?;
    let refused = state
        .set_recv_buffer_size(socket.into(), wanted_bytes)
        .err();
    let mut granted_bytes = state.recv_buffer_size(socket.into())?;
    #[cfg(target_os = "linux")]
    if granted_bytes < wanted_bytes {
        // Beyond what everybody gets, for who has the right; others are refused, which is no news.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, wanted_bytes);
        granted_bytes = state.recv_buffer_size(socket.into())?;
    }
    if granted_bytes < wanted_bytes {
        tracing::warn!(
            granted_bytes,
            wanted_bytes,
            refused = refused.map(|error| error.to_string()),
            "small UDP receive buffer, bursts may be lost; raise net.core.rmem_max"
        );
    } else {
        tracing::debug!(granted_bytes, "UDP receive buffer");
    }
    Ok(())
}

/// An IPv4 address as itself, also when it came through an IPv6 socket.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
