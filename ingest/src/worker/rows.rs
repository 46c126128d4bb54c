//! From a batch's rows to readings by the node's clock, or to the reason why one is dropped.

use locate::RangeReading;
use wire::Kind;
use wire::batch::{Batch, Row};

use crate::beacons::Beacon;
use crate::books::DropReason;
use crate::limits::{OBSERVATION_AGE_MAX, RECORDED_US_MAX};
use crate::line::Line;
use crate::shard::Reading;

const OBSERVATION_AGE_US_MAX: u64 = OBSERVATION_AGE_MAX.as_micros() as u64;

/// Signal strengths that occur in nature, in dBm.
const RSSI_DBM: std::ops::RangeInclusive<i8> = -120..=10;

/// Distances that occur in a building, in millimetres; measured ones may be a little negative.
const DISTANCE_MM: std::ops::RangeInclusive<i32> = -100_000..=1_000_000;

/// When a batch was sent and when it arrived, by the node's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) sent_us: u64,
    pub(super) now_us: u64,
}

/// A row by the node's clock.
pub(super) enum Heard {
    /// A client's, with the number of its row.
    Client(usize, Reading),
    /// One that an access point sent.
    Beacon(Beacon),
}

/// Turns each row into a reading by the node's clock, or into the reason why it is dropped.
pub(super) fn for_each_reading(
    batch: &Batch<'_>,
    radio: u16,
    times: Times,
    mut give: impl FnMut(Result<Heard, DropReason>),
) {
    let mut ranges = batch.ranges.iter().peekable();
    for (i, row) in batch.rows.iter().enumerate() {
        let range = ranges.next_if(|(row, _)| *row == i).map(|(_, range)| range);
        let range = range.filter(|range| DISTANCE_MM.contains(&range.distance_mm));
        if let Err(reason) = check(&row, range.is_some()) {
            give(Err(reason));
            continue;
        }
        let heard_us = times.sent_us.saturating_sub(u64::from(row.age_ms) * 1_000);
        let old = times.now_us.saturating_sub(heard_us) > OBSERVATION_AGE_US_MAX;
        if old || heard_us > RECORDED_US_MAX {
            give(Err(DropReason::Time));
            continue;
        }
        let range = range.map(range_reading);
        if row.kind == Kind::Beacon {
            give(Ok(Heard::Beacon(Beacon {
                client: row.client,
                receiver: radio,
                rssi_dbm: row.rssi_dbm,
                range,
                heard_us,
            })));
            continue;
        }
        let reading = Reading {
            key: Line::key_of(row.client),
            radio,
            rssi_dbm: row.rssi_dbm,
            range,
            heard_us,
        };
        give(Ok(Heard::Client(i, reading)));
    }
}

pub(super) fn check(row: &Row, ranged: bool) -> Result<(), DropReason> {
    match row.rssi_dbm {
        Some(rssi) if RSSI_DBM.contains(&rssi) => Ok(()),
        None if ranged => Ok(()),
        _ => Err(DropReason::Signal),
    }
}

fn range_reading(range: wire::Range) -> RangeReading {
    RangeReading {
        distance_m: range.distance_mm as f32 * 1e-3,
        deviation_m: range.deviation_mm.map(|mm| f32::from(mm) * 1e-3),
    }
}
