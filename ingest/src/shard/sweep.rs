//! The sweep: every client with news gets its fix once per interval, a slice of them at a time.

use locate::Fix;
use wire::ClientId;

use super::Shard;
use super::gather::{gather, gather_older};
use crate::limits::SLICES;
use crate::line::silence_steps;
use crate::moment::Moment;
use crate::outlet::{Outlet, SentFix};
use crate::question::ClientWindow;

/// Neighbours that are swept together: memory is read in order, and the next block is on its way
/// while this one is solved.
const BLOCK_LEN: u32 = 64;

/// From the beginning of a block to that of the next in its slice.
const STRIDE: u32 = BLOCK_LEN * SLICES as u32;

/// Where the sweep stands. Slice s of round k is due at `began + (k + s / SLICES) / fix_hz`.
///
/// A slice has every [`SLICES`]th block of indices, so a client stays in its slice for life.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    began_us: Option<u64>,
    slices_done: u64,
    /// The index in the present slice from which to go on.
    next: Option<u32>,
    rounds_skipped: u64,
}

/// What may still be done before reception gets its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Fixes.
    pub(crate) solves: usize,
    /// Lines to look at.
    pub(crate) lines: usize,
}

impl Budget {
    const ENDLESS: Self = Self {
        solves: usize::MAX,
        lines: usize::MAX,
    };

    /// Whether nothing more may be done.
    pub(crate) fn is_spent(&self) -> bool {
        self.solves == 0 || self.lines == 0
    }
}

enum Visit {
    Solved,
    Quiet,
}

impl Shard {
    /// Rounds of the sweep that were skipped because the worker was busy for longer than a round.
    pub fn rounds_skipped(&self) -> u64 {
        self.sweep.rounds_skipped
    }

    /// Sweeps what is due, as far as the budget goes.
    pub(crate) fn sweep_due(&mut self, now_us: u64, budget: &mut Budget, out: &mut Outlet) {
        self.sweep_slices(now_us, budget, out);
        out.flush();
    }

    fn sweep_slices(&mut self, now_us: u64, budget: &mut Budget, out: &mut Outlet) {
        self.swept_at_us = Some(now_us);
        let began = *self.sweep.began_us.get_or_insert(now_us);
        let rounds = now_us.saturating_sub(began) as f64 * 1e-6 * self.config.fix_hz;
        let due = (rounds * SLICES as f64) as u64;
        let behind = due.saturating_sub(self.sweep.slices_done);
        if behind > SLICES as u64 {
            let skipped = (behind - 1) / SLICES as u64;
            self.sweep.slices_done += skipped * SLICES as u64;
            self.sweep.rounds_skipped += skipped;
        }
        while self.sweep.slices_done < due {
            let slice = (self.sweep.slices_done % SLICES as u64) as u32;
            if !self.sweep_slice(slice, now_us, budget, out) {
                return;
            }
            self.sweep.slices_done += 1;
        }
    }

    /// Sweeps every client at once: a replay's clock has reached the end of an interval.
    pub(crate) fn sweep_all(&mut self, now_us: u64, out: &mut Outlet) {
        self.swept_at_us = Some(now_us);
        for slice in 0..SLICES as u32 {
            self.sweep_slice(slice, now_us, &mut Budget::ENDLESS.clone(), out);
        }
        out.flush();
    }

    /// Sweeps a slice from where it was left; says whether it is through.
    fn sweep_slice(
        &mut self,
        slice: u32,
        now_us: u64,
        budget: &mut Budget,
        out: &mut Outlet,
    ) -> bool {
        let mut index = self
            .sweep
            .next
            .take()
            .unwrap_or(first_block(slice) * BLOCK_LEN);
        while index < self.table.indices_end() {
            let block = index - index % BLOCK_LEN;
            if index == block {
                self.prefetch_block(block);
            }
            while index < block + BLOCK_LEN {
                if budget.is_spent() {
                    self.sweep.next = Some(index);
                    return false;
                }
                if let Visit::Solved = self.visit(index, now_us, out) {
                    budget.solves -= 1;
                }
                budget.lines -= 1;
                index += 1;
            }
            index = block + STRIDE;
        }
        true
    }

    /// Has the next block's lines fetched, and the tracks of this one's clients with news.
    fn prefetch_block(&self, block: u32) {
        for index in block..block + BLOCK_LEN {
            self.table.prefetch_line(index + STRIDE);
            if self.table.line(index).is_some_and(|line| line.is_fresh()) {
                self.table.prefetch_track(index);
            }
        }
    }

    #[inline]
    fn visit(&mut self, index: u32, now_us: u64, out: &mut Outlet) -> Visit {
        let Some(line) = self.table.line(index) else {
            return Visit::Quiet;
        };
        if line.is_free() {
            return Visit::Quiet;
        }
        if line.is_fresh() || self.has_fresh_range(index) {
            self.solve(index, now_us, out);
            return Visit::Solved;
        }
        let now = Moment::from_us(now_us);
        if line.is_silent(now) {
            self.forget(index, now);
        }
        Visit::Quiet
    }

    #[inline]
    fn has_fresh_range(&self, index: u32) -> bool {
        if self.ranges.is_empty() {
            return false;
        }
        let ranges = self.table.key(index).map(|key| self.ranges.slots(key));
        ranges.into_iter().flatten().any(|slot| slot.fresh > 0)
    }

    fn solve(&mut self, index: u32, now_us: u64, out: &mut Outlet) {
        let now = Moment::from_us(now_us);
        let Some(key) = self.table.key(index) else {
            return;
        };
        let Some((line, track)) = self.table.client_mut(index) else {
            return;
        };
        let ranges = self.ranges.slots(key);
        let sightings = &mut *self.sightings;
        let observations =
            line.observations() + ranges.iter().map(|s| u32::from(s.fresh)).sum::<u32>();
        let window_s = self.config.window_s;
        let len = gather(line, &self.dial, ranges, now, window_s, sightings);
        let watched = self.watches.want(key).then(|| {
            let older = gather_older(line, &self.dial, ranges, now, window_s);
            (older, *track)
        });
        line.mark_used(now, &self.dial);
        let fix = self
            .locator
            .locate(&sightings[..len], track, now_us as f64 * 1e-6)
            .map(|fix| Fix {
                observations,
                ..fix
            });
        if let Some((older, before)) = watched {
            self.watches.give(&ClientWindow {
                client: ClientId(key),
                sightings: sightings[..len].to_vec(),
                older,
                track_before: Some(before),
                track: *track,
                fix,
                at_us: now_us,
                model: self.locator.model().clone(),
            });
        }
        self.ranges.mark_used(key);
        self.ranges.expire(key, now, silence_steps());
        if let Some(fix) = fix {
            out.send(SentFix {
                site: self.site,
                client: ClientId(key),
                fix,
                sent_at_us: now_us,
            });
            self.probes.arrive(key, now_us, out);
        }
    }

    /// Forgets a client whose line is silent, unless there are ranges of it.
    #[cold]
    fn forget(&mut self, index: u32, now: Moment) {
        let Some(key) = self.table.key(index) else {
            return;
        };
        if self.ranges.expire(key, now, silence_steps()) {
            self.probes.forget(key);
            self.table.remove(index);
        }
    }
}

/// The first block of a slice. The blocks of a small site are far apart in time, so that its fixes
/// do not come all at once: the bits of the number are reversed.
fn first_block(slice: u32) -> u32 {
    slice.reverse_bits() >> (u32::BITS - SLICES.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_in_one_slice() {
        let mut firsts: Vec<u32> = (0..SLICES as u32).map(first_block).collect();
        assert_eq!(firsts[..4], [0, 128, 64, 192]);
        firsts.sort_unstable();
        assert!(firsts.into_iter().eq(0..SLICES as u32));
    }
}
