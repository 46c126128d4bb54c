//! Folding into several lines at once: what is the same for all is vectors, not a loop.
//!
//! Only where a line stands is looked up one by one. Rows that are not like most are left to
//! [`Line::fold`].

use super::dial::Dial;
use super::{BASED_AT_BIT, Line, MARK_BIT, RADIO, SLOTS, has_news, level_of, merged};
use crate::machine::{GROUP, Words};
use crate::moment::Moment;

/// What one radio heard of several clients, each in a lane.
#[derive(Debug)]
pub(crate) struct Sightings<'a> {
    /// Index of the radio in the site.
    pub(crate) radio: u16,
    /// Signal strengths.
    pub(crate) rssi_dbm: &'a [i8; GROUP],
    /// When each was heard.
    pub(crate) heard: &'a [Moment; GROUP],
    /// The mark that each line must bear, if it is only believed to be the client's.
    pub(crate) marks: Option<&'a [u16; GROUP]>,
}

impl Sightings<'_> {
    /// Folds each lane into its line; returns a bit for each lane that was not: its line bears
    /// another mark, has no slot of the radio, or lies idle since long before.
    #[inline(always)]
    pub(crate) fn fold_into<W: Words>(&self, lines: [&mut Line; GROUP], dial: &Dial) -> u32 {
        let (mut based_at, mut marks, mut slots) = ([0; GROUP], [0; GROUP], [0; GROUP]);
        let mut words = [0; GROUP];
        for lane in 0..GROUP {
            let line = &*lines[lane];
            let slot = W::equal(&line.words, RADIO, u32::from(self.radio)).trailing_zeros();
            slots[lane] = slot;
            words[lane] = line.words[slot as usize % SLOTS];
            based_at[lane] = line.head::<W>(BASED_AT_BIT);
            if self.marks.is_some() {
                marks[lane] = line.head::<W>(MARK_BIT);
            }
        }
        let mut odd = [0; GROUP];
        for lane in 0..GROUP {
            let based_at = Moment(based_at[lane]);
            let has_slot = slots[lane] < SLOTS as u32;
            // Of a line with news, one that is past is folded like others, with the last stamp.
            let is_past = dial.is_past(self.heard[lane], based_at) & !has_news(words[lane]);
            let bears = self.marks.is_none_or(|wanted| marks[lane] == wanted[lane]);
            odd[lane] = u32::from(!has_slot | is_past | !bears);
            let stamp = dial.stamp_by_counting(self.heard[lane], based_at);
            words[lane] = merged(words[lane], level_of(self.rssi_dbm[lane]), stamp);
        }
        let odd = W::equal(&odd, 1, 1);
        for (lane, line) in lines.into_iter().enumerate() {
            if odd == 0 || odd >> lane & 1 == 0 {
                line.words[slots[lane] as usize % SLOTS] = words[lane];
            }
        }
        odd
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::{Plain, Work, run};

    const NOW: Moment = Moment(60_000);
    const RADIO: u16 = 5;

    struct Together<'a> {
        sightings: &'a Sightings<'a>,
        lines: &'a mut [Line; GROUP],
        dial: &'a Dial,
    }

    impl Work for Together<'_> {
        type Outcome = u32;

        #[inline(always)]
        fn work<W: Words>(self) -> u32 {
            self.sightings
                .fold_into::<W>(self.lines.each_mut(), self.dial)
        }
    }

    /// What a line has been through: its own radio's observations and others', each with a time,
    /// and when a fix used it.
    #[derive(Debug, Clone)]
    struct Past {
        heard: Vec<(u16, i8, i16)>,
        used: Option<i16>,
        heard_since: Vec<(u16, i8, i16)>,
        free: bool,
    }

    fn past() -> impl Strategy<Value = Past> {
        let heard = || prop::collection::vec((0u16..20, -120i8..=10, -900i16..200), 0..24);
        let used = prop::option::of(-300i16..100);
        (heard(), used, heard(), prop::bool::weighted(0.05)).prop_map(
            |(heard, used, heard_since, free)| Past {
                heard,
                used,
                heard_since,
                free,
            },
        )
    }

    fn line(key: u64, past: &Past, dial: &Dial) -> Line {
        if past.free {
            return Line::EMPTY;
        }
        let mut line = Line::new(key, NOW.after(-400));
        for (radio, rssi_dbm, steps) in &past.heard {
            line.fold(*radio, *rssi_dbm, NOW.after(*steps), dial);
        }
        if let Some(steps) = past.used {
            line.mark_used(NOW.after(steps), dial);
        }
        for (radio, rssi_dbm, steps) in &past.heard_since {
            line.fold(*radio, *rssi_dbm, NOW.after(*steps), dial);
        }
        line
    }

    proptest! {
        /// Together, and the lanes left over alone, is the same bits as all alone.
        #[test]
        fn lines_folded_together_are_those_folded_alone(
            pasts in prop::collection::vec(past(), GROUP),
            rssi_dbm in prop::array::uniform16(-120i8..=10),
            steps in prop::array::uniform16(-700i16..200),
            stale in prop::array::uniform16(prop::bool::weighted(0.1)),
            marked in any::<bool>(),
            fix_hz in prop::sample::select(vec![0.1, 1.0, 4.0]),
        ) {
            let dial = Dial::new(fix_hz);
            let before: [Line; GROUP] =
                std::array::from_fn(|lane| line(lane as u64 + 1, &pasts[lane], &dial));
            let marks = std::array::from_fn(|lane| {
                Line::mark_of(lane as u64 + 1) ^ if stale[lane] { 0x100 } else { 0 }
            });
            let heard = steps.map(|steps| NOW.after(steps));
            let sightings = Sightings {
                radio: RADIO,
                rssi_dbm: &rssi_dbm,
                heard: &heard,
                marks: marked.then_some(&marks),
            };
            let alone = |line: &mut Line, lane: usize| {
                if !marked || line.mark() == marks[lane] {
                    line.fold(RADIO, rssi_dbm[lane], heard[lane], &dial);
                }
            };
            let mut expected = before;
            for (lane, line) in expected.iter_mut().enumerate() {
                alone(line, lane);
            }
            for wide in [false, true] {
                let mut lines = before;
                let together = Together { sightings: &sightings, lines: &mut lines, dial: &dial };
                let odd = if wide { run(together) } else { together.work::<Plain>() };
                for (lane, line) in lines.iter_mut().enumerate() {
                    if odd >> lane & 1 != 0 {
                        prop_assert_eq!(line.words, before[lane].words, "left as it was");
                        alone(line, lane);
                    }
                    prop_assert_eq!(line.words, expected[lane].words, "lane {}", lane);
                }
            }
        }
    }

    #[test]
    fn ordinary_lanes_are_all_folded_at_once() {
        let dial = Dial::new(1.0);
        let mut lines: [Line; GROUP] = std::array::from_fn(|lane| {
            let mut line = Line::new(lane as u64 + 1, NOW);
            line.fold(RADIO, -50, NOW, &dial);
            line
        });
        let sightings = Sightings {
            radio: RADIO,
            rssi_dbm: &[-60; GROUP],
            heard: &[NOW; GROUP],
            marks: None,
        };
        let odd = sightings.fold_into::<Plain>(lines.each_mut(), &dial);
        assert_eq!(odd, 0);
        assert!(lines.iter().all(|line| line.observations() == 2));
    }
}
