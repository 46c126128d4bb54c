//! Packing observations into datagrams.

use super::msgpack::{bin_bytes, put_array, put_bin_head, put_uint};
use super::ranges::{self, RANGE_BYTES};
use super::rows::{ROW_BYTES, Row};
use super::{BATCH_VERSION, Header, ITEMS};
use crate::limits::BATCH_BYTES_MAX;
use crate::observation::Observation;

/// Most bytes before the first row: array, version, four integers of nine bytes, radio, head of the
/// rows.
pub const HEADER_BYTES_MAX: usize = 1 + 1 + 4 * 9 + 2 + BIN_HEAD_BYTES_MAX;

/// Most bytes of the head of a byte string that fits a batch.
const BIN_HEAD_BYTES_MAX: usize = 3;

// Heads of byte strings and the row index of a range are sixteen bits wide.
const _: () = assert!(BATCH_BYTES_MAX <= u16::MAX as usize);

/// How many rows surely fit into a datagram, whatever the numbers in its header.
///
/// `with_ranges` counts a range for each row.
pub const fn rows_max(datagram_bytes_max: usize, with_ranges: bool) -> usize {
    let bytes_max = shorter(datagram_bytes_max, BATCH_BYTES_MAX);
    if with_ranges {
        bytes_max.saturating_sub(HEADER_BYTES_MAX + BIN_HEAD_BYTES_MAX) / (ROW_BYTES + RANGE_BYTES)
    } else {
        bytes_max.saturating_sub(HEADER_BYTES_MAX) / ROW_BYTES
    }
}

const fn shorter(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// Packs observations into batches that never exceed a datagram.
#[derive(Debug, Clone, Copy)]
pub struct BatchWriter {
    bytes_max: usize,
}

impl BatchWriter {
    /// A writer for datagrams of at most this many bytes; above [`BATCH_BYTES_MAX`] that limit
    /// holds.
    pub fn new(datagram_bytes_max: usize) -> Self {
        Self {
            bytes_max: shorter(datagram_bytes_max, BATCH_BYTES_MAX),
        }
    }

    /// Replaces `out` by a batch of as many observations as fit, from the front.
    ///
    /// Returns how many were packed. 0 leaves `out` empty: there was nothing to pack, or the
    /// datagram is too small for a single one. Ages beyond a row's sixteen bits saturate
    /// ([`Row::new`]).
    ///
    /// # Panics
    /// When an observation is of another radio than the header: its row could not say so.
    pub fn encode(
        &self,
        header: &Header,
        observations: &[Observation],
        out: &mut Vec<u8>,
    ) -> usize {
        out.clear();
        put_header(out, header);
        let (rows, ranges) = count_fitting(observations, self.bytes_max.saturating_sub(out.len()));
        if rows == 0 {
            out.clear();
            return 0;
        }
        let packed = &observations[..rows];
        assert!(
            packed
                .iter()
                .all(|observation| observation.radio == header.radio),
            "a batch is of one radio"
        );
        put_bin_head(out, (rows * ROW_BYTES) as u16);
        for observation in packed {
            out.extend_from_slice(&Row::new(observation, header.sent_us).to_bytes());
        }
        if ranges > 0 {
            // The head of an array of at most 15 items holds their number in its low bits.
            out[0] += 1;
            put_bin_head(out, (ranges * RANGE_BYTES) as u16);
            for (row_index, observation) in (0..).zip(packed) {
                if let Some(range) = &observation.range {
                    out.extend_from_slice(&ranges::to_bytes(row_index, range));
                }
            }
        }
        debug_assert!(out.len() <= self.bytes_max);
        rows
    }
}

fn put_header(out: &mut Vec<u8>, header: &Header) {
    put_array(out, ITEMS as u8);
    put_uint(out, u64::from(BATCH_VERSION));
    put_uint(out, header.session.0);
    put_uint(out, header.sequence);
    put_uint(out, header.first_observation);
    put_uint(out, header.sent_us);
    put_uint(out, u64::from(header.radio));
}

/// How many observations fit into `room` bytes, and how many of these have a range.
fn count_fitting(observations: &[Observation], room: usize) -> (usize, usize) {
    let mut fitting = (0, 0);
    for observation in observations {
        let rows = fitting.0 + 1;
        let ranges = fitting.1 + usize::from(observation.range.is_some());
        let range_bytes = if ranges == 0 {
            0
        } else {
            bin_bytes(ranges * RANGE_BYTES)
        };
        if bin_bytes(rows * ROW_BYTES) + range_bytes > room {
            break;
        }
        fitting = (rows, ranges);
    }
    fitting
}
