//! Writing a recording.

use std::io::{self, Write};

use super::{Entry, MAGIC};
use crate::envelope;
use crate::limits::ENTRY_BYTES_MAX;

/// Why an entry was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The entry would be longer than [`ENTRY_BYTES_MAX`]; nothing was written.
    #[error("the recording entry has {bytes} bytes; at most {ENTRY_BYTES_MAX} are allowed")]
    TooLong {
        /// Bytes that the entry would have.
        bytes: usize,
    },
    /// The destination refused bytes; the last entry may be torn, and no further one should follow.
    #[error("the recording cannot be written")]
    Write(#[from] io::Error),
}

/// Writes entries, each with one call of the destination.
///
/// A file wants a [`BufWriter`](io::BufWriter) around it and a [`Recorder::flush`] now and then: a
/// crash loses what was not flushed, and tears at most one entry.
#[derive(Debug)]
pub struct Recorder<W> {
    writer: W,
    buffer: Vec<u8>,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording.
    ///
    /// # Errors
    /// That of the destination.
    pub fn new(mut writer: W) -> io::Result<Self> {
        writer.write_all(&MAGIC)?;
        Ok(Self {
            writer,
            buffer: Vec::new(),
        })
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`RecordError`]; after [`RecordError::TooLong`] the recording may go on.
    pub fn write(&mut self, entry: &Entry<'_>) -> Result<(), RecordError> {
        self.buffer.clear();
        envelope::append(&mut self.buffer, entry, ENTRY_BYTES_MAX)
            .map_err(|bytes| RecordError::TooLong { bytes })?;
        Ok(self.writer.write_all(&self.buffer)?)
    }

    /// Hands everything to the destination's own flush.
    ///
    /// # Errors
    /// That of the destination.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// The destination; nothing of the recorder's is still unwritten.
    pub fn into_inner(self) -> W {
        self.writer
    }
}
