use locate::ModelOptions;
use nalgebra::{Point2, Point3};
use proptest::prelude::*;
use site::{Anchor, Band, Calibration, Floor, FloorIndex, Material, Polygon, Propagation, Radio};
use site::{RadioIndex, Slab};
use wire::batch::{BatchWriter, Header};
use wire::frame::{Clock, Counters, RadioHello};
use wire::{ClientId, Kind, Observation};

use super::*;
use crate::books::{Books, Tally};
use crate::outlet::SentFix;

mod questions;
mod replays;
mod short_ids;
mod sweeping;

const SECOND: u64 = 1_000_000;
const BEGAN: u64 = 1_000 * SECOND;

/// A hall of 20 x 20 m with an anchor at each corner, `ap-0` to `ap-3`.
pub(crate) fn hall() -> Site {
    let corner = |x, y| Point2::new(x, y);
    let outline = Polygon {
        corners: vec![
            corner(0., 0.),
            corner(20., 0.),
            corner(20., 20.),
            corner(0., 20.),
        ],
    };
    let anchors = outline.corners.iter().enumerate().map(|(i, at)| Anchor {
        id: format!("ap-{i}"),
        agent: format!("ap-{i}"),
        floor: FloorIndex(0),
        position: Point3::new(at.x, at.y, 2.5),
        radios: vec![Radio {
            index: RadioIndex(i as u16),
            band: Band::Ghz2,
            freq_mhz: 2_437.0,
            tx_power_dbm: 17.0,
        }],
        bssids: Vec::new(),
    });
    Site {
        id: "hall".into(),
        name: "Hall".into(),
        propagation: Propagation {
            diffuse_excess_db: 5.0,
            diffuse_exponent: 4.0,
            direct_exponent: 2.0,
        },
        anchors: anchors.collect(),
        floors: vec![Floor {
            id: "0".into(),
            name: "Hall".into(),
            elevation_m: 0.0,
            height_m: 4.0,
            slab: Slab {
                material: Material::Concrete,
                loss_db: Material::Concrete.class_loss(),
            },
            allowed: vec![outline.clone()],
            outline,
            blocked: Vec::new(),
            walls: Vec::new(),
            zones: Vec::new(),
        }],
        stairs: Vec::new(),
    }
}

struct Rig {
    worker: Worker,
    fixes: Arc<FixQueue>,
    sent: [Counters; 4],
    keys: Vec<SessionKey>,
}

impl Rig {
    /// A worker with one session for each of `agents` anchors.
    fn new(agents: usize, config: WorkerConfig) -> Self {
        let site = Arc::new(hall());
        let model = Model::new(&site, &Calibration::default(), &ModelOptions::default());
        let fixes = Arc::new(FixQueue::new(1_024));
        let name = SiteName::new("hall").unwrap();
        let served = ServedSite {
            index: 0,
            name: name.clone(),
            site,
            model: Arc::new(model),
        };
        let mut worker = Worker::new(config, vec![served], fixes.clone());
        let clock = if config.recording_agents.is_some() {
            Clock::Recording
        } else {
            Clock::Monotonic
        };
        let keys = (0..agents).map(|i| {
            let hello = hello(i, clock);
            let agent = AgentName::new(format!("ap-{i}")).unwrap();
            let session = Session(i as u64);
            worker
                .handle_hello(&agent, &name, &hello, session, BEGAN)
                .unwrap()
                .key
        });
        let keys = keys.collect();
        Self {
            worker,
            fixes,
            sent: Default::default(),
            keys,
        }
    }

    fn live(agents: usize) -> Self {
        Self::new(agents, WorkerConfig::default())
    }

    /// Agent `i` sends these observations in one datagram; returns it.
    fn send(&mut self, i: usize, observations: &[Observation], now_us: u64) -> Vec<u8> {
        let counters = &mut self.sent[i];
        let header = Header {
            session: Session(i as u64),
            sequence: counters.datagrams_sent,
            first_observation: counters.observations_sent,
            sent_us: now_us,
            radio: observations.first().map_or(0, |o| o.radio),
        };
        let mut bytes = Vec::new();
        let packed = BatchWriter::new(1_200).encode(&header, observations, &mut bytes);
        assert_eq!(packed, observations.len());
        counters.datagrams_sent += 1;
        counters.observations_sent += packed as u64;
        counters.observations_offered += packed as u64;
        bytes
    }

    fn deliver(&mut self, i: usize, observations: &[Observation], now_us: u64) {
        let bytes = self.send(i, observations, now_us);
        self.worker.handle_datagram(self.keys[i], &bytes, now_us);
    }

    fn report(&mut self, i: usize, clock_us: u64, last: bool) {
        let report = Report {
            counters: self.sent[i],
            clock_us,
            last,
            counted: None,
        };
        let received = self.sent[i].datagrams_sent;
        self.worker
            .handle_report(self.keys[i], &report, received, clock_us);
    }

    fn books(&self) -> Books {
        self.worker
            .snapshot()
            .agents
            .iter()
            .fold(Books::default(), |mut sum, agent| {
                sum += agent.books;
                sum
            })
    }

    fn take_fixes(&self) -> Vec<SentFix> {
        std::iter::from_fn(|| self.fixes.pop()).flatten().collect()
    }

    /// Ticks through a second.
    fn tick_through(&mut self, from_us: u64) {
        for tick in 0..=256 {
            self.worker.handle_tick(from_us + tick * SECOND / 256);
        }
    }
}

fn hello(i: usize, clock: Clock) -> Hello {
    Hello {
        version: wire::batch::BATCH_VERSION,
        program: "test".into(),
        radios: vec![
            RadioHello {
                ap: format!("ap-{i}").parse().unwrap(),
                band: "2.4".into(),
            },
            RadioHello {
                ap: "elsewhere".parse().unwrap(),
                band: "2.4".into(),
            },
        ],
        clock,
        previous: None,
    }
}

fn heard(client: u64, rssi: i8, at_us: u64) -> Observation {
    Observation {
        client: ClientId(client),
        heard_at_us: at_us,
        radio: 0,
        rssi_dbm: Some(rssi),
        noise_dbm: None,
        channel: 6,
        kind: Kind::Data,
        randomised: false,
        associated: true,
        range: None,
    }
}

#[test]
fn what_four_anchors_hear_becomes_one_fix_near_the_loudest() {
    let mut rig = Rig::live(4);
    rig.tick_through(BEGAN);
    for (i, rssi) in [-45, -65, -72, -65].into_iter().enumerate() {
        rig.deliver(
            i,
            &[heard(7, rssi, BEGAN + SECOND)],
            BEGAN + SECOND + 200_000,
        );
    }
    rig.tick_through(BEGAN + SECOND + 200_000);
    let fixes = rig.take_fixes();
    assert_eq!(fixes.len(), 1, "{fixes:?}");
    let fix = &fixes[0].fix;
    assert_eq!(
        (fixes[0].client, fix.radios, fix.observations),
        (ClientId(7), 4, 4)
    );
    assert!(
        fix.position_in_site.x < 10.0 && fix.position_in_site.y < 10.0,
        "{fix:?}"
    );
    rig.tick_through(BEGAN + 3 * SECOND);
    assert!(rig.take_fixes().is_empty(), "no news, no fix");
}

#[test]
fn a_repeated_datagram_changes_nothing() {
    let mut rig = Rig::live(1);
    let bytes = rig.send(0, &[heard(7, -50, BEGAN)], BEGAN);
    for _ in 0..3 {
        rig.worker.handle_datagram(rig.keys[0], &bytes, BEGAN);
    }
    let books = rig.books();
    assert_eq!(books.folded, Tally::datagram(1));
    assert_eq!(
        books.dropped_node[DropReason::Duplicate],
        Tally {
            observations: 2,
            datagrams: 2
        }
    );
}

#[test]
fn every_row_that_is_not_folded_has_a_reason() {
    let mut rig = Rig::live(1);
    let elsewhere = Observation {
        radio: 1,
        ..heard(1, -50, BEGAN)
    };
    let beacon = Observation {
        kind: Kind::Beacon,
        ..heard(2, -50, BEGAN)
    };
    let absurd = heard(3, 60, BEGAN);
    let silent = Observation {
        rssi_dbm: None,
        ..heard(4, 0, BEGAN)
    };
    let old = heard(5, -50, BEGAN - 31 * SECOND);
    rig.deliver(0, &[elsewhere], BEGAN);
    rig.deliver(
        0,
        &[beacon, absurd, silent, old, heard(6, -50, BEGAN)],
        BEGAN,
    );
    rig.worker.handle_datagram(rig.keys[0], b"nonsense", BEGAN);
    let dropped = rig.books().dropped_node;
    let cases = [
        (DropReason::Radio, 1),
        (DropReason::Beacon, 1),
        (DropReason::Signal, 2),
        (DropReason::Time, 1),
    ];
    for (reason, observations) in cases {
        assert_eq!(
            dropped[reason].observations,
            observations,
            "{}",
            reason.as_str()
        );
    }
    assert_eq!(dropped[DropReason::Undecodable].datagrams, 1);
    assert_eq!(rig.books().folded, Tally::datagram(1));
}

#[test]
fn a_full_site_drops_newcomers_and_counts_them() {
    let shard = ShardConfig {
        clients_max: 1,
        ..ShardConfig::default()
    };
    let mut rig = Rig::new(
        1,
        WorkerConfig {
            shard,
            recording_agents: None,
        },
    );
    rig.deliver(
        0,
        &[
            heard(1, -50, BEGAN),
            heard(2, -50, BEGAN),
            heard(1, -52, BEGAN),
        ],
        BEGAN,
    );
    assert_eq!(
        rig.books().dropped_node[DropReason::Clients].observations,
        1
    );
    assert_eq!(rig.books().folded.observations, 2);
}

#[test]
fn latency_runs_from_hearing_to_the_first_fix_that_uses_it() {
    let mut rig = Rig::live(1);
    rig.worker.handle_tick(BEGAN);
    for i in 0..40 {
        let now = BEGAN + i * SECOND / 4;
        rig.deliver(0, &[heard(7, -50, now - 100_000)], now);
        rig.worker.handle_tick(now + 1_000);
    }
    let latency = rig.worker.snapshot().latency_us;
    assert!(!latency.is_empty());
    assert!(
        latency.min() >= 100_000 && latency.max() <= 1_600_000,
        "{}",
        latency.max()
    );
}

#[test]
fn a_silent_client_is_forgotten() {
    let mut rig = Rig::live(1);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    let clients = |rig: &Rig| rig.worker.snapshot().clients_by_site[0].1;
    assert_eq!(clients(&rig), 1);
    for second in 0..70 {
        rig.tick_through(BEGAN + second * SECOND);
    }
    assert_eq!(clients(&rig), 0);
}

#[test]
fn a_second_connection_of_an_agent_replaces_the_first() {
    let mut rig = Rig::live(1);
    let agent = AgentName::new("ap-0").unwrap();
    let site = SiteName::new("hall").unwrap();
    let hello = hello(0, Clock::Monotonic);
    let opened = rig
        .worker
        .handle_hello(&agent, &site, &hello, Session(9), BEGAN)
        .unwrap();
    assert_eq!(opened.replaces, Some(rig.keys[0]));
    assert_eq!(opened.unknown_radios, ["elsewhere/2.4"]);
}

#[test]
fn who_is_no_anchor_is_refused_in_words() {
    let mut rig = Rig::live(1);
    let site = SiteName::new("hall").unwrap();
    let thief = AgentName::new("ap-1").unwrap();
    let wrong = rig.worker.handle_hello(
        &thief,
        &site,
        &hello(0, Clock::Monotonic),
        Session(9),
        BEGAN,
    );
    let told = wrong.unwrap_err().to_string();
    assert!(
        told.contains("agent \"ap-1\"") && told.contains("ap-0/2.4"),
        "{told}"
    );
    let elsewhere = SiteName::new("moon").unwrap();
    let wrong = rig.worker.handle_hello(
        &thief,
        &elsewhere,
        &hello(1, Clock::Monotonic),
        Session(9),
        0,
    );
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("does not serve site \"moon\"")
    );
}

#[test]
fn what_a_replaced_session_still_held_is_unknown() {
    let mut rig = Rig::live(1);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    rig.sent[0].observations_offered += 10;
    rig.report(0, BEGAN, false);
    let (agent, site) = ("ap-0".parse().unwrap(), "hall".parse().unwrap());
    let hello = hello(0, Clock::Monotonic);
    let again = rig
        .worker
        .handle_hello(&agent, &site, &hello, Session(9), BEGAN);
    assert!(again.unwrap().replaces.is_some());
    rig.worker.handle_closed(rig.keys[0], 1, BEGAN);
    let books = rig.books();
    assert_eq!(books.unknown.observations, 10);
    assert_eq!(books.residual(), Tally::default());
}

#[test]
fn a_radio_heard_once_is_forgotten_though_its_client_is_heard_on() {
    let mut rig = Rig::live(2);
    rig.deliver(1, &[heard(7, -40, BEGAN)], BEGAN);
    // Line times wrap after 18 minutes: then the old reading must not look new.
    for second in 0..1_100 {
        let now = BEGAN + second * SECOND;
        rig.deliver(0, &[heard(7, -50, now)], now);
        rig.tick_through(now);
        let fixes = rig.take_fixes();
        if second > 5 {
            assert!(
                fixes.iter().all(|sent| sent.fix.radios == 1),
                "second {second}"
            );
        }
    }
}

#[test]
fn absurd_counters_neither_panic_nor_reach_other_agents() {
    let mut rig = Rig::live(2);
    rig.deliver(1, &[heard(7, -50, BEGAN)], BEGAN);
    rig.report(1, BEGAN, true);
    let mut counters = Counters {
        observations_offered: u64::MAX,
        ..Counters::default()
    };
    counters.dropped.queue_full = u64::MAX;
    counters.dropped.too_old = u64::MAX;
    let report = Report {
        counters,
        clock_us: u64::MAX,
        last: false,
        counted: None,
    };
    rig.worker
        .handle_report(rig.keys[0], &report, u64::MAX, BEGAN);
    let agents = rig.worker.snapshot().agents;
    assert_eq!(agents[1].books.residual(), Tally::default());
    let _ = rig.books().residual();
}

proptest! {
    /// Whatever arrives, the worker stands and what it received is dropped or folded.
    #[test]
    fn no_bytes_unbalance_the_node(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let mut rig = Rig::live(1);
        for bytes in &datagrams {
            rig.worker.handle_datagram(rig.keys[0], bytes, BEGAN);
        }
        let valid = rig.send(0, &[heard(7, -50, BEGAN), heard(8, -60, BEGAN)], BEGAN);
        for (at, byte) in flips {
            let mut bytes = valid.clone();
            bytes[at.index(valid.len())] = byte;
            rig.worker.handle_datagram(rig.keys[0], &bytes, BEGAN);
        }
        rig.tick_through(BEGAN);
        let books = rig.books();
        let node = books.dropped_node.total().observations + books.folded.observations;
        prop_assert_eq!(books.received.observations, node);
    }
}

#[test]
fn what_an_agent_only_counts_is_in_its_snapshot() {
    let mut rig = Rig::live(1);
    let counted = wire::frame::Counted {
        interval: 4,
        length_ms: 60_000,
        devices: [1, 0, 2, 0],
        frames: [3, 0, 5, 0],
    };
    for counted in [Some(counted), None] {
        let report = Report {
            counted,
            ..Report::default()
        };
        rig.worker.handle_report(rig.keys[0], &report, 0, BEGAN);
        assert_eq!(rig.worker.snapshot().agents[0].counted, counted);
    }
}
