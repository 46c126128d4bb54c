//! What does a place from ranges alone cost: one client at a time, and in blocks of sixteen?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use locate::multilaterate::block::{Anchors, Client, Reading, Solver};
use locate::multilaterate::{Height, Range, solve};
use nalgebra::Point3;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Clients of a bench; their ranges do not fit a first-level cache.
const CLIENTS: usize = 1_024;

/// Anchors of the site from which each client's are drawn.
const ANCHORS: usize = 64;

const DEVIATION_M: f64 = 0.3;
const HEIGHT_M: f64 = 1.2;

/// Anchors of a hall of 80 by 80 metres, one to each square of ten metres, at several heights.
fn anchors(random: &mut impl Rng) -> Vec<Point3<f64>> {
    let place = |index: usize| {
        let (column, row) = ((index % 8) as f64, (index / 8) as f64);
        Point3::new(
            10.0 * column + random.random_range(0.0..10.0),
            10.0 * row + random.random_range(0.0..10.0),
            random.random_range(0.3..6.0),
        )
    };
    (0..ANCHORS).map(place).collect()
}

/// A client's ranges to its nearest anchors, one in twenty grossly long.
fn ranges(anchors: &[Point3<f64>], count: usize, random: &mut impl Rng) -> Vec<(u32, Range)> {
    let client = Point3::new(
        random.random_range(5.0..75.0),
        random.random_range(5.0..75.0),
        HEIGHT_M,
    );
    let mut nearest: Vec<u32> = (0..ANCHORS as u32).collect();
    let away_m = |index: u32| (anchors[index as usize] - client).norm();
    nearest.sort_by(|&one, &other| away_m(one).total_cmp(&away_m(other)));
    let mut range = |index: u32| {
        let noise: f64 = (0..12).map(|_| random.random_range(-0.5..0.5)).sum();
        let blocked_m = if random.random_range(0..20) == 0 {
            4.0
        } else {
            0.0
        };
        let range = Range {
            anchor: anchors[index as usize],
            distance_m: away_m(index) + DEVIATION_M * noise + blocked_m,
            deviation_m: DEVIATION_M,
        };
        (index, range)
    };
    nearest[..count].iter().map(|&index| range(index)).collect()
}

/// Ranges of one client, each with the index of its anchor.
type Ranged = Vec<(u32, Range)>;

fn clients(count: usize) -> (Vec<Point3<f64>>, Vec<Ranged>) {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let anchors = anchors(&mut random);
    let clients = (0..CLIENTS)
        .map(|_| ranges(&anchors, count, &mut random))
        .collect();
    (anchors, clients)
}

fn single(c: &mut Criterion) {
    let mut group = c.benchmark_group("multilaterate");
    group.throughput(Throughput::Elements(1));
    let heights = [
        ("plane", Height::Known { z_m: HEIGHT_M }),
        (
            "about",
            Height::About {
                z_m: HEIGHT_M,
                deviation_m: 0.6,
            },
        ),
        ("space", Height::Free),
    ];
    for (name, height) in heights {
        for count in [4, 8] {
            let clients: Vec<Vec<Range>> = clients(count)
                .1
                .iter()
                .map(|ranges| ranges.iter().map(|&(_, range)| range).collect())
                .collect();
            let mut next = clients.iter().cycle();
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| solve(black_box(next.next().expect("endless")), height, None));
            });
        }
    }
    group.finish();
}

fn block(c: &mut Criterion) {
    let mut group = c.benchmark_group("block");
    group.throughput(Throughput::Elements(CLIENTS as u64));
    for count in [4, 8] {
        let (places, clients) = clients(count);
        let readings: Vec<Vec<Reading>> = clients
            .iter()
            .map(|ranges| {
                let reading = |&(anchor, range): &(u32, Range)| Reading {
                    anchor,
                    distance_m: range.distance_m as f32,
                    deviation_m: range.deviation_m as f32,
                };
                ranges.iter().map(reading).collect()
            })
            .collect();
        let anchors = Anchors::new(&places);
        let mut solver = Solver::new();
        group.bench_function(BenchmarkId::new("plane", count), |b| {
            b.iter(|| {
                let mut sum_m = 0.0;
                for block in black_box(&readings).chunks(Solver::CLIENTS_MAX) {
                    let mut clients = [Client {
                        z_m: HEIGHT_M,
                        readings: &[],
                    }; Solver::CLIENTS_MAX];
                    for (client, readings) in clients.iter_mut().zip(block) {
                        client.readings = readings;
                    }
                    let fixes = solver.solve(&anchors, &clients[..block.len()]);
                    for client in 0..fixes.len() {
                        sum_m += fixes.fix(client).map_or(0.0, |fix| fix.position.x);
                    }
                }
                sum_m
            });
        });
    }
    group.finish();
}

criterion_group!(benches, single, block);
criterion_main!(benches);
