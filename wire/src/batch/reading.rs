//! What a row says beside who was heard and when: an observation while it waits to be packed.

use std::fmt;

use super::rows::{code_from_dbm, dbm_from_code};
use crate::id::ClientId;
use crate::observation::{Kind, Observation, Range};

/// Levels, channel, kind and flags of an observation in one word: a sixth of its memory.
///
/// Whoever packs many observations keeps this instead, with client and time beside it, and gives it
/// to [`BatchWriter::encode_rows`](super::BatchWriter::encode_rows) or
/// [`BatchWriter::encode_short_rows`](super::BatchWriter::encode_short_rows). A level of -128 dBm is
/// kept as -127, as in a row.
///
/// Its bits from the kind on lie as in the upper half of a short row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reading(u32);

const RANDOMISED: u32 = 1;
const ASSOCIATED: u32 = 1 << 1;
const FLAGS: u32 = RANDOMISED | ASSOCIATED;
const KIND_SHIFT: u32 = 5;
const KIND_MASK: u32 = 0b111;
const RSSI_SHIFT: u32 = 8;
const NOISE_SHIFT: u32 = 16;
const CHANNEL_SHIFT: u32 = 24;

impl Reading {
    /// What this observation says beside client, time, radio and range.
    #[inline]
    pub fn of(observation: &Observation) -> Self {
        let byte = |code: i8| u32::from(code.cast_unsigned());
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        Self(
            flag(observation.randomised, RANDOMISED)
                | flag(observation.associated, ASSOCIATED)
                | (observation.kind as u32) << KIND_SHIFT
                | byte(code_from_dbm(observation.rssi_dbm)) << RSSI_SHIFT
                | byte(code_from_dbm(observation.noise_dbm)) << NOISE_SHIFT
                | u32::from(observation.channel) << CHANNEL_SHIFT,
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
            rssi_dbm: dbm_from_code((self.0 >> RSSI_SHIFT) as i8),
            noise_dbm: dbm_from_code((self.0 >> NOISE_SHIFT) as i8),
            channel: (self.0 >> CHANNEL_SHIFT) as u8,
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

    /// Whether the address is randomised (bit 0) and the client associated (bit 1).
    #[inline]
    pub(super) fn flags(self) -> u32 {
        self.0 & FLAGS
    }

    /// Kind, levels and channel where the upper half of a short row has them, all else 0.
    #[inline]
    pub(super) fn upper_half(self) -> u32 {
        self.0 & !FLAGS
    }

    /// The code of the kind.
    #[inline]
    pub(super) fn kind_code(self) -> u8 {
        (self.0 >> KIND_SHIFT & KIND_MASK) as u8
    }

    /// Level, noise and channel, as they follow each other in a row.
    #[inline]
    pub(super) fn levels(self) -> [u8; 3] {
        let [_, rssi, noise, channel] = self.0.to_le_bytes();
        [rssi, noise, channel]
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
