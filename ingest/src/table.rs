//! All clients of a site: lines and tracks in segments of open-addressed slots.
//!
//! Client ids are keyed hashes, so their bits address the table without hashing again: the top bits
//! choose the segment, the low bits the slot. Each segment grows by itself; a growth moves a few
//! thousand lines at most. A segment keeps a track beside each line.

use locate::Track;

use crate::limits::SEGMENTS;
use crate::line::Line;

const SEGMENT_BITS: u32 = SEGMENTS.trailing_zeros();
const SLOTS_AT_START: usize = 16;

/// Clients of one site.
#[derive(Debug)]
pub struct Table {
    segments: Vec<Segment>,
    len: usize,
    len_max: usize,
}

/// A part of the clients, by the top bits of their keys.
#[derive(Debug, Default)]
pub struct Segment {
    lines: Vec<Line>,
    tracks: Vec<Track>,
    len: usize,
}

/// Where a client's line is, until the next insertion or removal in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    segment: u16,
    slot: u32,
}

impl Table {
    /// An empty table for at most `len_max` clients.
    pub fn new(len_max: usize) -> Self {
        Self {
            segments: (0..SEGMENTS).map(|_| Segment::default()).collect(),
            len: 0,
            len_max,
        }
    }

    /// Clients in the table.
    pub fn clients(&self) -> usize {
        self.len
    }

    /// Which segment a key belongs to.
    pub fn segment_of(key: u64) -> usize {
        (key >> (64 - SEGMENT_BITS)) as usize
    }

    /// The place of a client, made if it is new; `None` when the table is full.
    ///
    /// Touches the client's line, so that looking all rows of a batch up before folding the first
    /// lets their cache misses overlap.
    #[inline]
    pub fn place(&mut self, key: u64) -> Option<Place> {
        let segment = Self::segment_of(key);
        let part = &mut self.segments[segment];
        let slot = match part.find(key) {
            Ok(slot) => slot,
            Err(_) if self.len >= self.len_max => return None,
            Err(_) => {
                self.len += 1;
                part.insert(key)
            }
        };
        Some(Place {
            segment: segment as u16,
            slot: slot as u32,
        })
    }

    /// The line at a place whose segment may have grown since: found again if it moved.
    #[inline]
    pub fn line_at(&mut self, place: Place, key: u64) -> Option<&mut Line> {
        let part = &mut self.segments[usize::from(place.segment)];
        let slot = place.slot as usize;
        let slot = match part.lines.get(slot) {
            Some(line) if line.key() == key => slot,
            _ => part.find(key).ok()?,
        };
        Some(&mut part.lines[slot])
    }

    /// A client's line and track, if it is known.
    pub fn find(&self, key: u64) -> Option<(&Line, &Track)> {
        let part = &self.segments[Self::segment_of(key)];
        let slot = part.find(key).ok()?;
        Some((&part.lines[slot], &part.tracks[slot]))
    }

    /// A segment, to sweep it.
    pub fn segment(&mut self, index: usize) -> &mut Segment {
        &mut self.segments[index]
    }

    /// Removes a client.
    pub fn remove(&mut self, key: u64) {
        if self.segments[Self::segment_of(key)].remove(key) {
            self.len -= 1;
        }
    }

    /// Removes all clients.
    pub fn clear(&mut self) {
        self.segments.fill_with(Segment::default);
        self.len = 0;
    }
}

impl Segment {
    /// Slots of the segment, used or not; a sweep goes over `0..slots()`.
    pub fn slots(&self) -> usize {
        self.lines.len()
    }

    /// The client in a slot, with its track.
    pub fn client(&mut self, slot: usize) -> Option<(&mut Line, &mut Track)> {
        let line = self.lines.get_mut(slot)?;
        if line.key() == 0 {
            None
        } else {
            Some((line, &mut self.tracks[slot]))
        }
    }

    /// The slot of a key, or the free slot where its probe ended.
    fn find(&self, key: u64) -> Result<usize, usize> {
        if self.lines.is_empty() {
            return Err(0);
        }
        let mask = self.lines.len() - 1;
        let mut slot = key as usize & mask;
        loop {
            match self.lines[slot].key() {
                k if k == key => return Ok(slot),
                0 => return Err(slot),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn insert(&mut self, key: u64) -> usize {
        if (self.len + 1) * 10 > self.lines.len() * 7 {
            self.grow();
        }
        let slot = match self.find(key) {
            Ok(slot) | Err(slot) => slot,
        };
        self.lines[slot] = Line::new(key);
        self.tracks[slot] = Track::default();
        self.len += 1;
        slot
    }

    fn grow(&mut self) {
        let slots = (self.lines.len() * 2).max(SLOTS_AT_START);
        let lines = std::mem::replace(&mut self.lines, vec![Line::EMPTY; slots]);
        let tracks = std::mem::replace(&mut self.tracks, vec![Track::default(); slots]);
        for (line, track) in lines.into_iter().zip(tracks) {
            if line.key() != 0 {
                let slot = match self.find(line.key()) {
                    Ok(slot) | Err(slot) => slot,
                };
                self.lines[slot] = line;
                self.tracks[slot] = track;
            }
        }
    }

    /// Removes a key and closes the gap, so that no probe breaks off early (Knuth, TAOCP vol. 3,
    /// 6.4, algorithm R).
    fn remove(&mut self, key: u64) -> bool {
        let Ok(mut hole) = self.find(key) else {
            return false;
        };
        let mask = self.lines.len() - 1;
        let mut slot = hole;
        loop {
            slot = (slot + 1) & mask;
            let next = self.lines[slot].key();
            if next == 0 {
                break;
            }
            let home = next as usize & mask;
            let reaches_hole = (slot.wrapping_sub(home) & mask) >= (slot.wrapping_sub(hole) & mask);
            if reaches_hole {
                self.lines[hole] = self.lines[slot];
                self.tracks[hole] = self.tracks[slot];
                hole = slot;
            }
        }
        self.lines[hole] = Line::EMPTY;
        self.tracks[hole] = Track::default();
        self.len -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::line::Moment;

    fn keys(table: &mut Table) -> Vec<u64> {
        let mut keys = Vec::new();
        for index in 0..SEGMENTS {
            let segment = table.segment(index);
            for slot in 0..segment.slots() {
                if let Some((line, _)) = segment.client(slot) {
                    keys.push(line.key());
                }
            }
        }
        keys.sort_unstable();
        keys
    }

    #[test]
    fn a_full_table_refuses_newcomers_and_serves_the_others() {
        let mut table = Table::new(2);
        assert!(table.place(1).is_some());
        assert!(table.place(2).is_some());
        assert!(table.place(3).is_none());
        assert!(table.place(2).is_some());
        table.remove(1);
        assert!(table.place(3).is_some());
    }

    #[test]
    fn a_place_survives_the_growth_of_its_segment() {
        let mut table = Table::new(usize::MAX);
        let place = table.place(5).unwrap();
        for key in 6..200 {
            table.place(key);
        }
        assert_eq!(table.line_at(place, 5).unwrap().key(), 5);
    }

    proptest! {
        /// Against a map: same keys after any mix of insertions and removals, lines kept intact.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0u64..80, any::<bool>()), 1..600)) {
            let mut table = Table::new(usize::MAX);
            let mut map: HashMap<u64, u16> = HashMap::new();
            for (i, (small, insert)) in steps.into_iter().enumerate() {
                // Few segments and low bits that collide.
                let key = (small % 2) << 56 | (small * 16 + 1);
                if insert {
                    let place = table.place(key).unwrap();
                    let radio = *map.entry(key).or_insert(i as u16);
                    table.line_at(place, key).unwrap().fold(radio, -50, Moment::from_us(0));
                } else {
                    table.remove(key);
                    map.remove(&key);
                }
            }
            let mut expected: Vec<u64> = map.keys().copied().collect();
            expected.sort_unstable();
            prop_assert_eq!(table.clients(), expected.len());
            prop_assert_eq!(keys(&mut table), expected);
            for (key, radio) in map {
                let place = table.place(key).unwrap();
                let slots: Vec<_> = table.line_at(place, key).unwrap().slots().collect();
                prop_assert_eq!(slots.len(), 1);
                prop_assert_eq!(slots[0].radio, radio);
            }
        }
    }
}
