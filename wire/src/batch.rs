//! The observations in one datagram: a MessagePack array whose last items are fixed rows.
//!
//! Any MessagePack library reads the array and its byte strings; a short loop reads the rows. This
//! decoder borrows them: it checks lengths once per batch, then each row is two loads. Rows lie in
//! columns, so that plain loops over them become vectors.

mod air;
mod joined;
mod msgpack;
mod packed;
mod ranges;
mod reading;
mod rows;
mod short_rows;
mod writer;

use crate::id::{ClientId, Session};
use crate::limits::{BATCH_BYTES_MAX, RADIOS_MAX};
use crate::observation::Observation;
use joined::Joined;
use msgpack::Cursor;

pub use air::{AIR_BYTES, Air, Airs};
pub use ranges::{RANGE_BYTES, Ranges};
pub use reading::{NOT_MEASURED, Reading};
pub use rows::{ROW_BYTES, RawRow, Row, Rows};
pub use short_rows::{RawShortRow, SHORT_AGE_MS_MAX, SHORT_ID_MAX, SHORT_ROW_BYTES, ShortRows};
pub use writer::{BatchWriter, HEADER_BYTES_MAX, rows_max, short_rows_max};

/// Version of the batch format that this crate writes and reads.
pub const BATCH_VERSION: u8 = 2;

/// Items of the array without ranges, short rows and air.
const ITEMS: usize = 7;
/// Items with ranges.
const ITEMS_WITH_RANGES: usize = ITEMS + 1;
/// Items with short rows, whose ranges may be none.
const ITEMS_WITH_SHORT_ROWS: usize = ITEMS + 2;
/// Items with air; ranges and short rows may be none.
const ITEMS_WITH_AIR: usize = ITEMS + 3;

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
    /// One row per observation whose client goes by its full id.
    pub rows: Rows<'a>,
    /// Measured distances of some observations; mostly none. The index counts over `rows`, then
    /// over `short_rows`.
    pub ranges: Ranges<'a>,
    /// One row per observation whose client goes by a short id; they count after `rows`.
    pub short_rows: ShortRows<'a>,
    /// From which observation on which channel and noise floor hold. The index counts as that of
    /// `ranges`.
    pub airs: Airs<'a>,
}

impl<'a> Batch<'a> {
    /// Number of observations, by full and by short id.
    #[inline]
    pub fn len(&self) -> usize {
        self.rows.len() + self.short_rows.len()
    }

    /// There is no observation.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The observations by full id, joined with their ranges and air; [`Batch::resolved`] gives all.
    ///
    /// A fold that wants nanoseconds reads [`Rows::columns`] and [`ShortRows::columns`] instead.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = Observation> + use<'a> {
        let header = self.header;
        let mut joined = Joined::new(self);
        self.rows.iter().enumerate().map(move |(index, row)| {
            let (air, range) = joined.of(index);
            row.observation(&header, air, range)
        })
    }

    /// All observations in order, joined with their ranges and air; `client` says whom a short id
    /// stands for. Those of which it does not know are left out.
    pub fn resolved<F>(&self, mut client: F) -> impl Iterator<Item = Observation> + use<'a, F>
    where
        F: FnMut(u32) -> Option<ClientId>,
    {
        let (header, first) = (self.header, self.rows.len());
        let mut joined = Joined::new(self);
        let short = self.short_rows.raw().enumerate();
        self.observations()
            .chain(short.filter_map(move |(index, row)| {
                let (air, range) = joined.of(first + index);
                Some(row.observation(&header, client(row.short_id())?, air, range))
            }))
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
    /// The array has fewer than seven items, or more than ten.
    #[error("the batch has not {ITEMS} to {ITEMS_WITH_AIR} items")]
    ItemCount,
    /// The radio index is not below [`RADIOS_MAX`].
    #[error("the batch has a radio index of {RADIOS_MAX} or more")]
    Radio,
    /// The rows are not a multiple of [`ROW_BYTES`].
    #[error("the rows of the batch are not a multiple of {ROW_BYTES} bytes")]
    RowBytes,
    /// The short rows are not a multiple of [`SHORT_ROW_BYTES`].
    #[error("the short rows of the batch are not a multiple of {SHORT_ROW_BYTES} bytes")]
    ShortRowBytes,
    /// The ranges are not a multiple of [`RANGE_BYTES`].
    #[error("the ranges of the batch are not a multiple of {RANGE_BYTES} bytes")]
    RangeBytes,
    /// A range names a row that does not exist, or the row indices do not ascend.
    #[error("the ranges of the batch name rows out of bounds or out of order")]
    RangeIndex,
    /// The air is not a multiple of [`AIR_BYTES`].
    #[error("the air of the batch is not a multiple of {AIR_BYTES} bytes")]
    AirBytes,
    /// An entry of the air names a row that does not exist, or the row indices do not ascend.
    #[error("the air of the batch names rows out of bounds or out of order")]
    AirIndex,
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
/// Some ten nanoseconds per batch, whatever the number of rows; ranges and air add a pass over them.
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
    if !(ITEMS..=ITEMS_WITH_AIR).contains(&items) {
        return Err(DecodeError::ItemCount);
    }
    let header = read_header(&mut cursor)?;
    let rows = Rows::new(cursor.read_bin()?)?;
    let mut read_bin_of = |items_with| match items >= items_with {
        true => cursor.read_bin(),
        false => Ok(&[][..]),
    };
    let ranges = read_bin_of(ITEMS_WITH_RANGES)?;
    let short_rows = ShortRows::new(read_bin_of(ITEMS_WITH_SHORT_ROWS)?)?;
    let airs = read_bin_of(ITEMS_WITH_AIR)?;
    let count = rows.len() + short_rows.len();
    let (ranges, airs) = (Ranges::new(ranges, count)?, Airs::new(airs, count)?);
    if !cursor.is_at_end() {
        return Err(DecodeError::Trailing);
    }
    Ok(Batch {
        header,
        rows,
        ranges,
        short_rows,
        airs,
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
