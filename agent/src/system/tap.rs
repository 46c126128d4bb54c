//! An Ethernet tap that passes for an interface in monitor mode: what a test writes to it, raw
//! sockets receive.

#![expect(unsafe_code, reason = "taps are set up by ioctl")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A tap; gone when dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    file: File,
    name: String,
}

/// `TUNSETIFF` and `TUNSETLINK` of linux/if_tun.h, as on x86 and Arm.
const TUNSETIFF: u32 = 0x4004_54ca;
const TUNSETLINK: u32 = 0x4004_54cd;

impl Tap {
    /// A tap of this name whose frames are of this link type; it is down.
    pub(crate) fn new(name: &str, link_type: i32) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")?;
        let mut request = request(name);
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as _;
        // SAFETY: the request lives until the call is over, and is what this one takes.
        check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF as _, &raw mut request) })?;
        // SAFETY: takes a number, not a pointer.
        check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETLINK as _, link_type) })?;
        Ok(Self {
            file,
            name: name.to_owned(),
        })
    }

    /// Sets the interface up, or down.
    pub(crate) fn set_up(&self, up: bool) -> io::Result<()> {
        // SAFETY: no pointers; the descriptor is new and nobody else has it.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
            check(fd)?;
            OwnedFd::from_raw_fd(fd)
        };
        let mut request = request(&self.name);
        request.ifr_ifru.ifru_flags = if up { libc::IFF_UP as _ } else { 0 };
        let fd = socket.as_raw_fd();
        // SAFETY: the request lives until the call is over, and is what this one takes.
        check(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw mut request) })
    }

    /// Lets raw sockets of the interface receive this frame.
    pub(crate) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.file.write_all(frame)
    }
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: all zeroes is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from as _;
    }
    request
}

fn check(result: i32) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
