//! A datagram as full as it can be, and reading it.

use wire::batch::{BatchWriter, Header, decode};
use wire::limits::BATCH_BYTES_MAX;
use wire::{Observation, Session};

use crate::crowd;
use crate::rig::Ids;

/// A datagram of an agent that has sent for long, so that the numbers in its header are long, too;
/// and how many observations it holds.
pub fn full(ids: Ids) -> (Vec<u8>, usize) {
    let heard: Vec<Observation> = (0..200)
        .map(|n| crowd::observation(n, 1_000_000_000 + 700 * n))
        .collect();
    let named = (0..).zip(&heard).map(|(n, observation)| {
        let short_id = (ids == Ids::Short).then_some(n * 61);
        (observation, short_id)
    });
    let mut datagram = Vec::new();
    let packed = BatchWriter::new(BATCH_BYTES_MAX).encode_mixed(&header(), named, &mut datagram);
    (datagram, packed)
}

fn header() -> Header {
    Header {
        session: Session(u64::MAX / 3),
        sequence: 1_000_000,
        first_observation: 110_000_000,
        sent_us: 1_000_250_000,
        radio: 0,
    }
}

/// What is measured: decodes the datagram and looks at each field of each row.
///
/// # Panics
/// When the bytes are no batch.
#[inline]
pub fn read(datagram: &[u8]) -> u64 {
    let batch = decode(datagram).expect("our own batch");
    let sum = batch.airs.iter().fold(0, |sum, (index, air)| {
        sum ^ index as u64 ^ u64::from(air.channel()) ^ air.noise_dbm().unwrap_or(0) as u64
    });
    let sum = batch.short_rows.raw().fold(sum, |sum, row| {
        sum ^ u64::from(row.short_id())
            ^ u64::from(row.age_ms())
            ^ row.rssi_code() as u64
            ^ row.kind() as u64
            ^ u64::from(row.randomised())
            ^ u64::from(row.associated())
    });
    batch.rows.iter().fold(sum, |sum, row| {
        sum ^ row.client.0
            ^ u64::from(row.age_ms)
            ^ row.rssi_dbm.unwrap_or(0) as u64
            ^ row.kind as u64
            ^ u64::from(row.randomised)
            ^ u64::from(row.associated)
    })
}
