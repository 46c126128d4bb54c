//! What a row says beside who was heard and when: an observation while it waits to be packed.

use std::fmt;

use super::air::Air;
use crate::id::ClientId;
use crate::observation::{Kind, Observation, Range};

/// The dBm byte that stands for "not measured".
pub const NOT_MEASURED: i8 = i8::MIN;

/// Levels, channel, kind and flags of an observation in one word: a sixth of its memory.
///
/// Whoever packs many observations keeps this instead, with client and time beside it, and gives it
/// to [`BatchWriter::encode_rows`](super::BatchWriter::encode_rows) or
/// [`BatchWriter::encode_short_rows`](super::BatchWriter::encode_short_rows). A level of -128 dBm is
/// kept as -127, as in a row.
///
/// Its upper half is that of a row's word, its ten upper bits those of a short row's; below lies the
/// [`Air`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reading(u32);

// Where the words of rows have what they say; see `FORMAT.md`.
pub(super) const KIND_SHIFT: u32 = 16;
pub(super) const KIND_MASK: u32 = 0b111;
pub(super) const RANDOMISED: u32 = 1 << 22;
pub(super) const ASSOCIATED: u32 = 1 << 23;
pub(super) const RSSI_SHIFT: u32 = 24;

impl Reading {
    /// What this observation says beside client, time, radio and range.
    #[inline]
    pub fn of(observation: &Observation) -> Self {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let rssi = code_from_dbm(observation.rssi_dbm).cast_unsigned();
        Self(
            u32::from(Air::of(observation).code())
                | (observation.kind as u32) << KIND_SHIFT
                | flag(observation.randomised, RANDOMISED)
                | flag(observation.associated, ASSOCIATED)
                | u32::from(rssi) << RSSI_SHIFT,
        )
    }

    /// The observation again, with what it says not.
    pub fn observation(
        self,
        client: ClientId,
        heard_at_us: u64,
        radio: u8,
        range: Option<Range>,
    ) -> Observation {
        Observation {
            client,
            heard_at_us,
            radio,
            rssi_dbm: dbm_from_code(rssi_code(self.0)),
            noise_dbm: self.air().noise_dbm(),
            channel: self.air().channel(),
            kind: self.kind(),
            randomised: self.0 & RANDOMISED != 0,
            associated: self.0 & ASSOCIATED != 0,
            range,
        }
    }

    /// What was heard.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_code((self.0 >> KIND_SHIFT & KIND_MASK) as u8)
    }

    /// The code of the kind, from this bit on, which lies below where it is here.
    #[inline]
    pub(super) fn kind_from_bit(self, bit: u32) -> u32 {
        self.0 >> (KIND_SHIFT - bit) & KIND_MASK << bit
    }

    /// Channel and noise floor.
    #[inline]
    pub fn air(self) -> Air {
        Air::from_code(self.0 as u16)
    }

    /// All bits: to compare many with one instruction each.
    #[inline]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Of all differences of bits together: there are two channels or noise floors.
    #[inline]
    pub fn have_air(differing: u32) -> bool {
        differing as u16 != 0
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observation {
            rssi_dbm,
            noise_dbm,
            channel,
            kind,
            randomised,
            associated,
            ..
        } = self.observation(ClientId(0), 0, 0, None);
        f.debug_struct("Reading")
            .field("rssi_dbm", &rssi_dbm)
            .field("noise_dbm", &noise_dbm)
            .field("channel", &channel)
            .field("kind", &kind)
            .field("randomised", &randomised)
            .field("associated", &associated)
            .finish()
    }
}

/// The signal strength in a word of a reading or of either kind of row.
#[inline]
pub(super) fn rssi_code(word: u32) -> i8 {
    ((word >> RSSI_SHIFT) as u8).cast_signed()
}

/// Whole milliseconds from hearing to sending, rounded down; 0 if it was heard later, and a large
/// number if it does not fit.
#[inline]
pub(super) fn age_ms(heard_at_us: u64, sent_us: u64) -> u32 {
    let age_us = sent_us.saturating_sub(heard_at_us);
    // Half as wide, the division costs half as much.
    u32::try_from(age_us).unwrap_or(u32::MAX) / 1_000
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
}
