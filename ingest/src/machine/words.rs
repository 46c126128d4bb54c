//! Code compiled for several widths of vectors, and what it does differently in each.

/// Rows that are folded together: as many as a vector has words.
pub(crate) const GROUP: usize = 16;

/// Sixteen comparisons at once, in the widest vectors that a function is compiled for.
///
/// A function that is generic over it and marked `#[inline(always)]`, with all that it calls, can
/// be compiled several times over by [`run`].
pub(crate) trait Words: Copy {
    /// Whether arithmetic over sixteen words at once beats the same word by word.
    const IS_WIDE: bool;

    /// Which of sixteen words equal `wanted` in the bits of `mask`, as a bit each.
    fn equal(words: &[u32; 16], mask: u32, wanted: u32) -> u32;

    /// Which of five keys equal `wanted`, as a bit each.
    fn equal_keys(keys: &[u64; 5], wanted: u64) -> u32;

    /// Whether no two of sixteen words are the same.
    fn differ(words: &[u32; 16]) -> bool;

    /// The values at sixteen places; `None` when one of them does not exist.
    fn gather(values: &[u64], places: &[u32; 16]) -> Option<[u64; 16]>;
}

/// What every machine that the build is for can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl Words for Plain {
    const IS_WIDE: bool = false;

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

    #[inline(always)]
    fn equal_keys(keys: &[u64; 5], wanted: u64) -> u32 {
        let bits = keys.iter().zip(0..);
        bits.fold(0, |all, (key, bit)| all | u32::from(*key == wanted) << bit)
    }

    #[inline(always)]
    fn differ(words: &[u32; 16]) -> bool {
        let later = |(place, word)| words[place + 1..].contains(word);
        !words.iter().enumerate().any(later)
    }

    #[inline(always)]
    fn gather(values: &[u64], places: &[u32; 16]) -> Option<[u64; 16]> {
        let highest = places.iter().fold(0, |highest, place| *place.max(&highest));
        values.get(highest as usize)?;
        Some(places.map(|place| values.get(place as usize).copied().unwrap_or(0)))
    }
}

/// Sixteen words in one register, as processors with AVX-512 have them.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Sixteen;

#[cfg(target_arch = "x86_64")]
impl Words for Sixteen {
    const IS_WIDE: bool = true;

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

    #[inline(always)]
    fn equal_keys(keys: &[u64; 5], wanted: u64) -> u32 {
        use std::arch::x86_64::{
            _mm512_mask_cmpeq_epi64_mask, _mm512_maskz_loadu_epi64, _mm512_set1_epi64,
        };
        // SAFETY: as in `equal`; the load reads the five keys that its mask names.
        unsafe {
            let held = _mm512_maskz_loadu_epi64(0b1_1111, keys.as_ptr().cast());
            let wanted = _mm512_set1_epi64(wanted.cast_signed());
            u32::from(_mm512_mask_cmpeq_epi64_mask(0b1_1111, held, wanted))
        }
    }

    /// Turned by one to eight places, the words meet all others.
    #[inline(always)]
    fn differ(words: &[u32; 16]) -> bool {
        use std::arch::x86_64::{_mm512_alignr_epi32, _mm512_cmpeq_epi32_mask, _mm512_loadu_si512};
        // SAFETY: as in `equal`.
        unsafe {
            let held = _mm512_loadu_si512(words.as_ptr().cast());
            macro_rules! same {
                ($($places:literal)*) => {
                    0 $(| _mm512_cmpeq_epi32_mask(held, _mm512_alignr_epi32::<$places>(held, held)))*
                };
            }
            same!(1 2 3 4 5 6 7 8) == 0
        }
    }

    #[inline(always)]
    fn gather(values: &[u64], places: &[u32; 16]) -> Option<[u64; 16]> {
        use std::arch::x86_64::{
            _mm256_loadu_si256, _mm512_cmpge_epu32_mask, _mm512_i32gather_epi64,
            _mm512_loadu_si512, _mm512_set1_epi32, _mm512_storeu_si512,
        };
        // Places are signed to the processor.
        let len = i32::try_from(values.len()).ok()?;
        let mut gathered = [0; 16];
        // SAFETY: as in `equal`; all places are below the length, which is below 2^31, and the
        // halves of places and of what is gathered are eight words each.
        unsafe {
            let held = _mm512_loadu_si512(places.as_ptr().cast());
            if _mm512_cmpge_epu32_mask(held, _mm512_set1_epi32(len)) != 0 {
                return None;
            }
            for half in 0..2 {
                let half_of_places = _mm256_loadu_si256(places.as_ptr().add(8 * half).cast());
                let found = _mm512_i32gather_epi64::<8>(half_of_places, values.as_ptr().cast());
                _mm512_storeu_si512(gathered.as_mut_ptr().add(8 * half).cast(), found);
            }
        }
        Some(gathered)
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

    struct EqualKeys([u64; 5], u64);

    impl Work for EqualKeys {
        type Outcome = u32;

        #[inline(always)]
        fn work<W: Words>(self) -> u32 {
            W::equal_keys(&self.0, self.1)
        }
    }

    #[test]
    fn equal_keys_are_found_and_no_others() {
        let keys = [7, 0, 1 << 40, 7, u64::MAX];
        for (wanted, equal) in [(7, 0b01001), (0, 0b00010), (8, 0), (u64::MAX, 0b10000)] {
            assert_eq!(Plain::equal_keys(&keys, wanted), equal);
            assert_eq!(run(EqualKeys(keys, wanted)), equal);
        }
    }

    struct Gather<'a>(&'a [u64], [u32; 16]);

    impl Work for Gather<'_> {
        type Outcome = Option<[u64; 16]>;

        #[inline(always)]
        fn work<W: Words>(self) -> Option<[u64; 16]> {
            W::gather(self.0, &self.1)
        }
    }

    #[test]
    fn values_are_gathered_from_places_that_exist() {
        let values: Vec<u64> = (0..50).map(|place| u64::MAX - place * place).collect();
        let places: [u32; 16] = std::array::from_fn(|lane| (49 + 7 * lane as u32) % 50);
        let wanted = Some(places.map(|place| values[place as usize]));
        assert_eq!(Plain::gather(&values, &places), wanted);
        assert_eq!(run(Gather(&values, places)), wanted);
        for (lane, place) in (0..16).zip([50, 51, u32::MAX, 1 << 31].into_iter().cycle()) {
            let mut places = places;
            places[lane] = place;
            assert_eq!(Plain::gather(&values, &places), None);
            assert_eq!(run(Gather(&values, places)), None);
        }
        assert_eq!(run(Gather(&[], [0; 16])), None);
    }

    struct Differ([u32; 16]);

    impl Work for Differ {
        type Outcome = bool;

        #[inline(always)]
        fn work<W: Words>(self) -> bool {
            W::differ(&self.0)
        }
    }

    #[test]
    fn two_words_that_are_the_same_are_found_wherever_they_are() {
        let words: [u32; 16] = std::array::from_fn(|place| place as u32 * 1_000_003);
        assert!(Plain::differ(&words) && run(Differ(words)));
        for one in 0..16 {
            for other in one + 1..16 {
                let mut words = words;
                words[one] = words[other];
                assert!(!Plain::differ(&words), "{one}, {other}");
                assert!(!run(Differ(words)), "{one}, {other}");
            }
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
