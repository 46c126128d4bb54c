//! An array that grows where it stands: its addresses are reserved, memory comes as it is touched.
//!
//! A place is then one multiplication away, where an array of pieces takes a look into the list of
//! pieces first, for each row of each datagram.

use std::alloc::{Layout, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::memory::{HUGE_PAGE_BYTES, Memory};
use super::{GROUP, Words, prefetch_line_of};

/// Values that never move; on huge pages where many come at once.
pub(crate) struct Expanse<T> {
    values: NonNull<T>,
    len: usize,
    len_max: usize,
    /// What holds the values; none while there are none.
    memory: Option<Memory>,
}

// SAFETY: an expanse owns its values as a `Box<[T]>` does.
unsafe impl<T: Send> Send for Expanse<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Expanse<T> {}

impl<T> Default for Expanse<T> {
    fn default() -> Self {
        Self {
            values: NonNull::dangling(),
            len: 0,
            len_max: 0,
            memory: None,
        }
    }
}

impl<T: Copy> Expanse<T> {
    /// Room for `len_max` values, or for as many as the system grants addresses for. Behind the
    /// first `begin_len` of them begins a huge page: a small array takes none.
    ///
    /// # Panics
    /// When there is no room for the first ones, when they are not whole cache lines, or when `T`
    /// is aligned to more than that: all but the first are constants of the caller.
    pub(crate) fn reserve(begin_len: usize, len_max: usize) -> Self {
        let begin = Layout::array::<T>(begin_len).expect("an array is smaller than memory");
        assert!(begin.size() > 0 && begin.size() < HUGE_PAGE_BYTES);
        assert!(begin.size().is_multiple_of(64) && begin.align() <= 64);
        let mut len_max = len_max.max(begin_len);
        loop {
            // A huge page before the first that is filled from its begin.
            let wanted = Layout::array::<T>(len_max - begin_len).ok();
            let bytes = wanted.and_then(|wanted| wanted.size().checked_add(2 * HUGE_PAGE_BYTES));
            if let Some(memory) = bytes.and_then(Memory::reserve) {
                let start = memory.start();
                let aligned =
                    (start.addr().get() + HUGE_PAGE_BYTES).next_multiple_of(HUGE_PAGE_BYTES);
                let offset = aligned - begin.size() - start.addr().get();
                // SAFETY: between one and two huge pages less than one begin: in the memory, which
                // goes on for `len_max` values behind it.
                let values = unsafe { start.add(offset).cast() };
                return Self {
                    values,
                    len: 0,
                    len_max,
                    memory: Some(memory),
                };
            }
            if len_max == begin_len {
                handle_alloc_error(begin);
            }
            len_max = (len_max / 2).max(begin_len);
        }
    }

    /// Adds copies of a value; false when there is no room for so many.
    pub(crate) fn extend(&mut self, value: T, more: usize) -> bool {
        if more > self.len_max - self.len {
            return false;
        }
        // SAFETY: there is room behind the values that there are.
        let first = unsafe { self.values.add(self.len) };
        if let Some(memory) = &self.memory {
            memory.advise(first.cast(), more * size_of::<T>());
        }
        for index in 0..more {
            // SAFETY: as above, aligned since cache lines or more are.
            unsafe { first.add(index).write(value) };
        }
        self.len += more;
        true
    }
}

impl<T> Expanse<T> {
    /// Tells the processor that the value at an index will be read soon, if there is one.
    #[inline(always)]
    pub(crate) fn prefetch(&self, index: usize) {
        prefetch_line_of(self.values.as_ptr().wrapping_add(index));
    }

    /// The values at sixteen indices, to be changed in any order. In place of one that does not exist
    /// stands a spare one. `None` when two indices are the same.
    #[inline(always)]
    pub(crate) fn apart<'a, W: Words>(
        &'a mut self,
        indices: &[u32; GROUP],
        spare: &'a mut [T; GROUP],
    ) -> Option<[&'a mut T; GROUP]> {
        if !W::differ(indices) {
            return None;
        }
        // A loop: what takes a closure may be left by the compiler to a function of its own.
        let mut values = spare.each_mut();
        for (value, index) in values.iter_mut().zip(indices) {
            let index = *index as usize;
            if index < self.len {
                // SAFETY: there is a value. No two references meet: the indices differ (this relies
                // on `Words::differ`, whose few implementations lie beside it and are tested for every
                // pair). The values stay borrowed.
                *value = unsafe { &mut *self.values.as_ptr().add(index) };
            }
        }
        Some(values)
    }
}

impl<T> Deref for Expanse<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `extend` has written `len` values there; the borrow is that of the expanse.
        unsafe { std::slice::from_raw_parts(self.values.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Expanse<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.values.as_ptr(), self.len) }
    }
}

impl<T> fmt::Debug for Expanse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expanse").field("len", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Plain;

    #[test]
    fn values_stay_where_they_are_and_what_they_are() {
        let mut expanse = Expanse::reserve(16, 1 << 20);
        assert!(expanse.extend(7u64, 16));
        let first: *const u64 = &raw const expanse[0];
        expanse[15] = 9;
        assert!(expanse.extend(8, 1 << 19));
        assert!(std::ptr::eq(first, &raw const expanse[0]));
        assert_eq!((expanse[14], expanse[15], expanse[16]), (7, 9, 8));
        assert!(expanse[16..].iter().all(|value| *value == 8));
        assert!(
            (&raw const expanse[16])
                .addr()
                .is_multiple_of(HUGE_PAGE_BYTES)
        );
        assert!(!expanse.extend(8, 1 << 19), "more than reserved");
        assert_eq!(expanse.len(), 16 + (1 << 19));
    }

    #[test]
    fn one_without_values_can_be_asked_all() {
        let mut expanse = Expanse::<u64>::default();
        expanse.prefetch(5);
        expanse.prefetch(usize::MAX);
        assert!(expanse.is_empty() && !expanse.extend(1, 1));
    }

    #[test]
    fn values_apart_are_those_at_the_indices_or_spare() {
        let mut expanse = Expanse::reserve(16, 64);
        assert!(expanse.extend(0u32, 16));
        let mut indices = std::array::from_fn(|lane| 2 * lane as u32);
        let mut spare = [100; GROUP];
        let values = expanse.apart::<Plain>(&indices, &mut spare).unwrap();
        for (value, lane) in values.into_iter().zip(1..) {
            *value += lane;
        }
        assert_eq!(expanse[..8], [1, 0, 2, 0, 3, 0, 4, 0]);
        assert_eq!(spare[7..], [100, 109, 110, 111, 112, 113, 114, 115, 116]);
        indices[3] = 30;
        assert!(expanse.apart::<Plain>(&indices, &mut spare).is_none());
    }
}
