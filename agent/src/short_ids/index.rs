//! From a client to its place in the list of short ids.

use wire::ClientId;

use super::{Entry, State};
use crate::limits::SHORT_ID_PROBES_MAX;

/// Places that are looked at together: half a cache line, and one branch where a probe each would
/// be guessed wrong every few times.
const GROUP: usize = 8;

/// Groups in which a client may lie.
const GROUPS_MAX: usize = SHORT_ID_PROBES_MAX / GROUP;

/// Groups in use at first; they double while the list grows, so that few clients touch few lines.
const GROUPS_MIN: usize = 32;

/// Bits of a place that hold a short id plus one; the rest hold bits of the hash.
const ID_BITS: u32 = 22;
const ID_MASK: u32 = (1 << ID_BITS) - 1;

/// Open addressing by groups, at most half full.
///
/// A client lies in the group of its hash, or in one of the next if all between are full. It has
/// [`SHORT_ID_PROBES_MAX`] places to choose from: ids are keyed hashes, but those of named clients may
/// be chosen to collide, and then go without a short id.
#[derive(Debug)]
pub(super) struct Index {
    /// A place is 0, or a short id plus one and ten bits of the hash. Only the first `mask + 1`
    /// groups are in use.
    groups: Vec<[u32; GROUP]>,
    mask: usize,
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): ids of named clients need not
/// be spread evenly in every bit.
#[inline]
pub(super) fn hash(client: ClientId) -> u64 {
    client.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 8) as u32 & !ID_MASK
}

impl Index {
    /// For at most so many short ids.
    pub(super) fn new(ids_max: usize) -> Self {
        let groups = (2 * ids_max / GROUP).next_power_of_two().max(GROUPS_MIN);
        Self {
            // Zeroed pages come untouched from the system.
            groups: vec![[0; GROUP]; groups],
            mask: GROUPS_MIN - 1,
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> 40) as usize & self.mask
    }

    /// The short id of a client.
    #[inline]
    pub(super) fn find(&self, hash: u64, client: ClientId, entries: &[Entry]) -> Option<usize> {
        let (home, tag) = (self.home(hash), tag(hash));
        for distance in 0..GROUPS_MAX {
            let group = &self.groups[(home + distance) & self.mask];
            let mut alike = 0_u32;
            for (i, place) in group.iter().enumerate() {
                alike |= u32::from(place & !ID_MASK == tag) << i;
            }
            while alike != 0 {
                let place = group[alike.trailing_zeros() as usize % GROUP];
                // An empty place is no short id, whatever its bits.
                let id = ((place & ID_MASK) as usize).wrapping_sub(1);
                if entries.get(id).is_some_and(|entry| entry.client == client) {
                    return Some(id);
                }
                alike &= alike - 1;
            }
            if group.contains(&0) {
                return None;
            }
        }
        None
    }

    /// Takes a client in; `false` when its neighbourhood is full.
    pub(super) fn insert(&mut self, hash: u64, id: u32) -> bool {
        let home = self.home(hash);
        for distance in 0..GROUPS_MAX {
            let group = &mut self.groups[(home + distance) & self.mask];
            if let Some(place) = group.iter_mut().find(|place| **place == 0) {
                *place = tag(hash) | (id + 1);
                return true;
            }
        }
        false
    }

    /// Forgets a client, if it is there, and lets those move up that had to give way.
    pub(super) fn remove(&mut self, hash: u64, id: u32, entries: &[Entry]) {
        let home = self.home(hash);
        let is_it = |place: &u32| place & ID_MASK == id + 1;
        let found = (0..GROUPS_MAX).find_map(|distance| {
            let group = (home + distance) & self.mask;
            Some((group, self.groups[group].iter().position(is_it)?))
        });
        let Some(mut gap) = found else {
            return;
        };
        self.groups[gap.0][gap.1] = 0;
        while let Some(from) = self.next_that_gave_way(gap.0, gap.1, entries) {
            self.groups[gap.0][gap.1] = self.groups[from.0][from.1];
            self.groups[from.0][from.1] = 0;
            gap = from;
        }
    }

    /// Somebody who would lie in this group if the gap had been there.
    fn next_that_gave_way(
        &self,
        group: usize,
        gap: usize,
        entries: &[Entry],
    ) -> Option<(usize, usize)> {
        // With a further gap nobody had to.
        let others = self.groups[group].iter().enumerate();
        if others.into_iter().any(|(i, place)| i != gap && *place == 0) {
            return None;
        }
        for distance in 1..GROUPS_MAX {
            let next = (group + distance) & self.mask;
            let gave_way = |place: &u32| {
                let id = ((place & ID_MASK) as usize).wrapping_sub(1);
                entries.get(id).is_some_and(|entry| {
                    let home = self.home(hash(entry.client));
                    (next.wrapping_sub(home) & self.mask) >= distance
                })
            };
            if let Some(place) = self.groups[next].iter().position(gave_way) {
                return Some((next, place));
            }
            if self.groups[next].contains(&0) {
                return None;
            }
        }
        None
    }

    /// Doubles the groups in use when the list has grown to half of their places.
    pub(super) fn make_room(&mut self, entries: &[Entry]) {
        let groups = self.mask + 1;
        if 2 * entries.len() > GROUP * groups && groups < self.groups.len() {
            self.rebuild(entries);
        }
    }

    /// Begins anew with as many groups as the list needs. A client whose neighbourhood is full is not
    /// found any more; its entry grows old and is used again.
    pub(super) fn rebuild(&mut self, entries: &[Entry]) {
        let groups = (2 * entries.len()).div_ceil(GROUP).next_power_of_two();
        let groups = groups.clamp(GROUPS_MIN, self.groups.len());
        self.groups[..groups.max(self.mask + 1)].fill([0; GROUP]);
        self.mask = groups - 1;
        for (id, entry) in (0..).zip(entries) {
            if entry.state != State::Vacant {
                self.insert(hash(entry.client), id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few homes and many clients: neighbourhoods are often full.
        #[test]
        fn finds_who_was_taken_in_and_not_removed(
            steps in prop::collection::vec((0_usize..120, any::<bool>()), 1..600),
        ) {
            // The inverse of the hash's factor: three homes that meet, and all tags.
            let inverse = 0xf1de_83e1_9937_733d_u64;
            let client = |i: u64| ClientId(inverse.wrapping_mul((i % 3) << 40 | i << 28));
            let entry = |i| Entry { state: State::Ready, ..Entry::new(client(i), 0) };
            let entries: Vec<_> = (0..120).map(entry).collect();
            let mut index = Index::new(1_000);
            let mut known = [false; 120];
            for (i, add) in steps {
                let own = hash(entries[i].client);
                match (add, known[i]) {
                    (true, false) => known[i] = index.insert(own, i as u32),
                    (false, true) => {
                        index.remove(own, i as u32, &entries);
                        known[i] = false;
                    }
                    _ => {}
                }
                for (i, entry) in entries.iter().enumerate() {
                    let found = index.find(hash(entry.client), entry.client, &entries);
                    prop_assert_eq!(found, known[i].then_some(i));
                }
            }
        }
    }
}
