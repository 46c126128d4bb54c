//! Short ids: the dense indices that an agent's definitions stand for.
//!
//! One dictionary per session, so that a lying agent reaches its own entries only. An entry names
//! an index and the mark of the line that was there; the line of another client that has got the
//! index since bears another mark, but for one case in 65,536.

use crate::limits::SHORT_ID_SILENCE_MAX;
use crate::machine::prefetch;
use crate::table::NOWHERE;

/// Entries by which a dictionary grows, 8 kB: it takes no more memory than that in vain.
const STEP_LEN: usize = 1_024;

/// What a session's short ids stand for.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    entries: Vec<Entry>,
}

/// What one short id stands for.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Entry {
    /// Dense index of the client.
    pub(crate) index: u32,
    /// Mark of its line.
    pub(crate) mark: u16,
    /// When it was last used, in seconds that wrap after 18 hours; an entry that is used again just
    /// then passes for fresh, and its mark still decides.
    seen_s: u16,
}

const _: () = assert!(size_of::<Entry>() == 8);

impl Entry {
    /// Stands for nobody.
    const NONE: Self = Self {
        index: NOWHERE,
        mark: 0,
        seen_s: 0,
    };
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
        self.entries.resize(len, Entry::NONE);
    }

    /// From now on a short id stands for the client at an index. Room was made before.
    pub(crate) fn define(&mut self, short_id: u32, index: u32, mark: u16, now_s: u16) {
        if let Some(entry) = self.entries.get_mut(short_id as usize) {
            *entry = Entry {
                index,
                mark,
                seen_s: now_s,
            };
        }
    }

    /// A short id stands for nobody from now on.
    pub(crate) fn forget(&mut self, short_id: u32) {
        if let Some(entry) = self.entries.get_mut(short_id as usize) {
            *entry = Entry::NONE;
        }
    }

    /// Tells the processor that an entry will be read soon.
    #[inline]
    pub(crate) fn prefetch(&self, short_id: u32) {
        if let Some(entry) = self.entries.get(short_id as usize) {
            prefetch(entry);
        }
    }

    /// The index that a short id may stand for; it is not used by this.
    #[inline]
    pub(crate) fn peek(&self, short_id: u32) -> Option<u32> {
        let entry = self.entries.get(short_id as usize)?;
        (entry.index != NOWHERE).then_some(entry.index)
    }

    /// What a short id stands for, if it was used or defined lately; it is used now.
    #[inline]
    pub(crate) fn resolve(&mut self, short_id: u32, now_s: u16) -> Option<Entry> {
        let entry = self.entries.get_mut(short_id as usize)?;
        if entry.seen_s != now_s {
            let silence_s = now_s.wrapping_sub(entry.seen_s);
            if u64::from(silence_s) > SHORT_ID_SILENCE_MAX.as_secs() {
                *entry = Entry::NONE;
                return None;
            }
            entry.seen_s = now_s;
        }
        (entry.index != NOWHERE).then_some(*entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
