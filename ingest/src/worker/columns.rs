//! A batch's rows in columns, sixteen at a time, and where the lines of their clients are.

use wire::batch::{NOT_MEASURED, RawRow, RawShortRow};

use super::rows::{Measured, Named, Times};
use crate::dictionary::{Dictionary, seconds};
use crate::line::Line;
use crate::machine::{GROUP, Words};
use crate::moment::Moment;
use crate::shard::Shard;
use crate::table::NOWHERE;

/// A row that names its client in some way, and lies in two columns of a datagram.
pub(super) trait Naming: Copy {
    /// What it has in the first and in the second column.
    type First: Copy;
    /// See [`Naming::First`].
    type Second: Copy;

    /// Whether it names its client by a number, so that the line which is found may meanwhile be
    /// that of another client.
    const MAY_BE_ANOTHER: bool;

    /// What stands in for a row where there is none: it is not plain.
    const NOBODY: (Self::First, Self::Second);

    /// The row with these.
    fn of(first: Self::First, second: Self::Second) -> Self;

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

impl Naming for RawRow {
    type First = [u8; 8];
    type Second = [u8; 4];

    const MAY_BE_ANOTHER: bool = false;

    const NOBODY: ([u8; 8], [u8; 4]) = ([0; 8], [0, 0, 0, NOT_MEASURED.cast_unsigned()]);

    #[inline(always)]
    fn of(client: [u8; 8], word: [u8; 4]) -> Self {
        Self::new(client, word)
    }

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
    type First = [u8; 4];
    type Second = [u8; 2];

    const MAY_BE_ANOTHER: bool = true;

    const NOBODY: ([u8; 4], [u8; 2]) = ([0, 0, 0, NOT_MEASURED.cast_unsigned()], [0; 2]);

    #[inline(always)]
    fn of(word: [u8; 4], tail: [u8; 2]) -> Self {
        Self::new(word, tail)
    }

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

/// The rows of one kind of a batch.
#[derive(Debug)]
pub(super) struct Columns<'a, R: Naming> {
    firsts: &'a [R::First],
    seconds: &'a [R::Second],
    /// The last few, which do not fill a group.
    last: ([R::First; GROUP], [R::Second; GROUP]),
}

/// Sixteen rows of one kind, in columns; some of the last group do not exist.
#[derive(Debug)]
pub(super) struct Group<'a, R: Naming> {
    firsts: &'a [R::First; GROUP],
    seconds: &'a [R::Second; GROUP],
}

impl<'a, R: Naming> Columns<'a, R> {
    /// As the datagram has them: as many of the ones as of the others.
    #[inline(always)]
    pub(super) fn new((firsts, seconds): (&'a [R::First], &'a [R::Second])) -> Self {
        let (first, second) = R::NOBODY;
        let mut last = ([first; GROUP], [second; GROUP]);
        let ((_, few), (_, few_seconds)) =
            (firsts.as_chunks::<GROUP>(), seconds.as_chunks::<GROUP>());
        last.0[..few.len()].copy_from_slice(few);
        last.1[..few_seconds.len()].copy_from_slice(few_seconds);
        Self {
            firsts,
            seconds,
            last,
        }
    }

    /// Rows.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.firsts.len()
    }

    /// The rows one by one.
    #[inline(always)]
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = R> + Clone + use<'a, R> {
        let rows = self.firsts.iter().zip(self.seconds);
        rows.map(|(first, second)| R::of(*first, *second))
    }

    /// The rows of a group.
    #[inline(always)]
    pub(super) fn group(&self, group: usize) -> Group<'_, R> {
        let firsts = self.firsts.as_chunks().0.get(group);
        let seconds = self.seconds.as_chunks().0.get(group);
        Group {
            firsts: firsts.unwrap_or(&self.last.0),
            seconds: seconds.unwrap_or(&self.last.1),
        }
    }
}

impl<R: Naming> Group<'_, R> {
    /// The row of a lane.
    #[inline(always)]
    pub(super) fn row(&self, lane: usize) -> R {
        R::of(self.firsts[lane], self.seconds[lane])
    }

    /// Something of each row: a loop of which the compiler makes vectors.
    #[inline(always)]
    fn each<T: Copy + Default>(&self, of: impl Fn(R) -> T) -> [T; GROUP] {
        let mut all = [T::default(); GROUP];
        for (lane, one) in all.iter_mut().enumerate() {
            *one = of(self.row(lane));
        }
        all
    }

    /// The numbers by which they name clients.
    #[inline(always)]
    pub(super) fn numbers(&self) -> [u32; GROUP] {
        self.each(R::number)
    }

    /// Which of them say no more than a signal strength of a client.
    #[inline(always)]
    pub(super) fn are_plain(&self, times: &Times) -> [bool; GROUP] {
        self.each(|row| row.measured().is_plain(times))
    }

    /// Signal strengths.
    #[inline(always)]
    pub(super) fn rssi_dbm(&self) -> [i8; GROUP] {
        self.each(|row| row.measured().rssi_dbm())
    }

    /// When each was heard.
    #[inline(always)]
    pub(super) fn heard(&self, times: &Times) -> [Moment; GROUP] {
        self.each(|row| times.heard(row.measured().age_ms))
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
