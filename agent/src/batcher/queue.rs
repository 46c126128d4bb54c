//! What waits, in the order in which it came.

use std::collections::VecDeque;
use std::collections::vec_deque::{Iter, IterMut};
use std::ops::Range as Places;

use wire::{ClientId, Kind, Observation, Range};

use super::waiting::Waiting;

/// A queue of observations; memory for ranges is touched only as they come.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Of those that have one, with the number of the observation.
    ranges: VecDeque<(u32, Range)>,
    /// The number of the first that waits; it wraps.
    first: u32,
}

impl Queue {
    pub(super) fn with_capacity(observations: usize) -> Self {
        Self {
            waiting: VecDeque::with_capacity(observations),
            ranges: VecDeque::with_capacity(observations),
            first: 0,
        }
    }

    /// Writes to all memory of those that wait, so that the system gives it now and not when a node
    /// goes away and the queue fills. Ranges are few.
    pub(super) fn touch_memory(&mut self) {
        let nobody = Waiting::new(&Observation {
            client: ClientId(u64::MAX),
            heard_at_us: u64::MAX,
            radio: u8::MAX,
            rssi_dbm: None,
            noise_dbm: None,
            channel: u8::MAX,
            kind: Kind::Other,
            randomised: false,
            associated: false,
            range: None,
        });
        let len = self.waiting.len();
        self.waiting.resize(self.waiting.capacity(), nobody);
        self.waiting.truncate(len);
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&Waiting> {
        self.waiting.get(index)
    }

    /// Those at these places.
    #[inline]
    pub(super) fn range(&self, places: Places<usize>) -> Iter<'_, Waiting> {
        self.waiting.range(places)
    }

    /// Those at these places.
    #[inline]
    pub(super) fn range_mut(&mut self, places: Places<usize>) -> IterMut<'_, Waiting> {
        self.waiting.range_mut(places)
    }

    /// The observation at this place with its range, if there is one.
    pub(super) fn observation(&self, index: usize) -> Option<Observation> {
        let waiting = self.waiting.get(index)?;
        let range = match waiting.has_range() {
            true => self.range_of(index),
            false => None,
        };
        Some(waiting.observation(range))
    }

    fn range_of(&self, index: usize) -> Option<Range> {
        let place = |(number, _): &(u32, Range)| number.wrapping_sub(self.first) as usize;
        let found = self.ranges.binary_search_by_key(&index, place).ok()?;
        self.ranges.get(found).map(|(_, range)| *range)
    }

    /// Into its caller always: an observation that goes through memory is read before all of it is
    /// written, and the processor waits.
    #[inline(always)]
    pub(super) fn push(&mut self, observation: &Observation) {
        if let Some(range) = observation.range {
            let number = self.first.wrapping_add(self.waiting.len() as u32);
            self.ranges.push_back((number, range));
        }
        self.waiting.push_back(Waiting::new(observation));
    }

    /// As [`Queue::push`] of each in turn.
    #[inline(always)]
    pub(super) fn extend(&mut self, observations: impl Iterator<Item = Observation>) {
        let Self {
            waiting,
            ranges,
            first,
        } = self;
        let mut number = first.wrapping_add(waiting.len() as u32);
        waiting.extend(observations.map(|observation| {
            if let Some(range) = observation.range {
                ranges.push_back((number, range));
            }
            number = number.wrapping_add(1);
            Waiting::new(&observation)
        }));
    }

    /// Removes so many from the front. A queue that is then empty begins again where its memory
    /// begins: what comes next finds it in the processor's caches.
    pub(super) fn remove_first(&mut self, count: usize) {
        if count >= self.waiting.len() {
            self.clear();
            return;
        }
        self.waiting.drain(..count);
        self.first = self.first.wrapping_add(count as u32);
        let len = self.waiting.len();
        let is_gone = |number: u32| number.wrapping_sub(self.first) as usize >= len;
        while self
            .ranges
            .front()
            .is_some_and(|(number, _)| is_gone(*number))
        {
            self.ranges.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.ranges.clear();
    }

    /// Removes all but those that `keep` accepts; asked for each in turn, with its place.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(usize, &Waiting) -> bool) {
        let Self {
            waiting,
            ranges,
            first,
        } = self;
        let (mut index, mut kept) = (0, 0_u32);
        waiting.retain(|waiting| {
            let stays = keep(index, waiting);
            // Each range is taken from the front once, and put back behind if it stays.
            if waiting.has_range()
                && let Some((_, range)) = ranges.pop_front()
                && stays
            {
                ranges.push_back((first.wrapping_add(kept), range));
            }
            index += 1;
            kept += u32::from(stays);
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(client: u64, ranges: bool) -> Observation {
        let distance_mm = client as i32;
        Observation {
            client: ClientId(client),
            heard_at_us: 0,
            radio: 1,
            rssi_dbm: None,
            noise_dbm: Some(-90),
            channel: 1,
            kind: Kind::Ranging,
            randomised: false,
            associated: true,
            range: ranges.then_some(Range {
                distance_mm,
                deviation_mm: Some(9),
            }),
        }
    }

    #[test]
    fn touching_memory_changes_nothing() {
        let mut queue = Queue::with_capacity(8);
        for client in 0..5 {
            queue.push(&heard(client, true));
        }
        queue.remove_first(2);
        queue.touch_memory();
        let waiting = (0..queue.len()).filter_map(|i| queue.observation(i));
        assert!(waiting.eq((2..5).map(|client| heard(client, true))));
        assert_eq!(queue.waiting.capacity(), 8);
    }

    proptest! {
        #[test]
        fn each_keeps_its_range_whatever_goes(
            steps in prop::collection::vec((0_u8..8, any::<bool>(), 0_usize..12), 0..300),
            first in prop_oneof![Just(0), Just(u32::MAX - 20)],
        ) {
            let mut queue = Queue { first, ..Queue::with_capacity(8) };
            let mut expected: VecDeque<Observation> = VecDeque::new();
            for (number, (step, ranges, count)) in steps.into_iter().enumerate() {
                match step {
                    0 => {
                        let some = (0..count as u64).map(|more| heard(more, ranges == (more % 2 == 0)));
                        queue.extend(some.clone());
                        expected.extend(some);
                    }
                    1..6 => {
                        let observation = heard(number as u64, ranges);
                        queue.push(&observation);
                        expected.push_back(observation);
                    }
                    6 => {
                        queue.remove_first(count);
                        expected.drain(..count.min(expected.len()));
                    }
                    _ => {
                        let mut index = 0;
                        expected.retain(|_| {
                            index += 1;
                            (index - 1) % 12 != count && index % 3 != 0
                        });
                        queue.retain(|index, _| index % 12 != count && (index + 1) % 3 != 0);
                    }
                }
                let got: VecDeque<_> = (0..queue.len()).filter_map(|i| queue.observation(i)).collect();
                prop_assert_eq!(&got, &expected);
                let with_range = expected.iter().filter(|o| o.range.is_some());
                prop_assert_eq!(queue.ranges.len(), with_range.count());
            }
        }
    }
}
