//! Control frames to bytes and back, at whatever pieces a stream hands them over.
//!
//! Each frame is preceded by its length in bytes as a big-endian `u32`.

use crate::envelope::{self, LENGTH_BYTES};
use crate::frame::{Frame, from_node};
use crate::limits::{FRAME_BUFFER_BYTES_MAX, FRAME_BYTES_MAX};

/// A frame would be longer than [`FRAME_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the control frame has {bytes} bytes; at most {FRAME_BYTES_MAX} are allowed, so split it")]
pub struct FrameTooLong {
    /// Bytes that the frame would have.
    pub bytes: usize,
}

/// Appends a frame with its length to `out`.
///
/// # Errors
/// [`FrameTooLong`] leaves `out` as it was; only `hello` and `names` can grow that long.
pub fn encode_frame(frame: &Frame, out: &mut Vec<u8>) -> Result<(), FrameTooLong> {
    envelope::append(out, frame, FRAME_BYTES_MAX).map_err(|bytes| FrameTooLong { bytes })
}

/// Why a control stream cannot be read. The connection should be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame announces more than [`FRAME_BYTES_MAX`] bytes. Nothing after it can be read.
    #[error("a control frame announces {bytes} bytes; at most {FRAME_BYTES_MAX} are allowed")]
    TooLong {
        /// The announced length.
        bytes: usize,
    },
    /// More than [`FRAME_BUFFER_BYTES_MAX`] bytes wait. Nothing after them can be read.
    #[error("more than {FRAME_BUFFER_BYTES_MAX} bytes of control frames wait unread")]
    Overrun,
    /// The frame is no known frame; the next one can still be read.
    #[error("malformed control frame: {0}")]
    Malformed(String),
}

/// Cuts a control stream into frames, without IO.
///
/// After each [`FrameReader::push`] the owner polls until `None`. Memory stays within
/// [`FRAME_BUFFER_BYTES_MAX`] whatever arrives.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that have become frames.
    consumed: usize,
    failed: Option<FrameError>,
}

impl FrameReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream; after a failure they are ignored.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.buffer.len() + bytes.len() > FRAME_BUFFER_BYTES_MAX {
            self.fail(FrameError::Overrun);
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, `None` until more bytes come.
    ///
    /// # Errors
    /// [`FrameError`]; all but [`FrameError::Malformed`] are repeated for ever.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        self.poll(|body| envelope::parse(body))
    }

    /// The same for an agent, which takes frames of a node only: others are [`Frame::Unknown`]. A
    /// program that calls nothing else holds no code for reading those others.
    ///
    /// # Errors
    /// As [`FrameReader::poll_frame`].
    pub fn poll_frame_of_node(&mut self) -> Result<Option<Frame>, FrameError> {
        self.poll(from_node::parse)
    }

    fn poll(
        &mut self,
        parse: fn(&[u8]) -> Result<Frame, String>,
    ) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some((length, rest)) = self.waiting().split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(self.fail(FrameError::TooLong { bytes: length }));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = parse(body).map_err(FrameError::Malformed);
        self.consumed += LENGTH_BYTES + length;
        frame.map(Some)
    }

    /// No part of a frame waits: a stream may end here.
    pub fn is_between_frames(&self) -> bool {
        self.failed.is_none() && self.waiting().is_empty()
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    fn fail(&mut self, error: FrameError) -> FrameError {
        self.buffer = Vec::new();
        self.consumed = 0;
        self.failed.insert(error).clone()
    }
}

#[cfg(test)]
mod tests;
