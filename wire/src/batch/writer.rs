//! Packing observations into datagrams.

use std::borrow::Borrow;

use super::msgpack::{bin_bytes, put_array, put_bin_head, put_uint};
use super::ranges::{self, RANGE_BYTES};
use super::reading::Reading;
use super::rows::{self, ROW_BYTES, Row};
use super::short_rows::{RawShortRow, SHORT_ID_MAX, SHORT_ROW_BYTES};
use super::{BATCH_VERSION, Header, ITEMS, ITEMS_WITH_RANGES, ITEMS_WITH_SHORT_ROWS};
use crate::id::ClientId;
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

/// How many short rows surely fit into a datagram without full ones, whatever its header.
///
/// `with_ranges` counts a range for each row.
pub const fn short_rows_max(datagram_bytes_max: usize, with_ranges: bool) -> usize {
    let bytes_max = shorter(datagram_bytes_max, BATCH_BYTES_MAX);
    let row_bytes = if with_ranges {
        SHORT_ROW_BYTES + RANGE_BYTES
    } else {
        SHORT_ROW_BYTES
    };
    bytes_max.saturating_sub(HEADER_BYTES_MAX + 2 * BIN_HEAD_BYTES_MAX) / row_bytes
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
        self.encode_mixed(header, observations.iter().map(|o| (o, None)), out)
    }

    /// As [`BatchWriter::encode`], of observations wherever they lie, each perhaps with a short id.
    ///
    /// Those without one come first in the batch, then those with one, both in the order given. An
    /// id above [`SHORT_ID_MAX`] counts as none. Ages beyond a short row's thirteen bits saturate
    /// ([`RawShortRow::new`]). The iterator is walked again where there are ranges.
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
        // The head of an array of at most 15 items holds their number in its low bits.
        out[0] += (shape.items() - ITEMS) as u8;
        put_bin(out, packed.rows[..shape.rows].as_flattened());
        if shape.items() >= ITEMS_WITH_RANGES {
            put_bin_head(out, (shape.ranges * RANGE_BYTES) as u16);
        }
        if shape.ranges > 0 {
            put_ranges(out, observations.take(shape.len()));
        }
        if shape.items() == ITEMS_WITH_SHORT_ROWS {
            put_bin(out, packed.short_rows[..shape.short_rows].as_flattened());
        }
        debug_assert!(out.len() <= self.bytes_max);
        shape.len()
    }

    /// Replaces `out` by a batch of as many observations as fit, from the front, by full ids and
    /// without ranges: the bytes of [`BatchWriter::encode`] for a fraction of its time.
    ///
    /// Each is told by client, time in microseconds and [`Reading`]; all are of the header's radio.
    pub fn encode_rows<I>(&self, header: &Header, rows: I, out: &mut Vec<u8>) -> usize
    where
        I: ExactSizeIterator<Item = (ClientId, u64, Reading)>,
    {
        let shape = |rows| Shape {
            rows,
            ..Shape::default()
        };
        let count = self.begin(header, rows.len(), ROW_BYTES, shape, out);
        put_rows(out, count, rows, |(client, heard_at_us, reading)| {
            rows::to_bytes(client, heard_at_us, reading, header.sent_us)
        });
        count
    }

    /// As [`BatchWriter::encode_rows`], of clients that all go by short ids, each at most
    /// [`SHORT_ID_MAX`].
    pub fn encode_short_rows<I>(&self, header: &Header, rows: I, out: &mut Vec<u8>) -> usize
    where
        I: ExactSizeIterator<Item = (u32, u64, Reading)>,
    {
        let shape = |short_rows| Shape {
            short_rows,
            ..Shape::default()
        };
        let count = self.begin(header, rows.len(), SHORT_ROW_BYTES, shape, out);
        put_rows(out, count, rows, |(short_id, heard_at_us, reading)| {
            RawShortRow::of_reading(short_id, heard_at_us, reading, header.sent_us).to_bytes()
        });
        count
    }

    /// Replaces `out` by a batch up to its first row; gives how many of these rows, all of one kind
    /// and so many bytes long, fit behind. Leaves nothing in `out` when there are none.
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
            return 0;
        }
        let items = shape(count).items();
        out[0] += (items - ITEMS) as u8;
        // The kinds that are none of these come before.
        if items == ITEMS_WITH_SHORT_ROWS {
            put_bin_head(out, 0);
            put_bin_head(out, 0);
        }
        put_bin_head(out, (count * row_bytes) as u16);
        count
    }
}

/// Appends so many rows.
#[inline]
fn put_rows<const BYTES: usize, T>(
    out: &mut Vec<u8>,
    count: usize,
    rows: impl Iterator<Item = T>,
    to_bytes: impl Fn(T) -> [u8; BYTES],
) {
    let from = out.len();
    out.resize(from + count * BYTES, 0);
    let (places, _) = out[from..].as_chunks_mut::<BYTES>();
    let mut places = places.iter_mut();
    // From the inside: rows may lie in two pieces, each a loop of its own. There are hardly ever more
    // rows than places.
    rows.for_each(|row| {
        if let Some(place) = places.next() {
            *place = to_bytes(row);
        }
    });
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

/// Appends a byte string.
fn put_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    put_bin_head(out, bytes.len() as u16);
    out.extend_from_slice(bytes);
}

/// Rows before it is known where in the datagram they begin.
struct Packed {
    rows: [[u8; ROW_BYTES]; BATCH_BYTES_MAX / ROW_BYTES],
    short_rows: [[u8; SHORT_ROW_BYTES]; BATCH_BYTES_MAX / SHORT_ROW_BYTES],
    shape: Shape,
}

impl Packed {
    fn new() -> Self {
        Self {
            rows: [[0; ROW_BYTES]; BATCH_BYTES_MAX / ROW_BYTES],
            short_rows: [[0; SHORT_ROW_BYTES]; BATCH_BYTES_MAX / SHORT_ROW_BYTES],
            shape: Shape::default(),
        }
    }

    /// Packs as many observations, from the front, as fit into `room` bytes.
    #[inline]
    fn pack<O: Borrow<Observation>>(
        &mut self,
        observations: impl Iterator<Item = (O, Option<u32>)>,
        header: &Header,
        room: usize,
    ) {
        let mut shape = Shape::default();
        // At most: exact where that is too much.
        let mut bytes = 3 * BIN_HEAD_BYTES_MAX;
        for (observation, short_id) in observations {
            let observation = observation.borrow();
            let has_range = usize::from(observation.range.is_some());
            let is_short = usize::from(short_id.is_some());
            bytes += ROW_BYTES - is_short * (ROW_BYTES - SHORT_ROW_BYTES);
            bytes += has_range * RANGE_BYTES;
            let next = Shape {
                rows: shape.rows + 1 - is_short,
                short_rows: shape.short_rows + is_short,
                ranges: shape.ranges + has_range,
            };
            if bytes > room && next.bytes() > room {
                break;
            }
            assert!(observation.radio == header.radio, "a batch is of one radio");
            match short_id {
                Some(id) => {
                    let row = RawShortRow::new(id, observation, header.sent_us);
                    self.short_rows[shape.short_rows] = row.to_bytes();
                }
                None => {
                    self.rows[shape.rows] = Row::new(observation, header.sent_us).to_bytes();
                }
            }
            shape = next;
        }
        self.shape = shape;
    }
}

/// How many rows and ranges a batch has.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    rows: usize,
    short_rows: usize,
    ranges: usize,
}

impl Shape {
    fn len(self) -> usize {
        self.rows + self.short_rows
    }

    fn items(self) -> usize {
        match self {
            Self {
                short_rows: 1.., ..
            } => ITEMS_WITH_SHORT_ROWS,
            Self { ranges: 1.., .. } => ITEMS_WITH_RANGES,
            _ => ITEMS,
        }
    }

    /// Bytes of its byte strings with their heads.
    fn bytes(self) -> usize {
        let rows = bin_bytes(self.rows * ROW_BYTES);
        let ranges = bin_bytes(self.ranges * RANGE_BYTES);
        match self.items() {
            ITEMS_WITH_SHORT_ROWS => rows + ranges + bin_bytes(self.short_rows * SHORT_ROW_BYTES),
            ITEMS_WITH_RANGES => rows + ranges,
            _ => rows,
        }
    }
}
