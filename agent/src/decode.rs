//! The core of `trilobite-agent decode`: shows what a capture holds, frame by frame or in sum.
//!
//! Nothing here sends anything. Without [`Addresses::Show`] the output has pseudonyms under a
//! throw-away key in place of addresses, so that two outputs cannot be joined.

mod summary;
mod table;

use std::io::{self, Write};
use std::path::Path;

use wire::frame::PseudonymKey;

use crate::address::Address;
use crate::capture::{CaptureError, CaptureReader, CapturedFrame};
use crate::dot11::{Dot11Error, Header};
use crate::pseudonym::Pseudonymiser;
use crate::radiotap::{Radiotap, RadiotapError};

use summary::Summary;

/// What the output looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A few lines for a person.
    Summary,
    /// One row per frame, values separated by tabs, under a header.
    Table,
}

/// Whether the output may hold real addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// Pseudonyms in their place.
    Hide,
    /// As they are; the output then holds personal data.
    Show,
}

/// What was found, beyond what was printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeCounters {
    /// Frames read.
    pub frames: u64,
    /// Of these, with a signal strength.
    pub with_signal: u64,
    /// Of these, with headers that contradict themselves.
    pub malformed: u64,
}

/// Why a capture could not be shown, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The output.
    #[error("the output cannot be written")]
    Write(#[from] io::Error),
    /// The system gave no random bytes for the throw-away key.
    #[error("no random bytes for a throw-away key: {0}")]
    Random(getrandom::Error),
}

/// Shows the capture in a file.
///
/// # Errors
/// [`DecodeError`]; what stands before a damaged record has been shown then.
pub fn decode_file(
    path: &Path,
    format: Format,
    addresses: Addresses,
    out: &mut dyn Write,
) -> Result<DecodeCounters, DecodeError> {
    decode(CaptureReader::open(path)?, format, addresses, out)
}

/// Shows a capture.
///
/// # Errors
/// [`DecodeError`]; what stands before a damaged record has been shown then.
pub fn decode(
    mut reader: CaptureReader,
    format: Format,
    addresses: Addresses,
    out: &mut dyn Write,
) -> Result<DecodeCounters, DecodeError> {
    let mut writer = AddressWriter::new(addresses)?;
    let mut summary = Summary::default();
    if format == Format::Table {
        table::write_header(out)?;
    }
    let ended = loop {
        let frame = match reader.next_frame() {
            Ok(Some(frame)) => Dissected::new(frame),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        summary.add(&frame);
        if format == Format::Table {
            table::write_row(summary.counters().frames, &frame, &mut writer, out)?;
        }
    };
    if format == Format::Summary {
        summary.write(&mut writer, reader.notice().as_deref(), out)?;
    }
    ended?;
    Ok(summary.counters())
}

/// A frame and what its two headers say.
struct Dissected<'a> {
    frame: CapturedFrame<'a>,
    radiotap: Result<Radiotap, RadiotapError>,
    header: Result<Header, Dot11Error>,
}

impl<'a> Dissected<'a> {
    fn new(frame: CapturedFrame<'a>) -> Self {
        let radiotap = Radiotap::parse(frame.bytes);
        let header = match &radiotap {
            Ok(radiotap) => Header::parse(frame.bytes.get(radiotap.header_bytes..).unwrap_or(&[])),
            Err(_) => Err(Dot11Error::Short),
        };
        Self {
            frame,
            radiotap,
            header,
        }
    }
}

/// Writes an address as it may be shown.
struct AddressWriter {
    pseudonymiser: Option<Pseudonymiser>,
}

impl AddressWriter {
    fn new(addresses: Addresses) -> Result<Self, DecodeError> {
        let pseudonymiser = match addresses {
            Addresses::Show => None,
            Addresses::Hide => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(DecodeError::Random)?;
                Some(Pseudonymiser::new(&PseudonymKey { period: 0, key }))
            }
        };
        Ok(Self { pseudonymiser })
    }

    fn text(&mut self, address: &Address) -> String {
        match &mut self.pseudonymiser {
            Some(pseudonymiser) => pseudonymiser.client_id(address).to_string(),
            None => {
                let [a, b, c, d, e, f] = address.octets();
                format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
