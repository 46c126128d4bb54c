//! All clients of a site: a line, a key and a track each, at a dense index.
//!
//! An index never changes while its client lives; then another client gets it. What is read
//! together lies together: folding reads lines, the sweep reads lines, tracks and keys in order.

use locate::Track;

use crate::dense::Dense;
use crate::directory::Directory;
use crate::line::Line;
use crate::machine::{GROUP, Plain, Words};
use crate::moment::Moment;

/// No index: the end of the list of free ones, and the index of who has no place.
pub const NOWHERE: u32 = u32::MAX;

/// Clients of one site.
#[derive(Debug)]
pub struct Table {
    directory: Directory,
    lines: Dense<Line>,
    tracks: Dense<Track>,
    /// Of a free index, the next free one.
    keys: Dense<u64>,
    /// Lines of nobody.
    spare: [Line; GROUP],
    first_free: u32,
    len: usize,
    len_max: usize,
    secret: u64,
}

impl Table {
    /// An empty table for at most `len_max` clients. Whoever knows the secret can choose ids that
    /// keep others out.
    pub fn new(len_max: usize, secret: u64) -> Self {
        Self {
            directory: Directory::new(secret),
            lines: Dense::default(),
            tracks: Dense::default(),
            keys: Dense::default(),
            spare: [Line::EMPTY; GROUP],
            first_free: NOWHERE,
            len: 0,
            len_max,
            secret,
        }
    }

    /// Clients in the table.
    pub fn clients(&self) -> usize {
        self.len
    }

    /// Where indices end.
    #[inline]
    pub(crate) fn indices_end(&self) -> u32 {
        self.lines.len()
    }

    /// Tells the processor that a client will be looked up soon.
    #[inline]
    pub(crate) fn prefetch(&self, key: u64) {
        self.directory.prefetch(key);
    }

    /// Tells the processor that a line will be read soon.
    #[inline]
    pub(crate) fn prefetch_line(&self, index: u32) {
        self.lines.prefetch(index);
    }

    /// Tells the processor that a client's track and key will be read soon.
    #[inline]
    pub(crate) fn prefetch_track(&self, index: u32) {
        self.tracks.prefetch(index);
        self.keys.prefetch(index);
    }

    /// The index of a client, given now if it is new; `None` when the table is full.
    #[inline]
    pub fn place(&mut self, key: u64, now: Moment) -> Option<u32> {
        self.place_in::<Plain>(key, now)
    }

    /// As [`Table::place`], in vectors of a machine.
    #[inline(always)]
    pub(crate) fn place_in<W: Words>(&mut self, key: u64, now: Moment) -> Option<u32> {
        match self.directory.find_in::<W>(key) {
            Some(index) => Some(index),
            None => self.insert(key, now),
        }
    }

    #[cold]
    fn insert(&mut self, key: u64, now: Moment) -> Option<u32> {
        if self.len >= self.len_max {
            return None;
        }
        if self.first_free == NOWHERE {
            self.grow();
        }
        let index = self.first_free;
        if index == NOWHERE {
            return None;
        }
        self.directory.insert(key, index).ok()?;
        let held = self.keys.get_mut(index)?;
        self.first_free = std::mem::replace(held, key) as u32;
        *self.lines.get_mut(index)? = Line::new(key, now);
        *self.tracks.get_mut(index)? = Track::default();
        self.len += 1;
        Some(index)
    }

    /// Adds free indices, the lowest first. When there is no room for more, the table is as full as
    /// it can be.
    fn grow(&mut self) {
        let keys = self.keys.grow(0, self.len_max);
        let tracks = self.tracks.grow(Track::default(), self.len_max);
        let indices = self.lines.grow(Line::EMPTY, self.len_max);
        if keys != indices || tracks != indices || indices.is_empty() {
            self.len_max = self.len;
            return;
        }
        let last = indices.end - 1;
        for index in indices.clone() {
            if let Some(key) = self.keys.get_mut(index) {
                *key = u64::from(if index == last {
                    self.first_free
                } else {
                    index + 1
                });
            }
        }
        self.first_free = indices.start;
    }

    /// A line.
    #[inline]
    pub fn line_mut(&mut self, index: u32) -> Option<&mut Line> {
        self.lines.get_mut(index)
    }

    /// The lines at these indices, in place of one that does not exist a line that nobody has;
    /// `None` when two indices are the same.
    #[inline(always)]
    pub(crate) fn lines_apart_mut<W: Words>(
        &mut self,
        indices: &[u32; GROUP],
    ) -> Option<[&mut Line; GROUP]> {
        self.lines.apart_mut::<W>(indices, &mut self.spare)
    }

    /// A line.
    #[inline]
    pub fn line(&self, index: u32) -> Option<&Line> {
        self.lines.get(index)
    }

    /// The key of the client at an index in use.
    #[inline]
    pub fn key(&self, index: u32) -> Option<u64> {
        self.keys.get(index).copied()
    }

    /// The line and track of the client at an index in use.
    #[inline]
    pub(crate) fn client_mut(&mut self, index: u32) -> Option<(&mut Line, &mut Track)> {
        let line = self.lines.get_mut(index)?;
        Some((line, self.tracks.get_mut(index)?))
    }

    /// Where a client is, if it is known.
    pub(crate) fn index_of(&self, key: u64) -> Option<u32> {
        self.directory.find(key)
    }

    /// A client's line and track, if it is known.
    pub fn find(&self, key: u64) -> Option<(&Line, &Track)> {
        let index = self.directory.find(key)?;
        Some((self.lines.get(index)?, self.tracks.get(index)?))
    }

    /// Forgets the client at an index in use, which becomes free.
    pub fn remove(&mut self, index: u32) {
        let (Some(line), Some(key)) = (self.lines.get_mut(index), self.keys.get_mut(index)) else {
            return;
        };
        if line.is_free() {
            return;
        }
        self.directory.remove(*key);
        *line = Line::EMPTY;
        *key = u64::from(self.first_free);
        self.first_free = index;
        self.len -= 1;
    }

    /// Removes all clients.
    pub fn clear(&mut self) {
        *self = Self::new(self.len_max, self.secret);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::line::Dial;

    const NOW: Moment = Moment(0);
    const SECRET: u64 = 0xd129_0d3e_41c5_a6b1;

    #[test]
    fn a_full_table_refuses_newcomers_and_serves_the_others() {
        let mut table = Table::new(2, SECRET);
        let first = table.place(1, NOW).unwrap();
        assert!(table.place(2, NOW).is_some());
        assert!(table.place(3, NOW).is_none());
        assert!(table.place(2, NOW).is_some());
        table.remove(first);
        assert_eq!(table.place(3, NOW), Some(first));
        assert_eq!(table.clients(), 2);
    }

    #[test]
    fn an_index_survives_growth() {
        let mut table = Table::new(usize::MAX, SECRET);
        let index = table.place(5, NOW).unwrap();
        for key in 6..40_000 {
            table.place(key, NOW);
        }
        assert_eq!(table.place(5, NOW), Some(index));
        assert_eq!(table.key(index), Some(5));
        assert_eq!((table.indices_end(), table.clients()), (66_560, 39_995));
    }

    #[test]
    fn a_free_line_bears_no_clients_mark() {
        let mut table = Table::new(usize::MAX, SECRET);
        let index = table.place(5, NOW).unwrap();
        table.remove(index);
        table.remove(index);
        let line = table.line(index).unwrap();
        assert!(line.is_free() && line.mark() != Line::mark_of(5));
        assert_eq!(table.clients(), 0);
    }

    proptest! {
        /// Against a map: the same clients after any mix of insertions and removals, lines intact.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((1u64..80, any::<bool>()), 1..600)) {
            let mut table = Table::new(usize::MAX, SECRET);
            let dial = Dial::new(1.0);
            let mut map: HashMap<u64, u16> = HashMap::new();
            for (radio, (key, insert)) in (0u16..).zip(steps) {
                if insert {
                    let index = table.place(key, NOW).unwrap();
                    let radio = *map.entry(key).or_insert(radio);
                    table.line_mut(index).unwrap().fold(radio, -50, NOW, &dial);
                } else if map.remove(&key).is_some() {
                    let index = table.place(key, NOW).unwrap();
                    table.remove(index);
                }
            }
            prop_assert_eq!(table.clients(), map.len());
            let mut used = Vec::new();
            for index in 0..table.indices_end() {
                if table.line(index).is_some_and(|line| !line.is_free()) {
                    used.push(table.key(index).unwrap());
                }
            }
            used.sort_unstable();
            let mut expected: Vec<u64> = map.keys().copied().collect();
            expected.sort_unstable();
            prop_assert_eq!(used, expected);
            for (key, radio) in map {
                let (line, _) = table.find(key).unwrap();
                let radios: Vec<u16> = line.slots(&dial).map(|slot| slot.radio).collect();
                prop_assert_eq!(radios, [radio]);
            }
        }
    }
}
