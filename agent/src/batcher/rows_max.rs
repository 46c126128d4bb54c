//! How many rows a datagram takes, of which kind.

use wire::batch::{AIR_BYTES, RANGE_BYTES, ROW_BYTES, SHORT_ROW_BYTES, rows_max, short_rows_max};

/// How many rows surely fit a datagram, with an entry for channel and noise floor.
///
/// Room is counted in parts of a datagram that both kinds of rows take a whole number of.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowsMax {
    full: usize,
    short: usize,
    /// Bytes for rows and ranges when there are short rows.
    bytes: usize,
    with_ranges: usize,
}

impl RowsMax {
    /// At most `rows` of either kind, even if more fit.
    pub(super) fn new(datagram_bytes_max: usize, rows: usize) -> Self {
        let short = short_rows_max(datagram_bytes_max, false);
        Self {
            full: rows_max(datagram_bytes_max, false).min(rows),
            short: short.min(rows),
            bytes: short * SHORT_ROW_BYTES,
            with_ranges: rows_max(datagram_bytes_max, true).min(rows),
        }
    }

    /// Parts of a whole datagram.
    pub(super) fn datagram(&self) -> usize {
        self.full * self.short
    }

    /// Parts that a row takes, with its range.
    #[inline]
    pub(super) fn row(&self, is_short: bool, has_range: bool) -> usize {
        let row = if is_short { self.full } else { self.short };
        let range = (self.full * RANGE_BYTES).div_ceil(SHORT_ROW_BYTES);
        row + if has_range { range } else { 0 }
    }

    /// Observations of this mix that fill so many datagrams.
    pub(super) fn observations(&self, full: usize, short: usize, datagrams: usize) -> usize {
        match full + short {
            0 => datagrams * self.full,
            count => {
                let parts = full * self.row(false, false) + short * self.row(true, false);
                datagrams * self.datagram() * count / parts
            }
        }
    }

    /// The fewest datagrams that take so many rows, dealt evenly, each with a range or none, if there
    /// are so many different channels and noise floors, those alike together.
    pub(super) fn batches(
        &self,
        full: usize,
        short: usize,
        with_ranges: bool,
        airs: usize,
    ) -> usize {
        let parts = full * self.row(false, with_ranges) + short * self.row(true, with_ranges);
        let mut batches = parts.div_ceil(self.datagram()).max(1);
        let fit = |batches| {
            let (full, short) = (full.div_ceil(batches), short.div_ceil(batches));
            self.fits(full, short, with_ranges, airs)
        };
        while !fit(batches) {
            batches += 1;
        }
        batches
    }

    fn fits(&self, full: usize, short: usize, with_ranges: bool, airs: usize) -> bool {
        match (short, with_ranges, airs) {
            (0, false, ..2) => full <= self.full,
            (0, true, ..2) => full <= self.with_ranges,
            _ => {
                let ranges = if with_ranges { full + short } else { 0 };
                // One has room already, and may be needed for the longer head of many.
                let entries = match airs {
                    ..2 => 0,
                    _ => airs.min(full) + airs.min(short),
                };
                let bytes = full * ROW_BYTES
                    + short * SHORT_ROW_BYTES
                    + ranges * RANGE_BYTES
                    + entries * AIR_BYTES;
                bytes <= self.bytes && full <= self.full && short <= self.short
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_datagrams_of_either_kind_are_filled() {
        let rows = RowsMax::new(1_400, usize::MAX);
        assert_eq!(rows.observations(7, 0, 10), 1_120);
        assert_eq!(rows.observations(0, 7, 10), 2_240);
        let batches = |full, short| rows.batches(full, short, false, 1);
        assert_eq!((batches(1_120, 0), batches(1_121, 0)), (10, 11));
        assert_eq!((batches(0, 2_240), batches(0, 2_241)), (10, 11));
        assert_eq!(rows.batches(670, 0, true, 1), 10);
        assert_eq!(batches(0, 0), 1);
    }

    #[test]
    fn channels_take_room_as_often_as_they_change() {
        let rows = RowsMax::new(1_400, usize::MAX);
        let batches = |full, short, airs| rows.batches(full, short, false, airs);
        assert_eq!((batches(1_120, 0, 1), batches(1_120, 0, 3)), (10, 11));
        assert_eq!(batches(1_110, 0, 3), 10);
        assert_eq!(
            (batches(1_120, 0, 5_000), batches(0, 2_240, 5_000)),
            (14, 17)
        );
        assert_eq!(batches(500, 500, 5_000), 10);
    }

    #[test]
    fn datagrams_can_be_kept_thin() {
        let rows = RowsMax::new(1_400, 1);
        assert_eq!(rows.observations(7, 7, 10), 10);
        assert_eq!(
            (rows.batches(9, 0, false, 1), rows.batches(0, 9, false, 9)),
            (9, 9)
        );
        assert_eq!(rows.batches(9, 9, false, 1), 18);
    }

    #[test]
    fn what_was_dealt_evenly_fits() {
        for bytes_max in [1_000, 1_200, 1_373, 1_400] {
            let rows = RowsMax::new(bytes_max, usize::MAX);
            for (full, short) in [(1, 1), (5, 900), (480, 840), (900, 5), (959, 1)] {
                let batches = rows.batches(full, short, false, 1);
                let bytes =
                    full.div_ceil(batches) * ROW_BYTES + short.div_ceil(batches) * SHORT_ROW_BYTES;
                assert!(bytes + wire::batch::HEADER_BYTES_MAX + 2 * 3 + 2 + AIR_BYTES <= bytes_max);
                let parts = full * rows.row(false, false) + short * rows.row(true, false);
                assert!(
                    batches <= parts.div_ceil(rows.datagram()) + 1,
                    "{full} {short}"
                );
            }
        }
    }
}
