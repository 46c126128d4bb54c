//! When each link wants to be looked at: one entry per link in a binary heap.
//!
//! Most deadlines only move into the future, as the idle timeout does with each packet. So an
//! entry is moved at once only towards the present; one that was put off is found too early, asked
//! again and put back. A packet then costs one comparison, and memory is what the links need.

use std::time::Instant;

/// No place in the heap.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Timers {
    /// The earliest is in front; that of a parent is never later than its children's.
    heap: Vec<(Instant, u32)>,
    /// Place in the heap, by slot.
    places: Vec<u32>,
}

impl Timers {
    /// The earliest of all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// Looks at a link at this time at the latest.
    pub(super) fn wake_by(&mut self, slot: u32, at: Instant) {
        let index = slot as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, NOWHERE);
        }
        match self.places[index] {
            NOWHERE => {
                self.heap.push((at, slot));
                self.rise(self.heap.len() - 1);
            }
            place => {
                let place = place as usize;
                if at < self.heap[place].0 {
                    self.heap[place].0 = at;
                    self.rise(place);
                }
            }
        }
    }

    /// The next link whose time has come; its entry is gone.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let &(at, slot) = self.heap.first()?;
        if at > now {
            return None;
        }
        self.remove(0);
        Some(slot)
    }

    /// Removes a link's entry.
    pub(super) fn cancel(&mut self, slot: u32) {
        let place = self.places.get(slot as usize).copied();
        if let Some(place) = place.filter(|&place| place != NOWHERE) {
            self.remove(place as usize);
        }
    }

    fn remove(&mut self, place: usize) {
        let (_, slot) = self.heap.swap_remove(place);
        self.places[slot as usize] = NOWHERE;
        if place < self.heap.len() {
            self.note(place);
            self.sink(place);
            self.rise(place);
        }
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].0 <= self.heap[place].0 {
                break;
            }
            self.heap.swap(parent, place);
            self.note(place);
            place = parent;
        }
        self.note(place);
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.heap[child].0) else {
                break;
            };
            if self.heap[place].0 <= self.heap[least].0 {
                break;
            }
            self.heap.swap(place, least);
            self.note(place);
            place = least;
        }
        self.note(place);
    }

    /// Notes who is at a place.
    fn note(&mut self, place: usize) {
        let (_, slot) = self.heap[place];
        self.places[slot as usize] = u32::try_from(place).unwrap_or(NOWHERE);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn entries_come_in_order_and_once_whatever_was_done_before() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let start = Instant::now();
        let mut timers = Timers::default();
        let mut expected = vec![None; 100];
        for _ in 0..10_000 {
            let slot = random.random_range(0..100_u32);
            if random.random_bool(0.1) {
                timers.cancel(slot);
                expected[slot as usize] = None;
            } else {
                let at = start + Duration::from_micros(random.random_range(0..1_000_000));
                timers.wake_by(slot, at);
                let known = &mut expected[slot as usize];
                *known = Some(known.map_or(at, |known: Instant| known.min(at)));
            }
            assert_eq!(timers.next(), expected.iter().flatten().min().copied());
        }
        let mut last = start;
        while let Some(at) = timers.next() {
            assert!(at >= last);
            last = at;
            assert_eq!(timers.pop_due(at - Duration::from_nanos(1)), None);
            let slot = timers.pop_due(at).unwrap();
            assert_eq!(expected[slot as usize].take(), Some(at));
        }
        assert!(expected.iter().all(Option::is_none));
    }
}
