//! What does a datagram cost from the agent's batcher to the worker's table, without sockets?
//!
//! Both ends of the real link with real certificates, 64 agents, 100,000 clients, bursts of ten
//! datagrams, a clock that is only a number. `node` is the node's share: decrypt, decode, fold,
//! answer; `agents` that of the agents: pack, encrypt, take in the answers. An iteration is a
//! datagram.

use std::time::Duration;

use benches::rig::Ids;
use benches::steady;
use benches::whole::{Turn, Whole};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Clients of the hall: the number of the goals.
const CLIENTS: usize = 100_000;

/// A part of the time of a turn.
type Part = fn(&Turn) -> Duration;

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("end_to_end");
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    let parts: [(&str, Part); 3] = [
        ("all", |turn| turn.agents + turn.node),
        ("node", |turn| turn.node),
        ("agents", |turn| turn.agents),
    ];
    for (name, ids) in [("full", Ids::Full), ("short", Ids::Short)] {
        // Made when it is asked for, since a filter may leave it out.
        let mut whole = None;
        group.throughput(Throughput::Elements(ids.rows() as u64));
        for (part, of_turn) in parts {
            group.bench_function(BenchmarkId::new(name, part), |b| {
                let whole = whole.get_or_insert_with(|| Whole::new(CLIENTS, ids));
                b.iter_custom(|datagrams| {
                    steady::time(datagrams, |_| {
                        let turn = whole.turn();
                        (turn.datagrams as u64, of_turn(&turn))
                    })
                });
            });
        }
    }
    group.finish();
}

criterion_group!(end_to_end, bench);
criterion_main!(end_to_end);
