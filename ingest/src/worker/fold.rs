//! Folding a batch: three passes, so that the cache misses of all rows overlap.
//!
//! The first pass asks for what tells where clients are (the directory's buckets, the dictionary's
//! entries), the second reads it and asks for the lines, the third folds. While one row's line is
//! on its way, so are the others'.

use wire::batch::{Batch, ROW_BYTES, SHORT_ROW_BYTES};
use wire::limits::BATCH_BYTES_MAX;

use super::rows::{Measured, Named, Row, Times, check, for_each_row};
use crate::books::DropReason;
use crate::dictionary::{Dictionary, seconds};
use crate::line::Line;
use crate::machine::{Words, Work, run};
use crate::moment::Moment;
use crate::shard::Shard;
use crate::table::NOWHERE;

/// Most full rows of a datagram, and most short ones.
const ROWS_MAX: usize = BATCH_BYTES_MAX / ROW_BYTES + 1;
const SHORT_ROWS_MAX: usize = BATCH_BYTES_MAX / SHORT_ROW_BYTES + 1;

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
        if !self.batch.rows.is_empty() {
            folded += self.fold.fold_full::<W>(self.batch);
        }
        if !self.batch.short_rows.is_empty() {
            folded += self.fold.fold_short::<W>(self.batch);
        }
        folded
    }
}

impl<D: FnMut(DropReason)> Fold<'_, D> {
    /// Folds a batch; returns how many rows were folded.
    pub(super) fn fold(&mut self, batch: &Batch<'_>) -> u64 {
        if !batch.ranges.is_empty() {
            return self.fold_slowly(batch);
        }
        run(Plainly { fold: self, batch })
    }

    #[inline(always)]
    fn fold_full<W: Words>(&mut self, batch: &Batch<'_>) -> u64 {
        let now = Moment::from_us(self.now_us);
        let mut indices = [NOWHERE; ROWS_MAX];
        for row in batch.rows.raw() {
            self.shard.prefetch(Line::key_of(row.client()));
        }
        for (index, row) in indices.iter_mut().zip(batch.rows.raw()) {
            if Measured::from(row).is_plain(&self.times)
                && let Some(found) = self.shard.place(Line::key_of(row.client()), now)
            {
                self.shard.prefetch_line(found);
                *index = found;
            }
        }
        let mut folded = 0;
        for (index, row) in indices.into_iter().zip(batch.rows.raw()) {
            let measured = Measured::from(row);
            if index == NOWHERE {
                folded += self.fold_odd(Named::Full(row.client()), measured);
                continue;
            }
            let heard = Moment::from_us(self.times.heard_us(measured.age_ms));
            self.shard
                .fold_level::<W>(index, self.radio, measured.rssi_dbm(), heard);
            folded += 1;
        }
        if let Some(row) = self.follow
            && let Some(age_ms) = batch.rows.row(row).map(|row| row.age_ms)
        {
            self.follow_row(indices.get(row).copied().unwrap_or(NOWHERE), age_ms);
        }
        folded
    }

    #[inline(always)]
    fn fold_short<W: Words>(&mut self, batch: &Batch<'_>) -> u64 {
        let now_s = seconds(self.now_us);
        // Two arrays: one of pairs would be filled value by value, for every datagram.
        let mut indices = [NOWHERE; SHORT_ROWS_MAX];
        let mut marks = [0; SHORT_ROWS_MAX];
        for row in batch.short_rows.raw() {
            self.dictionary.prefetch(row.short_id());
        }
        let places = indices.iter_mut().zip(&mut marks);
        for ((index, mark), row) in places.zip(batch.short_rows.raw()) {
            if Measured::from(row).is_plain(&self.times)
                && let Some(entry) = self.dictionary.resolve(row.short_id(), now_s)
            {
                self.shard.prefetch_line(entry.index);
                (*index, *mark) = (entry.index, entry.mark);
            }
        }
        let mut folded = 0;
        let places = indices.iter().copied().zip(marks);
        for (place, row) in places.zip(batch.short_rows.raw()) {
            let measured = Measured::from(row);
            let heard = Moment::from_us(self.times.heard_us(measured.age_ms));
            if self
                .shard
                .fold_marked::<W>(place, self.radio, measured.rssi_dbm(), heard)
            {
                folded += 1;
            } else {
                folded += self.fold_odd(Named::Short(row.short_id()), measured);
            }
        }
        if let Some(row) = self
            .follow
            .and_then(|row| row.checked_sub(batch.rows.len()))
            && let Some(short_row) = batch.short_rows.row(row)
        {
            let index = indices.get(row).copied().unwrap_or(NOWHERE);
            let mark = marks.get(row).copied().unwrap_or(0);
            if self.shard.bears(index, mark) {
                self.follow_row(index, short_row.age_ms());
            }
        }
        folded
    }

    fn follow_row(&mut self, index: u32, age_ms: u16) {
        if index != NOWHERE {
            let heard_us = self.times.heard_us(age_ms);
            self.shard.follow(index, self.radio, heard_us);
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

    /// Folds a batch with ranges row by row.
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
