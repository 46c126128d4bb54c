//! Gaussians in few bits: what a track stores between two fixes.
//!
//! Variances keep twelve significant bits, correlations fifteen: far finer than the model behind
//! them, and a worker remembers a million clients in half the memory.

use nalgebra::{Matrix2, Vector2};

use super::motion::State;

/// A variance, five bits of exponent above eleven of fraction: 2^-14 to 2^18, anything else becomes
/// the nearer of the two. As square metres that is 8 mm to 500 m of deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Variance(u16);

impl Variance {
    const FRACTION_BITS: u32 = 11;
    /// Bits of a single's fraction that are not kept.
    const LEFT_OUT_BITS: u32 = f32::MANTISSA_DIGITS - 1 - Self::FRACTION_BITS;
    /// What the least variance would be as a code, if singles were codes.
    const LEAST: u32 = (127 - 14) << Self::FRACTION_BITS;

    fn new(variance: f32) -> Self {
        // Not `clamp`: of NaN this makes the least.
        let within = variance
            .max(Self(0).value())
            .min(Self(u16::MAX).value())
            .to_bits();
        let rounded = (within + (1 << (Self::LEFT_OUT_BITS - 1))) >> Self::LEFT_OUT_BITS;
        Self((rounded - Self::LEAST) as u16)
    }

    fn value(self) -> f32 {
        f32::from_bits((u32::from(self.0) + Self::LEAST) << Self::LEFT_OUT_BITS)
    }

    fn deviation(self) -> f32 {
        self.value().sqrt()
    }
}

/// The nearest whole number, the farthest there is for what lies beyond. Not `round`: without the
/// instruction, which not all machines have, that is a call.
pub(super) fn whole(number: f32) -> i16 {
    // A cast from a float saturates.
    (number + 0.5_f32.copysign(number)) as i16
}

/// A correlation in parts of 32,768: never quite 1, so that no covariance becomes singular.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Correlation(i16);

impl Correlation {
    const STEPS: f32 = 32_768.0;

    /// Of two quantities with this covariance and these deviations.
    fn new(covariance: f32, a: Variance, b: Variance) -> Self {
        let steps = covariance / (a.deviation() * b.deviation()) * Self::STEPS;
        Self(whole(steps).max(-i16::MAX))
    }

    fn covariance(self, a: Variance, b: Variance) -> f32 {
        f32::from(self.0) / Self::STEPS * a.deviation() * b.deviation()
    }
}

/// A covariance of two quantities; the default stands for none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct PackedCovariance {
    variances: [Variance; 2],
    correlation: Correlation,
}

impl PackedCovariance {
    pub(super) fn new(covariance: &Matrix2<f64>) -> Self {
        let [x, y] = [covariance.m11, covariance.m22].map(|value| Variance::new(value as f32));
        Self {
            variances: [x, y],
            correlation: Correlation::new(covariance.m12 as f32, x, y),
        }
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn matrix(&self) -> Matrix2<f64> {
        let [x, y] = self.variances;
        let both = f64::from(self.correlation.covariance(x, y));
        Matrix2::new(x.value().into(), both, both, y.value().into())
    }
}

/// A [`State`] in 32 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct PackedState {
    position_m: [f32; 2],
    /// Millimetres per second: half a step moves a client by 1.5 mm before it is forgotten.
    velocity: [i16; 2],
    covariance: PackedCovariance,
    velocity_covariance: PackedCovariance,
    /// Of position and velocity, by rows.
    cross: [Correlation; 4],
}

impl PackedState {
    pub(super) fn new(state: &State) -> Self {
        let covariance = PackedCovariance::new(&state.covariance);
        let velocity_covariance = PackedCovariance::new(&state.velocity_covariance);
        let ([px, py], [vx, vy]) = (covariance.variances, velocity_covariance.variances);
        let cross = &state.cross;
        let correlation =
            |value: f64, position, velocity| Correlation::new(value as f32, position, velocity);
        Self {
            position_m: [state.position.x as f32, state.position.y as f32],
            velocity: [state.velocity.x, state.velocity.y].map(|v| whole((v * 1e3) as f32)),
            covariance,
            velocity_covariance,
            cross: [
                correlation(cross.m11, px, vx),
                correlation(cross.m12, px, vy),
                correlation(cross.m21, py, vx),
                correlation(cross.m22, py, vy),
            ],
        }
    }

    pub(super) fn state(&self) -> State {
        let ([px, py], [vx, vy]) = (
            self.covariance.variances,
            self.velocity_covariance.variances,
        );
        let [xx, xy, yx, yy] = self.cross;
        let covariance = |correlation: Correlation, position, velocity| {
            f64::from(correlation.covariance(position, velocity))
        };
        State {
            position: self.position_m.map(f64::from).into(),
            velocity: Vector2::from(self.velocity.map(|v| f64::from(v) * 1e-3)),
            covariance: self.covariance.matrix(),
            cross: Matrix2::new(
                covariance(xx, px, vx),
                covariance(xy, px, vy),
                covariance(yx, py, vx),
                covariance(yy, py, vy),
            ),
            velocity_covariance: self.velocity_covariance.matrix(),
        }
    }
}

const _: () = assert!(size_of::<PackedState>() == 32);

#[cfg(test)]
mod tests {
    use nalgebra::Point2;

    use super::*;

    #[test]
    fn variances_keep_twelve_bits_within_their_bounds() {
        let (least, most) = (2_f32.powi(-14), 2_f32.powi(18));
        let mut variance = least;
        while variance < most * 0.999 {
            let kept = Variance::new(variance).value();
            assert!(
                (kept / variance - 1.0).abs() <= 1.0 / 4096.0,
                "{kept} for {variance}"
            );
            variance *= 1.0137;
        }
        assert_eq!(Variance::new(0.0).value(), least);
        assert_eq!(Variance::new(f32::NAN).value(), least);
        assert_eq!(Variance::new(f32::INFINITY), Variance(u16::MAX));
    }

    #[test]
    fn a_covariance_stays_positive_however_narrow() {
        for (xx, xy, yy) in [(1.0, 1.0, 1.0), (4.0, -5.0, 4.0), (1e-9, 0.0, 1e9)] {
            let kept = PackedCovariance::new(&Matrix2::new(xx, xy, xy, yy)).matrix();
            assert!(kept.determinant() > 0.0, "{kept}");
        }
        assert!(PackedCovariance::default().is_none());
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = State {
            position: Point2::new(-12.345, 678.9),
            velocity: Vector2::new(1.234, -0.5),
            covariance: Matrix2::new(3.0, -1.1, -1.1, 2.0),
            cross: Matrix2::new(0.5, -0.2, 0.1, 0.4),
            velocity_covariance: Matrix2::new(0.4, 0.1, 0.1, 0.3),
        };
        let kept = PackedState::new(&state).state();
        assert!((kept.position - state.position).norm() < 1e-4);
        assert!((kept.velocity - state.velocity).norm() < 1e-3);
        assert!((kept.covariance - state.covariance).norm() < 2e-3);
        assert!((kept.cross - state.cross).norm() < 4e-4);
        assert!((kept.velocity_covariance - state.velocity_covariance).norm() < 3e-4);
        // What was rounded once is not rounded again.
        assert_eq!(PackedState::new(&kept), PackedState::new(&state));
    }
}
