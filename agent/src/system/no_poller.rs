//! Systems without epoll: no descriptor can be waited for, so sources are looked at by time.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// A set that nothing can join.
#[derive(Debug, Clone)]
pub(crate) enum Poller {}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn arm(&self, _fd: BorrowedFd<'_>, _token: usize) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn watch(&self) -> io::Result<tokio::io::unix::AsyncFd<Self>> {
        match *self {}
    }

    pub(crate) fn take_fired(&self, _fired: impl FnMut(usize)) {
        match *self {}
    }
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        match *self {}
    }
}
