//! What does it cost to tell new datagrams from repeated ones, and to count gaps?

use std::time::Duration;

use benches::arrivals::{Arrivals, DATAGRAMS, Network};
use benches::steady;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("dedupe");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(
            (DATAGRAMS * benches::rig::FULL_ROWS) as u64,
        ));
    for (name, network) in [("in_order", Network::Good), ("lossy", Network::Lossy)] {
        let mut arrivals = Arrivals::new(network);
        group.bench_function(name, |b| steady::iter(b, 32, || arrivals.take_in()));
    }
    group.finish();
}

criterion_group!(dedupe, bench);
criterion_main!(dedupe);
