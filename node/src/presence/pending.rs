//! What the store does not know yet: the newest truth about each thing, and nothing older.

use std::collections::{HashMap, VecDeque};

use super::write::Write;

/// What a write is about: a newer write about the same thing replaces an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Visit(VisitKey),
    Ap { site: u32, ap: u32 },
    End { site: u32, client: u64 },
    Rotate { site: u32 },
    Site { site: u32 },
    Calibration { site: u32 },
    Tokens,
    Purge,
}

/// A client in a zone of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct VisitKey {
    pub(super) site: u32,
    pub(super) zone: u32,
    pub(super) client: u64,
}

/// Writes that wait, first come first served, one for each thing.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Each with the number of its place.
    writes: HashMap<Key, (u64, Write)>,
    /// Places in order; some may be dead: their write was removed, or has another place since.
    order: VecDeque<(Key, u64)>,
    places: u64,
}

/// Dead places that may lie in the order before it is cleaned.
const DEAD_PLACES_MAX: usize = 1_024;

impl Pending {
    /// This is the truth now.
    pub(super) fn put(&mut self, key: Key, write: Write) {
        if let Some((_, older)) = self.writes.get_mut(&key) {
            *older = write;
            return;
        }
        if self.order.len() > 2 * self.writes.len() + DEAD_PLACES_MAX {
            let writes = &self.writes;
            self.order
                .retain(|(key, place)| is_alive(writes, key, *place));
        }
        let place = self.next_place();
        self.writes.insert(key, (place, write));
        self.order.push_back((key, place));
    }

    /// These were the truth, in this order, and are to be written before all others, unless
    /// something newer is known about the same thing.
    pub(super) fn put_back(&mut self, writes: Vec<(Key, Write)>) {
        for (key, write) in writes.into_iter().rev() {
            if !self.writes.contains_key(&key) {
                let place = self.next_place();
                self.writes.insert(key, (place, write));
                self.order.push_front((key, place));
            }
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.writes.contains_key(key)
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.writes.remove(key);
    }

    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Key, &Write) -> bool) {
        self.writes.retain(|key, (_, write)| wanted(key, write));
    }

    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// The oldest that are wanted, at most so many.
    pub(super) fn take(
        &mut self,
        at_most: usize,
        mut wanted: impl FnMut(&Key) -> bool,
    ) -> Vec<(Key, Write)> {
        let mut taken = Vec::new();
        let mut unwanted = Vec::new();
        while taken.len() < at_most {
            let Some((key, place)) = self.order.pop_front() else {
                break;
            };
            if !is_alive(&self.writes, &key, place) {
                continue;
            }
            if !wanted(&key) {
                unwanted.push((key, place));
            } else if let Some((_, write)) = self.writes.remove(&key) {
                taken.push((key, write));
            }
        }
        for place in unwanted.into_iter().rev() {
            self.order.push_front(place);
        }
        taken
    }

    fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }
}

fn is_alive(writes: &HashMap<Key, (u64, Write)>, key: &Key, place: u64) -> bool {
    writes.get(key).is_some_and(|(own, _)| *own == place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(before_us: u64) -> Write {
        Write::Purge { before_us }
    }

    fn visit(client: u64) -> Key {
        Key::Visit(VisitKey {
            site: 0,
            zone: 0,
            client,
        })
    }

    #[test]
    fn the_newest_write_about_a_thing_counts_in_the_place_of_the_first() {
        let mut pending = Pending::default();
        pending.put(visit(1), purge(1));
        pending.put(visit(2), purge(2));
        pending.put(visit(1), purge(3));
        assert_eq!(pending.len(), 2);
        assert_eq!(pending.take(9, |_| false), []);
        assert_eq!(pending.take(1, |_| true), [(visit(1), purge(3))]);
        assert_eq!(pending.take(9, |_| true), [(visit(2), purge(2))]);
        assert_eq!(pending.take(9, |_| true), []);
    }

    #[test]
    fn what_is_put_back_goes_before_all_others_unless_something_newer_is_known() {
        let mut pending = Pending::default();
        pending.put(visit(1), purge(1));
        pending.put(visit(2), purge(2));
        let again = vec![
            (visit(3), purge(3)),
            (visit(1), purge(0)),
            (visit(4), purge(4)),
        ];
        pending.put_back(again);
        let taken = pending.take(9, |_| true);
        let expected = [(3, 3), (4, 4), (1, 1), (2, 2)];
        assert_eq!(taken, expected.map(|(v, p)| (visit(v), purge(p))));
    }

    #[test]
    fn what_was_removed_comes_back_at_the_end() {
        let mut pending = Pending::default();
        pending.put(visit(1), purge(1));
        pending.put(visit(2), purge(2));
        pending.remove(&visit(1));
        pending.put(visit(1), purge(3));
        let taken = pending.take(9, |_| true);
        assert_eq!(taken, [(visit(2), purge(2)), (visit(1), purge(3))]);
    }

    #[test]
    fn what_comes_and_goes_leaves_no_trace() {
        let mut pending = Pending::default();
        for client in 0..1_000_000 {
            pending.put(visit(client), purge(1));
            pending.remove(&visit(client));
        }
        assert_eq!(pending.len(), 0);
        assert!(pending.order.len() <= DEAD_PLACES_MAX + 2);
    }
}
