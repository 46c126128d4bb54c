//! Arithmetic compiled several times over, and run with the widest vectors that the machine has.
//!
//! A build for every x86-64 machine may use four lanes of `f32` only. A [`Kernel`] is compiled for
//! four, eight and sixteen lanes in one build, and [`run`] takes the widest that the machine at
//! hand can execute; other processors run the plain build. The source is one, multiplications and
//! additions are never fused, so all of them give the same bits.
//!
//! What it bought is in `benches/multilaterate.rs` (`block`).

#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "calling a function compiled for a processor feature"
    )
)]

/// Arithmetic over lanes: branch-free loops over `[f32; 16]` which the compiler turns into vectors.
pub(crate) trait Kernel {
    /// What it computes.
    type Answer;

    /// Computes it.
    ///
    /// Implementations, and the functions over lanes that they call, are `#[inline(always)]`: what
    /// is not inlined into the wide caller stays narrow.
    fn compute(self) -> Self::Answer;
}

/// Computes with the widest vectors of this machine. The look-up costs one load.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Answer {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the machine has the features that the function is compiled for.
            return unsafe { sixteen(kernel) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { eight(kernel) };
        }
    }
    kernel.compute()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
fn sixteen<K: Kernel>(kernel: K) -> K::Answer {
    kernel.compute()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn eight<K: Kernel>(kernel: K) -> K::Answer {
    kernel.compute()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum whose rounding a fused multiplication would change.
    #[derive(Clone, Copy)]
    struct Sum<'a>(&'a [[f32; 16]]);

    impl Kernel for Sum<'_> {
        type Answer = [f32; 16];

        #[inline(always)]
        fn compute(self) -> [f32; 16] {
            let mut sum = [0.0f32; 16];
            for row in self.0 {
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += (value * value).sqrt() / (1.0 + value * *sum);
                }
            }
            sum
        }
    }

    #[test]
    fn every_width_gives_the_same_bits() {
        let rows: Vec<[f32; 16]> = (0..50)
            .map(|row| std::array::from_fn(|lane| 0.1 + (row * 16 + lane) as f32 / 7.0))
            .collect();
        let narrow = Sum(&rows).compute();
        assert_eq!(run(Sum(&rows)), narrow);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has the feature.
            assert_eq!(unsafe { eight(Sum(&rows)) }, narrow);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the machine has the features.
            assert_eq!(unsafe { sixteen(Sum(&rows)) }, narrow);
        }
    }
}
