//! The rows of a batch: fourteen little-endian bytes per observation.

use std::fmt;

use super::reading::Reading;
use super::{DecodeError, Header};
use crate::id::ClientId;
use crate::observation::{Kind, Observation, Range};

/// Bytes of one row.
pub const ROW_BYTES: usize = 14;

/// The dBm byte that stands for "not measured".
pub const NOT_MEASURED: i8 = i8::MIN;

const KIND_MASK: u8 = 0b0000_0111;
const FLAGS_SHIFT: u32 = 3;
const RANDOMISED: u8 = 0b0000_1000;
const ASSOCIATED: u8 = 0b0001_0000;

/// The rows of one batch, borrowed.
#[derive(Clone, Copy, Default)]
pub struct Rows<'a> {
    rows: &'a [[u8; ROW_BYTES]],
}

impl<'a> Rows<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.as_chunks() {
            (rows, []) => Ok(Self { rows }),
            _ => Err(DecodeError::RowBytes),
        }
    }

    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// There are no rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row at this index, `None` from [`Rows::len`] on.
    #[inline]
    pub fn row(&self, index: usize) -> Option<Row> {
        self.rows.get(index).map(|bytes| RawRow(bytes).row())
    }

    /// The rows in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row> + use<'a> {
        self.raw().map(RawRow::row)
    }

    /// The rows in order, each field read only when asked for: the way of the hot path.
    #[inline]
    pub fn raw(&self) -> impl ExactSizeIterator<Item = RawRow<'a>> + Clone + use<'a> {
        self.rows.iter().map(RawRow)
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A row as it lies in the datagram.
#[derive(Debug, Clone, Copy)]
pub struct RawRow<'a>(&'a [u8; ROW_BYTES]);

impl RawRow<'_> {
    /// Who was heard.
    #[inline]
    pub fn client(self) -> ClientId {
        let [c0, c1, c2, c3, c4, c5, c6, c7, ..] = *self.0;
        ClientId(u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]))
    }

    /// Age when the batch was packed, in milliseconds; 65,535 also stands for anything older.
    #[inline]
    pub fn age_ms(self) -> u16 {
        u16::from_le_bytes([self.0[8], self.0[9]])
    }

    /// Signal strength in dBm, or [`NOT_MEASURED`].
    #[inline]
    pub fn rssi_code(self) -> i8 {
        i8::from_le_bytes([self.0[10]])
    }

    /// Noise floor in dBm, or [`NOT_MEASURED`].
    #[inline]
    pub fn noise_code(self) -> i8 {
        i8::from_le_bytes([self.0[11]])
    }

    /// Channel number in the radio's band; 0 for not known.
    #[inline]
    pub fn channel(self) -> u8 {
        self.0[12]
    }

    /// What was heard.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_code(self.0[13] & KIND_MASK)
    }

    /// Whether the kind is [`Kind::Beacon`]: without the other kinds, vectors can tell.
    #[inline]
    pub fn is_beacon(self) -> bool {
        self.0[13] & KIND_MASK == Kind::Beacon as u8
    }

    /// The client's address is randomised.
    #[inline]
    pub fn randomised(self) -> bool {
        self.0[13] & RANDOMISED != 0
    }

    /// The client is associated with the AP that heard it.
    #[inline]
    pub fn associated(self) -> bool {
        self.0[13] & ASSOCIATED != 0
    }

    /// All fields at once.
    #[inline]
    pub fn row(self) -> Row {
        Row {
            client: self.client(),
            age_ms: self.age_ms(),
            rssi_dbm: dbm_from_code(self.rssi_code()),
            noise_dbm: dbm_from_code(self.noise_code()),
            channel: self.channel(),
            kind: self.kind(),
            randomised: self.randomised(),
            associated: self.associated(),
        }
    }
}

/// One observation without what the header says for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Who was heard.
    pub client: ClientId,
    /// Age when the batch was packed, in milliseconds; 65,535 also stands for anything older.
    pub age_ms: u16,
    /// Signal strength in dBm, from -127 to 127, where measured.
    pub rssi_dbm: Option<i8>,
    /// Noise floor in dBm, from -127 to 127, where measured.
    pub noise_dbm: Option<i8>,
    /// Channel number in the radio's band; 0 for not known.
    pub channel: u8,
    /// What was heard.
    pub kind: Kind,
    /// The client's address is randomised.
    pub randomised: bool,
    /// The client is associated with the AP that heard it.
    pub associated: bool,
}

impl Row {
    /// The row of an observation in a batch packed at `sent_us`.
    ///
    /// The age is in whole milliseconds, rounded down: 0 for one heard after `sent_us`, 65,535 for
    /// one older than that (the batcher drops such an observation before it comes here).
    #[inline]
    pub fn new(observation: &Observation, sent_us: u64) -> Self {
        let age_ms = sent_us.saturating_sub(observation.heard_at_us) / 1_000;
        Self {
            client: observation.client,
            age_ms: u16::try_from(age_ms).unwrap_or(u16::MAX),
            rssi_dbm: observation.rssi_dbm,
            noise_dbm: observation.noise_dbm,
            channel: observation.channel,
            kind: observation.kind,
            randomised: observation.randomised,
            associated: observation.associated,
        }
    }

    /// The observation that this row and its header and range tell of.
    pub fn observation(&self, header: &Header, range: Option<Range>) -> Observation {
        Observation {
            client: self.client,
            heard_at_us: header.heard_at_us(self.age_ms),
            radio: header.radio,
            rssi_dbm: self.rssi_dbm,
            noise_dbm: self.noise_dbm,
            channel: self.channel,
            kind: self.kind,
            randomised: self.randomised,
            associated: self.associated,
            range,
        }
    }

    /// The row as it lies in a datagram. A level of -128 dBm becomes -127.
    #[inline]
    pub fn to_bytes(&self) -> [u8; ROW_BYTES] {
        let [rssi] = code_from_dbm(self.rssi_dbm).to_le_bytes();
        let [noise] = code_from_dbm(self.noise_dbm).to_le_bytes();
        let [a0, a1] = self.age_ms.to_le_bytes();
        let mut bytes = [0; ROW_BYTES];
        bytes[..8].copy_from_slice(&self.client.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&[a0, a1, rssi, noise]);
        bytes[12..].copy_from_slice(&[self.channel, self.flags()]);
        bytes
    }

    #[inline]
    fn flags(&self) -> u8 {
        let randomised = if self.randomised { RANDOMISED } else { 0 };
        let associated = if self.associated { ASSOCIATED } else { 0 };
        self.kind as u8 | randomised | associated
    }
}

/// The row of an observation that waits as a [`Reading`], as [`Row::new`] and [`Row::to_bytes`] make it.
#[inline]
pub(super) fn to_bytes(
    client: ClientId,
    heard_at_us: u64,
    reading: Reading,
    sent_us: u64,
) -> [u8; ROW_BYTES] {
    let age_ms = sent_us.saturating_sub(heard_at_us) / 1_000;
    let [a0, a1, ..] = age_ms.min(u64::from(u16::MAX)).to_le_bytes();
    let [rssi, noise, channel] = reading.levels();
    // The flags follow the kind here, in the same order.
    let flags = reading.kind_code() | (reading.flags() as u8) << FLAGS_SHIFT;
    let mut bytes = [0; ROW_BYTES];
    bytes[..8].copy_from_slice(&client.0.to_le_bytes());
    bytes[8..12].copy_from_slice(&[a0, a1, rssi, noise]);
    bytes[12..].copy_from_slice(&[channel, flags]);
    bytes
}

#[inline]
pub(super) fn dbm_from_code(code: i8) -> Option<i8> {
    (code != NOT_MEASURED).then_some(code)
}

#[inline]
pub(super) fn code_from_dbm(dbm: Option<i8>) -> i8 {
    dbm.map_or(NOT_MEASURED, |dbm| dbm.max(NOT_MEASURED + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_minus_128_is_not_taken_for_an_unmeasured_one() {
        let cases = [
            (None, -128),
            (Some(-128), -127),
            (Some(-127), -127),
            (Some(127), 127),
        ];
        for (dbm, code) in cases {
            assert_eq!(code_from_dbm(dbm), code, "{dbm:?}");
            assert_eq!(dbm_from_code(code).is_some(), dbm.is_some(), "{dbm:?}");
        }
    }

    #[test]
    fn unknown_flag_bits_are_ignored() {
        let mut bytes = [0; ROW_BYTES];
        bytes[13] = 0b1110_0011;
        let row = RawRow(&bytes).row();
        assert_eq!(
            (row.kind, row.randomised, row.associated),
            (Kind::Data, false, false)
        );
    }
}
