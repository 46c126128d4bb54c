//! The short rows of a batch: eight little-endian bytes for each client that has a short id.

use std::fmt;

use super::reading::Reading;
use super::rows::dbm_from_code;
use super::{DecodeError, Header};
use crate::id::ClientId;
use crate::observation::{Kind, Observation, Range};

/// Bytes of one short row.
pub const SHORT_ROW_BYTES: usize = size_of::<u64>();

/// The largest short id: twenty-two bits.
pub const SHORT_ID_MAX: u32 = (1 << 22) - 1;

/// The largest age of a short row, in milliseconds; it also stands for anything older.
pub const SHORT_AGE_MS_MAX: u16 = (1 << 13) - 1;

const FLAGS_SHIFT: u32 = 22;
const RANDOMISED: u64 = 1 << 22;
const ASSOCIATED: u64 = 1 << 23;
const AGE_SHIFT: u32 = 24;
const KIND_SHIFT: u32 = 37;
const RSSI_SHIFT: u32 = 40;
const NOISE_SHIFT: u32 = 48;
const CHANNEL_SHIFT: u32 = 56;

/// The short rows of one batch, borrowed.
#[derive(Clone, Copy, Default)]
pub struct ShortRows<'a> {
    rows: &'a [[u8; SHORT_ROW_BYTES]],
}

impl<'a> ShortRows<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.as_chunks() {
            (rows, []) => Ok(Self { rows }),
            _ => Err(DecodeError::ShortRowBytes),
        }
    }

    /// Number of short rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// There are no short rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The short row at this index, `None` from [`ShortRows::len`] on.
    #[inline]
    pub fn row(&self, index: usize) -> Option<RawShortRow> {
        self.rows.get(index).map(RawShortRow::from_bytes)
    }

    /// The short rows in order, each loaded once, as one word.
    #[inline]
    pub fn raw(&self) -> impl ExactSizeIterator<Item = RawShortRow> + Clone + use<'a> {
        self.rows.iter().map(RawShortRow::from_bytes)
    }
}

impl fmt::Debug for ShortRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.raw()).finish()
    }
}

/// A short row as it lies in the datagram, in one word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawShortRow(u64);

impl RawShortRow {
    #[inline]
    fn from_bytes(bytes: &[u8; SHORT_ROW_BYTES]) -> Self {
        Self(u64::from_le_bytes(*bytes))
    }

    /// The short row of an observation in a batch packed at `sent_us`; the client is `short_id`, at
    /// most [`SHORT_ID_MAX`].
    ///
    /// The age is in whole milliseconds, rounded down: 0 for one heard after `sent_us`,
    /// [`SHORT_AGE_MS_MAX`] for one of that age or older. A level of -128 dBm becomes -127.
    #[inline]
    pub fn new(short_id: u32, observation: &Observation, sent_us: u64) -> Self {
        let reading = Reading::of(observation);
        Self::of_reading(short_id, observation.heard_at_us, reading, sent_us)
    }

    /// As [`RawShortRow::new`], of an observation that waits as a [`Reading`].
    #[inline]
    pub(super) fn of_reading(
        short_id: u32,
        heard_at_us: u64,
        reading: Reading,
        sent_us: u64,
    ) -> Self {
        debug_assert!(short_id <= SHORT_ID_MAX, "a short id has 22 bits");
        let age_ms = sent_us.saturating_sub(heard_at_us) / 1_000;
        let age_ms = age_ms.min(u64::from(SHORT_AGE_MS_MAX));
        Self(
            u64::from(short_id & SHORT_ID_MAX)
                | u64::from(reading.flags()) << FLAGS_SHIFT
                | age_ms << AGE_SHIFT
                | u64::from(reading.upper_half()) << u32::BITS,
        )
    }

    /// The row as it lies in a datagram.
    #[inline]
    pub fn to_bytes(self) -> [u8; SHORT_ROW_BYTES] {
        self.0.to_le_bytes()
    }

    /// Who was heard: what the session's `define` frames say of this number.
    #[inline]
    pub fn short_id(self) -> u32 {
        self.0 as u32 & SHORT_ID_MAX
    }

    /// Age when the batch was packed, in milliseconds; [`SHORT_AGE_MS_MAX`] also stands for anything
    /// older.
    #[inline]
    pub fn age_ms(self) -> u16 {
        (self.0 >> AGE_SHIFT) as u16 & SHORT_AGE_MS_MAX
    }

    /// Signal strength in dBm, or [`NOT_MEASURED`](super::NOT_MEASURED).
    #[inline]
    pub fn rssi_code(self) -> i8 {
        (self.0 >> RSSI_SHIFT) as i8
    }

    /// Noise floor in dBm, or [`NOT_MEASURED`](super::NOT_MEASURED).
    #[inline]
    pub fn noise_code(self) -> i8 {
        (self.0 >> NOISE_SHIFT) as i8
    }

    /// Channel number in the radio's band; 0 for not known.
    #[inline]
    pub fn channel(self) -> u8 {
        (self.0 >> CHANNEL_SHIFT) as u8
    }

    /// What was heard.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_code((self.0 >> KIND_SHIFT) as u8 & 0b111)
    }

    /// Whether the kind is [`Kind::Beacon`]: without the other kinds, vectors can tell.
    #[inline]
    pub fn is_beacon(self) -> bool {
        (self.0 >> KIND_SHIFT) as u8 & 0b111 == Kind::Beacon as u8
    }

    /// The client's address is randomised.
    #[inline]
    pub fn randomised(self) -> bool {
        self.0 & RANDOMISED != 0
    }

    /// The client is associated with the AP that heard it.
    #[inline]
    pub fn associated(self) -> bool {
        self.0 & ASSOCIATED != 0
    }

    /// The observation that this row, its header and its range tell of, heard of `client`.
    pub fn observation(
        self,
        header: &Header,
        client: ClientId,
        range: Option<Range>,
    ) -> Observation {
        Observation {
            client,
            heard_at_us: header.heard_at_us(self.age_ms()),
            radio: header.radio,
            rssi_dbm: dbm_from_code(self.rssi_code()),
            noise_dbm: dbm_from_code(self.noise_code()),
            channel: self.channel(),
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
            .field("noise_code", &self.noise_code())
            .field("channel", &self.channel())
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
        let row = RawShortRow::new(0x2a_bbcc, &observation, 250_999);
        assert_eq!(
            row.to_bytes(),
            [0xcc, 0xbb, 0x6a, 0xfa, 0xe0, 0xc3, 0x80, 0x24]
        );
        let swapped = Observation {
            randomised: false,
            associated: true,
            ..observation
        };
        let row = RawShortRow::new(SHORT_ID_MAX, &swapped, 9_000_000);
        assert_eq!(
            row.to_bytes(),
            [0xff, 0xff, 0xbf, 0xff, 0xff, 0xc3, 0x80, 0x24]
        );
        assert_eq!((row.short_id(), row.age_ms()), (SHORT_ID_MAX, 8_191));
    }
}
