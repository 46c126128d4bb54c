//! The observations in one datagram: a MessagePack array whose last items are fixed rows.
//!
//! Any MessagePack library reads the array and its byte strings; a short loop reads the rows. This
//! decoder borrows them: it checks lengths once per batch, then each row is a few loads.

mod msgpack;
mod ranges;
mod rows;
mod writer;

use crate::id::Session;
use crate::limits::{BATCH_BYTES_MAX, RADIOS_MAX};
use crate::observation::Observation;
use msgpack::Cursor;

pub use ranges::{RANGE_BYTES, Ranges};
pub use rows::{NOT_MEASURED, ROW_BYTES, RawRow, Row, Rows};
pub use writer::{BatchWriter, HEADER_BYTES_MAX, rows_max};

/// Version of the batch format that this crate writes and reads.
pub const BATCH_VERSION: u8 = 1;

/// Items of the array without ranges; ranges add one.
const ITEMS: usize = 7;

/// What all rows of a batch share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The session that the node handed out in `welcome`.
    pub session: Session,
    /// Number of this datagram in its session, from 0.
    pub sequence: u64,
    /// Observations of the session packed before this batch.
    pub first_observation: u64,
    /// The agent's clock when the batch was packed, in microseconds; ages count back from it.
    pub sent_us: u64,
    /// The radio that heard all rows, as an index into the radios of `hello`.
    pub radio: u8,
}

impl Header {
    /// When a row of this age was heard, in microseconds of the agent's clock.
    #[inline]
    pub fn heard_at_us(&self, age_ms: u16) -> u64 {
        self.sent_us.saturating_sub(u64::from(age_ms) * 1_000)
    }
}

/// A checked batch that borrows the bytes of its datagram.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// What all rows share.
    pub header: Header,
    /// One row per observation.
    pub rows: Rows<'a>,
    /// Measured distances of some rows; mostly none.
    pub ranges: Ranges<'a>,
}

impl<'a> Batch<'a> {
    /// The rows as observations, joined with their ranges.
    ///
    /// A fold that wants nanoseconds reads [`Rows::raw`] instead.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = Observation> + use<'a> {
        let header = self.header;
        let mut ranges = self.ranges.iter().peekable();
        self.rows.iter().enumerate().map(move |(index, row)| {
            let range = ranges.next_if(|(row_index, _)| *row_index == index);
            row.observation(&header, range.map(|(_, range)| range))
        })
    }
}

/// Why bytes are not a batch. The batch is dropped as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More than [`BATCH_BYTES_MAX`] bytes.
    #[error("the batch has more than {BATCH_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes end inside the batch.
    #[error("the batch is cut short")]
    Truncated,
    /// A MessagePack item has another type than the format says.
    #[error("an item of the batch has the wrong type")]
    ItemType,
    /// The first item is not [`BATCH_VERSION`].
    #[error("the batch is not of version {BATCH_VERSION}")]
    Version,
    /// The array has neither seven nor eight items.
    #[error("the batch has neither {ITEMS} nor {} items", ITEMS + 1)]
    ItemCount,
    /// The radio index is not below [`RADIOS_MAX`].
    #[error("the batch has a radio index of {RADIOS_MAX} or more")]
    Radio,
    /// The rows are not a multiple of [`ROW_BYTES`].
    #[error("the rows of the batch are not a multiple of {ROW_BYTES} bytes")]
    RowBytes,
    /// The ranges are not a multiple of [`RANGE_BYTES`].
    #[error("the ranges of the batch are not a multiple of {RANGE_BYTES} bytes")]
    RangeBytes,
    /// A range names a row that does not exist, or the row indices do not ascend.
    #[error("the ranges of the batch name rows out of bounds or out of order")]
    RangeIndex,
    /// Bytes follow the batch.
    #[error("bytes follow the batch")]
    Trailing,
}

/// Reads a batch without copying.
///
/// Never panics, whatever the bytes. The rows' contents need no check: every byte of a row means
/// something.
///
/// # Errors
/// [`DecodeError`] as soon as one thing is wrong; no part of such a batch is given out.
///
/// # Cost
/// Some ten nanoseconds per batch, whatever the number of rows; ranges add a pass over them.
pub fn decode(datagram: &[u8]) -> Result<Batch<'_>, DecodeError> {
    if datagram.len() > BATCH_BYTES_MAX {
        return Err(DecodeError::TooLong);
    }
    let mut cursor = Cursor::new(datagram);
    let items = cursor.read_array()?;
    // The version comes before the count, since a later version may have another count.
    if items == 0 {
        return Err(DecodeError::ItemCount);
    }
    if cursor.read_uint()? != u64::from(BATCH_VERSION) {
        return Err(DecodeError::Version);
    }
    if items != ITEMS && items != ITEMS + 1 {
        return Err(DecodeError::ItemCount);
    }
    let header = read_header(&mut cursor)?;
    let rows = Rows::new(cursor.read_bin()?)?;
    let ranges = if items == ITEMS {
        Ranges::default()
    } else {
        Ranges::new(cursor.read_bin()?, rows.len())?
    };
    if !cursor.is_at_end() {
        return Err(DecodeError::Trailing);
    }
    Ok(Batch {
        header,
        rows,
        ranges,
    })
}

fn read_header(cursor: &mut Cursor<'_>) -> Result<Header, DecodeError> {
    let session = Session(cursor.read_uint()?);
    let sequence = cursor.read_uint()?;
    let first_observation = cursor.read_uint()?;
    let sent_us = cursor.read_uint()?;
    let radio = u8::try_from(cursor.read_uint()?).map_err(|_| DecodeError::Radio)?;
    if usize::from(radio) >= RADIOS_MAX {
        return Err(DecodeError::Radio);
    }
    Ok(Header {
        session,
        sequence,
        first_observation,
        sent_us,
        radio,
    })
}

#[cfg(test)]
mod tests;
