//! What does a fix cost in the example office, by number of radios heard?

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use locate::{Locator, Model, ModelOptions, Sighting, Track};
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

criterion_group!(benches, bench);
criterion_main!(benches);
