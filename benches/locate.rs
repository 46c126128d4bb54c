//! What does a fix cost, by number of radios heard: in the example office, in a hall of 1,000 cells,
//! and in halls as the goals have them, where the maps of all radios are in play?

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{hall, steady};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use locate::{Locator, Model, ModelOptions, Sighting, Track};
use nalgebra::Point3;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sim::{Hearing, Transmitter, World, WorldConfig};
use site::{Calibration, Site};

const OFFICE: &str = include_str!("../sites/office.toml");

/// What the strongest radios heard of each client of a simulated office in two seconds.
fn sightings(site: &Site, radios_max: usize) -> Vec<Vec<Sighting>> {
    let config = WorldConfig {
        seed: 7,
        clients: 64,
        ..WorldConfig::default()
    };
    let mut world = World::new(site.clone(), config);
    world.advance(Duration::from_secs(2));
    let mut heard: Vec<Hearing> = Vec::new();
    world.hear(&mut heard);
    let mut clients: Vec<Vec<Sighting>> = vec![Vec::new(); 64];
    for hearing in heard {
        let Transmitter::Client(client) = hearing.from else {
            continue;
        };
        let known = clients[client]
            .iter()
            .any(|sighting| sighting.radio == hearing.radio);
        if let (Some(rssi), false) = (hearing.rssi_dbm, known) {
            clients[client].push(Sighting {
                radio: hearing.radio,
                rssi_dbm: Some(rssi.into()),
                count: 1,
                age_s: 0.3,
                range: None,
            });
        }
    }
    for sightings in &mut clients {
        sightings.sort_by(|a, b| b.rssi_dbm.partial_cmp(&a.rssi_dbm).expect("no NaN"));
        sightings.truncate(radios_max);
    }
    clients.retain(|sightings| sightings.len() == radios_max);
    clients
}

/// A hall of 25 m by 10 m, which makes 1,000 cells of half a metre, with 20 anchors under its
/// ceiling.
fn hall() -> Site {
    let anchors: Vec<String> = (0..20)
        .map(|n| {
            let (x, y) = (2.5 + 5.0 * f64::from(n % 5), 1.25 + 2.5 * f64::from(n / 5));
            format!(
                r#"{{ id = "a{n}", floor = "0", position = [{x}, {y}], height_m = 2.6, radios = ["5"] }}"#
            )
        })
        .collect();
    let text = format!(
        r#"
        site = "hall"
        name = "Hall"
        floor = [{{ id = "0", name = "Hall", elevation_m = 0, height_m = 3,
                   outline = [[0, 0], [25, 0], [25, 10], [0, 10]] }}]
        anchor = [{}]
        "#,
        anchors.join(", ")
    );
    Site::parse(&text).expect("the hall is valid")
}

/// What the nearest radios hear of clients all over the hall: blind constants and 5 dB of shadowing.
fn heard_in_hall(site: &Site, radios: usize) -> Vec<Vec<Sighting>> {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    (0..256)
        .map(|_| {
            let client = Point3::new(
                random.random_range(0.0..25.0),
                random.random_range(0.0..10.0),
                1.2,
            );
            let mut sightings: Vec<Sighting> = site
                .radios()
                .map(|(anchor, radio)| {
                    let noise: f64 = (0..12).map(|_| random.random_range(0.0..1.0)).sum();
                    let decades = (client - anchor.position).norm().log10();
                    Sighting {
                        radio: radio.index,
                        rssi_dbm: Some((-42.0 - 24.0 * decades + 5.0 * (noise - 6.0)) as f32),
                        count: 1,
                        age_s: 0.3,
                        range: None,
                    }
                })
                .collect();
            sightings.sort_by(|a, b| b.rssi_dbm.partial_cmp(&a.rssi_dbm).expect("no NaN"));
            sightings.truncate(radios);
            sightings
        })
        .collect()
}

fn thousand_cells(c: &mut Criterion) {
    let site = hall();
    let nothing = Calibration::default();
    let model = Arc::new(Model::new(&site, &nothing, &ModelOptions::default()));
    let mut group = c.benchmark_group("thousand_cells");
    for radios in [4, 8, 20] {
        let clients = heard_in_hall(&site, radios);
        let mut locator = Locator::new(model.clone());
        let mut next = 0;
        group.bench_function(BenchmarkId::new("first", radios), |b| {
            b.iter(|| {
                next = (next + 1) % clients.len();
                locator.locate(black_box(&clients[next]), &mut Track::default(), 0.0)
            });
        });
        let mut tracks = vec![Track::default(); clients.len()];
        let mut seconds = 0.0;
        group.bench_function(BenchmarkId::new("tracked", radios), |b| {
            b.iter(|| {
                next = (next + 1) % clients.len();
                if next == 0 {
                    seconds += 1.0;
                }
                locator.locate(black_box(&clients[next]), &mut tracks[next], seconds)
            });
        });
    }
    group.finish();
}

fn bench(c: &mut Criterion) {
    let site = Site::parse(OFFICE).expect("the example is valid");
    let model = Arc::new(Model::new(
        &site,
        &Calibration::default(),
        &ModelOptions::default(),
    ));
    let mut group = c.benchmark_group("locate");
    for radios in [4, 8] {
        let clients = sightings(&site, radios);
        let mut locator = Locator::new(model.clone());
        let mut next = 0;
        group.bench_function(BenchmarkId::new("radios", radios), |b| {
            b.iter(|| {
                next = (next + 1) % clients.len();
                locator.locate(black_box(&clients[next]), &mut Track::default(), 0.0)
            });
        });
    }
    group.finish();
}

/// Fixes that a worker makes at a time, before it receives again.
const SLICE: usize = 200;

/// What receiving reads in between: more than a second-level cache holds.
const BETWEEN: usize = 2 << 20;

/// Clients anywhere in a hall of so many agents, each heard by the eight next to it, in no order. Before
/// each slice of them, something else has used the cache.
fn halls(c: &mut Criterion) {
    let mut group = c.benchmark_group("halls");
    for agents in [8, 32, 500] {
        let served = hall::served(agents);
        let clients = heard_by_nearest(&served.site, 40 * SLICE);
        let mut locator = Locator::new(served.model.clone());
        let mut tracks = vec![Track::default(); clients.len()];
        let mut between = vec![1u8; BETWEEN];
        let (mut next, mut seconds) = (0, 0.0);
        group.bench_function(BenchmarkId::new("agents", agents), |b| {
            b.iter_custom(|fixes| {
                steady::time(fixes, |_| {
                    between.iter_mut().for_each(|byte| *byte ^= 1);
                    black_box(&mut between);
                    if next == clients.len() {
                        (next, seconds) = (0, seconds + 1.0);
                    }
                    let slice = next..next + SLICE;
                    next = slice.end;
                    let began = Instant::now();
                    for client in slice {
                        black_box(locator.locate(&clients[client], &mut tracks[client], seconds));
                    }
                    (SLICE as u64, began.elapsed())
                })
            });
        });
    }
    group.finish();
}

/// What the eight nearest radios hear: blind constants, 4 dB of shadowing and 2 dB of fading.
fn heard_by_nearest(site: &Site, clients: usize) -> Vec<Vec<Sighting>> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let (low, high) = site.bounds();
    let mut client = || {
        let place = Point3::new(
            random.random_range(low.x..high.x),
            random.random_range(low.y..high.y),
            1.2,
        );
        let mut near: Vec<_> = (site.radios())
            .map(|(anchor, radio)| ((place - anchor.position).norm(), radio.index))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(hall::HEARERS);
        let sighting = |(away_m, radio): &(f64, _)| {
            let noise: f64 = (0..12).map(|_| random.random_range(0.0..1.0)).sum();
            Sighting {
                radio: *radio,
                rssi_dbm: Some((-42.0 - 24.0 * away_m.log10() + 4.5 * (noise - 6.0)) as f32),
                count: 3,
                age_s: 0.3,
                range: None,
            }
        };
        near.iter().map(sighting).collect()
    };
    (0..clients).map(|_| client()).collect()
}

criterion_group!(benches, bench, thousand_cells, halls);
criterion_main!(benches);
