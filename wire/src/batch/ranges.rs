//! The ranges of a batch: eight little-endian bytes for each row that has one.

use std::fmt;

use super::DecodeError;
use crate::observation::Range;

/// Bytes of one range.
pub const RANGE_BYTES: usize = 8;

/// The deviation that stands for "not stated".
const NOT_STATED: u16 = u16::MAX;

/// The ranges of one batch, borrowed: row indices ascend and name existing rows.
#[derive(Clone, Copy, Default)]
pub struct Ranges<'a> {
    ranges: &'a [[u8; RANGE_BYTES]],
}

impl<'a> Ranges<'a> {
    pub(super) fn new(bytes: &'a [u8], row_count: usize) -> Result<Self, DecodeError> {
        let (ranges, []) = bytes.as_chunks() else {
            return Err(DecodeError::RangeBytes);
        };
        let mut next_row = 0;
        for range in ranges {
            let row_index = row_index(range);
            if row_index < next_row || row_index >= row_count {
                return Err(DecodeError::RangeIndex);
            }
            next_row = row_index + 1;
        }
        Ok(Self { ranges })
    }

    /// Number of ranges.
    #[inline]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// There are no ranges.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The range with this number, as [`Ranges::iter`] gives it.
    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<(usize, Range)> {
        let bytes = self.ranges.get(number)?;
        Some((row_index(bytes), from_bytes(bytes)))
    }

    /// Row index and range, in ascending order of the index.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, Range)> + use<'a> {
        self.ranges
            .iter()
            .map(|bytes| (row_index(bytes), from_bytes(bytes)))
    }
}

impl fmt::Debug for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[inline]
fn row_index(&[i0, i1, ..]: &[u8; RANGE_BYTES]) -> usize {
    usize::from(u16::from_le_bytes([i0, i1]))
}

#[inline]
fn from_bytes(&[_, _, d0, d1, d2, d3, s0, s1]: &[u8; RANGE_BYTES]) -> Range {
    let deviation_mm = u16::from_le_bytes([s0, s1]);
    Range {
        distance_mm: i32::from_le_bytes([d0, d1, d2, d3]),
        deviation_mm: (deviation_mm != NOT_STATED).then_some(deviation_mm),
    }
}

/// The range of a row as it lies in a datagram. A deviation of 65,535 mm becomes 65,534.
pub(super) fn to_bytes(row_index: u16, range: &Range) -> [u8; RANGE_BYTES] {
    let deviation_mm = range
        .deviation_mm
        .map_or(NOT_STATED, |stated| stated.min(NOT_STATED - 1));
    let [i0, i1] = row_index.to_le_bytes();
    let [d0, d1, d2, d3] = range.distance_mm.to_le_bytes();
    let [s0, s1] = deviation_mm.to_le_bytes();
    [i0, i1, d0, d1, d2, d3, s0, s1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_their_ends() {
        let range = |distance_mm, deviation_mm| Range {
            distance_mm,
            deviation_mm,
        };
        let cases = [
            (range(0, None), range(0, None)),
            (range(i32::MIN, Some(0)), range(i32::MIN, Some(0))),
            (
                range(i32::MAX, Some(u16::MAX)),
                range(i32::MAX, Some(u16::MAX - 1)),
            ),
        ];
        for (written, read) in cases {
            assert_eq!(from_bytes(&to_bytes(9, &written)), read, "{written:?}");
            assert_eq!(row_index(&to_bytes(9, &written)), 9);
        }
    }
}
