//! Waits for many descriptors through a single one: an epoll set whose members fire once.
//!
//! A member that fired stays silent until it is armed again. So a source that is read at intervals
//! costs one wake-up per interval, however much arrives in it; and a source may close its
//! descriptor and open another whenever it likes: the kernel forgets what is closed.

#![expect(
    unsafe_code,
    reason = "the runtime trusts what it watches to stay open"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Members that are taken in one call; more are taken in a further one.
const EVENTS_MAX: usize = 32;

/// The set. Clones are the same set.
#[derive(Debug, Clone)]
pub(crate) struct Poller(Arc<OwnedFd>);

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(epoll::create(CreateFlags::CLOEXEC)?)))
    }

    /// Fires `token` once when there is something to read, or already is.
    ///
    /// # Errors
    /// What the system says, such as that the descriptor is a file, which is always readable.
    pub(crate) fn arm(&self, fd: BorrowedFd<'_>, token: usize) -> io::Result<()> {
        let data = EventData::new_u64(token as u64);
        let flags = EventFlags::IN | EventFlags::ONESHOT;
        match epoll::modify(&*self.0, fd, data, flags) {
            // New to the set, or a new one under the number of one that was closed.
            Err(Errno::NOENT) => Ok(epoll::add(&*self.0, fd, data, flags)?),
            armed => Ok(armed?),
        }
    }

    /// Has the current runtime wait for members to fire.
    ///
    /// # Errors
    /// What the system says when the runtime cannot watch one more descriptor.
    pub(crate) fn watch(&self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the clone keeps the descriptor open as long as it is watched, and `as_raw_fd`
        // always names that one.
        let watched = unsafe { AsyncFd::register_with_interest(self.clone(), Interest::READABLE) };
        Ok(watched?)
    }

    /// Gives out the tokens that fired, without waiting.
    pub(crate) fn take_fired(&self, mut fired: impl FnMut(usize)) {
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut events = [const { std::mem::MaybeUninit::<Event>::uninit() }; EVENTS_MAX];
        loop {
            let Ok((taken, _)) = epoll::wait(&*self.0, &mut events, Some(&at_once)) else {
                return;
            };
            let count = taken.len();
            for event in taken {
                fired(event.data.u64() as usize);
            }
            if count < EVENTS_MAX {
                return;
            }
        }
    }
}

impl AsRawFd for Poller {
    /// Readable while a member has fired and was not taken.
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn fired(poller: &Poller) -> Vec<usize> {
        let mut tokens = Vec::new();
        poller.take_fired(|token| tokens.push(token));
        tokens.sort_unstable();
        tokens
    }

    #[test]
    fn a_member_fires_once_until_it_is_armed_again() {
        let poller = Poller::new().unwrap();
        let (mut writer, mut reader) = UnixStream::pair().unwrap();
        poller.arm(reader.as_fd(), 7).unwrap();
        assert!(fired(&poller).is_empty());
        writer.write_all(b"ab").unwrap();
        assert_eq!(fired(&poller), [7]);
        writer.write_all(b"c").unwrap();
        assert!(fired(&poller).is_empty());
        poller.arm(reader.as_fd(), 7).unwrap();
        assert_eq!(fired(&poller), [7]);
        reader.read_exact(&mut [0; 3]).unwrap();
        poller.arm(reader.as_fd(), 7).unwrap();
        assert!(fired(&poller).is_empty());
    }

    #[test]
    fn a_new_descriptor_under_an_old_number_is_a_new_member() {
        let poller = Poller::new().unwrap();
        let (first_writer, first) = UnixStream::pair().unwrap();
        poller.arm(first.as_fd(), 1).unwrap();
        drop(first_writer);
        assert_eq!(fired(&poller), [1]);
        let number = first.as_raw_fd();
        drop(first);
        // Other tests open descriptors too, so the number may have found another owner.
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let same = reader.as_raw_fd() == number || writer.as_raw_fd() == number;
        poller.arm(reader.as_fd(), 2).unwrap();
        writer.write_all(b"x").unwrap();
        assert_eq!(fired(&poller), [2], "same number: {same}");
    }

    #[test]
    fn more_members_than_one_call_takes() {
        let poller = Poller::new().unwrap();
        let pairs: Vec<_> = (0..2 * EVENTS_MAX + 1)
            .map(|_| UnixStream::pair().unwrap())
            .collect();
        for ((writer, reader), token) in pairs.iter().zip(0..) {
            poller.arm(reader.as_fd(), token).unwrap();
            (&*writer).write_all(b"x").unwrap();
        }
        assert!(fired(&poller).into_iter().eq(0..2 * EVENTS_MAX + 1));
    }

    #[test]
    fn a_file_cannot_be_waited_for() {
        let file = tempfile::tempfile().unwrap();
        assert!(Poller::new().unwrap().arm(file.as_fd(), 0).is_err());
    }
}
