//! What does it cost to decode a full batch and read its rows?

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wire::batch::{BatchWriter, Header, decode};
use wire::{ClientId, Kind, Observation, Session};

/// A batch as full as a datagram allows, of clients that a keyed hash would give.
fn full_batch() -> (Vec<u8>, u64) {
    let observations: Vec<Observation> = (0..200u64)
        .map(|i| Observation {
            client: ClientId(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            heard_at_us: 1_000_000 + i * 700,
            radio: 0,
            rssi_dbm: Some(-40 - (i % 50) as i8),
            noise_dbm: Some(-95),
            channel: 36,
            kind: Kind::Data,
            randomised: i % 2 == 0,
            associated: true,
            range: None,
        })
        .collect();
    let header = Header {
        session: Session(u64::MAX / 3),
        sequence: 1_000_000,
        first_observation: 95_000_000,
        sent_us: 1_250_000,
        radio: 0,
    };
    let mut datagram = Vec::new();
    let packed = BatchWriter::new(1_400).encode(&header, &observations, &mut datagram);
    (datagram, packed as u64)
}

fn bench(c: &mut Criterion) {
    let (datagram, rows) = full_batch();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(rows));
    group.bench_function("batch", |b| {
        b.iter(|| {
            let batch = decode(black_box(&datagram)).expect("our own batch");
            batch.rows.iter().fold(0u64, |sum, row| {
                sum ^ row.client.0 ^ u64::from(row.age_ms) ^ row.rssi_dbm.unwrap_or(0) as u64
            })
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
