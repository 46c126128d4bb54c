//! The bytes of a capture, with the place that an error names.

use std::io::{self, Read};

use super::CaptureError;

/// A stream of bytes that knows its name and how many records were begun.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    name: String,
    record: u64,
}

/// How much of a buffer the input filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    Full,
    /// The input ended after this many bytes.
    Part(usize),
    /// The input had ended before.
    End,
}

impl Input {
    pub(super) fn new(name: &str, reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            name: name.to_owned(),
            record: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        self.reader
    }

    /// Number of the record that is being read, from 1.
    pub(super) fn record(&self) -> u64 {
        self.record
    }

    pub(super) fn begin_record(&mut self) {
        self.record += 1;
    }

    /// Fills `buffer` as far as the input goes; a compressed stream that is cut short just ends.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<Filled, CaptureError> {
        let mut len = 0;
        while len < buffer.len() {
            match self.reader.read(&mut buffer[len..]) {
                Ok(0) => break,
                Ok(count) => len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(source) => {
                    let (name, record) = (self.name.clone(), self.record);
                    return Err(CaptureError::Read {
                        name,
                        record,
                        source,
                    });
                }
            }
        }
        Ok(match len {
            _ if len == buffer.len() => Filled::Full,
            0 => Filled::End,
            _ => Filled::Part(len),
        })
    }

    /// Resizes `buffer` to `len` bytes and fills it; false when the input ends before that.
    pub(super) fn fill_buffer(
        &mut self,
        buffer: &mut Vec<u8>,
        len: usize,
    ) -> Result<bool, CaptureError> {
        buffer.resize(len, 0);
        Ok(self.fill(buffer)? == Filled::Full)
    }

    /// Passes over `count` bytes; false when the input ends before that.
    pub(super) fn skip(&mut self, count: usize) -> Result<bool, CaptureError> {
        let mut left = count;
        let mut scratch = [0; 512];
        while left > 0 {
            let piece = left.min(scratch.len());
            if self.fill(&mut scratch[..piece])? != Filled::Full {
                return Ok(false);
            }
            left -= piece;
        }
        Ok(true)
    }

    pub(super) fn damaged(&self, what: &'static str) -> CaptureError {
        CaptureError::Damaged {
            name: self.name.clone(),
            record: self.record,
            what,
        }
    }

    pub(super) fn wrong_link_type(&self, interface: Option<usize>, link_type: u16) -> CaptureError {
        CaptureError::LinkType {
            name: self.name.clone(),
            interface,
            link_type,
        }
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("name", &self.name)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

/// Order of the bytes in a file's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

impl Endian {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The `u16` at an offset, if it is there.
    pub(super) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.get(at..)?.first_chunk().map(|&chunk| self.u16(chunk))
    }

    /// The `u32` at an offset, if it is there.
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().map(|&chunk| self.u32(chunk))
    }
}
