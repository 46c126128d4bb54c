//! What the machine gives beyond the language: huge pages where the system grants them, hints,
//! sixteen comparisons at once.
//!
//! A worker looks up a million clients in no order. With pages of 4 KiB each look-up also misses
//! the processor's table of pages; with pages of 2 MiB that table covers all of them. In a loop of
//! single look-ups that was worth a tenth; in the worker, which overlaps the misses of a batch, no
//! difference was seen with a million clients.

#![expect(
    unsafe_code,
    reason = "memory of a given alignment, advice to the system, instructions of a processor"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

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

/// Sixteen comparisons at once, in the widest vectors that a function is compiled for.
///
/// A function that is generic over it and marked `#[inline(always)]`, with all that it calls, can
/// be compiled several times over by [`run`].
pub(crate) trait Words: Copy {
    /// Which of sixteen words equal `wanted` in the bits of `mask`, as a bit each.
    fn equal(words: &[u32; 16], mask: u32, wanted: u32) -> u32;
}

/// What every machine that the build is for can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl Words for Plain {
    /// On x86-64 in 21 instructions; what the compiler makes of the plain loop takes 54.
    #[inline(always)]
    fn equal(words: &[u32; 16], mask: u32, wanted: u32) -> u32 {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{
                __m128i, _mm_and_si128, _mm_cmpeq_epi32, _mm_loadu_si128, _mm_movemask_epi8,
                _mm_packs_epi16, _mm_packs_epi32, _mm_set1_epi32,
            };
            // SAFETY: SSE2 is part of every x86-64; the four loads read the sixteen words.
            unsafe {
                let mask = _mm_set1_epi32(mask.cast_signed());
                let wanted = _mm_set1_epi32(wanted.cast_signed());
                let quarters = words.as_ptr().cast::<__m128i>();
                let equal = |quarter| {
                    let held = _mm_loadu_si128(quarters.add(quarter));
                    _mm_cmpeq_epi32(_mm_and_si128(held, mask), wanted)
                };
                let low = _mm_packs_epi32(equal(0), equal(1));
                let high = _mm_packs_epi32(equal(2), equal(3));
                _mm_movemask_epi8(_mm_packs_epi16(low, high)).cast_unsigned()
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        equal_words_plainly(words, mask, wanted)
    }
}

/// Sixteen words in one register, as processors with AVX-512 have them.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Sixteen;

#[cfg(target_arch = "x86_64")]
impl Words for Sixteen {
    /// In two instructions, besides the constants.
    #[inline(always)]
    fn equal(words: &[u32; 16], mask: u32, wanted: u32) -> u32 {
        use std::arch::x86_64::{
            _mm512_and_si512, _mm512_cmpeq_epi32_mask, _mm512_loadu_si512, _mm512_set1_epi32,
        };
        // SAFETY: used by `sixteen` only, which runs where AVX-512F is; the load reads the words.
        unsafe {
            let held = _mm512_loadu_si512(words.as_ptr().cast());
            let masked = _mm512_and_si512(held, _mm512_set1_epi32(mask.cast_signed()));
            let wanted = _mm512_set1_epi32(wanted.cast_signed());
            u32::from(_mm512_cmpeq_epi32_mask(masked, wanted))
        }
    }
}

/// Work that [`run`] compiles for several machines.
pub(crate) trait Work {
    /// What comes of it.
    type Outcome;

    /// Does it; `#[inline(always)]`, with all that is to be compiled along.
    fn work<W: Words>(self) -> Self::Outcome;
}

/// Does the work with the widest vectors of this machine. The look-up costs one load.
#[inline]
pub(crate) fn run<T: Work>(work: T) -> T::Outcome {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        // SAFETY: the machine has the features that the function is compiled for.
        return unsafe { sixteen(work) };
    }
    work.work::<Plain>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,bmi1,bmi2")]
fn sixteen<T: Work>(work: T) -> T::Outcome {
    work.work::<Sixteen>()
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_words_plainly(words: &[u32; 16], mask: u32, wanted: u32) -> u32 {
    let bits = words.iter().zip(0..);
    bits.fold(0, |all, (word, bit)| {
        all | u32::from(word & mask == wanted) << bit
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    struct Equal {
        words: [u32; 16],
        wanted: u32,
    }

    impl Work for Equal {
        type Outcome = u32;

        #[inline(always)]
        fn work<W: Words>(self) -> u32 {
            W::equal(&self.words, 7, self.wanted)
        }
    }

    proptest! {
        #[test]
        fn equal_words_are_those_that_a_loop_finds(
            words in prop::array::uniform16(0u32..8),
            high in any::<u32>(),
            wanted in 0u32..8,
        ) {
            let words = words.map(|word| word | high << 3);
            let plain = equal_words_plainly(&words, 7, wanted);
            prop_assert_eq!(Plain::equal(&words, 7, wanted), plain);
            prop_assert_eq!(run(Equal { words, wanted }), plain);
        }
    }
}
