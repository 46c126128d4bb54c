//! What does it cost an agent to turn observations into datagrams, in bursts of ten?

use std::hint::black_box;
use std::time::Duration;

use benches::outgoing::Alone;
use benches::rig::Ids;
use benches::steady;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("batcher");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for (name, ids) in [("full", Ids::Full), ("short", Ids::Short)] {
        let mut agent = Alone::new(ids);
        group.throughput(Throughput::Elements(agent.observations() as u64));
        group.bench_function(name, |b| {
            steady::iter(b, 2, || {
                agent.burst(|datagram| {
                    black_box(datagram);
                })
            });
        });
    }
    group.finish();
}

criterion_group!(batcher, bench);
criterion_main!(batcher);
