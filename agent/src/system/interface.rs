//! Network interfaces by name.

use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

/// The index of the interface with this name.
///
/// # Errors
/// What the system says; see [`is_missing`].
pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    // Any socket will do to ask.
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(netdevice::name_to_index(&socket, name)?)
}

/// Whether the error says that there is no such interface, or not any more.
#[cfg(any(feature = "monitor", test))]
pub(crate) fn is_missing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let gone = [Errno::NODEV, Errno::NXIO];
    gone.iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_there_or_missing() {
        assert!(index_of("lo").unwrap() > 0);
        assert!(is_missing(&index_of("nowhere0").unwrap_err()));
    }
}
