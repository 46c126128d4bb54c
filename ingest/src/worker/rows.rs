//! From a batch's rows to readings by the node's clock, or to the reason why one is dropped.

use locate::RangeReading;
use wire::batch::{Batch, RawRow, RawShortRow};
use wire::{ClientId, Range};

use crate::beacons::Beacon;
use crate::books::DropReason;
use crate::limits::{OBSERVATION_AGE_MAX, RECORDED_US_MAX};
use crate::moment::Moment;
use crate::shard::Reading;

const OBSERVATION_AGE_US_MAX: u64 = OBSERVATION_AGE_MAX.as_micros() as u64;

/// Signal strengths that occur in nature, in dBm.
const RSSI_DBM: std::ops::RangeInclusive<i8> = -120..=10;

/// Distances that occur in a building, in millimetres; measured ones may be a little negative.
const DISTANCE_MM: std::ops::RangeInclusive<i32> = -100_000..=1_000_000;

/// When a batch was sent, by the node's clock, and how old its rows may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    sent_us: u64,
    /// The lower half of that, and the oldest age in it that does not reach before time began.
    sent_low_us: u32,
    age_us_max: u32,
    /// Negative when even the youngest row would be too old, or the time cannot be.
    age_ms_max: i32,
}

impl Times {
    /// For a batch sent and received at these times.
    pub(super) fn new(sent_us: u64, now_us: u64) -> Self {
        let left_us = OBSERVATION_AGE_US_MAX.checked_sub(now_us.saturating_sub(sent_us));
        let age_ms_max = match left_us {
            Some(left_us) if sent_us <= RECORDED_US_MAX => (left_us / 1_000) as i32,
            _ => -1,
        };
        Self {
            sent_us,
            sent_low_us: sent_us as u32,
            age_us_max: u32::try_from(sent_us).unwrap_or(u32::MAX),
            age_ms_max,
        }
    }

    /// When a row of this age was heard.
    #[inline]
    pub(super) fn heard_us(&self, age_ms: u16) -> u64 {
        self.sent_us.saturating_sub(u64::from(age_ms) * 1_000)
    }

    /// The moment of [`Times::heard_us`], in half as wide arithmetic: a moment has no more bits.
    #[inline(always)]
    pub(super) fn heard(&self, age_ms: u16) -> Moment {
        let age_us = (u32::from(age_ms) * 1_000).min(self.age_us_max);
        Moment::from_low_us(self.sent_low_us.wrapping_sub(age_us))
    }

    /// Whether a row of this age is young enough.
    #[inline]
    pub(super) fn allow(&self, age_ms: u16) -> bool {
        i32::from(age_ms) <= self.age_ms_max
    }
}

/// What full and short rows have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) age_ms: u16,
    rssi_code: i8,
    is_beacon: bool,
}

impl From<RawRow> for Measured {
    #[inline]
    fn from(row: RawRow) -> Self {
        Self {
            age_ms: row.age_ms(),
            rssi_code: row.rssi_code(),
            is_beacon: row.is_beacon(),
        }
    }
}

impl From<RawShortRow> for Measured {
    #[inline]
    fn from(row: RawShortRow) -> Self {
        Self {
            age_ms: row.age_ms(),
            rssi_code: row.rssi_code(),
            is_beacon: row.is_beacon(),
        }
    }
}

impl Measured {
    /// Whether this is a client's signal strength and no more has to be asked: nearly every row.
    #[inline]
    pub(super) fn is_plain(&self, times: &Times) -> bool {
        let natural = RSSI_DBM.contains(&self.rssi_code);
        natural & !self.is_beacon & times.allow(self.age_ms)
    }

    /// The signal strength of a plain row.
    #[inline]
    pub(super) fn rssi_dbm(&self) -> i8 {
        self.rssi_code
    }
}

/// Who was heard, as the row says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    /// By its id.
    Full(ClientId),
    /// By a short id of the session.
    Short(u32),
}

/// A row that may be folded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) named: Named,
    pub(super) is_beacon: bool,
    pub(super) rssi_dbm: Option<i8>,
    pub(super) range: Option<RangeReading>,
    pub(super) heard_us: u64,
}

impl Row {
    /// The row of a client with this key as a reading.
    pub(super) fn reading(&self, key: u64, radio: u16) -> Reading {
        Reading {
            key,
            radio,
            rssi_dbm: self.rssi_dbm,
            range: self.range,
            heard_us: self.heard_us,
        }
    }

    /// The row as a beacon of an access point with this id.
    pub(super) fn beacon(&self, client: ClientId, receiver: u16) -> Beacon {
        Beacon {
            client,
            receiver,
            rssi_dbm: self.rssi_dbm,
            range: self.range,
            heard_us: self.heard_us,
        }
    }
}

/// Gives each row with its range, or the reason why it is dropped: the slow way, for batches and
/// rows that are not plain.
pub(super) fn for_each_row(
    batch: &Batch<'_>,
    times: &Times,
    mut give: impl FnMut(usize, Result<Row, DropReason>),
) {
    let full = batch
        .rows
        .raw()
        .map(|row| (Named::Full(row.client()), row.into()));
    let short = batch.short_rows.raw();
    let short = short.map(|row| (Named::Short(row.short_id()), row.into()));
    let mut ranges = batch.ranges.iter().peekable();
    for (i, (named, measured)) in full.chain(short).enumerate() {
        let range = ranges.next_if(|(row, _)| *row == i).map(|(_, range)| range);
        give(i, check(named, measured, range, times));
    }
}

/// A row with its range, or the reason why it is dropped.
pub(super) fn check(
    named: Named,
    measured: Measured,
    range: Option<Range>,
    times: &Times,
) -> Result<Row, DropReason> {
    let range = range.filter(|range| DISTANCE_MM.contains(&range.distance_mm));
    let is_measured = measured.rssi_code != wire::batch::NOT_MEASURED;
    let rssi_dbm = is_measured.then_some(measured.rssi_code);
    match rssi_dbm {
        Some(rssi) if RSSI_DBM.contains(&rssi) => {}
        None if range.is_some() => {}
        _ => return Err(DropReason::Signal),
    }
    if !times.allow(measured.age_ms) {
        return Err(DropReason::Time);
    }
    Ok(Row {
        named,
        is_beacon: measured.is_beacon,
        rssi_dbm,
        range: range.map(range_reading),
        heard_us: times.heard_us(measured.age_ms),
    })
}

fn range_reading(range: Range) -> RangeReading {
    RangeReading {
        distance_m: range.distance_mm as f32 * 1e-3,
        deviation_m: range.deviation_mm.map(|mm| f32::from(mm) * 1e-3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_as_wide_arithmetic_tells_the_same_moment() {
        let sent_us = [0, 1, 16_384, 65_534_999, 65_535_000, 1 << 32, u64::MAX / 3];
        for sent_us in sent_us
            .into_iter()
            .flat_map(|us| [us, us + 16_383, us + (1 << 31)])
        {
            let times = Times::new(sent_us, sent_us);
            for age_ms in [0, 1, 16, 17, 8_191, 30_000, u16::MAX] {
                let moment = Moment::from_us(times.heard_us(age_ms));
                assert_eq!(times.heard(age_ms), moment, "{sent_us} us, {age_ms} ms");
            }
        }
    }
}
