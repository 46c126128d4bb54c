//! The short rows of a batch: six little-endian bytes for each client that has a short id, in two
//! columns.

use std::fmt;

use super::air::Air;
use super::reading::{ASSOCIATED, RANDOMISED, Reading, age_ms, dbm_from_code, rssi_code};
use super::{DecodeError, Header};
use crate::id::ClientId;
use crate::observation::{Kind, Observation, Range};

/// Bytes of one short row.
pub const SHORT_ROW_BYTES: usize = WORD_BYTES + TAIL_BYTES;

pub(super) const WORD_BYTES: usize = size_of::<u32>();
pub(super) const TAIL_BYTES: usize = size_of::<u16>();

/// The largest short id: twenty-two bits.
pub const SHORT_ID_MAX: u32 = (1 << 22) - 1;

/// The largest age of a short row, in milliseconds; it also stands for anything older.
pub const SHORT_AGE_MS_MAX: u16 = (1 << 13) - 1;

/// Where the kind lies, above the age.
const KIND_SHIFT: u32 = 13;

/// The short rows of one batch, borrowed: first all words, then all tails.
#[derive(Clone, Copy, Default)]
pub struct ShortRows<'a> {
    words: &'a [[u8; WORD_BYTES]],
    /// As many.
    tails: &'a [[u8; TAIL_BYTES]],
}

impl<'a> ShortRows<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let words_bytes = bytes.len() / SHORT_ROW_BYTES * WORD_BYTES;
        let (words, tails) = bytes.split_at(words_bytes);
        let (words, _) = words.as_chunks();
        match tails.as_chunks() {
            (tails, []) if tails.len() == words.len() => Ok(Self { words, tails }),
            _ => Err(DecodeError::ShortRowBytes),
        }
    }

    /// Number of short rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// There are no short rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The short row at this index, `None` from [`ShortRows::len`] on.
    #[inline]
    pub fn row(&self, index: usize) -> Option<RawShortRow> {
        let (word, tail) = (self.words.get(index)?, self.tails.get(index)?);
        Some(RawShortRow::new(*word, *tail))
    }

    /// The short rows in order, each field read only when asked for.
    #[inline]
    pub fn raw(&self) -> impl ExactSizeIterator<Item = RawShortRow> + Clone + use<'a> {
        let rows = self.words.iter().zip(self.tails);
        rows.map(|(word, tail)| RawShortRow::new(*word, *tail))
    }

    /// Both columns, for [`RawShortRow::new`]: the way of the hot path.
    #[inline]
    pub fn columns(&self) -> (&'a [[u8; WORD_BYTES]], &'a [[u8; TAIL_BYTES]]) {
        (self.words, self.tails)
    }
}

impl fmt::Debug for ShortRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.raw()).finish()
    }
}

/// A short row as it lies in the datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawShortRow {
    /// Short id, flags, signal strength.
    word: u32,
    /// Age and kind.
    tail: u16,
}

impl RawShortRow {
    /// The short row with these bytes in both columns.
    #[inline(always)]
    pub fn new(word: [u8; WORD_BYTES], tail: [u8; TAIL_BYTES]) -> Self {
        Self {
            word: u32::from_le_bytes(word),
            tail: u16::from_le_bytes(tail),
        }
    }

    /// The short row of an observation that waits as a [`Reading`], in a batch packed at `sent_us`;
    /// the client is `short_id`, at most [`SHORT_ID_MAX`].
    ///
    /// The age is in whole milliseconds, rounded down: 0 for one heard after `sent_us`,
    /// [`SHORT_AGE_MS_MAX`] for one of that age or older.
    #[inline]
    pub(super) fn of_reading(
        short_id: u32,
        heard_at_us: u64,
        reading: Reading,
        sent_us: u64,
    ) -> Self {
        debug_assert!(short_id <= SHORT_ID_MAX, "a short id has 22 bits");
        let age_ms = age_ms(heard_at_us, sent_us).min(u32::from(SHORT_AGE_MS_MAX));
        Self {
            word: reading.bits() & !SHORT_ID_MAX | short_id & SHORT_ID_MAX,
            tail: age_ms as u16 | reading.kind_from_bit(KIND_SHIFT) as u16,
        }
    }

    /// What stands in either column.
    #[inline]
    pub(super) fn to_bytes(self) -> ([u8; WORD_BYTES], [u8; TAIL_BYTES]) {
        (self.word.to_le_bytes(), self.tail.to_le_bytes())
    }

    /// Who was heard: what the session's `define` frames say of this number.
    #[inline]
    pub fn short_id(self) -> u32 {
        self.word & SHORT_ID_MAX
    }

    /// Age when the batch was packed, in milliseconds; [`SHORT_AGE_MS_MAX`] also stands for anything
    /// older.
    #[inline]
    pub fn age_ms(self) -> u16 {
        self.tail & SHORT_AGE_MS_MAX
    }

    /// Signal strength in dBm, or [`NOT_MEASURED`](super::NOT_MEASURED).
    #[inline]
    pub fn rssi_code(self) -> i8 {
        rssi_code(self.word)
    }

    /// What was heard.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_code((self.tail >> KIND_SHIFT) as u8)
    }

    /// Whether the kind is [`Kind::Beacon`]: without the other kinds, vectors can tell.
    #[inline]
    pub fn is_beacon(self) -> bool {
        self.tail >> KIND_SHIFT == Kind::Beacon as u16
    }

    /// The client's address is randomised.
    #[inline]
    pub fn randomised(self) -> bool {
        self.word & RANDOMISED != 0
    }

    /// The client is associated with the AP that heard it.
    #[inline]
    pub fn associated(self) -> bool {
        self.word & ASSOCIATED != 0
    }

    /// The observation that this row, its header, air and range tell of, heard of `client`.
    pub fn observation(
        self,
        header: &Header,
        client: ClientId,
        air: Air,
        range: Option<Range>,
    ) -> Observation {
        Observation {
            client,
            heard_at_us: header.heard_at_us(self.age_ms()),
            radio: header.radio,
            rssi_dbm: dbm_from_code(self.rssi_code()),
            noise_dbm: air.noise_dbm(),
            channel: air.channel(),
            kind: self.kind(),
            randomised: self.randomised(),
            associated: self.associated(),
            range,
        }
    }
}

impl fmt::Debug for RawShortRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawShortRow")
            .field("short_id", &self.short_id())
            .field("age_ms", &self.age_ms())
            .field("rssi_code", &self.rssi_code())
            .field("kind", &self.kind())
            .field("randomised", &self.randomised())
            .field("associated", &self.associated())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_lie_where_the_format_says() {
        let observation = Observation {
            client: ClientId(0),
            heard_at_us: 0,
            radio: 0,
            rssi_dbm: Some(-61),
            noise_dbm: None,
            channel: 36,
            kind: Kind::Ranging,
            randomised: true,
            associated: false,
            range: None,
        };
        // Age 250 ms = 0x0fa, kind 7 in the three bits above the thirteen of the age.
        let reading = Reading::of(&observation);
        let row = RawShortRow::of_reading(0x2a_bbcc, 0, reading, 250_999);
        assert_eq!(row.to_bytes(), ([0xcc, 0xbb, 0x6a, 0xc3], [0xfa, 0xe0]));
        let swapped = Observation {
            randomised: false,
            associated: true,
            ..observation
        };
        let row = RawShortRow::of_reading(SHORT_ID_MAX, 0, Reading::of(&swapped), 9_000_000);
        assert_eq!(row.to_bytes(), ([0xff, 0xff, 0xbf, 0xc3], [0xff, 0xff]));
        assert_eq!((row.short_id(), row.age_ms()), (SHORT_ID_MAX, 8_191));
    }
}
