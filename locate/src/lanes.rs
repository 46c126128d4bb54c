//! Arithmetic on sixteen numbers at a time.
//!
//! Branch-free `f32` functions on single values: called in a loop over [`Lanes`] the compiler makes
//! them four, eight or sixteen lanes wide, whatever the target has. Others are written on a
//! [`Vector`].

use crate::wide::Vector;

/// Numbers handled together: the cells of a tile, or sixteen tiles.
pub(crate) const LANES: usize = 16;

/// Sixteen numbers, one cache line.
pub(crate) type Lanes = [f32; LANES];

/// Sixteen numbers in memory: where they begin, a cache line does, so that reading them reads one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(crate) struct Row(pub(crate) Lanes);

/// Log-weight of a place that cannot be: finite, so that no arithmetic turns it into NaN.
pub(crate) const NOWHERE: f32 = -1.0e30;

/// Sixteen numbers, by their place among them.
///
/// Unlike [`std::array::from_fn`] it is inlined wherever it is called: what is not stays narrow
/// (see [`crate::wide`]).
#[inline(always)]
pub(crate) fn lanes(value: impl Fn(usize) -> f32) -> Lanes {
    let mut lanes = [0.0; LANES];
    for (lane, slot) in lanes.iter_mut().enumerate() {
        *slot = value(lane);
    }
    lanes
}

/// The larger of two numbers, neither of them NaN: one instruction, unlike [`f32::max`].
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest of sixteen.
#[inline(always)]
pub(crate) fn largest(lanes: &Lanes) -> f32 {
    let quarter = |start: usize| -> [f32; 4] { std::array::from_fn(|lane| lanes[start + lane]) };
    let join = |a: [f32; 4], b: [f32; 4]| -> [f32; 4] {
        std::array::from_fn(|lane| larger(a[lane], b[lane]))
    };
    let [a, b, c, d] = join(join(quarter(0), quarter(4)), join(quarter(8), quarter(12)));
    larger(larger(a, b), larger(c, d))
}

/// The places of the bits that are set, the lowest first.
#[inline(always)]
pub(crate) fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (place < u64::BITS).then_some(place as usize)
    })
}

/// Added to a number, it leaves the nearest whole one in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Exponential function, relative error below 1e-5, for arguments clamped to [-87, 80].
///
/// # Source
/// Range reduction to 2^i * 2^f with |f| <= 1/2 and the Taylor polynomial of 2^f; the rounding by
/// adding 1.5 * 2^23 is the classical trick described in Cephes and in Schraudolph, Neural
/// Computation 11 (1999).
#[inline(always)]
pub(crate) fn exp<V: Vector>(x: V) -> V {
    let all = V::splat;
    let clamped = x.smaller(all(80.0)).larger(all(-87.0));
    let t = clamped * all(std::f32::consts::LOG2_E);
    let rounded = t + all(ROUND);
    let f = (t - (rounded - all(ROUND))) * all(std::f32::consts::LN_2);
    let mut series = all(1.0 / 120.0);
    series = all(1.0 / 24.0) + f * series;
    series = all(1.0 / 6.0) + f * series;
    series = all(0.5) + f * series;
    series = all(1.0) + f * series;
    series = all(1.0) + f * series;
    series * rounded.power_of_two()
}

/// Natural logarithm of a positive, normal number; absolute error below 3e-7 relative to its size.
///
/// # Source
/// Mantissa in [sqrt(1/2), sqrt(2)) and the series of artanh, as in fdlibm's `e_logf.c`.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    const SQRT_HALF_BITS: i32 = 0x3f35_04f3;
    let shifted = x.to_bits() as i32 - SQRT_HALF_BITS;
    let exponent = (shifted >> 23) as f32;
    let mantissa = f32::from_bits(((shifted & 0x007f_ffff) + SQRT_HALF_BITS) as u32);
    let f = mantissa - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    exponent * std::f32::consts::LN_2 + 2.0 * s * (1.0 + z * (1.0 / 3.0 + z * (0.2 + z / 7.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wide::Plain;

    #[test]
    fn exp_follows_the_library() {
        for step in -870..800 {
            let x = step as f32 / 10.0 + 0.037;
            let exact = f64::from(x).exp();
            let found = exp(Plain::splat(x)).lanes()[3];
            assert!((f64::from(found) / exact - 1.0).abs() < 1e-5, "exp({x})");
        }
        assert!(exp(Plain::splat(NOWHERE)).lanes()[0] < 1e-36);
    }

    #[test]
    fn ln_follows_the_library() {
        for step in 1..4000 {
            let x = step as f32 * step as f32 * 0.37;
            let exact = f64::from(x).ln();
            assert!(
                (f64::from(ln(x)) - exact).abs() < 3e-7 * exact.abs().max(1.0),
                "ln({x})"
            );
        }
    }
}
