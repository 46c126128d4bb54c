//! The rows of a batch: twelve little-endian bytes per observation, in two columns.

use std::fmt;

use super::air::Air;
use super::reading::{
    ASSOCIATED, KIND_MASK, KIND_SHIFT, RANDOMISED, Reading, age_ms, dbm_from_code, rssi_code,
};
use super::{DecodeError, Header};
use crate::id::ClientId;
use crate::observation::{Kind, Observation, Range};

/// Bytes of one row.
pub const ROW_BYTES: usize = CLIENT_BYTES + WORD_BYTES;

pub(super) const CLIENT_BYTES: usize = size_of::<u64>();
pub(super) const WORD_BYTES: usize = size_of::<u32>();

/// The rows of one batch, borrowed: first all clients, then all else.
#[derive(Clone, Copy, Default)]
pub struct Rows<'a> {
    clients: &'a [[u8; CLIENT_BYTES]],
    /// As many.
    words: &'a [[u8; WORD_BYTES]],
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let clients_bytes = bytes.len() / ROW_BYTES * CLIENT_BYTES;
        let (clients, words) = bytes.split_at(clients_bytes);
        let (clients, _) = clients.as_chunks();
        match words.as_chunks() {
            (words, []) if words.len() == clients.len() => Ok(Self { clients, words }),
            _ => Err(DecodeError::RowBytes),
        }
    }

    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// There are no rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The row at this index, `None` from [`Rows::len`] on.
    #[inline]
    pub fn row(&self, index: usize) -> Option<Row> {
        let (client, word) = (self.clients.get(index)?, self.words.get(index)?);
        Some(RawRow::new(*client, *word).row())
    }

    /// The rows in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row> + use<'a> {
        self.raw().map(RawRow::row)
    }

    /// The rows in order, each field read only when asked for.
    #[inline]
    pub fn raw(&self) -> impl ExactSizeIterator<Item = RawRow> + Clone + use<'a> {
        let rows = self.clients.iter().zip(self.words);
        rows.map(|(client, word)| RawRow::new(*client, *word))
    }

    /// Both columns, for [`RawRow::new`]: the way of the hot path.
    #[inline]
    pub fn columns(&self) -> (&'a [[u8; CLIENT_BYTES]], &'a [[u8; WORD_BYTES]]) {
        (self.clients, self.words)
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A row as it lies in the datagram: the client, and all else in one word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawRow {
    client: u64,
    word: u32,
}

impl RawRow {
    /// The row with these bytes in both columns.
    #[inline(always)]
    pub fn new(client: [u8; CLIENT_BYTES], word: [u8; WORD_BYTES]) -> Self {
        Self {
            client: u64::from_le_bytes(client),
            word: u32::from_le_bytes(word),
        }
    }

    /// The row of an observation that waits as a [`Reading`], in a batch packed at `sent_us`.
    ///
    /// The age is in whole milliseconds, rounded down: 0 for one heard after `sent_us`, 65,535 for
    /// one older than that (the batcher drops such an observation before it comes here).
    #[inline]
    pub(super) fn of_reading(
        client: ClientId,
        heard_at_us: u64,
        reading: Reading,
        sent_us: u64,
    ) -> Self {
        let age_ms = age_ms(heard_at_us, sent_us).min(u32::from(u16::MAX));
        Self {
            client: client.0,
            word: reading.bits() & !u32::from(u16::MAX) | age_ms,
        }
    }

    /// What stands in either column.
    #[inline]
    pub(super) fn to_bytes(self) -> ([u8; CLIENT_BYTES], [u8; WORD_BYTES]) {
        (self.client.to_le_bytes(), self.word.to_le_bytes())
    }

    /// Who was heard.
    #[inline]
    pub fn client(self) -> ClientId {
        ClientId(self.client)
    }

    /// Age when the batch was packed, in milliseconds; 65,535 also stands for anything older.
    #[inline]
    pub fn age_ms(self) -> u16 {
        self.word as u16
    }

    /// Signal strength in dBm, or [`NOT_MEASURED`](super::NOT_MEASURED).
    #[inline]
    pub fn rssi_code(self) -> i8 {
        rssi_code(self.word)
    }

    /// What was heard.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_code((self.word >> KIND_SHIFT & KIND_MASK) as u8)
    }

    /// Whether the kind is [`Kind::Beacon`]: without the other kinds, vectors can tell.
    #[inline]
    pub fn is_beacon(self) -> bool {
        self.word >> KIND_SHIFT & KIND_MASK == Kind::Beacon as u32
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

    /// All fields at once.
    #[inline]
    pub fn row(self) -> Row {
        Row {
            client: self.client(),
            age_ms: self.age_ms(),
            rssi_dbm: dbm_from_code(self.rssi_code()),
            kind: self.kind(),
            randomised: self.randomised(),
            associated: self.associated(),
        }
    }
}

impl fmt::Debug for RawRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row().fmt(f)
    }
}

/// One observation without what the header and the [`Air`] say for many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Who was heard.
    pub client: ClientId,
    /// Age when the batch was packed, in milliseconds; 65,535 also stands for anything older.
    pub age_ms: u16,
    /// Signal strength in dBm, from -127 to 127, where measured.
    pub rssi_dbm: Option<i8>,
    /// What was heard.
    pub kind: Kind,
    /// The client's address is randomised.
    pub randomised: bool,
    /// The client is associated with the AP that heard it.
    pub associated: bool,
}

impl Row {
    /// The observation that this row, its header, air and range tell of.
    pub fn observation(&self, header: &Header, air: Air, range: Option<Range>) -> Observation {
        Observation {
            client: self.client,
            heard_at_us: header.heard_at_us(self.age_ms),
            radio: header.radio,
            rssi_dbm: self.rssi_dbm,
            noise_dbm: air.noise_dbm(),
            channel: air.channel(),
            kind: self.kind,
            randomised: self.randomised,
            associated: self.associated,
            range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_lie_where_the_format_says() {
        let observation = Observation {
            client: ClientId(0x0102_0304_0506_0708),
            heard_at_us: 0,
            radio: 0,
            rssi_dbm: Some(-61),
            noise_dbm: Some(-95),
            channel: 36,
            kind: Kind::Ranging,
            randomised: true,
            associated: false,
            range: None,
        };
        let bytes = |observation: &Observation, sent_us| {
            let reading = Reading::of(observation);
            RawRow::of_reading(observation.client, 0, reading, sent_us).to_bytes()
        };
        let client = [8, 7, 6, 5, 4, 3, 2, 1];
        // Age 250 ms = 0x00fa, kind 7, randomised in bit 6 of the third byte.
        let expected = (client, [0xfa, 0x00, 0x47, 0xc3]);
        assert_eq!(bytes(&observation, 250_999), expected);
        let swapped = Observation {
            randomised: false,
            associated: true,
            ..observation
        };
        let expected = (client, [0xff, 0xff, 0x87, 0xc3]);
        assert_eq!(bytes(&swapped, 65_536_000), expected);
    }

    #[test]
    fn unknown_bits_are_ignored() {
        let row = RawRow::new([0; 8], [0, 0, 0b0011_1011, 0]).row();
        assert_eq!(
            (row.kind, row.randomised, row.associated),
            (Kind::Data, false, false)
        );
    }
}
