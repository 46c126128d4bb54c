//! Sixteen numbers in the registers of a machine.
//!
//! Most loops over lanes the compiler turns into vectors by itself. Where several of them meet, with
//! comparisons and with sums that live on, it shuffles more than it computes; there, arithmetic is
//! written on a [`Vector`]. Every machine gives the same bits: each operation is the one of IEEE 754,
//! and none are fused.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "instructions of a processor feature")
)]

use std::ops::{Add, Mul, Sub};

use crate::lanes::{LANES, Lanes, lanes, larger};

/// Sixteen numbers.
pub(crate) trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// Whether the machine's registers hold at least eight of these.
    const IS_ROOMY: bool;

    /// One number sixteen times.
    fn splat(value: f32) -> Self;
    /// From memory.
    fn load(lanes: &Lanes) -> Self;
    /// Asks for what will be loaded soon, where the machine knows how.
    fn fetch(_lanes: &Lanes) {}
    /// To memory.
    fn store(self, lanes: &mut Lanes);
    /// The larger of two, none of them NaN.
    fn larger(self, other: Self) -> Self;
    /// The smaller of two, none of them NaN.
    fn smaller(self, other: Self) -> Self;
    /// Where this is less than `bound`, the one; elsewhere the other.
    fn where_less(self, bound: Self, then: Self, otherwise: Self) -> Self;
    /// Which are at least this much, as a bit each.
    fn at_least(self, bound: Self) -> u16;
    /// Two to the power of the low bits of each, taken as whole numbers.
    fn power_of_two(self) -> Self;

    /// In memory.
    #[inline(always)]
    fn lanes(self) -> Lanes {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }
}

/// Sixteen numbers of a machine that nothing is known of.
#[cfg_attr(
    all(target_arch = "x86_64", not(test)),
    expect(dead_code, reason = "these machines have better")
)]
#[derive(Clone, Copy)]
pub(crate) struct Plain(Lanes);

impl Vector for Plain {
    const IS_ROOMY: bool = false;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn load(lanes: &Lanes) -> Self {
        Self(*lanes)
    }

    #[inline(always)]
    fn store(self, lanes: &mut Lanes) {
        *lanes = self.0;
    }

    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Self(lanes(|lane| larger(self.0[lane], other.0[lane])))
    }

    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        self.where_less(other, self, other)
    }

    #[inline(always)]
    fn where_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        Self(lanes(|lane| {
            if self.0[lane] < bound.0[lane] {
                then.0[lane]
            } else {
                otherwise.0[lane]
            }
        }))
    }

    #[inline(always)]
    fn at_least(self, bound: Self) -> u16 {
        let mut bits = 0u32;
        for lane in 0..LANES {
            bits |= u32::from(self.0[lane] >= bound.0[lane]) << lane;
        }
        bits as u16
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        let power = |value: f32| f32::from_bits((value.to_bits() << 23).wrapping_add(127 << 23));
        Self(lanes(|lane| power(self.0[lane])))
    }
}

impl Add for Plain {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(lanes(|lane| self.0[lane] + other.0[lane]))
    }
}

impl Sub for Plain {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(lanes(|lane| self.0[lane] - other.0[lane]))
    }
}

impl Mul for Plain {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(lanes(|lane| self.0[lane] * other.0[lane]))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::*;

    /// An operator on registers, one after the other.
    macro_rules! operator {
        ($name:ident, $trait:ident, $method:ident, $instruction:ident) => {
            impl $trait for $name {
                type Output = Self;

                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    let mut answer = self;
                    for (answer, other) in answer.0.iter_mut().zip(other.0) {
                        // SAFETY: such numbers are made only where the machine has the instruction.
                        *answer = unsafe { $instruction(*answer, other) };
                    }
                    answer
                }
            }
        };
    }

    /// Sixteen numbers in registers of so many.
    macro_rules! vector {
        ($name:ident, $doc:literal, $register:ty, $width:literal, $splat:ident, $load:ident, $store:ident,
         $add:ident, $sub:ident, $mul:ident, $max:ident, $min:ident, $select:ident,
         $at_least:ident, $power:ident) => {
            #[doc = $doc]
            #[derive(Clone, Copy)]
            pub(crate) struct $name([$register; LANES / $width]);

            operator!($name, Add, add, $add);
            operator!($name, Sub, sub, $sub);
            operator!($name, Mul, mul, $mul);

            impl Vector for $name {
                // There are sixteen registers at least.
                const IS_ROOMY: bool = $width > 4;

                #[inline(always)]
                fn splat(value: f32) -> Self {
                    // SAFETY: the trait's user, `wide`, names this type only where the machine has the
                    // instructions; so below.
                    Self([unsafe { $splat(value) }; LANES / $width])
                }

                #[inline(always)]
                fn load(lanes: &Lanes) -> Self {
                    let mut vector = Self::splat(0.0);
                    for (part, from) in vector.0.iter_mut().zip(lanes.as_chunks::<$width>().0) {
                        // SAFETY: as many numbers as the register has, however aligned.
                        *part = unsafe { $load(from.as_ptr()) };
                    }
                    vector
                }

                #[inline(always)]
                fn fetch(lanes: &Lanes) {
                    // SAFETY: a hint; it reads nothing.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(lanes.as_ptr().cast()) };
                }

                #[inline(always)]
                fn store(self, lanes: &mut Lanes) {
                    for (part, to) in self.0.into_iter().zip(lanes.as_chunks_mut::<$width>().0) {
                        // SAFETY: as many numbers as the register has, however aligned.
                        unsafe { $store(to.as_mut_ptr(), part) };
                    }
                }

                #[inline(always)]
                fn larger(self, other: Self) -> Self {
                    let mut answer = self;
                    for (answer, other) in answer.0.iter_mut().zip(other.0) {
                        // SAFETY: as above.
                        *answer = unsafe { $max(*answer, other) };
                    }
                    answer
                }

                #[inline(always)]
                fn smaller(self, other: Self) -> Self {
                    let mut answer = self;
                    for (answer, other) in answer.0.iter_mut().zip(other.0) {
                        // SAFETY: as above.
                        *answer = unsafe { $min(*answer, other) };
                    }
                    answer
                }

                #[inline(always)]
                fn where_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
                    let mut answer = self;
                    for part in 0..LANES / $width {
                        let (a, b) = (self.0[part], bound.0[part]);
                        // SAFETY: as above.
                        answer.0[part] = unsafe { $select(a, b, then.0[part], otherwise.0[part]) };
                    }
                    answer
                }

                #[inline(always)]
                fn at_least(self, bound: Self) -> u16 {
                    let mut bits = 0;
                    for part in 0..LANES / $width {
                        // SAFETY: as above.
                        let of_part: u16 = unsafe { $at_least(self.0[part], bound.0[part]) };
                        bits |= of_part << (part * $width);
                    }
                    bits
                }

                #[inline(always)]
                fn power_of_two(self) -> Self {
                    let mut answer = self;
                    for part in &mut answer.0 {
                        // SAFETY: as above.
                        *part = unsafe { $power(*part) };
                    }
                    answer
                }
            }
        };
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn select_four(a: __m128, b: __m128, then: __m128, otherwise: __m128) -> __m128 {
        let is_less = _mm_cmplt_ps(a, b);
        _mm_or_ps(_mm_and_ps(is_less, then), _mm_andnot_ps(is_less, otherwise))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn at_least_four(a: __m128, bound: __m128) -> u16 {
        _mm_movemask_ps(_mm_cmpge_ps(a, bound)) as u16
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn power_of_two_four(a: __m128) -> __m128 {
        let shifted = _mm_slli_epi32::<23>(_mm_castps_si128(a));
        _mm_castsi128_ps(_mm_add_epi32(shifted, _mm_set1_epi32(127 << 23)))
    }

    vector!(
        Four,
        "Sixteen numbers in four registers of four, which all these machines have.",
        __m128,
        4,
        _mm_set1_ps,
        _mm_loadu_ps,
        _mm_storeu_ps,
        _mm_add_ps,
        _mm_sub_ps,
        _mm_mul_ps,
        _mm_max_ps,
        _mm_min_ps,
        select_four,
        at_least_four,
        power_of_two_four
    );

    #[inline]
    #[target_feature(enable = "avx2")]
    fn select_eight(a: __m256, b: __m256, then: __m256, otherwise: __m256) -> __m256 {
        _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn at_least_eight(a: __m256, bound: __m256) -> u16 {
        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a, bound)) as u16
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn power_of_two_eight(a: __m256) -> __m256 {
        let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(a));
        _mm256_castsi256_ps(_mm256_add_epi32(shifted, _mm256_set1_epi32(127 << 23)))
    }

    vector!(
        Eight,
        "Sixteen numbers in two registers of eight.",
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_max_ps,
        _mm256_min_ps,
        select_eight,
        at_least_eight,
        power_of_two_eight
    );

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn select_sixteen(a: __m512, b: __m512, then: __m512, otherwise: __m512) -> __m512 {
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn at_least_sixteen(a: __m512, bound: __m512) -> u16 {
        _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, bound)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn power_of_two_sixteen(a: __m512) -> __m512 {
        let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(a));
        _mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(127 << 23)))
    }

    vector!(
        Sixteen,
        "Sixteen numbers in one register.",
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_max_ps,
        _mm512_min_ps,
        select_sixteen,
        at_least_sixteen,
        power_of_two_sixteen
    );
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Eight, Four, Sixteen};
