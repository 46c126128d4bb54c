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
///
/// `receive_buffer_bytes` is a wish: the system may grant less, which is logged, not fatal.
pub(crate) fn open(
    address: SocketAddr,
    receive_buffer_bytes: Option<usize>,
    impairment: Option<&Impairment>,
) -> Result<Arc<dyn AsyncUdpSocket>, BindError> {
    let bind_error = |source| BindError::Bind { address, source };
    let socket_error = |source| BindError::Socket { address, source };
    let socket = UdpSocket::bind(address).map_err(bind_error)?;
    if let Some(bytes) = receive_buffer_bytes {
        enlarge_receive_buffer(&socket, bytes).map_err(socket_error)?;
    }
    let socket = TokioRuntime.wrap_udp_socket(socket).map_err(socket_error)?;
    Ok(match impairment {
        Some(impairment) => Arc::new(Impaired::new(socket, impairment.clone())),
        None => socket,
    })
}

fn enlarge_receive_buffer(socket: &UdpSocket, wanted_bytes: usize) -> io::Result<()> {
    let state = UdpSocketState::new(socket.into())?;
    let refused = state
        .set_recv_buffer_size(socket.into(), wanted_bytes)
        .err();
    let granted_bytes = state.recv_buffer_size(socket.into())?;
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
