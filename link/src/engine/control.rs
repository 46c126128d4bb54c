//! The control stream of one link: frames cut out of what arrives, and bytes that wait to leave.

use quinn_proto::{Connection, Dir, ReadError, StreamId, VarInt, WriteError};
use wire::Frame;
use wire::control::{FrameReader, encode_frame};

use crate::control::{CHUNK_BYTES_MAX, ControlError};
use crate::transport::CONTROL_BUFFER_BYTES_MAX;

/// Code by which a second stream is turned away.
const SECOND_STREAM: VarInt = VarInt::from_u32(1);

/// The control stream, once there is one, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Control {
    stream: Option<StreamId>,
    frames: FrameReader,
    arrived: Arrived,
    leaving: Vec<u8>,
    /// Bytes at the front of `leaving` that the transport has taken.
    taken: usize,
    finish: Finish,
    refused_for_room: bool,
}

/// How the other end's half stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Arrived {
    #[default]
    Running,
    Finished,
    Abandoned,
}

/// How this end's half stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Finish {
    #[default]
    No,
    /// As soon as the buffer is empty.
    Wanted,
    /// Finished, or given up by the other end.
    Over,
}

impl Control {
    /// An agent has opened streams: the first is the control stream, there is no second.
    pub(super) fn accept(&mut self, connection: &mut Connection) {
        while let Some(id) = connection.streams().accept(Dir::Bi) {
            if self.stream.is_none() {
                self.stream = Some(id);
            } else {
                // Fails only for a stream that has ended by itself, which is as good.
                let _ = connection.recv_stream(id).stop(SECOND_STREAM);
                let _ = connection.send_stream(id).reset(SECOND_STREAM);
            }
        }
    }

    /// Takes a frame to be sent, if there is room for it.
    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), ControlError> {
        if self.finish != Finish::No {
            return Err(ControlError::Abandoned);
        }
        let before = self.leaving.len();
        encode_frame(frame, &mut self.leaving)?;
        if self.leaving.len() - self.taken > CONTROL_BUFFER_BYTES_MAX {
            self.leaving.truncate(before);
            self.refused_for_room = true;
            return Err(ControlError::NoRoom);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn write_raw(&mut self, bytes: &[u8]) {
        self.leaving.extend_from_slice(bytes);
    }

    /// No more frames follow those that were written.
    pub(super) fn finish(&mut self) {
        if self.finish == Finish::No {
            self.finish = Finish::Wanted;
        }
    }

    /// Hands the transport what it takes; an agent opens the stream with its first bytes.
    pub(super) fn flush(&mut self, connection: &mut Connection) {
        if self.waiting().is_empty() && self.finish != Finish::Wanted {
            return;
        }
        if self.stream.is_none() && connection.side().is_client() {
            self.stream = connection.streams().open(Dir::Bi);
        }
        let Some(id) = self.stream else {
            return;
        };
        while !self.waiting().is_empty() {
            match connection
                .send_stream(id)
                .write(&self.leaving[self.taken..])
            {
                Ok(bytes) => self.taken += bytes,
                Err(WriteError::Blocked) => break,
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                    self.give_up();
                    return;
                }
            }
        }
        if self.taken > CONTROL_BUFFER_BYTES_MAX {
            // A peer that never lets the buffer run empty must not make it grow.
            self.leaving.drain(..self.taken);
            self.taken = 0;
        }
        if self.waiting().is_empty() {
            // What a burst of frames took is given back: most links are silent.
            self.leaving = Vec::new();
            self.taken = 0;
            if self.finish == Finish::Wanted {
                let _ = connection.send_stream(id).finish();
                self.finish = Finish::Over;
            }
        }
    }

    /// The other end wants no more on this stream.
    pub(super) fn handle_stopped(&mut self, id: StreamId) {
        if self.stream == Some(id) {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.leaving = Vec::new();
        self.taken = 0;
        self.finish = Finish::Over;
    }

    /// Whether a frame that found no room should be tried again now.
    pub(super) fn take_has_room_again(&mut self) -> bool {
        let room = self.waiting().len() <= CONTROL_BUFFER_BYTES_MAX / 2;
        room && std::mem::take(&mut self.refused_for_room)
    }

    /// The next frame that has arrived whole.
    pub(super) fn read(
        &mut self,
        connection: &mut Connection,
    ) -> Result<Option<Frame>, ControlError> {
        loop {
            if let Some(frame) = self.frames.poll_frame()? {
                return Ok(Some(frame));
            }
            match self.arrived {
                Arrived::Running => {}
                Arrived::Finished if self.frames.is_between_frames() => return Ok(None),
                Arrived::Finished | Arrived::Abandoned => return Err(ControlError::Abandoned),
            }
            if !self.pull(connection) {
                return Ok(None);
            }
        }
    }

    /// Takes the next piece of the stream; returns whether there was anything to learn.
    fn pull(&mut self, connection: &mut Connection) -> bool {
        let Some(id) = self.stream else {
            return false;
        };
        let mut stream = connection.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else {
            self.arrived = Arrived::Abandoned;
            return true;
        };
        match chunks.next(CHUNK_BYTES_MAX) {
            Ok(Some(chunk)) => self.frames.push(&chunk.bytes),
            Ok(None) => self.arrived = Arrived::Finished,
            Err(ReadError::Blocked) => return false,
            Err(ReadError::Reset(_)) => self.arrived = Arrived::Abandoned,
        }
        true
    }

    fn waiting(&self) -> &[u8] {
        &self.leaving[self.taken..]
    }
}
