//! How clients move: position and a velocity that forgets.

use nalgebra::{Matrix2, Point2, Vector2};

/// Constants of the motion.
///
/// The velocity is an Ornstein-Uhlenbeck process: a walker keeps on for some seconds, one who
/// stands still is soon believed to. A random walk on top takes up what it does not explain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    /// Standard deviation of the velocity along one axis, in m/s.
    pub(super) speed_m_per_s: f64,
    /// Time after which a velocity is forgotten, in seconds.
    pub(super) memory_s: f64,
    /// Random walk beside it, in metres per root second.
    pub(super) wander_m: f64,
}

impl Motion {
    /// People indoors: half of them sit, the others walk at 1.2 m/s between corners.
    pub(super) const WALK: Self = Self {
        speed_m_per_s: 0.7,
        memory_s: 3.0,
        wander_m: 0.2,
    };
}

/// Gaussian of position and velocity in the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub(super) position: Point2<f64>,
    pub(super) velocity: Vector2<f64>,
    pub(super) covariance: Matrix2<f64>,
    /// Of position and velocity.
    pub(super) cross: Matrix2<f64>,
    pub(super) velocity_covariance: Matrix2<f64>,
}

impl State {
    /// A state with a known place and an unknown velocity.
    pub(super) fn at(position: Point2<f64>, covariance: &Matrix2<f64>, motion: &Motion) -> Self {
        Self {
            position,
            velocity: Vector2::zeros(),
            covariance: *covariance,
            cross: Matrix2::zeros(),
            velocity_covariance: Matrix2::identity() * motion.speed_m_per_s.powi(2),
        }
    }

    /// Expected square of the velocity along one axis, in m^2/s^2.
    pub(super) fn power(&self) -> f64 {
        (self.velocity.norm_squared() + self.velocity_covariance.trace()) / 2.0
    }

    /// The state `passed_s` later.
    ///
    /// # Source
    /// Exact discretisation of the integrated Ornstein-Uhlenbeck process: Gillespie, Phys. Rev. E
    /// 54 (1996), equations 2.12; the same as the Singer model one derivative down.
    pub(super) fn predict(&self, motion: &Motion, passed_s: f64) -> Self {
        let decay = (-passed_s / motion.memory_s).exp();
        let reach_s = motion.memory_s * (1.0 - decay);
        let power = motion.speed_m_per_s.powi(2);
        let noise_velocity = power * (1.0 - decay * decay);
        let noise_cross = power * motion.memory_s * (1.0 - decay).powi(2);
        let noise_position = power
            * motion.memory_s.powi(2)
            * (2.0 * passed_s / motion.memory_s - 3.0 + 4.0 * decay - decay * decay)
            + motion.wander_m.powi(2) * passed_s;
        let (cross, velocity) = (self.cross, self.velocity_covariance);
        let identity = Matrix2::identity();
        Self {
            position: self.position + self.velocity * reach_s,
            velocity: self.velocity * decay,
            covariance: self.covariance
                + (cross + cross.transpose()) * reach_s
                + velocity * reach_s.powi(2)
                + identity * noise_position.max(0.0),
            cross: (cross + velocity * reach_s) * decay + identity * noise_cross,
            velocity_covariance: velocity * decay * decay + identity * noise_velocity,
        }
    }

    /// The state once the place is known to be Gaussian with this mean and covariance.
    ///
    /// The velocity given the place does not change, so both follow from the gain `K = C' P^-1`
    /// (Rauch, Tung and Striebel's smoothing step, AIAA Journal 3 (1965), with place as the later
    /// state).
    pub(super) fn condition(&self, position: Point2<f64>, covariance: &Matrix2<f64>) -> Self {
        let before = self.covariance;
        let Some(inverse) = before.try_inverse() else {
            return *self;
        };
        let gain = self.cross.transpose() * inverse;
        let shrink = gain * (covariance - before) * gain.transpose();
        Self {
            position,
            velocity: self.velocity + gain * (position - self.position),
            covariance: *covariance,
            cross: covariance * gain.transpose(),
            velocity_covariance: self.velocity_covariance + shrink,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOTION: Motion = Motion {
        speed_m_per_s: 0.7,
        memory_s: 3.0,
        wander_m: 0.2,
    };

    #[test]
    fn two_steps_are_one_step() {
        let start = State::at(
            Point2::new(3.0, -2.0),
            &Matrix2::new(2.0, 0.3, 0.3, 1.0),
            &MOTION,
        );
        let start = start
            .predict(&MOTION, 1.0)
            .condition(Point2::new(4.0, -2.0), &Matrix2::new(0.5, 0.0, 0.0, 0.4));
        let twice = start.predict(&MOTION, 0.7).predict(&MOTION, 1.3);
        let once = start.predict(&MOTION, 2.0);
        assert!((twice.position - once.position).norm() < 1e-5);
        assert!((twice.covariance - once.covariance).norm() < 1e-4);
        assert!((twice.cross - once.cross).norm() < 1e-4);
    }

    #[test]
    fn steady_steps_teach_a_velocity_and_silence_forgets_it() {
        let tight = Matrix2::identity() * 0.01;
        let mut state = State::at(Point2::origin(), &tight, &MOTION);
        for second in 1..20 {
            let place = Point2::new(f64::from(second), 0.0);
            state = state.predict(&MOTION, 1.0).condition(place, &tight);
        }
        assert!(
            (state.velocity.x - 0.9).abs() < 0.15,
            "{:?}",
            state.velocity
        );
        assert!(state.predict(&MOTION, 30.0).velocity.norm() < 1e-3);
    }

    #[test]
    fn uncertainty_never_shrinks_by_waiting() {
        let mut state = State::at(Point2::origin(), &Matrix2::identity(), &MOTION);
        for _ in 0..50 {
            let later = state.predict(&MOTION, 0.5);
            assert!(later.covariance.m11 >= state.covariance.m11);
            state = later;
        }
    }
}
