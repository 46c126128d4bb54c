//! What does it cost a worker to take in a datagram, by number of clients in its table?
//!
//! `cargo bench --bench fold -- full/10000$` runs one of them; 10 million clients take 1.5 GB for
//! some ten seconds, and are left out when `TRILOBITE_BENCH_CLIENTS_MAX` is below that number.

use std::time::{Duration, Instant};

use benches::rig::{Ids, Rig};
use benches::steady;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const CLIENTS: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// More than a worker keeps short ids for, when eight agents hear each: those would go by full ids.
const SHORT_CLIENTS_MAX: usize = 1_000_000;

/// Clients of the largest table, unless there is no memory for it.
fn clients_max() -> usize {
    let limit = std::env::var("TRILOBITE_BENCH_CLIENTS_MAX").ok();
    limit.map_or(usize::MAX, |limit| {
        limit
            .parse()
            .expect("TRILOBITE_BENCH_CLIENTS_MAX is a number of clients")
    })
}

/// Takes in a group of datagrams, made outside of the time.
fn take_in(rig: &mut Rig, datagrams_max: u64) -> (u64, Duration) {
    let datagrams = rig.prepare(usize::try_from(datagrams_max).unwrap_or(usize::MAX));
    let began = Instant::now();
    rig.take_in();
    (datagrams as u64, began.elapsed())
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("fold");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(20);
    for (name, ids) in [("full", Ids::Full), ("short", Ids::Short)] {
        group.throughput(Throughput::Elements(ids.rows() as u64));
        for clients in CLIENTS {
            let too_many = ids == Ids::Short && clients > SHORT_CLIENTS_MAX;
            if clients > clients_max() || too_many {
                continue;
            }
            // Made when it is asked for, since a filter may leave it out.
            let mut rig = None;
            group.bench_function(BenchmarkId::new(name, clients), |b| {
                let rig = rig.get_or_insert_with(|| Rig::new(clients, ids));
                b.iter_custom(|datagrams| steady::time(datagrams, |left| take_in(rig, left)));
            });
        }
    }
    group.finish();
}

criterion_group!(fold, bench);
criterion_main!(fold);
