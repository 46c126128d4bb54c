//! The agent's end of the control stream: few, small, reliable frames in both directions.

use quinn::{ReadError, RecvStream, SendStream, WriteError};
use wire::Frame;
use wire::control::{FrameError, FrameReader, FrameTooLong, encode_frame};

use crate::closed::LinkClosed;

/// Bytes taken from the stream at once.
pub(crate) const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Why the control stream gave no frame or took none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The link has closed.
    #[error(transparent)]
    Closed(#[from] LinkClosed),
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame to be sent is too long; the stream is as it was.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// The other end gave up on the stream, maybe within a frame, and kept the link.
    #[error("the other end abandoned the control stream")]
    Abandoned,
    /// Too many frames wait to be sent; this one was not taken.
    #[error("the other end does not read its control stream fast enough")]
    NoRoom,
}

/// The receiving half of a control stream.
#[derive(Debug)]
pub struct ControlReader {
    stream: RecvStream,
    frames: FrameReader,
}

impl ControlReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            frames: FrameReader::new(),
        }
    }

    /// The node's next frame, or `None` when the other end has finished.
    ///
    /// Nothing is lost when the future is dropped before it is ready.
    /// # Errors
    /// [`ControlError`]; after [`FrameError::Malformed`] the next frame can still be read.
    pub async fn read(&mut self) -> Result<Option<Frame>, ControlError> {
        loop {
            if let Some(frame) = self.frames.poll_frame_of_node()? {
                return Ok(Some(frame));
            }
            match self
                .stream
                .read_chunk(CHUNK_BYTES_MAX, true)
                .await
                .map_err(read_error)?
            {
                Some(chunk) => self.frames.push(&chunk.bytes),
                None if self.frames.is_between_frames() => return Ok(None),
                None => return Err(ControlError::Abandoned),
            }
        }
    }
}

/// The sending half of a control stream.
#[derive(Debug)]
pub struct ControlWriter {
    stream: SendStream,
    buffer: Vec<u8>,
}

impl ControlWriter {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Hands a frame to the transport, which delivers it as long as the link stands.
    ///
    /// Waits while the other end takes no more. A dropped future may leave half a frame behind:
    /// then close the link.
    /// # Errors
    /// [`ControlError`] when the frame is too long or the stream is gone.
    pub async fn write(&mut self, frame: &Frame) -> Result<(), ControlError> {
        self.buffer.clear();
        encode_frame(frame, &mut self.buffer)?;
        self.stream
            .write_all(&self.buffer)
            .await
            .map_err(write_error)
    }

    /// Says that no more frames follow.
    pub fn finish(&mut self) {
        // Fails only if it was finished or abandoned before, which is as good.
        let _ = self.stream.finish();
    }
}

fn read_error(error: ReadError) -> ControlError {
    match error {
        ReadError::ConnectionLost(error) => LinkClosed::of(&error).into(),
        _ => ControlError::Abandoned,
    }
}

fn write_error(error: WriteError) -> ControlError {
    match error {
        WriteError::ConnectionLost(error) => LinkClosed::of(&error).into(),
        _ => ControlError::Abandoned,
    }
}
