//! Ranges of those clients that have any: a second line beside the first.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use locate::RangeReading;

use crate::limits::RADIOS_PER_CLIENT_MAX;
use crate::moment::Moment;

/// The last range to each of a client's radios.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeSlot {
    pub(crate) radio: u16,
    pub(crate) reading: RangeReading,
    pub(crate) heard: Moment,
    pub(crate) fresh: u8,
}

/// Ranges by client key.
#[derive(Debug, Default)]
pub(crate) struct RangeLines(HashMap<u64, Vec<RangeSlot>, FixedState>);

impl RangeLines {
    /// Keeps a range: the newest to each radio, the stalest gives way to one radio too many.
    pub(crate) fn fold(&mut self, key: u64, radio: u16, reading: RangeReading, heard: Moment) {
        let slots = self
            .0
            .entry(key)
            .or_insert_with(|| Vec::with_capacity(RADIOS_PER_CLIENT_MAX));
        let new = RangeSlot {
            radio,
            reading,
            heard,
            fresh: 1,
        };
        if let Some(slot) = slots.iter_mut().find(|slot| slot.radio == radio) {
            let fresh = slot.fresh.saturating_add(1);
            *slot = RangeSlot { fresh, ..new };
        } else if slots.len() < RADIOS_PER_CLIENT_MAX {
            slots.push(new);
        } else if let Some(stalest) = slots.iter_mut().max_by_key(|s| heard.steps_since(s.heard)) {
            *stalest = new;
        }
    }

    /// Whether no client has any.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges of a client.
    pub(crate) fn slots(&self, key: u64) -> &[RangeSlot] {
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// A fix has used them.
    pub(crate) fn mark_used(&mut self, key: u64) {
        for slot in self.0.get_mut(&key).into_iter().flatten() {
            slot.fresh = 0;
        }
    }

    /// Forgets ranges older than `steps`; says whether the client has none left.
    pub(crate) fn expire(&mut self, key: u64, now: Moment, steps: u16) -> bool {
        let Some(slots) = self.0.get_mut(&key) else {
            return true;
        };
        slots.retain(|slot| now.steps_since(slot.heard) <= steps);
        if !slots.is_empty() {
            return false;
        }
        self.0.remove(&key);
        true
    }

    /// Forgets a client's ranges.
    pub(crate) fn forget(&mut self, key: u64) {
        self.0.remove(&key);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
