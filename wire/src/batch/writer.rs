//! Packing observations into datagrams.

use std::borrow::Borrow;

use super::air::{self, AIR_BYTES, Air};
use super::msgpack::{put_array, put_bin_head, put_uint};
use super::packed::{Packed, Shape, Stretches};
use super::ranges::{self, RANGE_BYTES};
use super::reading::Reading;
use super::rows::{ROW_BYTES, RawRow};
use super::short_rows::{RawShortRow, SHORT_ID_MAX, SHORT_ROW_BYTES};
use super::{
    BATCH_VERSION, Header, ITEMS, ITEMS_WITH_AIR, ITEMS_WITH_RANGES, ITEMS_WITH_SHORT_ROWS,
};
use crate::id::ClientId;
use crate::limits::BATCH_BYTES_MAX;
use crate::observation::Observation;

/// Most bytes before the first row: array, version, four integers of nine bytes, radio, head of the
/// rows.
pub const HEADER_BYTES_MAX: usize = 1 + 1 + 4 * 9 + 2 + BIN_HEAD_BYTES_MAX;

/// Most bytes of the head of a byte string that fits a batch.
pub(super) const BIN_HEAD_BYTES_MAX: usize = 3;

/// Bytes of the head of a short byte string.
const BIN_HEAD_BYTES: usize = 2;

/// Bytes of an air of one entry.
const ONE_AIR_BYTES: usize = BIN_HEAD_BYTES + AIR_BYTES;

/// Most bytes of a batch besides its rows, short rows, ranges and further entries of the air.
const OTHER_BYTES_MAX: usize = HEADER_BYTES_MAX + 2 * BIN_HEAD_BYTES_MAX + ONE_AIR_BYTES;

/// The same of one with rows only.
const OTHER_BYTES_OF_ROWS_MAX: usize = HEADER_BYTES_MAX + 2 * BIN_HEAD_BYTES + ONE_AIR_BYTES;

// Heads of byte strings and the row indices of ranges and air are sixteen bits wide.
const _: () = assert!(BATCH_BYTES_MAX <= u16::MAX as usize);

/// How many rows surely fit into a datagram, whatever the numbers in its header, if channel and
/// noise floor are the same for all.
///
/// `with_ranges` counts a range for each row. A change of channel or noise floor takes
/// [`AIR_BYTES`].
pub const fn rows_max(datagram_bytes_max: usize, with_ranges: bool) -> usize {
    let bytes_max = shorter(datagram_bytes_max, BATCH_BYTES_MAX);
    if with_ranges {
        bytes_max.saturating_sub(OTHER_BYTES_MAX) / (ROW_BYTES + RANGE_BYTES)
    } else {
        bytes_max.saturating_sub(OTHER_BYTES_OF_ROWS_MAX) / ROW_BYTES
    }
}

/// As [`rows_max`], of short rows in a datagram without full ones.
pub const fn short_rows_max(datagram_bytes_max: usize, with_ranges: bool) -> usize {
    let bytes_max = shorter(datagram_bytes_max, BATCH_BYTES_MAX);
    let row_bytes = if with_ranges {
        SHORT_ROW_BYTES + RANGE_BYTES
    } else {
        SHORT_ROW_BYTES
    };
    bytes_max.saturating_sub(OTHER_BYTES_MAX) / row_bytes
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

    /// Replaces `out` by a batch of as many observations as fit, from the front, by full ids.
    ///
    /// Returns how many were packed. 0 leaves `out` empty: there was nothing to pack, or the
    /// datagram is too small for a single one. Ages beyond a row's sixteen bits saturate. Each change
    /// of channel or noise floor takes [`AIR_BYTES`], so fewest where those alike follow each other.
    ///
    /// # Panics
    /// When an observation is of another radio than the header: its row could not say so.
    pub fn encode(
        &self,
        header: &Header,
        observations: &[Observation],
        out: &mut Vec<u8>,
    ) -> usize {
        self.encode_mixed(header, observations.iter().map(|o| (o, None)), out)
    }

    /// As [`BatchWriter::encode`], of observations wherever they lie, each perhaps with a short id.
    ///
    /// Those without one come first in the batch, then those with one, both in the order given. An
    /// id above [`SHORT_ID_MAX`] counts as none. Ages beyond a short row's thirteen bits saturate,
    /// too. The iterator is walked again where there are ranges.
    ///
    /// # Panics
    /// When an observation is of another radio than the header: its row could not say so.
    pub fn encode_mixed<O, I>(&self, header: &Header, observations: I, out: &mut Vec<u8>) -> usize
    where
        O: Borrow<Observation>,
        I: Iterator<Item = (O, Option<u32>)> + Clone,
    {
        let observations = observations.map(|(o, id)| (o, id.filter(|id| *id <= SHORT_ID_MAX)));
        out.clear();
        put_header(out, header);
        let room = self.bytes_max.saturating_sub(out.len());
        let mut packed = Packed::new();
        packed.pack(observations.clone(), header, room);
        let shape = packed.shape;
        if shape.len() == 0 {
            out.clear();
            return 0;
        }
        let items = shape.items();
        put_items(out, items);
        packed.put_rows(out);
        if items >= ITEMS_WITH_RANGES {
            put_bin_head(out, (shape.ranges * RANGE_BYTES) as u16);
        }
        if shape.ranges > 0 {
            put_ranges(out, observations.take(shape.len()));
        }
        if items >= ITEMS_WITH_SHORT_ROWS {
            packed.put_short_rows(out);
        }
        if items >= ITEMS_WITH_AIR {
            packed.put_airs(out);
        }
        debug_assert!(out.len() <= self.bytes_max);
        shape.len()
    }

    /// Replaces `out` by a batch of as many observations as fit, from the front, by full ids and
    /// without ranges: the bytes of [`BatchWriter::encode`] for a fraction of its time.
    ///
    /// Each is told by client, time in microseconds and [`Reading`]; all are of the header's radio and
    /// of this air, which is not looked at again.
    pub fn encode_rows<I>(&self, header: &Header, air: Air, rows: I, out: &mut Vec<u8>) -> usize
    where
        I: ExactSizeIterator<Item = (ClientId, u64, Reading)>,
    {
        let shape = |rows| Shape {
            rows,
            airs: Stretches::one(air),
            ..Shape::default()
        };
        let count = self.begin(header, rows.len(), ROW_BYTES, shape, out);
        if count == 0 {
            return 0;
        }
        put_bin_head(out, (count * ROW_BYTES) as u16);
        put_columns(out, count, rows, |(client, heard_at_us, reading)| {
            RawRow::of_reading(client, heard_at_us, reading, header.sent_us).to_bytes()
        });
        if air != Air::UNKNOWN {
            put_bin_head(out, 0);
            put_bin_head(out, 0);
            put_one_air(out, air);
        }
        count
    }

    /// As [`BatchWriter::encode_rows`], of clients that all go by short ids, each at most
    /// [`SHORT_ID_MAX`].
    pub fn encode_short_rows<I>(
        &self,
        header: &Header,
        air: Air,
        rows: I,
        out: &mut Vec<u8>,
    ) -> usize
    where
        I: ExactSizeIterator<Item = (u32, u64, Reading)>,
    {
        let shape = |short_rows| Shape {
            short_rows,
            short_airs: Stretches::one(air),
            ..Shape::default()
        };
        let count = self.begin(header, rows.len(), SHORT_ROW_BYTES, shape, out);
        if count == 0 {
            return 0;
        }
        put_bin_head(out, 0);
        put_bin_head(out, 0);
        put_bin_head(out, (count * SHORT_ROW_BYTES) as u16);
        put_columns(out, count, rows, |(short_id, heard_at_us, reading)| {
            RawShortRow::of_reading(short_id, heard_at_us, reading, header.sent_us).to_bytes()
        });
        if air != Air::UNKNOWN {
            put_one_air(out, air);
        }
        count
    }

    /// Replaces `out` by a batch up to its byte strings; gives how many of these rows, all of one kind
    /// and so many bytes long, fit into them. Leaves nothing in `out` when there are none.
    fn begin(
        &self,
        header: &Header,
        rows: usize,
        row_bytes: usize,
        shape: impl Fn(usize) -> Shape,
        out: &mut Vec<u8>,
    ) -> usize {
        out.clear();
        put_header(out, header);
        let room = self.bytes_max.saturating_sub(out.len());
        let mut count = rows.min(room / row_bytes);
        while count > 0 && shape(count).bytes() > room {
            count -= 1;
        }
        if count == 0 {
            out.clear();
        } else {
            put_items(out, shape(count).items());
        }
        count
    }
}

/// Appends the columns of so many rows, one after the other.
#[inline]
fn put_columns<const FIRST: usize, const SECOND: usize, T>(
    out: &mut Vec<u8>,
    count: usize,
    rows: impl Iterator<Item = T>,
    to_bytes: impl Fn(T) -> ([u8; FIRST], [u8; SECOND]),
) {
    let from = out.len();
    out.resize(from + count * (FIRST + SECOND), 0);
    let (firsts, seconds) = out[from..].split_at_mut(count * FIRST);
    let ((firsts, _), (seconds, _)) = (firsts.as_chunks_mut(), seconds.as_chunks_mut());
    let mut places = firsts.iter_mut().zip(seconds);
    // From the inside: rows may lie in two pieces, each a loop of its own. There are hardly ever more
    // rows than places.
    rows.for_each(|row| {
        if let Some((first, second)) = places.next() {
            (*first, *second) = to_bytes(row);
        }
    });
}

/// Appends an air that holds for all.
fn put_one_air(out: &mut Vec<u8>, air: Air) {
    put_bin_head(out, AIR_BYTES as u16);
    out.extend_from_slice(&air::to_bytes(0, air));
}

/// Corrects the number of items of a batch that begins here: it stands in the low bits of the head
/// of an array of at most 15.
fn put_items(batch: &mut [u8], items: usize) {
    if let Some(head) = batch.first_mut() {
        *head += (items - ITEMS) as u8;
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

/// Appends the ranges: those of full rows, then those of short ones.
fn put_ranges<O: Borrow<Observation>>(
    out: &mut Vec<u8>,
    packed: impl Iterator<Item = (O, Option<u32>)> + Clone,
) {
    let full = packed.clone().filter(|(_, short_id)| short_id.is_none());
    let short = packed.filter(|(_, short_id)| short_id.is_some());
    for (row_index, (observation, _)) in (0..).zip(full.chain(short)) {
        if let Some(range) = &observation.borrow().range {
            out.extend_from_slice(&ranges::to_bytes(row_index, range));
        }
    }
}
