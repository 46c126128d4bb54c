//! What does a fix cost on the presence thread? Zones of the example office (twelve on each floor,
//! so that nearly every place is near a border), a floor without a zone nearby, and a floor with as many
//! zones as a site file may have; for ten thousand clients that walk, a fix a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use locate::zone::ZoneTracker;
use locate::{Fix, Flags, Source};
use nalgebra::{Matrix2, Point2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use site::{FloorIndex, Polygon, Site, Zone, ZoneRules};

const OFFICE: &str = include_str!("../sites/office.toml");

const CLIENTS: u64 = 10_000;

/// Seconds of walking that one round measures.
const SECONDS: u64 = 10;

fn office() -> Site {
    Site::parse(OFFICE).expect("the site that ships is valid")
}

/// The office with other zones on each floor.
fn office_with(areas: &[Polygon]) -> Site {
    let mut site = office();
    for (index, floor) in site.floors.iter_mut().enumerate() {
        let zone = |(number, area): (usize, &Polygon)| Zone {
            id: format!("zone-{index}-{number}"),
            name: String::new(),
            area: area.clone(),
            rules: ZoneRules::default(),
        };
        floor.zones = areas.iter().enumerate().map(zone).collect();
    }
    site
}

fn tile(x: f64, y: f64, side_m: f64) -> Polygon {
    Polygon::rectangle(Point2::new(x, y), Point2::new(x + side_m, y + side_m))
}

/// Walkers of a metre a second, each in its direction until a wall.
struct Walkers {
    fixes: Vec<Fix>,
    steps: Vec<(f64, f64)>,
}

impl Walkers {
    fn new(site: &Site) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (_, high) = site.bounds();
        let floors = u8::try_from(site.floors.len()).expect("floors are few");
        let mut fix = |_| {
            let deviation_m: f64 = rng.random_range(0.7..2.5);
            let common = rng.random_range(-0.6..0.6);
            Fix {
                position_in_site: [
                    rng.random_range(0.0..high.x),
                    rng.random_range(0.0..high.y),
                    1.2,
                ]
                .into(),
                covariance_m2: Matrix2::new(1.0, common, common, 1.0) * deviation_m.powi(2),
                height_deviation_m: 0.3,
                floor: FloorIndex(rng.random_range(0..floors)),
                floor_probability: 0.97,
                r50_m: deviation_m,
                r90_m: 2.0 * deviation_m,
                radios: 9,
                observations: 20,
                age_s: 0.2,
                source: Source::Grid,
                flags: Flags::default(),
            }
        };
        let fixes = (0..CLIENTS).map(&mut fix).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let steps = (0..CLIENTS).map(|_| {
            let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
            (angle.cos(), angle.sin())
        });
        Self {
            fixes,
            steps: steps.collect(),
        }
    }

    fn walk(&mut self, site: &Site) {
        let (_, high) = site.bounds();
        for (fix, step) in self.fixes.iter_mut().zip(&mut self.steps) {
            let place = &mut fix.position_in_site;
            if !(0.0..high.x).contains(&(place.x + step.0)) {
                step.0 = -step.0;
            }
            if !(0.0..high.y).contains(&(place.y + step.1)) {
                step.1 = -step.1;
            }
            place.x += step.0;
            place.y += step.1;
        }
    }
}

/// The time that the fixes of some seconds take, with the ticks between them.
fn seconds_of(site: &Site, rounds: u64) -> Duration {
    let mut taken = Duration::ZERO;
    for _ in 0..rounds {
        let mut tracker = ZoneTracker::new(site);
        let mut walkers = Walkers::new(site);
        // As long again before, so that clients are where they are.
        for second in 0..2 * SECONDS {
            walkers.walk(site);
            let began = Instant::now();
            for (client, fix) in (0..).zip(&walkers.fixes) {
                tracker.handle_fix(client, fix, second * 1_000_000);
                while let Some(change) = tracker.poll_change() {
                    black_box(change);
                }
            }
            tracker.handle_tick(second * 1_000_000);
            while let Some(change) = tracker.poll_change() {
                black_box(change);
            }
            if second >= SECONDS {
                taken += began.elapsed();
            }
        }
    }
    taken / u32::try_from(SECONDS * CLIENTS).expect("few")
}

fn presence(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("presence");
    group.sample_size(10);
    let thousand = (0..1_000).map(|n| tile(f64::from(n % 40), f64::from(n / 40), 1.0));
    let sites = [
        ("office", office()),
        ("far", office_with(&[tile(200.0, 200.0, 5.0)])),
        ("thousand_zones", office_with(&thousand.collect::<Vec<_>>())),
    ];
    for (name, site) in &sites {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|rounds| seconds_of(site, rounds));
        });
    }
    group.finish();
}

criterion_group!(benches, presence);
criterion_main!(benches);
