//! A socket that has a Bluetooth adapter for itself: the kernel's own Bluetooth lets go of it.

#![expect(
    unsafe_code,
    reason = "Bluetooth sockets have no safe face in std or rustix"
)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `BTPROTO_HCI`.
const PROTOCOL_HCI: libc::c_int = 1;

/// `HCI_CHANNEL_USER`: packets go to and from the adapter unseen by the kernel.
const CHANNEL_USER: u16 = 1;

/// `struct sockaddr_hci`.
#[repr(C)]
struct Address {
    family: libc::sa_family_t,
    adapter: u16,
    channel: u16,
}

/// Opens an adapter by its number, such as 0 for `hci0`. Powers it up, which can take a second the
/// first time; after that reads and writes never wait. Closing it powers it down.
///
/// # Errors
/// What the system says: no Bluetooth, no right to, no such adapter, it is in use.
pub(crate) fn open(adapter: u16) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_BLUETOOTH, kind, PROTOCOL_HCI) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = Address {
        family: libc::AF_BLUETOOTH as libc::sa_family_t,
        adapter,
        channel: CHANNEL_USER,
    };
    // SAFETY: the address is laid out as the kernel wants it, lives until the call returns, and its
    // own length is given.
    let bound = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<Address>() as libc::socklen_t,
        )
    };
    match bound {
        0 => Ok(fd),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_cannot_be_there_is_refused() {
        let error = open(0xfff0).expect_err("no such adapter");
        let expected = [
            libc::EAFNOSUPPORT,
            libc::EPROTONOSUPPORT,
            libc::EPERM,
            libc::ENODEV,
        ];
        let code = error.raw_os_error().expect("an error of the system");
        assert!(expected.contains(&code), "{error}");
    }
}
