//! What does it cost a worker to take in a datagram, by number of clients in its table?

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ingest::{FixQueue, ServedSite, Worker, WorkerConfig};
use locate::{Model, ModelOptions};
use site::{Calibration, Site};
use wire::batch::{BatchWriter, Header};
use wire::frame::{Clock, Hello, RadioHello};
use wire::{ClientId, Kind, Observation, Session};

const HALL: &str = include_str!("../sites/hall.toml");
const ROWS: usize = 95;
const NOW_US: u64 = 1_000_000_000;

/// A worker with one session, and datagrams that reach `clients` clients in a scattered order.
struct Rig {
    worker: Worker,
    key: ingest::SessionKey,
    clients: u64,
    sequence: u64,
    datagram: Vec<u8>,
}

impl Rig {
    fn new(clients: u64) -> Self {
        let site = Arc::new(Site::parse(HALL).expect("the example is valid"));
        let model = Model::new(&site, &Calibration::default(), &ModelOptions::default());
        let anchor = &site.anchors[0];
        let hello = Hello {
            version: wire::batch::BATCH_VERSION,
            program: "bench".into(),
            radios: vec![RadioHello {
                ap: anchor.id.parse().expect("valid"),
                band: anchor.radios[0].band.as_str().into(),
            }],
            clock: Clock::Monotonic,
            previous: None,
        };
        let (agent, name) = (
            anchor.agent.parse().expect("valid"),
            site.id.parse().expect("valid"),
        );
        let served = ServedSite {
            index: 0,
            name,
            site: site.clone(),
            model: Arc::new(model),
        };
        let name = served.name.clone();
        let fixes = Arc::new(FixQueue::new(16));
        let mut worker = Worker::new(WorkerConfig::default(), vec![served], fixes);
        let opened = worker
            .handle_hello(&agent, &name, &hello, Session(1), NOW_US)
            .expect("known");
        let mut rig = Self {
            worker,
            key: opened.key,
            clients,
            sequence: 0,
            datagram: Vec::new(),
        };
        for _ in 0..clients / ROWS as u64 + 1 {
            rig.make_datagram();
            rig.handle_datagram();
        }
        rig
    }

    /// The next datagram; ids are hashes of a running number, so their lines are anywhere.
    fn make_datagram(&mut self) {
        let first = self.sequence * ROWS as u64;
        let row = |i: u64| Observation {
            client: ClientId(((first + i) % self.clients + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            heard_at_us: NOW_US - 1_000,
            radio: 0,
            rssi_dbm: Some(-50 - (i % 40) as i8),
            noise_dbm: None,
            channel: 6,
            kind: Kind::Data,
            randomised: false,
            associated: true,
            range: None,
        };
        let rows: Vec<Observation> = (0..ROWS as u64).map(row).collect();
        let header = Header {
            session: Session(1),
            sequence: self.sequence,
            first_observation: first,
            sent_us: NOW_US,
            radio: 0,
        };
        BatchWriter::new(1_400).encode(&header, &rows, &mut self.datagram);
        self.sequence += 1;
    }

    fn handle_datagram(&mut self) {
        self.worker
            .handle_datagram(self.key, &self.datagram, NOW_US);
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("fold");
    group.throughput(Throughput::Elements(ROWS as u64));
    for clients in [10_000, 100_000, 1_000_000] {
        let mut rig = Rig::new(clients);
        group.bench_function(BenchmarkId::new("clients", clients), |b| {
            b.iter_custom(|iterations| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..iterations {
                    rig.make_datagram();
                    let began = std::time::Instant::now();
                    rig.handle_datagram();
                    spent += began.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
