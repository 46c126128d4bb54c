//! Arithmetic compiled several times over, and run with the widest vectors that the machine has.
//!
//! A build for every x86-64 machine may use four lanes of `f32` only. A [`Kernel`] is compiled for
//! four, eight and sixteen lanes in one build, and [`run`] takes the widest that the machine at
//! hand can execute; other processors run the plain build. The source is one, multiplications and
//! additions are never fused, so all of them give the same bits. Mostly these are loops that the
//! compiler turns into vectors by itself; those of the posterior are written out on a [`Vector`], which
//! made a fix cheaper by a quarter to a third.
//!
//! What it bought is in `benches/multilaterate.rs` (`block`) and `benches/locate.rs` (`halls`).

#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "calling a function compiled for a processor feature"
    )
)]

mod vector;

#[cfg(any(test, not(target_arch = "x86_64")))]
pub(crate) use vector::Plain;
pub(crate) use vector::Vector;
#[cfg(target_arch = "x86_64")]
use vector::{Eight, Four, Sixteen};

/// Arithmetic over lanes: branch-free loops over `[f32; 16]` which the compiler turns into vectors.
pub(crate) trait Kernel {
    /// What it computes.
    type Answer;

    /// Computes it, with `V` where it writes its vectors out itself.
    ///
    /// Implementations, and the functions over lanes that they call, are `#[inline(always)]`: what
    /// is not inlined into the wide caller stays narrow.
    fn compute<V: Vector>(self) -> Self::Answer;
}

/// Computes with the widest vectors of this machine. The look-up costs one load.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Answer {
    #[cfg(target_arch = "x86_64")]
    {
        if has_sixteen() {
            // SAFETY: the machine has the features that the function is compiled for.
            return unsafe { sixteen(kernel) };
        }
        if has_eight() {
            // SAFETY: as above.
            return unsafe { eight(kernel) };
        }
        kernel.compute::<Four>()
    }
    #[cfg(not(target_arch = "x86_64"))]
    kernel.compute::<Plain>()
}

#[cfg(target_arch = "x86_64")]
fn has_sixteen() -> bool {
    has_eight() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
fn has_eight() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,popcnt")]
fn sixteen<K: Kernel>(kernel: K) -> K::Answer {
    kernel.compute::<Sixteen>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn eight<K: Kernel>(kernel: K) -> K::Answer {
    kernel.compute::<Eight>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum whose rounding a fused multiplication would change, by the compiler's vectors and by our
    /// own.
    #[derive(Clone, Copy)]
    struct Sum<'a>(&'a [[f32; 16]]);

    impl Kernel for Sum<'_> {
        type Answer = ([f32; 16], [f32; 16], u32);

        #[inline(always)]
        fn compute<V: Vector>(self) -> Self::Answer {
            let (mut sum, mut own, mut bits) = ([0.0f32; 16], V::splat(0.5), 0);
            for row in self.0 {
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += (value * value).sqrt() / (1.0 + value * *sum);
                }
                let row = V::load(row);
                let next = own * row + (row - own).larger(own * V::splat(0.3));
                bits = bits << 1 ^ u32::from(next.at_least(row * row));
                let scale = (next + V::splat(12_582_912.0)).power_of_two();
                own = next.where_less(V::splat(9.0), next, scale.where_less(next, scale, row));
            }
            (sum, own.lanes(), bits)
        }
    }

    #[test]
    fn every_width_gives_the_same_bits() {
        let rows: Vec<[f32; 16]> = (0..50)
            .map(|row| std::array::from_fn(|lane| 0.1 + (row * 16 + lane) as f32 / 7.0))
            .collect();
        let narrow = Sum(&rows).compute::<Plain>();
        assert_eq!(run(Sum(&rows)), narrow);
        #[cfg(target_arch = "x86_64")]
        {
            assert_eq!(Sum(&rows).compute::<Four>(), narrow);
            if has_eight() {
                // SAFETY: the machine has the features.
                assert_eq!(unsafe { eight(Sum(&rows)) }, narrow);
            }
            if has_sixteen() {
                // SAFETY: the machine has the features.
                assert_eq!(unsafe { sixteen(Sum(&rows)) }, narrow);
            }
        }
    }
}
