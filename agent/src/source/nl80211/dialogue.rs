//! One request after the other over a netlink socket, answers message by message.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::limits::NETLINK_DATAGRAM_BYTES_MAX;
use crate::netlink::{Message, Messages};
use crate::system::netlink_socket::NetlinkSocket;

/// Datagrams without an answer that are passed over in one look.
const DATAGRAMS_MAX: u32 = 64;

/// The socket, and what has been received but not looked at.
pub(super) struct Dialogue {
    socket: NetlinkSocket,
    request: Vec<u8>,
    sequence: u32,
    buffer: Box<[u8]>,
    filled: usize,
    at: usize,
}

impl Dialogue {
    pub(super) fn new(socket: NetlinkSocket) -> Self {
        Self {
            socket,
            request: Vec::with_capacity(256),
            sequence: 0,
            buffer: vec![0; NETLINK_DATAGRAM_BYTES_MAX].into_boxed_slice(),
            filled: 0,
            at: 0,
        }
    }

    /// Sends what `build` writes for the next sequence number. What still comes in answer to an
    /// earlier request is passed over.
    pub(super) fn ask(&mut self, build: impl FnOnce(&mut Vec<u8>, u32) -> &[u8]) -> io::Result<()> {
        // 0 is for what the kernel says unasked.
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.socket.send(build(&mut self.request, self.sequence))
    }

    /// The next message of the answer, or one that the kernel sends unasked; `None` when there is
    /// none now.
    pub(super) fn next(&mut self) -> io::Result<Option<Message<'_>>> {
        // Any process may send to our port: a flood of that ends this look, not the agent.
        let mut datagrams = 0;
        loop {
            let mut messages = Messages::from(&self.buffer[..self.filled], self.at);
            let message = messages.next();
            let (at, sequence) = (messages.at(), message.map(|message| message.sequence));
            match sequence {
                Some(sequence) if sequence == self.sequence || sequence == 0 => {
                    let mut again = Messages::from(&self.buffer[..self.filled], self.at);
                    self.at = at;
                    return Ok(again.next());
                }
                Some(_) => self.at = at,
                None => {
                    self.at = 0;
                    self.filled = 0;
                    datagrams += 1;
                    match self.socket.receive(&mut self.buffer)? {
                        Some(len) if datagrams <= DATAGRAMS_MAX => {
                            self.filled = len.min(self.buffer.len());
                        }
                        _ => return Ok(None),
                    }
                }
            }
        }
    }
}

impl AsFd for Dialogue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
