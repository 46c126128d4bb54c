//! Short ids: the dense indices that an agent's definitions stand for.
//!
//! One dictionary per session, so that a lying agent reaches its own entries only. An entry names
//! an index and the mark of the line that was there; the line of another client that has got the
//! index since bears another mark, but for one case in 65,536.

use crate::limits::SHORT_ID_SILENCE_MAX;
use crate::machine::{GROUP, Words, prefetch_at};
use crate::table::NOWHERE;

/// Entries by which a dictionary grows, 8 kB: it takes no more memory than that in vain.
const STEP_LEN: usize = 1_024;

/// What a session's short ids stand for.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// An [`Entry`] each, with the second of its last use in the upper 16 bits: seconds wrap after
    /// 18 hours; an entry that is used again just then passes for fresh, and its mark still decides.
    entries: Vec<u64>,
}

/// What one short id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Dense index of the client.
    pub(crate) index: u32,
    /// Mark of its line.
    pub(crate) mark: u16,
}

/// An entry that stands for nobody.
const NONE: u64 = NOWHERE as u64;

const SEEN_SHIFT: u32 = 48;

/// What sixteen short ids stand for.
#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) indices: [u32; GROUP],
    pub(crate) marks: [u16; GROUP],
}

#[inline(always)]
fn index_in(entry: u64) -> u32 {
    entry as u32
}

#[inline(always)]
fn mark_in(entry: u64) -> u16 {
    (entry >> u32::BITS) as u16
}

#[inline(always)]
fn seen_in(entry: u64) -> u16 {
    (entry >> SEEN_SHIFT) as u16
}

#[inline(always)]
fn seen(entry: u64, now_s: u16) -> u64 {
    entry & !(u64::MAX << SEEN_SHIFT) | u64::from(now_s) << SEEN_SHIFT
}

/// Seconds as entries keep them.
#[inline]
pub(crate) fn seconds(now_us: u64) -> u16 {
    (now_us / 1_000_000) as u16
}

impl Dictionary {
    /// Entries that there is memory for.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that there is memory for once [`Dictionary::grow`] has made room for `len`.
    pub(crate) fn len_for(&self, len: usize) -> usize {
        len.next_multiple_of(STEP_LEN).max(self.entries.len())
    }

    /// Makes room for `len` entries; what is there stays.
    pub(crate) fn grow(&mut self, len: usize) {
        let len = self.len_for(len);
        self.entries.reserve_exact(len - self.entries.len());
        self.entries.resize(len, NONE);
    }

    /// From now on a short id stands for the client at an index. Room was made before.
    pub(crate) fn define(&mut self, short_id: u32, index: u32, mark: u16, now_s: u16) {
        if let Some(entry) = self.entries.get_mut(short_id as usize) {
            let told = u64::from(mark) << u32::BITS | u64::from(index);
            *entry = seen(told, now_s);
        }
    }

    /// A short id stands for nobody from now on.
    pub(crate) fn forget(&mut self, short_id: u32) {
        if let Some(entry) = self.entries.get_mut(short_id as usize) {
            *entry = NONE;
        }
    }

    /// Tells the processor that an entry will be read soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, short_id: u32) {
        prefetch_at(&self.entries, short_id as usize);
    }

    /// The index that a short id may stand for; it is not used by this.
    #[inline]
    pub(crate) fn peek(&self, short_id: u32) -> Option<u32> {
        let entry = self.entries.get(short_id as usize)?;
        let index = index_in(*entry);
        (index != NOWHERE).then_some(index)
    }

    /// What a short id stands for, if it was used or defined lately; it is used now.
    #[inline]
    pub(crate) fn resolve(&mut self, short_id: u32, now_s: u16) -> Option<Entry> {
        let entry = self.entries.get_mut(short_id as usize)?;
        if seen_in(*entry) != now_s {
            let silence_s = now_s.wrapping_sub(seen_in(*entry));
            if u64::from(silence_s) > SHORT_ID_SILENCE_MAX.as_secs() {
                *entry = NONE;
                return None;
            }
            *entry = seen(*entry, now_s);
        }
        let found = Entry {
            index: index_in(*entry),
            mark: mark_in(*entry),
        };
        (found.index != NOWHERE).then_some(found)
    }

    /// What sixteen short ids stand for, if all were used in this second already; `None` also when one
    /// stands for nobody.
    #[inline(always)]
    pub(crate) fn resolve_again<W: Words>(
        &self,
        short_ids: &[u32; GROUP],
        now_s: u16,
    ) -> Option<Entries> {
        let entries = W::gather(&self.entries, short_ids)?;
        let (mut indices, mut marks, mut odd) = ([0; GROUP], [0; GROUP], 0);
        for lane in 0..GROUP {
            let entry = entries[lane];
            odd |= u32::from(seen_in(entry) != now_s) | u32::from(index_in(entry) == NOWHERE);
            indices[lane] = index_in(entry);
            marks[lane] = mark_in(entry);
        }
        (odd == 0).then_some(Entries { indices, marks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Plain;

    #[test]
    fn an_entry_lives_as_long_as_it_is_used() {
        let mut dictionary = Dictionary::default();
        dictionary.grow(10);
        dictionary.define(3, 77, 5, 65_530);
        assert!(dictionary.resolve(2, 65_530).is_none(), "never defined");
        assert!(
            dictionary.resolve(1_024, 65_530).is_none(),
            "beyond the room"
        );
        // Over the wrap of the seconds.
        for now_s in [65_530u16, 30, 80] {
            let entry = dictionary.resolve(3, now_s).unwrap();
            assert_eq!((entry.index, entry.mark), (77, 5));
        }
        assert!(dictionary.resolve(3, 131).is_none(), "51 s without use");
        assert!(dictionary.resolve(3, 131).is_none(), "it stays invalid");
    }

    #[test]
    fn sixteen_are_what_each_is_while_all_were_just_used() {
        let mut dictionary = Dictionary::default();
        dictionary.grow(40);
        for short_id in 0..40 {
            dictionary.define(short_id, 1_000 + short_id, 7 * short_id as u16, 100);
        }
        let short_ids = std::array::from_fn(|lane| 39 - 2 * lane as u32);
        let found = dictionary.resolve_again::<Plain>(&short_ids, 100).unwrap();
        for (lane, short_id) in short_ids.into_iter().enumerate() {
            let entry = dictionary.resolve(short_id, 100).unwrap();
            let told = (found.indices[lane], found.marks[lane]);
            assert_eq!(told, (entry.index, entry.mark));
        }
        assert!(dictionary.resolve_again::<Plain>(&short_ids, 101).is_none());
        dictionary.forget(short_ids[9]);
        assert!(dictionary.resolve_again::<Plain>(&short_ids, 100).is_none());
        assert!(
            dictionary
                .resolve_again::<Plain>(&[2_000; GROUP], 100)
                .is_none()
        );
    }

    #[test]
    fn growing_keeps_what_is_defined() {
        let mut dictionary = Dictionary::default();
        dictionary.grow(1);
        dictionary.define(0, 7, 5, 0);
        dictionary.grow(100);
        dictionary.grow(50);
        assert_eq!(dictionary.len(), STEP_LEN);
        assert_eq!(dictionary.resolve(0, 1).unwrap().index, 7);
        dictionary.forget(0);
        assert!(dictionary.resolve(0, 1).is_none());
    }
}
