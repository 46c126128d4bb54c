//! Looking at a burst before it is dealt: what is due, and whether there is anything to spread.

use super::met::Met;
use super::{Queue, RowsMax, Waiting};

/// Which observations belong to a burst, from the front of the queue.
#[derive(Debug, Clone, Copy)]
pub(in crate::batcher) struct Due {
    /// So many, whenever they were heard.
    pub(in crate::batcher) at_least: usize,
    /// Further ones until the first that was heard later.
    pub(in crate::batcher) until_us: u64,
    /// Full datagrams that they may fill.
    pub(in crate::batcher) batches_max: usize,
}

/// What a burst is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::batcher) struct Mix {
    pub(in crate::batcher) full: usize,
    pub(in crate::batcher) short: usize,
}

/// What keeps a burst from being plain, whoever is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unlike {
    /// More than one radio heard it.
    pub(super) radios: bool,
    /// There are some with a range.
    pub(super) ranges: bool,
    /// There are several channels or noise floors.
    pub(super) airs: bool,
}

impl Unlike {
    pub(super) fn is_nothing(self) -> bool {
        !(self.radios | self.ranges | self.airs)
    }
}

/// A burst, seen once.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) mix: Mix,
    pub(super) heard_first_us: u64,
    pub(super) heard_last_us: u64,
    pub(super) unlike: Unlike,
    /// One of the short ids comes twice.
    pub(super) short_id_twice: bool,
}

impl Look {
    /// Gives those that are due their short ids, at most `count_max` and while there is `room` for
    /// their rows; at least to one.
    #[inline(always)]
    pub(super) fn at(
        queue: &mut Queue,
        due: &Due,
        (count_max, room): (usize, usize),
        rows_max: &RowsMax,
        met: &mut Met,
        mut short_id: impl FnMut(&Waiting) -> Option<u32>,
    ) -> Self {
        let first_marks = queue.get(0).map_or(0, Waiting::marks);
        let (mut heard_first_us, mut heard_last_us) = (u64::MAX, 0);
        let (mut used, mut count, mut short) = (0, 0, 0);
        let (mut differing, mut twice) = (0, false);
        let mut met = met.begin();
        for waiting in queue.range_mut(0..count_max.min(queue.len())) {
            // Read as they were written long ago, before the short id is.
            let (heard_at_us, its_marks) = (waiting.heard_at_us(), waiting.marks());
            if heard_at_us > due.until_us && count >= due.at_least {
                break;
            }
            let short_id = short_id(waiting);
            used += rows_max.row(short_id.is_some(), waiting.has_range());
            if used > room && count > 0 {
                break;
            }
            waiting.set_short_id(short_id);
            count += 1;
            if let Some(short_id) = short_id {
                short += 1;
                twice |= met.short_id_came(short_id);
            }
            heard_first_us = heard_first_us.min(heard_at_us);
            heard_last_us = heard_last_us.max(heard_at_us);
            differing |= its_marks ^ first_marks;
        }
        Self {
            mix: Mix {
                full: count - short,
                short,
            },
            heard_first_us,
            heard_last_us,
            unlike: Unlike {
                radios: Waiting::have_radio(differing),
                ranges: Waiting::have_range(first_marks | differing),
                airs: Waiting::have_air(differing),
            },
            short_id_twice: twice,
        }
    }
}
