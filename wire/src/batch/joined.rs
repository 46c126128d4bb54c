//! What a batch says of an observation apart from its row.

use super::Batch;
use super::air::{Air, Airs};
use super::ranges::Ranges;
use crate::observation::Range;

/// Finds air and range of observations that are asked for in ascending order.
#[derive(Debug)]
pub(super) struct Joined<'a> {
    airs: Airs<'a>,
    next_air: usize,
    /// What holds from the entry before that on.
    air: Air,
    ranges: Ranges<'a>,
    next_range: usize,
}

impl<'a> Joined<'a> {
    pub(super) fn new(batch: &Batch<'a>) -> Self {
        Self {
            airs: batch.airs,
            next_air: 0,
            air: Air::UNKNOWN,
            ranges: batch.ranges,
            next_range: 0,
        }
    }

    /// Air and range of the observation with this index.
    pub(super) fn of(&mut self, index: usize) -> (Air, Option<Range>) {
        while let Some((_, air)) = self.airs.get(self.next_air).filter(|(at, _)| *at <= index) {
            self.air = air;
            self.next_air += 1;
        }
        let mut found = None;
        while let Some((at, range)) = self
            .ranges
            .get(self.next_range)
            .filter(|(at, _)| *at <= index)
        {
            found = (at == index).then_some(range);
            self.next_range += 1;
        }
        (self.air, found)
    }
}
