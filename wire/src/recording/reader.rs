//! Reading a recording, also one whose writer crashed.

use std::io::{self, Read};

use super::{Entry, MAGIC};
use crate::envelope::{self, LENGTH_BYTES};
use crate::limits::ENTRY_BYTES_MAX;

/// Why a recording cannot be read. A torn last entry is no error: see
/// [`RecordingReader::torn_bytes`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The bytes do not begin with [`MAGIC`].
    #[error("not a trilobite recording; the first bytes must be \"trilobite\"")]
    Magic,
    /// The recording is of another version of the format.
    #[error("the recording has version {0}; this program reads version {own}", own = MAGIC[9])]
    Version(u8),
    /// An entry announces more than [`ENTRY_BYTES_MAX`] bytes: the recording is damaged from here on.
    #[error(
        "recording, byte {offset}: entry of {bytes} bytes; at most {ENTRY_BYTES_MAX} are allowed"
    )]
    TooLong {
        /// Where the entry begins.
        offset: u64,
        /// The announced length.
        bytes: usize,
    },
    /// An entry is damaged; the next one can still be read.
    #[error("recording, byte {offset}: malformed entry: {what}")]
    Malformed {
        /// Where the entry begins.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The source of the bytes failed.
    #[error("the recording cannot be read")]
    Read(#[from] io::Error),
}

/// Reads entries one by one, and nothing more after an error that leaves it astray. A file wants a [`BufReader`](io::BufReader) around it.
#[derive(Debug)]
pub struct RecordingReader<R> {
    reader: R,
    buffer: Vec<u8>,
    offset: u64,
    torn_bytes: u64,
    ended: bool,
}

impl<R: Read> RecordingReader<R> {
    /// Begins to read; checks the magic.
    ///
    /// # Errors
    /// [`RecordingError::Magic`], [`RecordingError::Version`] or [`RecordingError::Read`].
    pub fn new(reader: R) -> Result<Self, RecordingError> {
        let mut this = Self {
            reader,
            buffer: Vec::new(),
            offset: 0,
            torn_bytes: 0,
            ended: false,
        };
        this.fill(MAGIC.len())?;
        let [own_name @ .., own_version] = MAGIC;
        match this.buffer.as_slice() {
            [name @ .., version] if name == own_name.as_slice() => match *version {
                version if version == own_version => Ok(this),
                version => Err(RecordingError::Version(version)),
            },
            _ => Err(RecordingError::Magic),
        }
    }

    /// The next entry, `None` at the end; what it borrows lives until the next call.
    ///
    /// An entry that is cut short by the end of the recording counts as the end, since a crash of
    /// the writer leaves it; [`RecordingReader::torn_bytes`] tells.
    ///
    /// # Errors
    /// [`RecordingError`]; after [`RecordingError::Malformed`] the reading may go on.
    pub fn read_entry(&mut self) -> Result<Option<Entry<'_>>, RecordingError> {
        if self.ended {
            return Ok(None);
        }
        let offset = self.offset;
        self.fill(LENGTH_BYTES)?;
        let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(self.buffer.as_slice()) else {
            self.end(offset);
            return Ok(None);
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > ENTRY_BYTES_MAX {
            self.ended = true;
            return Err(RecordingError::TooLong {
                offset,
                bytes: length,
            });
        }
        self.fill(length)?;
        if self.buffer.len() < length {
            self.end(offset);
            return Ok(None);
        }
        envelope::parse(&self.buffer)
            .map(Some)
            .map_err(|what| RecordingError::Malformed { offset, what })
    }

    /// Bytes at the end that belong to an entry cut short; 0 for a whole recording, and before
    /// [`RecordingReader::read_entry`] has given `None`.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Fills the buffer with the next `length` bytes, or with all that are left.
    fn fill(&mut self, length: usize) -> io::Result<()> {
        self.buffer.clear();
        let mut part = self.reader.by_ref().take(length as u64);
        let read = part
            .read_to_end(&mut self.buffer)
            .inspect_err(|_| self.ended = true)?;
        self.offset += read as u64;
        Ok(())
    }

    fn end(&mut self, entry_offset: u64) {
        self.ended = true;
        self.torn_bytes = self.offset - entry_offset;
    }
}
