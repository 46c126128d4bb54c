//! An array that grows without moving what it holds.

use crate::machine::{Chunk, GROUP, Words, apart, prefetch};

/// Places of the first chunk: a small site takes little memory.
const FIRST_CHUNK_LEN: usize = 1_024;

/// Places of every further chunk: lines of 64 bytes fill a huge page.
const CHUNK_LEN: usize = 1 << CHUNK_SHIFT;
const CHUNK_SHIFT: u32 = 15;

/// Values by a dense index. The first chunk is short, so the indices from [`FIRST_CHUNK_LEN`] to
/// [`CHUNK_LEN`] do not exist.
#[derive(Debug)]
pub(crate) struct Dense<T> {
    chunks: Vec<Chunk<T>>,
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: Copy> Dense<T> {
    /// Adds a chunk of copies of a value. Takes some hundred microseconds, once in 32,768 places.
    pub(crate) fn grow(&mut self, value: T) {
        let len = if self.chunks.is_empty() {
            FIRST_CHUNK_LEN
        } else {
            CHUNK_LEN
        };
        self.chunks.push(Chunk::filled(value, len));
    }

    /// Chunks so far.
    pub(crate) fn chunks_len(&self) -> usize {
        self.chunks.len()
    }

    /// The value at an index, if that exists.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let chunk = self.chunks.get((index >> CHUNK_SHIFT) as usize)?;
        chunk.get(index as usize % CHUNK_LEN)
    }

    /// The value at an index, if that exists.
    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let chunk = self.chunks.get_mut((index >> CHUNK_SHIFT) as usize)?;
        chunk.get_mut(index as usize % CHUNK_LEN)
    }

    /// The values at these indices, in place of one that does not exist a spare one; `None` when
    /// two indices are the same.
    #[inline(always)]
    pub(crate) fn apart_mut<'a, W: Words>(
        &'a mut self,
        indices: &[u32; GROUP],
        spare: &'a mut [T; GROUP],
    ) -> Option<[&'a mut T; GROUP]> {
        apart::<W, T>(&mut self.chunks, CHUNK_SHIFT, indices, spare)
    }

    /// Tells the processor that the value at an index will be read soon.
    #[inline]
    pub(crate) fn prefetch(&self, index: u32) {
        if let Some(value) = self.get(index) {
            prefetch(value);
        }
    }
}

/// The indices of a chunk.
pub(crate) fn indices_of_chunk(chunk: usize) -> std::ops::Range<u32> {
    let first = (chunk * CHUNK_LEN) as u32;
    let len = if chunk == 0 {
        FIRST_CHUNK_LEN
    } else {
        CHUNK_LEN
    };
    first..first + len as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_moves_nothing() {
        let mut dense = Dense::default();
        dense.grow(1u64);
        let first: *const u64 = dense.get(5).unwrap();
        *dense.get_mut(5).unwrap() = 6;
        for _ in 0..3 {
            dense.grow(2);
        }
        assert!(std::ptr::eq(first, dense.get(5).unwrap()));
        assert_eq!((dense.get(5), dense.get(6)), (Some(&6), Some(&1)));
    }

    #[test]
    fn exactly_the_indices_of_its_chunks_exist() {
        let mut dense = Dense::default();
        assert_eq!(dense.get(0), None);
        for chunk in 0..2 {
            dense.grow(0u8);
            let indices = indices_of_chunk(chunk);
            assert!(indices.clone().all(|index| dense.get(index).is_some()));
            assert_eq!(dense.get(indices.end), None);
        }
    }
}
