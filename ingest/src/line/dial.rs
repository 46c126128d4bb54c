//! Times in few bits: what the stamp of a slot means.
//!
//! A line knows one moment exactly, that of its last fix (`based_at`). A slot heard since then says
//! when by its distance from that moment; one heard before says how old it was.

use crate::moment::Moment;

/// Stamps of a slot with news: five bits.
const STAMPS: usize = 32;

/// Distances of a slot heard since the last fix, in steps of the dial. An interval takes sixteen
/// steps. What was heard before the fix but arrived after it, as agents send in bursts, has a place
/// too, the coarser the earlier.
const DISTANCES: [i16; STAMPS] = [
    -150, -100, -70, -50, -36, -27, -20, -15, -11, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7,
    8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/// Stamps whose distances are more than one step from the next; from the first of the others on,
/// stamps and distances run alike.
const COARSE: usize = 11;
const NEAR_MIN: i32 = DISTANCES[COARSE] as i32;
const NEAR_MAX: i32 = DISTANCES[STAMPS - 1] as i32;

/// Where each stamp from the second to that of [`NEAR_MIN`] begins: what is nearer to it than to
/// the one before.
const BEGINS: [i32; COARSE] = {
    let mut begins = [0; COARSE];
    let mut stamp = 0;
    while stamp < COARSE {
        begins[stamp] = (DISTANCES[stamp] as i32 + DISTANCES[stamp + 1] as i32).div_euclid(2) + 1;
        stamp += 1;
    }
    begins
};

/// Where distance 0 lies in the table of stamps.
const ZERO: i32 = 224;

/// Least step of the dial: 66 ms, so that a second's delay of an agent can be told at any rate of
/// fixes.
const STEP_MIN: u16 = 4;

/// The stamps of slots heard since the last fix, for one rate of fixes.
#[derive(Debug)]
pub struct Dial {
    /// Steps of [`Moment`] per step of the dial, and 65,536 parts of its inverse.
    step: i16,
    inverse: i32,
    /// Steps of [`Moment`] that the last stamp still tells.
    steps_max: i16,
    /// Stamp by distance in steps of the dial.
    stamps: [u8; 256],
}

impl Dial {
    /// The dial for so many fixes per second.
    pub fn new(fix_hz: f64) -> Self {
        let interval = Moment::from_us((1e6 / fix_hz).clamp(1.0, 60e6) as u64).0;
        let step = interval.div_ceil(16).max(STEP_MIN);
        let stamps = std::array::from_fn(|index| {
            let distance = index as i32 - ZERO;
            let apart = |stamp: &usize| (i32::from(DISTANCES[*stamp]) - distance).abs();
            (0..STAMPS).min_by_key(apart).unwrap_or(0) as u8
        });
        Self {
            step: step as i16,
            inverse: i32::from(u16::MAX / step) + 1,
            steps_max: 17 * step as i16,
            stamps,
        }
    }

    /// The stamp of a moment; one too far away gets the nearest.
    #[inline]
    pub(super) fn stamp(&self, heard: Moment, based_at: Moment) -> u32 {
        let steps = (i32::from(heard.signed_steps_since(based_at)) * self.inverse) >> 16;
        let index = (steps + ZERO).clamp(0, 255);
        u32::from(self.stamps[index as usize])
    }

    /// As [`Dial::stamp`], by arithmetic alone: what vectors do for many at once.
    #[inline(always)]
    pub(super) fn stamp_by_counting(&self, heard: Moment, based_at: Moment) -> u32 {
        let steps = (i32::from(heard.signed_steps_since(based_at)) * self.inverse) >> 16;
        let near = steps.clamp(NEAR_MIN, NEAR_MAX) - NEAR_MIN + COARSE as i32;
        let missed = BEGINS
            .iter()
            .fold(0, |missed, begins| missed + i32::from(steps < *begins));
        (near - missed) as u32
    }

    /// The moment of a stamp: the middle of what it stands for.
    #[inline]
    pub(super) fn moment(&self, stamp: u32, based_at: Moment) -> Moment {
        let distance = DISTANCES[stamp as usize % STAMPS];
        based_at.after(
            distance
                .saturating_mul(self.step)
                .saturating_add(self.step / 2),
        )
    }

    /// Whether a moment lies so long after `based_at` that no stamp tells it.
    #[inline]
    pub(super) fn is_past(&self, heard: Moment, based_at: Moment) -> bool {
        heard.signed_steps_since(based_at) > self.steps_max
    }
}

/// Stamp of a slot heard before the last fix, in [`OLD_STAMP_BITS`]: how many ticks before, with the
/// length of the tick.
///
/// A tick is 2^e times 33 ms. Stamps below 32 count the shortest ticks; above, e and a count from
/// 16 to 31 add up. Ticks lie on one grid for all slots and the longer ones are whole sums of the
/// shorter, so that ageing a slot again and again, fix after fix, adds no error. `None` beyond the
/// longest, some 65 s.
pub(super) fn stamp_of_old(heard: Moment, based_at: Moment) -> Option<u32> {
    if based_at.signed_steps_since(heard) <= 0 {
        return Some(0);
    }
    (0..=EXPONENT_MAX).find_map(|exponent| {
        let shift = TICK_SHIFT + exponent;
        let ticks = (based_at.0 >> shift).wrapping_sub(heard.0 >> shift) & (u16::MAX >> shift);
        let ticks = u32::from(ticks);
        (ticks < 2 * TICKS_MIN).then_some(TICKS_MIN * exponent + ticks)
    })
}

/// The moment of an old slot's stamp: the middle of its tick.
#[inline]
pub(super) fn moment_of_old(stamp: u32, based_at: Moment) -> Moment {
    let exponent = (stamp / TICKS_MIN).saturating_sub(1);
    let ticks = stamp - TICKS_MIN * exponent;
    let shift = TICK_SHIFT + exponent;
    let began = (based_at.0 >> shift).wrapping_sub(ticks as u16) << shift;
    let middle = Moment(began + (1 << (shift - 1)));
    if ticks == 0 { based_at } else { middle }
}

/// Bits of an old slot's stamp.
pub(super) const OLD_STAMP_BITS: u32 = 7;

/// The shortest tick is two steps of [`Moment`], the longest 2^6 times as long.
const TICK_SHIFT: u32 = 1;
const EXPONENT_MAX: u32 = 6;

/// Fewest ticks of a length before a shorter one tells the age better.
const TICKS_MIN: u32 = 16;

const _: () = assert!(TICKS_MIN * (EXPONENT_MAX + 2) == 1 << OLD_STAMP_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: f32 = 61.035;

    #[test]
    fn a_dial_tells_an_interval_and_a_burst_before_it() {
        for fix_hz in [0.2, 1.0, 4.0] {
            let dial = Dial::new(fix_hz);
            let interval = (SECOND / fix_hz as f32) as i16;
            for steps in -9 * 61..interval {
                let based_at = Moment(100);
                let heard = based_at.after(steps);
                let told = dial.moment(dial.stamp(heard, based_at), based_at);
                let error = told.signed_steps_since(heard).unsigned_abs();
                let early = (3 * dial.step / 2).max((0.21 * f32::from(-steps)) as i16);
                let bound = if steps < 0 { early } else { dial.step / 2 + 1 };
                assert!(error <= bound as u16, "{fix_hz} Hz, {steps} steps: {error}");
            }
        }
    }

    #[test]
    fn later_is_never_stamped_earlier() {
        let dial = Dial::new(1.0);
        let based_at = Moment(60_000);
        let stamps = (-5_000..5_000).map(|steps| dial.stamp(based_at.after(steps), based_at));
        assert!(stamps.is_sorted());
    }

    #[test]
    fn stamps_by_counting_are_those_of_the_table() {
        let based_at = Moment(60_000);
        for fix_hz in [0.02, 0.2, 1.0, 4.0] {
            let dial = Dial::new(fix_hz);
            for steps in i16::MIN..=i16::MAX {
                let heard = based_at.after(steps);
                let counted = dial.stamp_by_counting(heard, based_at);
                assert_eq!(counted, dial.stamp(heard, based_at), "{fix_hz} Hz, {steps}");
            }
        }
    }

    #[test]
    fn a_slot_aged_every_second_is_as_old_as_one_left_alone() {
        for start in (0..=u16::MAX).step_by(97) {
            let heard = Moment(start);
            let mut told = heard;
            for second in 1..=60 {
                let now = heard.after((second as f32 * SECOND) as i16);
                let stamp = stamp_of_old(told, now).expect("a minute can be told");
                told = moment_of_old(stamp, now);
                let age = f32::from(now.0.wrapping_sub(heard.0));
                let error = f32::from(told.signed_steps_since(heard)).abs();
                assert!(
                    error <= 0.04 * age.max(50.0),
                    "{start}: age {age}, error {error}"
                );
            }
        }
    }

    #[test]
    fn what_is_silent_for_too_long_has_no_stamp() {
        let heard = Moment(777);
        assert!(stamp_of_old(heard, heard.after((62.0 * SECOND) as i16)).is_some());
        assert!(stamp_of_old(heard, heard.after((68.0 * SECOND) as i16)).is_none());
        assert_eq!(stamp_of_old(heard, heard.after(-5)), Some(0));
    }
}
