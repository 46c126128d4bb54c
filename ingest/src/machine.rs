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

mod expanse;
mod memory;
mod words;

pub(crate) use expanse::Expanse;
pub(crate) use words::{GROUP, Plain, Words, Work, run};

/// Tells the processor that the cache line where this value begins will be read soon.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    prefetch_line_of(value);
}

/// As [`prefetch`], of the value at an index, if there is one.
#[inline(always)]
pub(crate) fn prefetch_at<T>(values: &[T], index: usize) {
    prefetch_line_of(values.as_ptr().wrapping_add(index));
}

/// As [`prefetch`], of an address where something may be.
#[inline(always)]
fn prefetch_line_of<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing and faults nowhere; every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
