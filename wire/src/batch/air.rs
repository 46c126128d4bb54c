//! What is the same for a radio's observations for a while: the channel and its noise floor.
//!
//! A batch tells them once for a stretch of observations, not in each row.

use std::fmt;

use super::DecodeError;
use super::reading::{code_from_dbm, dbm_from_code};
use crate::observation::Observation;

/// Bytes of one entry.
pub const AIR_BYTES: usize = 4;

/// The channel that a radio listens to, and how noisy it is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Air(u16);

impl Air {
    /// Neither is known: what holds until a batch says otherwise.
    pub const UNKNOWN: Self = Self(0x8000);

    /// Channel number in the radio's band, 0 where it is not known, and noise floor in dBm, where
    /// measured. A noise floor of -128 dBm becomes -127.
    #[inline]
    pub fn new(channel: u8, noise_dbm: Option<i8>) -> Self {
        let [noise] = code_from_dbm(noise_dbm).to_le_bytes();
        Self(u16::from_le_bytes([channel, noise]))
    }

    /// That of an observation.
    #[inline]
    pub fn of(observation: &Observation) -> Self {
        Self::new(observation.channel, observation.noise_dbm)
    }

    /// Channel number in the radio's band; 0 where it is not known.
    #[inline]
    pub fn channel(self) -> u8 {
        let [channel, _] = self.0.to_le_bytes();
        channel
    }

    /// Noise floor in dBm, where measured.
    #[inline]
    pub fn noise_dbm(self) -> Option<i8> {
        let [_, noise] = self.0.to_le_bytes();
        dbm_from_code(noise.cast_signed())
    }

    /// Channel and noise floor as an entry has them, one after the other.
    #[inline]
    pub(super) fn code(self) -> u16 {
        self.0
    }

    #[inline]
    pub(super) fn from_code(code: u16) -> Self {
        Self(code)
    }
}

impl fmt::Debug for Air {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Air")
            .field("channel", &self.channel())
            .field("noise_dbm", &self.noise_dbm())
            .finish()
    }
}

/// The entries of one batch, borrowed: indices ascend and name existing observations.
#[derive(Clone, Copy, Default)]
pub struct Airs<'a> {
    entries: &'a [[u8; AIR_BYTES]],
}

impl<'a> Airs<'a> {
    pub(super) fn new(bytes: &'a [u8], row_count: usize) -> Result<Self, DecodeError> {
        let (entries, []) = bytes.as_chunks() else {
            return Err(DecodeError::AirBytes);
        };
        let mut next_row = 0;
        for entry in entries {
            let (row_index, _) = from_bytes(entry);
            if row_index < next_row || row_index >= row_count {
                return Err(DecodeError::AirIndex);
            }
            next_row = row_index + 1;
        }
        Ok(Self { entries })
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are no entries: nothing is known of any observation.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry with this number, as [`Airs::iter`] gives it.
    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<(usize, Air)> {
        self.entries.get(number).map(from_bytes)
    }

    /// The index of the first observation for which it holds and what holds from then on, in
    /// ascending order of the index.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, Air)> + use<'a> {
        self.entries.iter().map(from_bytes)
    }
}

impl fmt::Debug for Airs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[inline]
fn from_bytes(&[i0, i1, channel, noise]: &[u8; AIR_BYTES]) -> (usize, Air) {
    let index = usize::from(u16::from_le_bytes([i0, i1]));
    (index, Air(u16::from_le_bytes([channel, noise])))
}

/// An entry as it lies in a datagram.
#[inline]
pub(super) fn to_bytes(row_index: u16, air: Air) -> [u8; AIR_BYTES] {
    let [i0, i1] = row_index.to_le_bytes();
    let [channel, noise] = air.code().to_le_bytes();
    [i0, i1, channel, noise]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_lie_where_the_format_says() {
        let air = Air::new(36, Some(-95));
        assert_eq!(to_bytes(0x1234, air), [0x34, 0x12, 36, 0xa1]);
        assert_eq!(from_bytes(&[0x34, 0x12, 36, 0xa1]), (0x1234, air));
        assert_eq!((air.channel(), air.noise_dbm()), (36, Some(-95)));
        assert_eq!(Air::new(0, None), Air::UNKNOWN);
        assert_eq!(Air::new(1, Some(-128)).noise_dbm(), Some(-127));
    }
}
