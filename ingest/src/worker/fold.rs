//! Folding a batch: three steps, so that the cache misses of many rows overlap.
//!
//! The first asks for what tells where clients are (the directory's buckets, the dictionary's
//! entries), the second reads it and asks for the lines, the third folds. With wide vectors rows take
//! them in groups, each some groups ahead of the next step: while lines are on their way, others are
//! folded, sixteen at once.

use wire::batch::{Batch, ROW_BYTES, RawRow, RawShortRow, SHORT_ROW_BYTES};
use wire::limits::BATCH_BYTES_MAX;

use super::columns::{Columns, Group, Naming, Places};
use super::group::ROWS_FEW_MAX;
use super::rows::{Measured, Named, Row, Times, check, for_each_row};
use crate::books::DropReason;
use crate::dictionary::{Dictionary, seconds};
use crate::line::{Line, Sightings};
use crate::machine::{GROUP, Words, Work, run};
use crate::moment::Moment;
use crate::shard::{ALL_LANES, Shard};
use crate::table::NOWHERE;

/// Most groups of full rows in a datagram, and of short ones.
const GROUPS_MAX: usize = (BATCH_BYTES_MAX / ROW_BYTES).div_ceil(GROUP);
const SHORT_GROUPS_MAX: usize = (BATCH_BYTES_MAX / SHORT_ROW_BYTES).div_ceil(GROUP);

/// Groups that are asked for before they are looked up, and looked up before they are folded.
const ASK_AHEAD: usize = 2;
const FIND_AHEAD: usize = 2;

/// Fewest rows of a group that are cheaper together than one by one.
const TOGETHER_MIN: usize = 4;

/// What the rows of one batch go into, and what they have in common.
pub(super) struct Fold<'a, D> {
    pub(super) shard: &'a mut Shard,
    pub(super) dictionary: &'a mut Dictionary,
    pub(super) radio: u16,
    pub(super) times: Times,
    pub(super) now_us: u64,
    /// The row to follow to its fix.
    pub(super) follow: Option<usize>,
    /// Books a row that is dropped.
    pub(super) drop_row: D,
}

/// A batch without ranges and what it goes into, for the machine's widest vectors.
struct Plainly<'f, 'a, 'b, D> {
    fold: &'f mut Fold<'a, D>,
    batch: &'b Batch<'b>,
}

impl<D: FnMut(DropReason)> Work for Plainly<'_, '_, '_, D> {
    type Outcome = u64;

    #[inline(always)]
    fn work<W: Words>(self) -> u64 {
        let mut folded = 0;
        let (rows, short_rows) = (self.batch.rows, self.batch.short_rows);
        if !rows.is_empty() {
            let columns = Columns::<RawRow>::new(rows.columns());
            folded += self.fold.fold_rows::<W, _, GROUPS_MAX>(&columns, 0);
        }
        if !short_rows.is_empty() {
            let columns = Columns::<RawShortRow>::new(short_rows.columns());
            let first = rows.len();
            folded += self
                .fold
                .fold_rows::<W, _, SHORT_GROUPS_MAX>(&columns, first);
        }
        folded
    }
}

impl<D: FnMut(DropReason)> Fold<'_, D> {
    /// Folds a batch; returns how many rows were folded.
    pub(super) fn fold(&mut self, batch: &Batch<'_>) -> u64 {
        if !batch.ranges.is_empty() || batch.len() <= ROWS_FEW_MAX {
            return self.fold_slowly(batch);
        }
        run(Plainly { fold: self, batch })
    }

    /// Folds full or short rows, the first of which has this number in the batch.
    #[inline(always)]
    fn fold_rows<W: Words, R: Naming, const N: usize>(
        &mut self,
        columns: &Columns<'_, R>,
        first: usize,
    ) -> u64 {
        let mut places = Places::<N>::new();
        let folded = if W::IS_WIDE {
            self.fold_in_groups::<W, R, N>(columns, &mut places)
        } else {
            self.fold_in_passes::<W, R, N>(columns, &mut places)
        };
        if let Some(number) = self.follow.and_then(|row| row.checked_sub(first))
            && let Some(row) = columns.rows().nth(number)
        {
            let (index, mark) = places.place(number);
            if !R::MAY_BE_ANOTHER || self.shard.bears(index, mark) {
                let heard_us = self.times.heard_us(row.measured().age_ms);
                self.shard.follow(index, self.radio, heard_us);
            }
        }
        folded
    }

    /// Takes all rows through one step before the next, each alone: without wide vectors, groups
    /// only cost.
    #[inline(always)]
    fn fold_in_passes<W: Words, R: Naming, const N: usize>(
        &mut self,
        columns: &Columns<'_, R>,
        places: &mut Places<N>,
    ) -> u64 {
        let rows = columns.rows();
        for row in rows.clone() {
            row.ask(self.shard, self.dictionary);
        }
        let times = self.times;
        let checked = rows.clone();
        let checked = checked.map(|row| (row, row.measured().is_plain(&times)));
        let tables = (&mut *self.shard, &mut *self.dictionary);
        places.find::<W, R>(0, checked, tables, self.now_us);
        let mut folded = 0;
        for (place, row) in places.iter().zip(rows) {
            let measured = row.measured();
            let heard = self.times.heard(measured.age_ms);
            folded += if self.fold_at::<W, R>(place, measured.rssi_dbm(), heard) {
                1
            } else {
                self.fold_odd(row.named(), measured)
            };
        }
        folded
    }

    /// Takes rows through the steps in groups, each some ahead of the next.
    #[inline(always)]
    fn fold_in_groups<W: Words, R: Naming, const N: usize>(
        &mut self,
        columns: &Columns<'_, R>,
        places: &mut Places<N>,
    ) -> u64 {
        let groups = columns.len().div_ceil(GROUP).min(N);
        for group in 0..ASK_AHEAD.min(groups) {
            self.ask_group(&columns.group(group));
        }
        let mut folded = 0;
        for group in 0..groups + FIND_AHEAD {
            if group < groups {
                if group + ASK_AHEAD < groups {
                    self.ask_group(&columns.group(group + ASK_AHEAD));
                }
                self.find_group::<W, R, N>(&columns.group(group), places, group);
            }
            if let Some(group) = group.checked_sub(FIND_AHEAD) {
                let lanes = (columns.len() - group * GROUP).min(GROUP);
                let rows = columns.group(group);
                folded += self.fold_group::<W, R, N>(&rows, lanes, places, group);
            }
        }
        folded
    }

    /// Tells the processor that the lines of a group of rows will be looked for.
    #[inline(always)]
    fn ask_group<R: Naming>(&self, rows: &Group<'_, R>) {
        if R::MAY_BE_ANOTHER {
            for number in rows.numbers() {
                self.dictionary.prefetch(number);
            }
        } else {
            for lane in 0..GROUP {
                rows.row(lane).ask(self.shard, self.dictionary);
            }
        }
    }

    /// Finds the lines of a group of rows: together if all are plain and go by numbers, or else one
    /// by one.
    #[inline(always)]
    fn find_group<W: Words, R: Naming, const N: usize>(
        &mut self,
        rows: &Group<'_, R>,
        places: &mut Places<N>,
        group: usize,
    ) {
        let are_plain = rows.are_plain(&self.times);
        if R::MAY_BE_ANOTHER && are_plain == [true; GROUP] {
            let tables = (&mut *self.shard, &mut *self.dictionary);
            if places.find_together::<W>(group, &rows.numbers(), tables, self.now_us) {
                return;
            }
        }
        // Of rows beyond the last one, none is plain.
        let rows = (0..GROUP).map(|lane| (rows.row(lane), are_plain[lane]));
        let tables = (&mut *self.shard, &mut *self.dictionary);
        places.find::<W, R>(group, rows, tables, self.now_us);
    }

    /// Folds the first so many of a group of rows: together those that can be, the others alone.
    #[inline(always)]
    fn fold_group<W: Words, R: Naming, const N: usize>(
        &mut self,
        rows: &Group<'_, R>,
        lanes: usize,
        places: &Places<N>,
        group: usize,
    ) -> u64 {
        let (rssi_dbm, heard) = (rows.rssi_dbm(), rows.heard(&self.times));
        let (indices, marks) = (&places.indices[group], &places.marks[group]);
        let mut left = ALL_LANES;
        if lanes >= TOGETHER_MIN {
            let sightings = Sightings {
                radio: self.radio,
                rssi_dbm: &rssi_dbm,
                heard: &heard,
                marks: R::MAY_BE_ANOTHER.then_some(marks),
            };
            left = self.shard.fold_together::<W>(indices, &sightings);
        }
        left &= ALL_LANES >> (GROUP - lanes);
        let mut folded = lanes as u64;
        if left != 0 {
            for lane in (0..lanes).filter(|lane| left >> lane & 1 != 0) {
                let place = (indices[lane], marks[lane]);
                if !self.fold_at::<W, R>(place, rssi_dbm[lane], heard[lane]) {
                    let row = rows.row(lane);
                    folded -= 1;
                    folded += self.fold_odd(row.named(), row.measured());
                }
            }
        }
        folded
    }

    /// Folds one row; false when it is left to [`Fold::fold_odd`].
    #[inline(always)]
    fn fold_at<W: Words, R: Naming>(
        &mut self,
        place: (u32, u16),
        rssi_dbm: i8,
        heard: Moment,
    ) -> bool {
        let (shard, radio) = (&mut *self.shard, self.radio);
        if R::MAY_BE_ANOTHER {
            shard.fold_marked::<W>(place, radio, rssi_dbm, heard)
        } else {
            shard.fold_level::<W>(place.0, radio, rssi_dbm, heard)
        }
    }

    /// A row that is not plain or whose client has no place: a beacon, or it is dropped.
    #[cold]
    fn fold_odd(&mut self, named: Named, measured: Measured) -> u64 {
        match check(named, measured, None, &self.times) {
            Ok(row) => self.fold_row(row).map_or(0, |_| 1),
            Err(reason) => {
                (self.drop_row)(reason);
                0
            }
        }
    }

    /// Folds a batch with ranges, or of few rows, row by row.
    fn fold_slowly(&mut self, batch: &Batch<'_>) -> u64 {
        let mut folded = 0;
        for_each_row(batch, &self.times.clone(), |i, row| {
            let row = match row {
                Ok(row) => row,
                Err(reason) => return (self.drop_row)(reason),
            };
            if let Some(index) = self.fold_row(row) {
                folded += 1;
                if self.follow == Some(i) && index != NOWHERE {
                    self.shard.follow(index, self.radio, row.heard_us);
                }
            }
        });
        folded
    }

    /// Folds any row; returns the index of its client, [`NOWHERE`] for a beacon, or books why it is
    /// dropped.
    fn fold_row(&mut self, row: Row) -> Option<u32> {
        let folded = match row.named {
            Named::Full(client) if row.is_beacon => {
                let known = self.shard.fold_beacon(&row.beacon(client, self.radio));
                if known {
                    Ok(NOWHERE)
                } else {
                    Err(DropReason::Beacon)
                }
            }
            Named::Full(client) => {
                let now = Moment::from_us(self.now_us);
                let place = self.shard.place(Line::key_of(client), now);
                place.ok_or(DropReason::Clients)
            }
            // Short ids are of clients; an access point has none.
            Named::Short(_) if row.is_beacon => Err(DropReason::Beacon),
            Named::Short(short_id) => self.index_of(short_id).ok_or(DropReason::ShortId),
        };
        let index = match folded {
            Ok(index) => index,
            Err(reason) => {
                (self.drop_row)(reason);
                return None;
            }
        };
        if let Some((key, _)) = self.shard.key_and_mark(index) {
            self.shard.fold(index, &row.reading(key, self.radio));
        }
        Some(index)
    }

    /// The index of the client that a short id stands for.
    fn index_of(&mut self, short_id: u32) -> Option<u32> {
        let entry = self.dictionary.resolve(short_id, seconds(self.now_us))?;
        if !self.shard.bears(entry.index, entry.mark) {
            // Its line was forgotten; used again and again, the entry would never grow old.
            self.dictionary.forget(short_id);
            return None;
        }
        Some(entry.index)
    }
}

#[cfg(test)]
mod tests;
