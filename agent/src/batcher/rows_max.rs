//! How many rows a datagram takes, of which kind.

use wire::batch::{RANGE_BYTES, ROW_BYTES, SHORT_ROW_BYTES, rows_max, short_rows_max};

/// How many rows surely fit a datagram.
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

    /// Parts that a row takes. A range takes as many bytes as a short row.
    #[inline]
    pub(super) fn row(&self, is_short: bool, has_range: bool) -> usize {
        let row = if is_short { self.full } else { self.short };
        let range = if has_range { self.full } else { 0 };
        row + range
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

    /// The fewest datagrams that take so many rows, dealt evenly, each with a range or none.
    pub(super) fn batches(&self, full: usize, short: usize, with_ranges: bool) -> usize {
        let parts = full * self.row(false, with_ranges) + short * self.row(true, with_ranges);
        let mut batches = parts.div_ceil(self.datagram()).max(1);
        while !self.fits(full.div_ceil(batches), short.div_ceil(batches), with_ranges) {
            batches += 1;
        }
        batches
    }

    fn fits(&self, full: usize, short: usize, with_ranges: bool) -> bool {
        match (short, with_ranges) {
            (0, false) => full <= self.full,
            (0, true) => full <= self.with_ranges,
            _ => {
                let ranges = if with_ranges { full + short } else { 0 };
                let bytes = full * ROW_BYTES + short * SHORT_ROW_BYTES + ranges * RANGE_BYTES;
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
        assert_eq!(rows.observations(7, 0, 10), 960);
        assert_eq!(rows.observations(0, 7, 10), 1_680);
        assert_eq!(
            (rows.batches(960, 0, false), rows.batches(961, 0, false)),
            (10, 11)
        );
        assert_eq!(
            (rows.batches(0, 1_680, false), rows.batches(0, 1_681, false)),
            (10, 11)
        );
        assert_eq!(rows.batches(610, 0, true), 10);
        assert_eq!(rows.batches(0, 0, false), 1);
    }

    #[test]
    fn datagrams_can_be_kept_thin() {
        let rows = RowsMax::new(1_400, 1);
        assert_eq!(rows.observations(7, 7, 10), 10);
        assert_eq!(
            (rows.batches(9, 0, false), rows.batches(0, 9, false)),
            (9, 9)
        );
        assert_eq!(rows.batches(9, 9, false), 18);
    }

    #[test]
    fn what_was_dealt_evenly_fits() {
        for bytes_max in [1_000, 1_200, 1_373, 1_400] {
            let rows = RowsMax::new(bytes_max, usize::MAX);
            for (full, short) in [(1, 1), (5, 900), (480, 840), (900, 5), (959, 1)] {
                let batches = rows.batches(full, short, false);
                let bytes =
                    full.div_ceil(batches) * ROW_BYTES + short.div_ceil(batches) * SHORT_ROW_BYTES;
                assert!(bytes + wire::batch::HEADER_BYTES_MAX + 6 <= bytes_max);
                let parts = full * rows.row(false, false) + short * rows.row(true, false);
                assert!(
                    batches <= parts.div_ceil(rows.datagram()) + 1,
                    "{full} {short}"
                );
            }
        }
    }
}
