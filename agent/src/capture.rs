//! Reads Wi-Fi captures, frame by frame: pcap and pcapng, plain or gzip, never the whole file.

mod input;
mod link_type;
mod pcap;
mod pcapng;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use input::{Filled, Input};

/// First bytes of a gzip file (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One frame of a capture: a radiotap header and the 802.11 frame behind it.
#[derive(Clone, Copy, PartialEq)]
pub struct CapturedFrame<'a> {
    /// When it was captured, in nanoseconds since 1970 (UTC).
    pub captured_at_ns: u64,
    /// Its length on the air (with radiotap), of which `bytes` may hold less.
    pub original_bytes: u32,
    /// What was kept of it.
    pub bytes: &'a [u8],
}

/// Why a capture cannot be read, or not be read any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("capture {name}: cannot be opened")]
    Open {
        /// The capture.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// Reading failed half way.
    #[error("capture {name}, record {record}: cannot be read")]
    Read {
        /// The capture.
        name: String,
        /// Which record, counted from 1.
        record: u64,
        /// What the system or the decompressor says.
        source: io::Error,
    },
    /// Neither format is recognised.
    #[error(
        "capture {name}: neither pcap nor pcapng; record one with `tcpdump -y IEEE802_11_RADIO -w \
         FILE`"
    )]
    Format {
        /// The capture.
        name: String,
    },
    /// The frames have no radiotap header.
    #[error("capture {name}{}: {}", interface_text(*interface), link_type::advice(*link_type))]
    LinkType {
        /// The capture.
        name: String,
        /// Which interface of a pcapng capture, counted from 0.
        interface: Option<usize>,
        /// The link type as the file gives it.
        link_type: u16,
    },
    /// The file contradicts itself; what follows cannot be found.
    #[error("capture {name}, record {record}: {what}; the file is damaged from here on")]
    Damaged {
        /// The capture.
        name: String,
        /// Which record, counted from 1.
        record: u64,
        /// What is wrong.
        what: &'static str,
    },
}

fn interface_text(interface: Option<usize>) -> String {
    interface
        .map(|index| format!(", interface {index}"))
        .unwrap_or_default()
}

/// Reads a capture from start to end.
pub struct CaptureReader {
    input: Input,
    format: Format,
    buffer: Vec<u8>,
    truncated: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::FileHeader),
    Pcapng(pcapng::Section),
}

impl CaptureReader {
    /// Opens the capture in a file.
    ///
    /// # Errors
    /// [`CaptureError`] when it cannot be opened, is no capture, or has no radiotap headers.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::new(&name, file),
            Err(source) => Err(CaptureError::Open { name, source }),
        }
    }

    /// Reads a capture from `bytes`, calling it `name` in errors.
    ///
    /// # Errors
    /// [`CaptureError`] when it is no capture or has no radiotap headers.
    pub fn new(name: &str, bytes: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        let mut input = Input::new(name, decompressed(name, bytes)?);
        let mut magic = [0; 4];
        let filled = input.fill(&mut magic)?;
        let format = if filled != Filled::Full {
            None
        } else if magic == pcapng::SECTION_HEADER_BLOCK {
            Some(Format::Pcapng(pcapng::Section::read(&mut input)?))
        } else {
            pcap::FileHeader::read(magic, &mut input)?.map(Format::Pcap)
        };
        let format = format.ok_or_else(|| CaptureError::Format {
            name: name.to_owned(),
        })?;
        Ok(Self {
            input,
            format,
            buffer: Vec::new(),
            truncated: false,
        })
    }

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    /// [`CaptureError`] when the rest cannot be read; the frames before it are good. A file that
    /// simply ends too early is no error: see [`CaptureReader::notice`].
    pub fn next_frame(&mut self) -> Result<Option<CapturedFrame<'_>>, CaptureError> {
        if self.truncated {
            return Ok(None);
        }
        let next = match &mut self.format {
            Format::Pcap(header) => header.next_record(&mut self.input, &mut self.buffer)?,
            Format::Pcapng(section) => section.next_packet(&mut self.input, &mut self.buffer)?,
        };
        match next {
            Next::Frame {
                captured_at_ns,
                original_bytes,
                start,
                len,
            } => Ok(Some(CapturedFrame {
                captured_at_ns,
                original_bytes,
                bytes: &self.buffer[start..start + len],
            })),
            Next::End => Ok(None),
            Next::Truncated => {
                self.truncated = true;
                Ok(None)
            }
        }
    }

    /// What a person should know about the file: that it was cut short.
    pub fn notice(&self) -> Option<String> {
        self.truncated.then(|| {
            let (name, record) = (self.input.name(), self.input.record());
            format!(
                "capture {name} is cut short in record {record}; what stands before it was read"
            )
        })
    }
}

impl fmt::Debug for CapturedFrame<'_> {
    /// Shows how long the frame is; its bytes hold real addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturedFrame")
            .field("captured_at_ns", &self.captured_at_ns)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CaptureReader {
    /// Shows the file and the place in it; the buffer holds real addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureReader")
            .field("input", &self.input)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// What a format's reader found: a frame in the buffer, or an end.
enum Next {
    Frame {
        captured_at_ns: u64,
        original_bytes: u32,
        start: usize,
        len: usize,
    },
    End,
    Truncated,
}

/// Unpacks a gzip stream, which its first bytes tell; the name of a file may lie.
fn decompressed(
    name: &str,
    bytes: impl Read + Send + 'static,
) -> Result<Box<dyn Read + Send>, CaptureError> {
    let mut start = Input::new(name, Box::new(bytes));
    let mut magic = [0; 2];
    let present = match start.fill(&mut magic)? {
        Filled::Full => magic.len(),
        Filled::Part(len) => len,
        Filled::End => 0,
    };
    let whole = io::Cursor::new(magic)
        .take(present as u64)
        .chain(start.into_reader());
    let whole = BufReader::new(whole);
    Ok(if magic == GZIP_MAGIC {
        Box::new(BufReader::new(MultiGzDecoder::new(whole)))
    } else {
        Box::new(whole)
    })
}

#[cfg(test)]
mod tests;
