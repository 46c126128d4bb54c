//! An array that grows without moving what it holds.

use crate::machine::{Expanse, GROUP, Words};

/// Places of the first piece: a small site takes little memory.
const FIRST_LEN: usize = 1_024;

/// Places of every further piece: lines of 64 bytes fill a huge page.
const FURTHER_LEN: usize = 1 << 15;

/// Most places: 4 GiB of addresses for lines, a few of them with memory behind.
pub(crate) const LEN_MAX: usize = if usize::BITS < 64 { 1 << 20 } else { 1 << 26 };

/// Values by a dense index, which come in pieces.
#[derive(Debug)]
pub(crate) struct Dense<T> {
    values: Expanse<T>,
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self {
            values: Expanse::default(),
        }
    }
}

impl<T: Copy> Dense<T> {
    /// Adds a piece of copies of a value, of at most `len_max` in all; gives the new indices, none
    /// when there is no room. Takes some hundred microseconds, once in 32,768 places.
    pub(crate) fn grow(&mut self, value: T, len_max: usize) -> std::ops::Range<u32> {
        let first = self.values.len();
        let more = if first == 0 {
            let further = len_max.min(LEN_MAX).saturating_sub(FIRST_LEN);
            let len_max = FIRST_LEN + further.next_multiple_of(FURTHER_LEN);
            self.values = Expanse::reserve(FIRST_LEN, len_max);
            FIRST_LEN
        } else {
            FURTHER_LEN
        };
        self.values.extend(value, more);
        first as u32..self.values.len() as u32
    }

    /// Where indices end.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.values.len() as u32
    }

    /// The value at an index, if that exists.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.values.get(index as usize)
    }

    /// The value at an index, if that exists.
    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.values.get_mut(index as usize)
    }

    /// The values at these indices, in place of one that does not exist a spare one; `None` when
    /// two indices are the same.
    #[inline(always)]
    pub(crate) fn apart_mut<'a, W: Words>(
        &'a mut self,
        indices: &[u32; GROUP],
        spare: &'a mut [T; GROUP],
    ) -> Option<[&'a mut T; GROUP]> {
        self.values.apart::<W>(indices, spare)
    }

    /// Tells the processor that the value at an index will be read soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, index: u32) {
        self.values.prefetch(index as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_moves_nothing() {
        let mut dense = Dense::default();
        dense.grow(1u64, usize::MAX);
        let first: *const u64 = dense.get(5).unwrap();
        *dense.get_mut(5).unwrap() = 6;
        for _ in 0..3 {
            dense.grow(2, usize::MAX);
        }
        assert!(std::ptr::eq(first, dense.get(5).unwrap()));
        assert_eq!((dense.get(5), dense.get(6)), (Some(&6), Some(&1)));
    }

    #[test]
    fn exactly_the_indices_that_it_gave_exist() {
        let mut dense = Dense::default();
        assert_eq!(dense.get(0), None);
        let (mut end, mut room) = (0, true);
        while room {
            let indices = dense.grow(0u64, 3 * FURTHER_LEN);
            assert_eq!(indices.start, end);
            assert!(indices.clone().all(|index| dense.get(index).is_some()));
            room = !indices.is_empty();
            end = indices.end;
            assert_eq!((dense.get(end), dense.len()), (None, end));
        }
        assert!(
            end as usize >= 3 * FURTHER_LEN,
            "room for all that were asked for"
        );
    }
}
