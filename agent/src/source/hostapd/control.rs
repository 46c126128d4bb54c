//! The control socket of one hostapd interface.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Sockets of this process so far: each needs an address of its own, or hostapd could not answer.
static SOCKETS: AtomicU32 = AtomicU32::new(0);

pub(super) struct Control(UnixDatagram);

impl Control {
    /// Connects to the socket at this path.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let number = SOCKETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("trilobite-agent-{}-{number}", std::process::id());
        // An abstract address leaves no file behind.
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(Self(socket))
    }

    pub(super) fn send(&self, command: &str) -> io::Result<()> {
        self.0.send(command.as_bytes())?;
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // hostapd forgets us in any case, after some attempts to send.
        let _ = self.send("DETACH");
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
