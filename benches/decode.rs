//! What does it cost to decode a full datagram and to read its rows?

use std::hint::black_box;
use std::time::Duration;

use benches::datagram;
use benches::rig::Ids;
use benches::steady;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for (name, ids) in [("full", Ids::Full), ("short", Ids::Short)] {
        let (datagram, rows) = datagram::full(ids);
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(name, |b| {
            steady::iter(b, 256, || datagram::read(black_box(&datagram)))
        });
    }
    group.finish();
}

criterion_group!(decode, bench);
criterion_main!(decode);
