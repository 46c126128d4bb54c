//! Time in a line: two bytes.

/// Time in a line: steps of 16.384 ms that wrap after 18 minutes, longer than anything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment(pub(crate) u16);

/// Seconds per step of a [`Moment`].
const SECONDS_PER_STEP: f32 = 0.016_384;

impl Moment {
    /// The moment of a time in microseconds.
    #[inline]
    pub fn from_us(time_us: u64) -> Self {
        Self((time_us >> 14) as u16)
    }

    /// As [`Moment::from_us`], of the lower half of such a time: it tells all bits of a moment.
    #[inline]
    pub(crate) fn from_low_us(low_us: u32) -> Self {
        Self((low_us >> 14) as u16)
    }

    /// Steps from `earlier` to this moment; zero when `earlier` lies in the future.
    #[inline]
    pub fn steps_since(self, earlier: Self) -> u16 {
        let steps = self.0.wrapping_sub(earlier.0);
        if steps > u16::MAX - 0x1000 { 0 } else { steps }
    }

    /// Steps from `other` to this moment, negative when this one is earlier; both must lie within
    /// nine minutes of each other.
    #[inline]
    pub(crate) fn signed_steps_since(self, other: Self) -> i16 {
        self.0.wrapping_sub(other.0) as i16
    }

    /// The moment so many steps later, or earlier.
    #[inline]
    pub(crate) fn after(self, steps: i16) -> Self {
        Self(self.0.wrapping_add_signed(steps))
    }

    /// Seconds from `earlier` to this moment.
    #[inline]
    pub fn seconds_since(self, earlier: Self) -> f32 {
        f32::from(self.steps_since(earlier)) * SECONDS_PER_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_wraps_and_a_little_future_has_no_age() {
        let before_wrap = Moment(u16::MAX - 10);
        assert_eq!(Moment(5).steps_since(before_wrap), 16);
        assert_eq!(before_wrap.steps_since(Moment(5)), 0);
        assert_eq!(before_wrap.signed_steps_since(Moment(5)), -16);
        assert_eq!(before_wrap.after(16), Moment(5));
    }
}
