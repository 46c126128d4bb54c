//! What an observation is sorted by, in one word, with its place in the queue.

use super::Waiting;
use crate::limits::SHORT_IDS_MAX;

/// Radio (8 bits), whether it has a short id (1), the short id or a hash of the client (39), place in
/// the queue (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Key(u64);

const INDEX_BITS: u32 = 16;
const CLIENT_BITS: u32 = 39;
/// The upper bits of the client's: what tells most clients apart. Of a short id they are the lower
/// ones, and the few upper ones come after them, so that a few short ids are sorted by the prefix.
const PREFIX_BITS: u32 = 16;
const REST_BITS: u32 = 6;
const PREFIX_SHIFT: u32 = INDEX_BITS + CLIENT_BITS - PREFIX_BITS;
const REST_SHIFT: u32 = PREFIX_SHIFT - REST_BITS;
const SHORT: u64 = 1 << (INDEX_BITS + CLIENT_BITS);

const _: () = assert!(SHORT_IDS_MAX <= 1 << (PREFIX_BITS + REST_BITS));

impl Key {
    /// Two clients may share the 39 bits of their hash; they are then spread as if they were one.
    #[inline]
    pub(super) fn new(index: usize, waiting: &Waiting) -> Self {
        let client = match waiting.short_id() {
            Some(short_id) => {
                let (rest, prefix) = (short_id >> PREFIX_BITS, short_id & mask(PREFIX_BITS));
                SHORT | u64::from(prefix) << PREFIX_SHIFT | u64::from(rest) << REST_SHIFT
            }
            // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): ids may be
            // consecutive.
            None => {
                let hash = waiting.client().0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash >> (u64::BITS - CLIENT_BITS) << INDEX_BITS
            }
        };
        Self(u64::from(waiting.radio()) << (u64::BITS - 8) | client | index as u64)
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }

    #[inline]
    pub(super) fn is_short(self) -> bool {
        self.0 & SHORT != 0
    }

    #[inline]
    pub(super) fn radio(self) -> u8 {
        (self.0 >> (u64::BITS - 8)) as u8
    }

    /// Of the same radio and client.
    #[inline]
    pub(super) fn is_same_client(self, other: Self) -> bool {
        (self.0 ^ other.0) >> INDEX_BITS == 0
    }

    /// All bits.
    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

const fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

/// Some bits of a key, to sort by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digit {
    shift: u32,
    mask: u64,
}

/// Values of each of [`CLIENT_DIGITS`], and of [`RADIO_DIGIT`].
pub(super) const CLIENT_VALUES: usize = 256;
pub(super) const RADIO_VALUES: usize = 512;

/// Lower and upper byte of the client's prefix.
pub(super) const CLIENT_DIGITS: [Digit; 2] = [
    Digit {
        shift: PREFIX_SHIFT,
        mask: CLIENT_VALUES as u64 - 1,
    },
    Digit {
        shift: PREFIX_SHIFT + 8,
        mask: CLIENT_VALUES as u64 - 1,
    },
];

/// Radio, and whether the ids are short.
pub(super) const RADIO_DIGIT: Digit = Digit {
    shift: INDEX_BITS + CLIENT_BITS,
    mask: RADIO_VALUES as u64 - 1,
};

impl Digit {
    /// Its value in the bits of a key.
    #[inline]
    pub(super) fn of(self, bits: u64) -> usize {
        (bits >> self.shift & self.mask) as usize
    }
}

#[cfg(test)]
mod tests {
    use wire::{ClientId, Kind, Observation};

    use super::*;

    #[test]
    fn a_key_tells_short_ids_apart_and_keeps_the_place() {
        let mut waiting = Waiting::new(&Observation {
            client: ClientId(u64::MAX),
            heard_at_us: 0,
            radio: 255,
            rssi_dbm: None,
            noise_dbm: None,
            channel: 0,
            kind: Kind::Data,
            randomised: false,
            associated: false,
            range: None,
        });
        assert!(!Key::new(7, &waiting).is_short());
        let short_ids = [0, 1, 65_535, 65_536, 70_000, SHORT_IDS_MAX as u32 - 1];
        for (i, short_id) in short_ids.into_iter().enumerate() {
            waiting.set_short_id(Some(short_id));
            for index in [0, 65_535] {
                let key = Key::new(index, &waiting);
                assert_eq!(
                    (key.is_short(), key.index(), key.radio()),
                    (true, index, 255)
                );
                for (j, other) in short_ids.into_iter().enumerate() {
                    waiting.set_short_id(Some(other));
                    assert_eq!(key.is_same_client(Key::new(9, &waiting)), i == j);
                }
                waiting.set_short_id(Some(short_id));
            }
        }
    }
}
