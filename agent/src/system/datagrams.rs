//! Many datagrams of a socket with one system call.

#![expect(
    unsafe_code,
    reason = "receiving many at once has no safe face in std or rustix"
)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Datagrams that one call takes.
const DATAGRAMS_MAX: usize = 16;

/// What was received and not yet taken; `BYTES` of each datagram are kept.
pub(crate) struct Datagrams<const BYTES: usize> {
    bytes: Box<[[u8; BYTES]; DATAGRAMS_MAX]>,
    lens: [usize; DATAGRAMS_MAX],
    next: usize,
    count: usize,
}

impl<const BYTES: usize> Datagrams<BYTES> {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Box::new([[0; BYTES]; DATAGRAMS_MAX]),
            lens: [0; DATAGRAMS_MAX],
            next: 0,
            count: 0,
        }
    }

    /// Forgets what was not taken, such as the words of one who is gone.
    pub(crate) fn clear(&mut self) {
        (self.next, self.count) = (0, 0);
    }

    /// The next datagram of a socket that does not block; `None` when there is none now.
    ///
    /// # Errors
    /// What the system says, such as that the other end is gone.
    pub(crate) fn next(&mut self, socket: BorrowedFd<'_>) -> io::Result<Option<&[u8]>> {
        if self.next == self.count {
            self.clear();
            self.count = self.receive(socket)?;
        }
        if self.next == self.count {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        Ok(self.bytes[index].get(..self.lens[index]))
    }

    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: all zeroes are valid iovecs and mmsghdrs: null pointers with lengths of zero.
        let mut places: [libc::iovec; DATAGRAMS_MAX] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; DATAGRAMS_MAX] = unsafe { mem::zeroed() };
        let places_and_bytes = places.iter_mut().zip(self.bytes.iter_mut());
        for (message, (place, bytes)) in messages.iter_mut().zip(places_and_bytes) {
            place.iov_base = bytes.as_mut_ptr().cast();
            place.iov_len = BYTES;
            message.msg_hdr.msg_iov = place;
            message.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: each message points to one place and each place to bytes of ours with their length;
        // all live until the call is over. No time limit is given.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                DATAGRAMS_MAX as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            };
        };
        for (len, message) in self.lens.iter_mut().zip(&messages) {
            *len = (message.msg_len as usize).min(BYTES);
        }
        Ok(count.min(DATAGRAMS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn take(datagrams: &mut Datagrams<8>, socket: &UnixDatagram) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        while let Some(bytes) = datagrams.next(socket.as_fd()).expect("it stands") {
            taken.push(bytes.to_vec());
        }
        taken
    }

    #[test]
    fn they_come_in_order_whole_or_cut() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        ours.set_nonblocking(true).expect("a socket");
        let mut datagrams = Datagrams::<8>::new();
        assert!(take(&mut datagrams, &ours).is_empty());
        let mut taken = Vec::new();
        for round in 0..4 {
            for number in 0..9 {
                let text = format!("{}", 10 * round + number);
                theirs.send(text.as_bytes()).expect("room");
            }
            taken.extend(take(&mut datagrams, &ours));
        }
        let expected = (0..4).flat_map(|round| (0..9).map(move |number| 10 * round + number));
        assert!(
            taken
                .into_iter()
                .eq(expected.map(|n: i32| n.to_string().into_bytes()))
        );
        theirs.send(b"123456789").expect("room");
        theirs.send(b"").expect("room");
        assert_eq!(take(&mut datagrams, &ours), [&b"12345678"[..], b""]);
    }

    #[test]
    fn what_was_not_taken_can_be_forgotten() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        ours.set_nonblocking(true).expect("a socket");
        let mut datagrams = Datagrams::<8>::new();
        theirs.send(b"1").expect("room");
        theirs.send(b"2").expect("room");
        let first = datagrams.next(ours.as_fd()).expect("it stands");
        assert_eq!(first, Some(&b"1"[..]));
        datagrams.clear();
        assert!(take(&mut datagrams, &ours).is_empty());
    }
}
