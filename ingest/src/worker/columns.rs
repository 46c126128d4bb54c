//! A batch's rows in columns, and where the lines of their clients are.

use wire::batch::{RawRow, RawShortRow};

use super::rows::{Measured, Named, Times};
use crate::dictionary::{Dictionary, seconds};
use crate::line::Line;
use crate::machine::{GROUP, Words};
use crate::moment::Moment;
use crate::shard::Shard;
use crate::table::NOWHERE;

/// A row that names its client in some way.
pub(super) trait Naming: Copy {
    /// Whether the line that is found may meanwhile be that of another client.
    const MAY_BE_ANOTHER: bool;

    /// Whom it names.
    fn named(self) -> Named;

    /// What it says else.
    fn measured(self) -> Measured;

    /// Tells the processor that [`Naming::find`] comes soon.
    fn ask(self, shard: &Shard, dictionary: &Dictionary);

    /// The number by which it names a client if it does so by a number, 0 otherwise.
    fn number(self) -> u32;

    /// The index and mark of the client's line.
    fn find<W: Words>(
        self,
        shard: &mut Shard,
        dictionary: &mut Dictionary,
        now_us: u64,
    ) -> Option<(u32, u16)>;
}

impl Naming for RawRow<'_> {
    const MAY_BE_ANOTHER: bool = false;

    #[inline(always)]
    fn named(self) -> Named {
        Named::Full(self.client())
    }

    #[inline(always)]
    fn measured(self) -> Measured {
        self.into()
    }

    #[inline(always)]
    fn number(self) -> u32 {
        0
    }

    #[inline(always)]
    fn ask(self, shard: &Shard, _: &Dictionary) {
        shard.prefetch(Line::key_of(self.client()));
    }

    #[inline(always)]
    fn find<W: Words>(
        self,
        shard: &mut Shard,
        _: &mut Dictionary,
        now_us: u64,
    ) -> Option<(u32, u16)> {
        let key = Line::key_of(self.client());
        let index = shard.place_in::<W>(key, Moment::from_us(now_us))?;
        Some((index, 0))
    }
}

impl Naming for RawShortRow {
    const MAY_BE_ANOTHER: bool = true;

    #[inline(always)]
    fn named(self) -> Named {
        Named::Short(self.short_id())
    }

    #[inline(always)]
    fn measured(self) -> Measured {
        self.into()
    }

    #[inline(always)]
    fn number(self) -> u32 {
        self.short_id()
    }

    #[inline(always)]
    fn ask(self, _: &Shard, dictionary: &Dictionary) {
        dictionary.prefetch(self.short_id());
    }

    #[inline(always)]
    fn find<W: Words>(
        self,
        _: &mut Shard,
        dictionary: &mut Dictionary,
        now_us: u64,
    ) -> Option<(u32, u16)> {
        let entry = dictionary.resolve(self.short_id(), seconds(now_us));
        entry.map(|entry| (entry.index, entry.mark))
    }
}

/// Where the lines of rows are, in groups of rows.
#[derive(Debug)]
pub(super) struct Places<const GROUPS: usize> {
    /// An index that does not exist where there is no line.
    pub(super) indices: [[u32; GROUP]; GROUPS],
    pub(super) marks: [[u16; GROUP]; GROUPS],
}

impl<const GROUPS: usize> Places<GROUPS> {
    /// No line of any row was found.
    #[inline(always)]
    pub(super) fn new() -> Self {
        // No two of a group are the same: rows without a line do not make it one of equals.
        let nowhere = std::array::from_fn(|lane| NOWHERE - lane as u32);
        Self {
            indices: [nowhere; GROUPS],
            marks: [[0; GROUP]; GROUPS],
        }
    }

    /// The index and mark found for a row.
    pub(super) fn place(&self, row: usize) -> (u32, u16) {
        let (group, lane) = (row / GROUP % GROUPS, row % GROUP);
        (self.indices[group][lane], self.marks[group][lane])
    }

    /// The index and mark found for each row.
    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        let indices = self.indices.as_flattened().iter().copied();
        indices.zip(self.marks.as_flattened().iter().copied())
    }

    /// Finds the lines of a whole group of rows that name clients by numbers, as most are: each was
    /// used in this second before. Says whether they are.
    #[inline(always)]
    pub(super) fn find_together<W: Words>(
        &mut self,
        group: usize,
        numbers: &[u32; GROUP],
        (shard, dictionary): (&mut Shard, &mut Dictionary),
        now_us: u64,
    ) -> bool {
        let Some(found) = dictionary.resolve_again::<W>(numbers, seconds(now_us)) else {
            return false;
        };
        for index in found.indices {
            shard.prefetch_line(index);
        }
        self.indices[group] = found.indices;
        self.marks[group] = found.marks;
        true
    }

    /// Finds the lines of those rows of a group that are plain and name clients by numbers.
    #[inline(always)]
    pub(super) fn find_each(
        &mut self,
        group: usize,
        (numbers, is_plain): (&[u32; GROUP], &[bool; GROUP]),
        (shard, dictionary): (&mut Shard, &mut Dictionary),
        now_us: u64,
    ) {
        for lane in 0..GROUP {
            if is_plain[lane]
                && let Some(found) = dictionary.resolve(numbers[lane], seconds(now_us))
            {
                shard.prefetch_line(found.index);
                self.indices[group][lane] = found.index;
                self.marks[group][lane] = found.mark;
            }
        }
    }

    /// Finds the lines of the rows from this group on that are plain, and tells the processor that
    /// they will be read.
    #[inline(always)]
    pub(super) fn find<W: Words, R: Naming>(
        &mut self,
        group: usize,
        rows: impl Iterator<Item = (R, bool)>,
        (shard, dictionary): (&mut Shard, &mut Dictionary),
        now_us: u64,
    ) {
        let indices = self.indices[group..].as_flattened_mut().iter_mut();
        let marks = self.marks[group..].as_flattened_mut().iter_mut();
        for ((index, mark), (row, is_plain)) in indices.zip(marks).zip(rows) {
            if is_plain && let Some(found) = row.find::<W>(shard, dictionary, now_us) {
                shard.prefetch_line(found.0);
                (*index, *mark) = found;
            }
        }
    }
}

/// What rows measured, in groups of rows.
#[derive(Debug)]
pub(super) struct Columns<const GROUPS: usize> {
    pub(super) rssi_dbm: [[i8; GROUP]; GROUPS],
    pub(super) heard: [[Moment; GROUP]; GROUPS],
    pub(super) is_plain: [[bool; GROUP]; GROUPS],
    /// The numbers of rows that name their clients by one.
    pub(super) numbers: [[u32; GROUP]; GROUPS],
}

impl<const GROUPS: usize> Columns<GROUPS> {
    /// What these rows measured. A loop for each column: the compiler makes vectors of them.
    #[inline(always)]
    pub(super) fn new<R: Naming>(rows: impl Iterator<Item = R> + Clone, times: Times) -> Self {
        let mut columns = Self {
            rssi_dbm: [[0; GROUP]; GROUPS],
            heard: [[Moment(0); GROUP]; GROUPS],
            is_plain: [[false; GROUP]; GROUPS],
            numbers: [[0; GROUP]; GROUPS],
        };
        if R::MAY_BE_ANOTHER {
            let numbers = columns.numbers.as_flattened_mut().iter_mut();
            for (number, row) in numbers.zip(rows.clone()) {
                *number = row.number();
            }
        }
        let rssi_dbm = columns.rssi_dbm.as_flattened_mut().iter_mut();
        for (rssi_dbm, row) in rssi_dbm.zip(rows.clone()) {
            *rssi_dbm = row.measured().rssi_dbm();
        }
        let heard = columns.heard.as_flattened_mut().iter_mut();
        for (heard, row) in heard.zip(rows.clone()) {
            *heard = Moment::from_us(times.heard_us(row.measured().age_ms));
        }
        let is_plain = columns.is_plain.as_flattened_mut().iter_mut();
        for (is_plain, row) in is_plain.zip(rows) {
            *is_plain = row.measured().is_plain(&times);
        }
        columns
    }
}
