use std::sync::{Arc, Mutex};

use wire::Kind;

use super::*;
use crate::batcher::BatcherLimits;
use crate::source::{Heard, Transmitter};

/// Gives out a list of times, one observation each.
struct Listed {
    clock: Clock,
    radios: Vec<RadioHello>,
    times_us: std::collections::VecDeque<u64>,
    given_out_us: u64,
    when_room_ends: Drained,
    rooms: Arc<Mutex<Vec<usize>>>,
}

impl Listed {
    fn new(clock: Clock, ap: &str, times_us: impl IntoIterator<Item = u64>) -> Self {
        Self {
            clock,
            radios: vec![RadioHello {
                ap: ap.parse().expect("name"),
                band: "5".to_owned(),
            }],
            times_us: times_us.into_iter().collect(),
            given_out_us: 0,
            when_room_ends: Drained::WaitForRoom,
            rooms: Arc::default(),
        }
    }
}

impl Source for Listed {
    fn drain(
        &mut self,
        _now_us: u64,
        room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        self.rooms.lock().expect("no panic").push(room);
        for _ in 0..room {
            let Some(heard_at_us) = self.times_us.pop_front() else {
                return Ok(Drained::Finished);
            };
            self.given_out_us = heard_at_us;
            out(Heard {
                from: Transmitter::Client(ClientId(heard_at_us)),
                heard_at_us,
                radio: 0,
                rssi_dbm: Some(-50),
                noise_dbm: None,
                channel: 1,
                kind: Kind::Data,
                associated: true,
                range: None,
            });
        }
        Ok(self.when_room_ends)
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn watermark_us(&self) -> u64 {
        self.given_out_us
    }

    fn radios(&self) -> &[RadioHello] {
        &self.radios
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }
}

fn intake(sources: Vec<Listed>) -> Intake {
    let boxed = |source| Box::new(source) as Box<dyn Source>;
    let sources = sources.into_iter().map(boxed).collect();
    let mut intake = Intake::new(sources, Stage::new(Rules::default())).expect("sources");
    intake.handle_key(&PseudonymKey {
        period: 1,
        key: [1; 32],
    });
    intake
}

fn batcher(queue_observations_max: usize) -> Batcher {
    Batcher::new(BatcherLimits {
        queue_observations_max,
        ..BatcherLimits::default()
    })
}

#[test]
fn sources_that_cannot_work_together_are_refused() {
    let stage = || Stage::new(Rules::default());
    assert_eq!(
        Intake::new(Vec::new(), stage()).err(),
        Some(SourcesError::None)
    );
    let sources: Vec<Box<dyn Source>> = vec![
        Box::new(Listed::new(Clock::Monotonic, "a", [])),
        Box::new(Listed::new(Clock::Recording, "b", [])),
    ];
    assert_eq!(
        Intake::new(sources, stage()).err(),
        Some(SourcesError::Clocks)
    );
}

#[test]
fn radios_that_sources_share_are_told_once() {
    let source = |ap| Listed::new(Clock::Monotonic, ap, [1]);
    let mut intake = intake(vec![source("a"), source("b"), source("a")]);
    assert_eq!(intake.radios().len(), 2);
    let mut batcher = batcher(100);
    batcher.handle_connected(wire::Session(1), 0);
    intake.fill(0, &mut batcher);
    batcher.handle_flush();
    let mut datagram = Vec::new();
    let mut rows = Vec::new();
    while batcher.poll_batch(1, &mut datagram).is_some() {
        let batch = wire::batch::decode(&datagram).expect("our own batch");
        rows.push((batch.header.radio, batch.rows.len()));
    }
    assert_eq!(rows, [(0, 2), (1, 1)]);
}

#[test]
fn a_source_that_can_wait_never_overfills_the_queue() {
    let mut intake = intake(vec![Listed::new(Clock::Monotonic, "a", 0..1_000)]);
    let mut batcher = batcher(300);
    assert_eq!(intake.fill(0, &mut batcher), Flow::WithRoom);
    assert_eq!(
        (batcher.waiting(), batcher.counters().dropped.total()),
        (300, 0)
    );
}

#[test]
fn a_source_that_cannot_wait_goes_on_and_the_oldest_go() {
    let mut source = Listed::new(Clock::Monotonic, "a", 0..1_000);
    source.when_room_ends = Drained::More;
    let mut intake = intake(vec![source]);
    let mut batcher = batcher(300);
    assert_eq!(intake.fill(0, &mut batcher), Flow::Finished);
    assert_eq!(
        (batcher.waiting(), batcher.counters().dropped.disconnected),
        (300, 700)
    );
}

#[test]
fn before_the_first_key_sources_that_can_wait_do() {
    let source = Listed::new(Clock::Monotonic, "a", 0..10);
    let rooms = Arc::clone(&source.rooms);
    let mut intake = intake(vec![source]);
    intake.has_key = false;
    assert_eq!(intake.fill(0, &mut batcher(300)), Flow::WithRoom);
    assert_eq!(*rooms.lock().expect("no panic"), [0]);
}

#[test]
fn recordings_are_read_side_by_side() {
    let sparse = Listed::new(Clock::Recording, "a", (0..100).map(|i| i * 1_000));
    let dense = Listed::new(Clock::Recording, "b", (0..10_000).map(|i| i * 10));
    let mut intake = intake(vec![sparse, dense]);
    let mut batcher = batcher(700);
    let flow = intake.fill(0, &mut batcher);
    assert_eq!(flow, Flow::WithRoom);
    // The sparse one may be ahead by one step, never more.
    let [sparse_us, dense_us] = [0, 1].map(|i| intake.sources[i].source.watermark_us());
    assert!(sparse_us <= dense_us + 64 * 1_000, "{sparse_us} {dense_us}");
    assert_eq!(intake.clock_us(0), sparse_us.min(dense_us));
    assert_eq!(batcher.counters().dropped.total(), 0);
}

#[test]
fn a_finished_recording_leaves_its_last_time() {
    let mut intake = intake(vec![Listed::new(Clock::Recording, "a", [5, 9])]);
    assert_eq!(intake.fill(0, &mut batcher(10)), Flow::Finished);
    assert_eq!(intake.clock_us(0), 9);
}

#[cfg(feature = "pcap")]
#[test]
fn a_capture_tells_access_points_under_their_ids() {
    use crate::address::Address;
    use crate::source::pace::Pace;
    use crate::source::pcap::{CaptureOptions, PcapSource};
    use crate::testing::{dot11, heard_at, radiotap_pcap};

    let [own, other, unnamed, stranger] = [1, 2, 3, 4].map(|last| [0, 0, 0x5e, 0, 0x53, last]);
    let beacon = |ap| heard_at(2_437, -70, &dot11(0x80, 0, [[0xff; 6], ap, ap]));
    let data = heard_at(2_437, -71, &dot11(0x08, 2, [[2; 6], other, [2; 6]]));
    let frames = [own, other, unnamed, stranger]
        .map(beacon)
        .into_iter()
        .chain([data]);
    let capture = radiotap_pcap(&frames.collect::<Vec<_>>());
    let ap = |name: &str| name.parse::<wire::ApName>().expect("name");
    let options = CaptureOptions {
        radios: vec![RadioHello {
            ap: ap("ap-1"),
            band: "2.4".to_owned(),
        }],
        access_points: [own, other, unnamed].map(Address::new).to_vec(),
        pace: Pace::AsFastAsPossible,
    };
    let source = PcapSource::new("test", std::io::Cursor::new(capture), options).expect("capture");
    let access_points = [(own, "ap-1"), (other, "ap-2")];
    let rules = Rules {
        access_points: access_points
            .map(|(a, name)| (Address::new(a), ap(name)))
            .to_vec(),
        ..Rules::default()
    };
    let mut intake = Intake::new(vec![Box::new(source)], Stage::new(rules)).expect("sources");
    intake.handle_key(&PseudonymKey {
        period: 1,
        key: [1; 32],
    });
    let mut batcher = batcher(10);
    batcher.handle_connected(wire::Session(1), 0);
    assert_eq!(intake.fill(0, &mut batcher), Flow::Finished);
    batcher.handle_flush();
    let mut datagram = Vec::new();
    assert_eq!(
        batcher.poll_batch(intake.clock_us(0), &mut datagram),
        Some(2)
    );
    let batch = wire::batch::decode(&datagram).expect("our own batch");
    let id = wire::named_client_id(&ClientName::new("ap-2").expect("name"));
    let told: Vec<_> = batch.observations().map(|o| (o.client, o.kind)).collect();
    assert_eq!(told, [(id, Kind::Beacon); 2]);
    let counters = intake.privacy();
    assert_eq!(
        (counters.access_points, counters.other_access_point),
        (2, 2)
    );
    assert_eq!(intake.health()[0].from_access_point, 1, "the stranger");
}

/// Has a descriptor and gives out so many observations at each look.
struct Wired {
    listed: Listed,
    each_look: Vec<usize>,
    socket: std::os::unix::net::UnixStream,
}

impl Source for Wired {
    fn drain(
        &mut self,
        now_us: u64,
        _room: usize,
        out: &mut dyn FnMut(Heard),
    ) -> Result<Drained, SourceError> {
        if let Some(count) = self.each_look.pop() {
            self.listed.drain(now_us, count, out)?;
        }
        Ok(Drained::NextAt(now_us + 60_000_000))
    }

    fn clock(&self) -> Clock {
        self.listed.clock
    }

    fn watermark_us(&self) -> u64 {
        self.listed.watermark_us()
    }

    fn radios(&self) -> &[RadioHello] {
        self.listed.radios()
    }

    fn names(&self) -> Vec<(ClientId, ClientName)> {
        Vec::new()
    }

    fn health(&self) -> SourceHealth {
        SourceHealth::default()
    }

    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        Some(std::os::fd::AsFd::as_fd(&self.socket))
    }
}

#[test]
fn a_busy_source_is_looked_at_by_time_and_a_quiet_one_wakes() {
    use std::io::Write;
    let busy = BUSY_OBSERVATIONS as usize;
    let (mut writer, socket) = std::os::unix::net::UnixStream::pair().expect("a pair");
    writer.write_all(b"more").expect("room");
    let source = Wired {
        listed: Listed::new(Clock::Monotonic, "ap-1", 1..1_000),
        each_look: vec![0, busy - 1, busy],
        socket,
    };
    let stage = Stage::new(Rules::default());
    let mut intake = Intake::new(vec![Box::new(source)], stage).expect("one source");
    intake.handle_key(&PseudonymKey {
        period: 1,
        key: [7; 32],
    });
    let mut batcher = Batcher::new(BatcherLimits::default());
    assert_eq!(intake.fill(1_000, &mut batcher), Flow::At(1_001));
    assert!(!intake.handle_wake(), "not asked to wake");
    for now_us in [30_000, 60_000] {
        assert_eq!(
            intake.fill(now_us, &mut batcher),
            Flow::At(now_us + 60_000_000)
        );
        assert!(intake.handle_wake(), "quiet now");
    }
    assert_eq!(batcher.waiting(), 2 * busy - 1);
}
