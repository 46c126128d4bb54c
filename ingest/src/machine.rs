//! What the machine gives beyond the language: huge pages where the system grants them, hints,
//! sixteen comparisons at once ([`words`]).
//!
//! A worker looks up a million clients in no order. With pages of 4 KiB each look-up also misses
//! the processor's table of pages; with pages of 2 MiB that table covers all of them. In a loop of
//! single look-ups that was worth a tenth; in the worker, which overlaps the misses of a batch, no
//! difference was seen with a million clients.

#![expect(
    unsafe_code,
    reason = "memory of a given alignment, advice to the system, instructions of a processor"
)]

mod words;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

pub(crate) use words::{GROUP, Plain, Words, Work, run};

/// A huge page of x86-64 and of AArch64 with pages of 4 KiB.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A fixed number of values that never move, on huge pages if they fill one.
pub(crate) struct Chunk<T> {
    values: NonNull<T>,
    len: usize,
}

// SAFETY: a chunk owns its values as a `Box<[T]>` does.
unsafe impl<T: Send> Send for Chunk<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Chunk<T> {}

impl<T: Copy> Chunk<T> {
    /// So many copies of a value.
    ///
    /// # Panics
    /// When `T` has no size or the chunk is larger than memory: both are constants of the caller.
    pub(crate) fn filled(value: T, len: usize) -> Self {
        let layout = Self::layout(len);
        assert!(layout.size() > 0, "a chunk holds something");
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc(layout) };
        let Some(values) = NonNull::new(memory.cast::<T>()) else {
            handle_alloc_error(layout);
        };
        advise(memory, layout);
        for index in 0..len {
            // SAFETY: the layout holds `len` values, aligned for them.
            unsafe { values.add(index).write(value) };
        }
        Self { values, len }
    }
}

impl<T> Chunk<T> {
    fn layout(len: usize) -> Layout {
        let layout = Layout::array::<T>(len).expect("a chunk is smaller than memory");
        if layout.size() < HUGE_PAGE_BYTES {
            // A cache line, so that no two chunks share one.
            return layout.align_to(64).expect("64 is a power of two");
        }
        let aligned = layout.align_to(HUGE_PAGE_BYTES);
        aligned.expect("the size of a huge page is a power of two")
    }
}

/// Asks for huge pages; without them everything works, slower.
#[cfg(target_os = "linux")]
fn advise(memory: *mut u8, layout: Layout) {
    if layout.size() < HUGE_PAGE_BYTES {
        return;
    }
    // SAFETY: the range was just allocated for this chunk; the advice does not change what it holds.
    let _ = unsafe {
        rustix::mm::madvise(
            memory.cast(),
            layout.size(),
            rustix::mm::Advice::LinuxHugepage,
        )
    };
}

#[cfg(not(target_os = "linux"))]
fn advise(_memory: *mut u8, _layout: Layout) {}

impl<T> Drop for Chunk<T> {
    fn drop(&mut self) {
        // SAFETY: allocated by `filled` with this layout; the values are `Copy` and need no drop.
        unsafe { dealloc(self.values.as_ptr().cast(), Self::layout(self.len)) };
    }
}

impl<T> Deref for Chunk<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `filled` has written `len` values there; the borrow is that of the chunk.
        unsafe { std::slice::from_raw_parts(self.values.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Chunk<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.values.as_ptr(), self.len) }
    }
}

impl<T> fmt::Debug for Chunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("len", &self.len).finish()
    }
}

/// The values at sixteen indices of chunks that `1 << shift` indices part, to be changed in any
/// order. In place of one that does not exist stands a spare one. `None` when two indices are the
/// same.
#[inline(always)]
pub(crate) fn apart<'a, W: Words, T>(
    chunks: &'a mut [Chunk<T>],
    shift: u32,
    indices: &[u32; GROUP],
    spare: &'a mut [T; GROUP],
) -> Option<[&'a mut T; GROUP]> {
    if !W::differ(indices) {
        return None;
    }
    let mut lane = 0;
    Some(spare.each_mut().map(|spare| {
        let index = indices[lane];
        lane += 1;
        let place = index as usize & ((1 << shift) - 1);
        match chunks.get((index >> shift) as usize) {
            // SAFETY: the place is below the chunk's length. No two references meet: the indices
            // differ (this relies on `Words::differ`, whose few implementations lie beside it and are
            // tested for every pair), so their chunks or their places do. The chunks stay borrowed.
            Some(chunk) if place < chunk.len => unsafe { &mut *chunk.values.as_ptr().add(place) },
            _ => spare,
        }
    }))
}

/// Tells the processor that the cache line where this value begins will be read soon.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, whose address is that of a living value; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_what_they_are_given() {
        for len in [1, 1_000, 1 << 18] {
            let mut chunk = Chunk::filled(7u64, len);
            assert_eq!(chunk.len(), len);
            assert!(chunk.iter().all(|value| *value == 7));
            chunk[len - 1] = 9;
            prefetch(&chunk[len - 1]);
            assert_eq!(chunk[len - 1], 9);
        }
    }

    #[test]
    fn a_large_chunk_begins_at_a_huge_page() {
        let chunk = Chunk::filled(0u64, 1 << 18);
        assert!(chunk.as_ptr().addr().is_multiple_of(HUGE_PAGE_BYTES));
    }

    #[test]
    fn values_apart_are_those_at_the_indices_or_spare() {
        let mut chunks = [Chunk::filled(0, 4), Chunk::filled(0, 8)];
        let mut indices = std::array::from_fn(|lane| lane as u32);
        let mut spare = [100; GROUP];
        let values = apart::<Plain, u32>(&mut chunks, 3, &indices, &mut spare).unwrap();
        for (value, lane) in values.into_iter().zip(1..) {
            *value += lane;
        }
        assert_eq!(*chunks[0], [1, 2, 3, 4]);
        assert_eq!(*chunks[1], [9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(spare[..5], [100, 100, 100, 100, 105]);
        indices[3] = 9;
        assert!(apart::<Plain, u32>(&mut chunks, 3, &indices, &mut spare).is_none());
    }
}
