//! From a client's key to its dense index: one cache miss per look-up.
//!
//! Open addressing in buckets of a cache line with five entries each. A bucket counts the entries
//! that found it full and went on, so that a look-up knows where to stop and a removal leaves no
//! mark. The top bits of a mixed key choose a segment; each segment grows by itself, by a quarter, so
//! no growth stalls reception. Another mixing, by a number that agents do not know, chooses the
//! bucket in it: whoever could choose ids that meet in one bucket could keep others out.

use crate::limits::{PROBE_BUCKETS_MAX, SEGMENTS};
use crate::machine::{Plain, Words, prefetch};

const SEGMENT_BITS: u32 = SEGMENTS.trailing_zeros();

/// Entries of a bucket.
const ENTRIES: usize = 5;

/// Entries per hundred places beyond which a segment grows: at 70 %, one look-up in ten goes on to
/// a second bucket.
const LOAD_MAX_PERCENT: usize = 70;

/// Entries per hundred places below which it does not grow though a probe has become too long:
/// random keys do not do that, somebody chooses them.
const LOAD_MIN_PERCENT: usize = 35;

/// An odd number whose product with ids that are no hashes but running numbers spreads over the
/// directory too: near 2^64 over the golden ratio (Knuth, TAOCP vol. 3, 6.4).
const MIX: u64 = 0x9e37_79b9_7f4a_7c55;

/// Clients by key. Key 0 stands for nobody.
#[derive(Debug)]
pub(crate) struct Directory {
    segments: Box<[Segment; SEGMENTS]>,
}

#[derive(Debug)]
struct Segment {
    /// Odd; products with it spread keys over the buckets.
    secret: u64,
    buckets: Vec<Bucket>,
    len: usize,
    /// Its keys are chosen so that they do not fit into more buckets either.
    stuck: bool,
}

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    keys: [u64; ENTRIES],
    indices: [u32; ENTRIES],
    /// Entries that belong here or before and lie behind.
    gone_on: u32,
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Self = Self {
        keys: [0; ENTRIES],
        indices: [0; ENTRIES],
        gone_on: 0,
    };

    /// The place of a key. Compares all keys at once: which one it is cannot be predicted.
    #[inline]
    fn place_of(&self, key: u64) -> Option<usize> {
        self.place_in::<Plain>(key)
    }

    /// As [`Bucket::place_of`], in vectors of a machine.
    #[inline(always)]
    fn place_in<W: Words>(&self, key: u64) -> Option<usize> {
        let equal = W::equal_keys(&self.keys, key);
        (equal != 0).then(|| equal.trailing_zeros() as usize % ENTRIES)
    }
}

/// The directory has no place for a key: others fill all buckets where it may lie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Directory {
    /// An empty directory that spreads keys in a way of its own.
    pub(crate) fn new(secret: u64) -> Self {
        let segment = |_| Segment {
            secret: secret | 1,
            buckets: Vec::new(),
            len: 0,
            stuck: false,
        };
        Self {
            segments: Box::new(std::array::from_fn(segment)),
        }
    }

    /// Which segment a key belongs to.
    #[inline]
    pub(crate) fn segment_of(key: u64) -> usize {
        (key.wrapping_mul(MIX) >> (u64::BITS - SEGMENT_BITS)) as usize % SEGMENTS
    }

    /// Tells the processor that a key will be looked up soon.
    #[inline]
    pub(crate) fn prefetch(&self, key: u64) {
        let segment = &self.segments[Self::segment_of(key)];
        if let Some(bucket) = segment.buckets.get(segment.home_of(key)) {
            prefetch(bucket);
        }
    }

    /// The index of a key.
    #[inline]
    pub(crate) fn find(&self, key: u64) -> Option<u32> {
        self.find_in::<Plain>(key)
    }

    /// As [`Directory::find`], in vectors of a machine.
    #[inline(always)]
    pub(crate) fn find_in<W: Words>(&self, key: u64) -> Option<u32> {
        let segment = &self.segments[Self::segment_of(key)];
        let bucket = segment.buckets.get(segment.home_of(key))?;
        match bucket.place_in::<W>(key) {
            Some(place) => Some(bucket.indices[place]),
            None if bucket.gone_on == 0 => None,
            None => segment.find_behind(key),
        }
    }

    /// Adds a key that is not there.
    pub(crate) fn insert(&mut self, key: u64, index: u32) -> Result<(), Crowded> {
        self.segments[Self::segment_of(key)].insert(key, index)
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(&mut self, key: u64) {
        self.segments[Self::segment_of(key)].remove(key);
    }
}

impl Segment {
    /// The bucket where the probe for a key begins: its mixed bits as a fraction of the buckets
    /// (multiply-shift hashing, Dietzfelbinger et al., J. Algorithms 25, 1997).
    #[inline]
    fn home_of(&self, key: u64) -> usize {
        let fraction = key.wrapping_mul(self.secret) >> 32;
        ((fraction * self.buckets.len() as u64) >> 32) as usize
    }

    /// The buckets where a key may lie, in order.
    fn probe(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        let (home, len) = (self.home_of(key), self.buckets.len());
        (0..len.min(PROBE_BUCKETS_MAX)).map(move |step| {
            let bucket = home + step;
            if bucket < len { bucket } else { bucket - len }
        })
    }

    #[cold]
    fn find_behind(&self, key: u64) -> Option<u32> {
        for bucket in self.probe(key) {
            let bucket = &self.buckets[bucket];
            if let Some(place) = bucket.place_of(key) {
                return Some(bucket.indices[place]);
            }
            if bucket.gone_on == 0 {
                return None;
            }
        }
        None
    }

    #[cold]
    fn insert(&mut self, key: u64, index: u32) -> Result<(), Crowded> {
        if self.is_filled(LOAD_MAX_PERCENT) {
            self.grow();
        }
        while self.put(key, index).is_err() {
            if !self.is_filled(LOAD_MIN_PERCENT) || !self.grow() {
                return Err(Crowded);
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Whether one more entry makes more than so many per hundred places.
    fn is_filled(&self, percent: usize) -> bool {
        (self.len + 1) * 100 > self.buckets.len() * ENTRIES * percent
    }

    /// Puts a key into the first bucket of its probe with room.
    fn put(&mut self, key: u64, index: u32) -> Result<(), Crowded> {
        let free = |bucket: &usize| self.buckets[*bucket].place_of(0).is_some();
        let Some(chosen) = self.probe(key).position(|bucket| free(&bucket)) else {
            return Err(Crowded);
        };
        for (step, bucket) in self.probe(key).enumerate().take(chosen + 1) {
            let bucket = &mut self.buckets[bucket];
            if step < chosen {
                bucket.gone_on += 1;
            } else if let Some(place) = bucket.keys.iter().position(|held| *held == 0) {
                (bucket.keys[place], bucket.indices[place]) = (key, index);
            }
        }
        Ok(())
    }

    /// Grows by a quarter; says whether it did. Keys that were chosen to crowd may find no place
    /// afterwards: then all stays as it was.
    fn grow(&mut self) -> bool {
        if self.stuck {
            return false;
        }
        let len = self.buckets.len() * 5 / 4 + 1;
        let before = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; len]);
        self.stuck = !entries(&before).all(|(key, index)| self.put(key, index).is_ok());
        if self.stuck {
            self.buckets = before;
        }
        !self.stuck
    }

    fn remove(&mut self, key: u64) {
        let place_in = |bucket: usize| self.buckets[bucket].place_of(key);
        let Some(chosen) = self
            .probe(key)
            .position(|bucket| place_in(bucket).is_some())
        else {
            return;
        };
        for (step, bucket) in self.probe(key).enumerate().take(chosen + 1) {
            let bucket = &mut self.buckets[bucket];
            if step < chosen {
                bucket.gone_on -= 1;
            } else if let Some(place) = bucket.place_of(key) {
                bucket.keys[place] = 0;
            }
        }
        self.len -= 1;
        self.stuck = false;
    }
}

fn entries(buckets: &[Bucket]) -> impl Iterator<Item = (u64, u32)> + '_ {
    let all = buckets
        .iter()
        .flat_map(|bucket| bucket.keys.into_iter().zip(bucket.indices));
    all.filter(|(key, _)| *key != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const SECRET: u64 = 0xd129_0d3e_41c5_a6b1;

    /// The inverse of [`SECRET`] modulo 2^64, by Newton's method: undoes the mixing.
    fn unmix(mixed: u64) -> u64 {
        let inverse = (0..6).fold(1u64, |x, _| {
            x.wrapping_mul(2u64.wrapping_sub(SECRET.wrapping_mul(x)))
        });
        mixed.wrapping_mul(inverse)
    }

    #[test]
    fn keys_chosen_to_collide_are_refused_and_harm_nobody() {
        let mut directory = Directory::new(SECRET);
        for key in 1..2_000u64 {
            directory.insert(key << 20, key as u32).unwrap();
        }
        // All of one segment and of the same fraction: no growth parts them.
        let evil = |i: u64| unmix(0x7f12_3456_0000_0000 | i);
        let mut evil = (1..2_000_000)
            .map(evil)
            .filter(|key| Directory::segment_of(*key) == 7);
        let taken = evil
            .by_ref()
            .take_while(|&key| directory.insert(key, 9).is_ok());
        assert!((40..=PROBE_BUCKETS_MAX * ENTRIES).contains(&taken.count()));
        assert!(evil.count() > 1_000, "there were more to come");
        assert!(
            directory
                .segments
                .iter()
                .map(|s| s.buckets.len())
                .sum::<usize>()
                < 3_000
        );
        for key in 1..2_000u64 {
            assert_eq!(directory.find(key << 20), Some(key as u32));
        }
    }

    #[test]
    fn segments_fill_before_they_grow() {
        let mut directory = Directory::new(SECRET);
        let len = 200_000u64;
        for i in 1..=len {
            directory
                .insert(i.wrapping_mul(0xd129_0d3e_41c5_a6b1), i as u32)
                .unwrap();
        }
        let buckets: usize = directory.segments.iter().map(|s| s.buckets.len()).sum();
        let load = len as f64 / (buckets * ENTRIES) as f64;
        assert!(load > 0.5, "{load}");
    }

    proptest! {
        /// Against a map: the same answers after any mix of insertions and removals.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0u64..200, any::<bool>()), 1..900)) {
            let mut directory = Directory::new(SECRET);
            let mut map: HashMap<u64, u32> = HashMap::new();
            for (number, (small, insert)) in (0u32..).zip(steps) {
                // Two segments, few homes: buckets overflow.
                let key = unmix((small % 2) << 56 | (small % 7) << 50 | (small + 1));
                prop_assert_eq!(directory.find(key), map.get(&key).copied());
                if insert && !map.contains_key(&key) {
                    if directory.insert(key, number).is_ok() {
                        map.insert(key, number);
                    }
                } else if !insert {
                    directory.remove(key);
                    map.remove(&key);
                }
            }
            for (key, index) in &map {
                prop_assert_eq!(directory.find(*key), Some(*index));
            }
            let len: usize = directory.segments.iter().map(|s| s.len).sum();
            prop_assert_eq!(len, map.len());
            for key in map.keys() {
                directory.remove(*key);
            }
            for bucket in directory.segments.iter().flat_map(|s| &s.buckets) {
                prop_assert_eq!((bucket.keys, bucket.gone_on), ([0; ENTRIES], 0));
            }
        }
    }
}
