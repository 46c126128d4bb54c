//! A batch in the making: its columns before it is known where in the datagram they begin.

use std::borrow::Borrow;

use super::air::{self, AIR_BYTES, Air};
use super::msgpack::{bin_bytes, put_bin_head};
use super::ranges::RANGE_BYTES;
use super::reading::Reading;
use super::rows::{self, ROW_BYTES, RawRow};
use super::short_rows::{self, RawShortRow, SHORT_ROW_BYTES};
use super::writer::BIN_HEAD_BYTES_MAX;
use super::{Header, ITEMS, ITEMS_WITH_AIR, ITEMS_WITH_RANGES, ITEMS_WITH_SHORT_ROWS};
use crate::limits::BATCH_BYTES_MAX;
use crate::observation::Observation;

const ROWS_MAX: usize = BATCH_BYTES_MAX / ROW_BYTES;
const SHORT_ROWS_MAX: usize = BATCH_BYTES_MAX / SHORT_ROW_BYTES;

/// The columns of both kinds of rows, and where the air of either changes.
pub(super) struct Packed {
    clients: [[u8; rows::CLIENT_BYTES]; ROWS_MAX],
    words: [[u8; rows::WORD_BYTES]; ROWS_MAX],
    airs: [(u16, Air); ROWS_MAX],
    short_words: [[u8; short_rows::WORD_BYTES]; SHORT_ROWS_MAX],
    short_tails: [[u8; short_rows::TAIL_BYTES]; SHORT_ROWS_MAX],
    short_airs: [(u16, Air); SHORT_ROWS_MAX],
    pub(super) shape: Shape,
}

impl Packed {
    pub(super) fn new() -> Self {
        Self {
            clients: [[0; rows::CLIENT_BYTES]; ROWS_MAX],
            words: [[0; rows::WORD_BYTES]; ROWS_MAX],
            airs: [(0, Air::UNKNOWN); ROWS_MAX],
            short_words: [[0; short_rows::WORD_BYTES]; SHORT_ROWS_MAX],
            short_tails: [[0; short_rows::TAIL_BYTES]; SHORT_ROWS_MAX],
            short_airs: [(0, Air::UNKNOWN); SHORT_ROWS_MAX],
            shape: Shape::default(),
        }
    }

    /// Packs as many observations, from the front, as fit into `room` bytes.
    #[inline]
    pub(super) fn pack<O: Borrow<Observation>>(
        &mut self,
        observations: impl Iterator<Item = (O, Option<u32>)>,
        header: &Header,
        room: usize,
    ) {
        let mut shape = Shape::default();
        // At most: exact where that is too much.
        let mut bytes = 4 * BIN_HEAD_BYTES_MAX;
        for (observation, short_id) in observations {
            let observation = observation.borrow();
            let reading = Reading::of(observation);
            let next = shape.with(
                short_id.is_some(),
                observation.range.is_some(),
                reading.air(),
            );
            bytes += next.bytes_more_than(shape);
            if bytes > room && next.bytes() > room {
                break;
            }
            assert!(observation.radio == header.radio, "a batch is of one radio");
            let heard_at_us = observation.heard_at_us;
            match short_id {
                Some(id) => {
                    let row = shape.short_rows;
                    let raw = RawShortRow::of_reading(id, heard_at_us, reading, header.sent_us);
                    (self.short_words[row], self.short_tails[row]) = raw.to_bytes();
                    if next.short_airs.count > shape.short_airs.count {
                        self.short_airs[shape.short_airs.count] = (row as u16, reading.air());
                    }
                }
                None => {
                    let row = shape.rows;
                    let client = observation.client;
                    let raw = RawRow::of_reading(client, heard_at_us, reading, header.sent_us);
                    (self.clients[row], self.words[row]) = raw.to_bytes();
                    if next.airs.count > shape.airs.count {
                        self.airs[shape.airs.count] = (row as u16, reading.air());
                    }
                }
            }
            shape = next;
        }
        self.shape = shape;
    }

    /// Appends the rows.
    pub(super) fn put_rows(&self, out: &mut Vec<u8>) {
        let rows = self.shape.rows;
        put_bin_head(out, (rows * ROW_BYTES) as u16);
        out.extend_from_slice(self.clients[..rows].as_flattened());
        out.extend_from_slice(self.words[..rows].as_flattened());
    }

    /// Appends the short rows.
    pub(super) fn put_short_rows(&self, out: &mut Vec<u8>) {
        let rows = self.shape.short_rows;
        put_bin_head(out, (rows * SHORT_ROW_BYTES) as u16);
        out.extend_from_slice(self.short_words[..rows].as_flattened());
        out.extend_from_slice(self.short_tails[..rows].as_flattened());
    }

    /// Appends the air.
    pub(super) fn put_airs(&self, out: &mut Vec<u8>) {
        let Shape {
            rows,
            airs,
            short_airs,
            ..
        } = self.shape;
        put_bin_head(out, (self.shape.air_entries() * AIR_BYTES) as u16);
        let mut before = Air::UNKNOWN;
        let short = self.short_airs[..short_airs.count].iter();
        let short = short.map(|(row, air)| (rows as u16 + row, *air));
        for (row, air) in self.airs[..airs.count].iter().copied().chain(short) {
            if air != before {
                out.extend_from_slice(&air::to_bytes(row, air));
            }
            before = air;
        }
    }
}

/// Stretches of rows of one kind with the same air each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretches {
    count: usize,
    /// The air of the first and of the last stretch, if there is one.
    first: Air,
    last: Air,
}

impl Default for Stretches {
    fn default() -> Self {
        Self {
            count: 0,
            first: Air::UNKNOWN,
            last: Air::UNKNOWN,
        }
    }
}

impl Stretches {
    /// One of this air.
    pub(super) fn one(air: Air) -> Self {
        Self::default().with(air)
    }

    /// With one row more.
    #[inline(always)]
    fn with(self, air: Air) -> Self {
        let is_new = self.count == 0 || air != self.last;
        Self {
            count: self.count + usize::from(is_new),
            first: if self.count == 0 { air } else { self.first },
            last: air,
        }
    }

    /// Entries that tell them after this air.
    #[inline(always)]
    fn entries(self, before: Air) -> usize {
        self.count - usize::from(self.count > 0 && self.first == before)
    }
}

/// What a batch is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) short_rows: usize,
    pub(super) ranges: usize,
    pub(super) airs: Stretches,
    pub(super) short_airs: Stretches,
}

impl Shape {
    /// With one observation more.
    #[inline(always)]
    fn with(self, is_short: bool, has_range: bool, air: Air) -> Self {
        Self {
            rows: self.rows + usize::from(!is_short),
            short_rows: self.short_rows + usize::from(is_short),
            ranges: self.ranges + usize::from(has_range),
            airs: if is_short {
                self.airs
            } else {
                self.airs.with(air)
            },
            short_airs: if is_short {
                self.short_airs.with(air)
            } else {
                self.short_airs
            },
        }
    }

    /// Bytes that this one has more than one with an observation less, but for heads; rather too
    /// many.
    #[inline(always)]
    fn bytes_more_than(self, less: Self) -> usize {
        let stretches = self.airs.count + self.short_airs.count;
        (self.rows - less.rows) * ROW_BYTES
            + (self.short_rows - less.short_rows) * SHORT_ROW_BYTES
            + (self.ranges - less.ranges) * RANGE_BYTES
            + (stretches - less.airs.count - less.short_airs.count) * AIR_BYTES
    }

    /// Observations.
    pub(super) fn len(self) -> usize {
        self.rows + self.short_rows
    }

    /// Entries of the air: over the rows, then over the short rows.
    fn air_entries(self) -> usize {
        let after_rows = match self.airs.count {
            0 => Air::UNKNOWN,
            _ => self.airs.last,
        };
        self.airs.entries(Air::UNKNOWN) + self.short_airs.entries(after_rows)
    }

    /// Items of the array.
    pub(super) fn items(self) -> usize {
        if self.air_entries() > 0 {
            ITEMS_WITH_AIR
        } else if self.short_rows > 0 {
            ITEMS_WITH_SHORT_ROWS
        } else if self.ranges > 0 {
            ITEMS_WITH_RANGES
        } else {
            ITEMS
        }
    }

    /// Bytes of its byte strings with their heads.
    pub(super) fn bytes(self) -> usize {
        let of_items = [
            self.rows * ROW_BYTES,
            self.ranges * RANGE_BYTES,
            self.short_rows * SHORT_ROW_BYTES,
            self.air_entries() * AIR_BYTES,
        ];
        let of_items = of_items.into_iter().take(self.items() + 1 - ITEMS);
        of_items.map(bin_bytes).sum()
    }
}
