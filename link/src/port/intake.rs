//! Packets from the socket into the engine.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::time::Instant;

use bytes::BytesMut;
use quinn::udp::{self, BATCH_SIZE, RecvMeta, UdpSocketState};

use super::slots::Slot;
use crate::engine::{EcnCodepoint, Engine};
use crate::transport::{RECEIVE_CALLS_MAX, RECEIVE_PACKETS_MAX};

/// Most bytes that the system puts into one buffer: the greatest packet of IP.
const BUFFER_BYTES_MAX: usize = 65_535;

const _: () = assert!(BUFFER_BYTES_MAX <= STRIDE_BYTES);
const _: () = assert!(BATCH_SIZE <= u64::BITS as usize);

/// From the beginning of a buffer to that of the next. At multiples of 64 KiB the filled beginnings of
/// all would compete for the same few lines of a cache; so they lie an eighth of 128 KiB apart.
const STRIDE_BYTES: usize = 64 * 1024 + 16 * 1024;

/// Buffers for one system call, used again and again.
#[derive(Debug)]
pub(super) struct Intake {
    slots: Box<[Slot]>,
    /// Buffers in place of slots that are closed, and which of them the last call used, as a bit each.
    memory: Box<[u8]>,
    spares: u64,
    buffer_bytes: usize,
    filled: Box<[RecvMeta; BATCH_SIZE]>,
    /// The next buffer to hand over, and the end of those that are filled.
    next: usize,
    end: usize,
    /// What is left of the buffer before `next`, whose packets were not all handed over.
    rest: BytesMut,
    /// The last call filled all buffers, so that there is probably more.
    more: bool,
}

impl Intake {
    pub(super) fn new(packet_bytes_max: usize, segments_max: usize) -> Self {
        let buffer_bytes = (packet_bytes_max * segments_max).min(BUFFER_BYTES_MAX);
        Self {
            slots: (0..BATCH_SIZE).map(|_| Slot::new(STRIDE_BYTES)).collect(),
            memory: vec![0; STRIDE_BYTES * BATCH_SIZE].into(),
            spares: 0,
            buffer_bytes,
            filled: Box::new([RecvMeta::default(); BATCH_SIZE]),
            next: 0,
            end: 0,
            rest: BytesMut::new(),
            more: false,
        }
    }

    /// There is more to take without waiting.
    pub(super) fn expects_more(&self) -> bool {
        !self.rest.is_empty() || self.next < self.end || self.more
    }

    /// Hands over what has arrived, until a round's work is done or a link has to be read first;
    /// returns how many packets those were.
    pub(super) fn take(
        &mut self,
        now: Instant,
        socket: &UdpSocket,
        state: &UdpSocketState,
        engine: &mut Engine,
    ) -> io::Result<usize> {
        let mut packets = 0;
        for _ in 0..RECEIVE_CALLS_MAX {
            if self.rest.is_empty() && self.next == self.end {
                self.call(socket, state)?;
            }
            while !self.rest.is_empty() || self.open_next() {
                if engine.is_brimming() || packets >= RECEIVE_PACKETS_MAX {
                    return Ok(packets);
                }
                self.hand_over(now, engine);
                packets += 1;
            }
            if !self.more {
                break;
            }
        }
        Ok(packets)
    }

    /// Goes on with the next buffer; false when there is none.
    fn open_next(&mut self) -> bool {
        while self.next < self.end {
            let start = self.next * STRIDE_BYTES;
            let len = self.filled[self.next].len;
            self.rest = match self.spares >> self.next & 1 {
                1 => BytesMut::from(&self.memory[start..start + len]),
                _ => self.slots[self.next].take(len),
            };
            self.next += 1;
            if !self.rest.is_empty() {
                return true;
            }
        }
        false
    }

    fn call(&mut self, socket: &UdpSocket, state: &UdpSocketState) -> io::Result<()> {
        self.next = 0;
        self.end = 0;
        self.more = false;
        let mut spares = 0;
        let memory = self.memory.chunks_exact_mut(STRIDE_BYTES);
        let mut both = self.slots.iter_mut().zip(memory);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|number| {
            let (slot, spare) = both.next().expect("as many buffers as the call takes");
            let buffer = slot.open().unwrap_or_else(|| {
                spares |= 1 << number;
                spare
            });
            IoSliceMut::new(&mut buffer[..self.buffer_bytes])
        });
        self.spares = spares;
        match state.recv(socket.into(), &mut buffers, &mut self.filled[..]) {
            Ok(filled) => {
                self.end = filled;
                self.more = filled == BATCH_SIZE;
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(()),
                // News of a packet that did not reach somebody: anyone could have made it up.
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused => {
                    self.more = true;
                    Ok(())
                }
                _ => Err(error),
            },
        }
    }

    /// Gives the engine the next packet of the open buffer, which is of one sender.
    fn hand_over(&mut self, now: Instant, engine: &mut Engine) {
        let meta = &self.filled[self.next - 1];
        let packet = if self.rest.len() <= meta.stride || meta.stride == 0 {
            std::mem::take(&mut self.rest)
        } else {
            self.rest.split_to(meta.stride)
        };
        engine.handle_packet(now, meta.addr, meta.dst_ip, meta.ecn.map(ecn), packet);
    }
}

fn ecn(ecn: udp::EcnCodepoint) -> EcnCodepoint {
    match ecn {
        udp::EcnCodepoint::Ect0 => EcnCodepoint::Ect0,
        udp::EcnCodepoint::Ect1 => EcnCodepoint::Ect1,
        udp::EcnCodepoint::Ce => EcnCodepoint::Ce,
    }
}
