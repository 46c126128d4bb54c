//! A socket to the kernel's generic netlink.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::netlink::{GENERIC, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, send, socket_with,
};

/// The socket. Closing it ends whatever the kernel does on its behalf.
#[derive(Debug)]
pub(crate) struct NetlinkSocket(OwnedFd);

impl NetlinkSocket {
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::RAW;
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, Some(GENERIC))?;
        // The kernel chooses our port.
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self(socket))
    }

    /// A socket whose other end a test holds.
    #[cfg(test)]
    pub(crate) fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a request; an unbound peer means the kernel.
    pub(crate) fn send(&self, request: &[u8]) -> io::Result<()> {
        send(&self.0, request, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next datagram from the kernel; `None` when there is none now.
    ///
    /// # Errors
    /// What the system says, such as that messages were lost, or that one is longer than the buffer.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let max = buffer.len();
        let (_, len, from) = match recvfrom(&self.0, buffer, RecvFlags::TRUNC) {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if len > max {
            let what = format!("a message of {len} bytes does not fit {max}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        // Any process may send to our port.
        let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
        match from {
            Some(from) if from.pid() != 0 => Ok(Some(0)),
            _ => Ok(Some(len)),
        }
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
