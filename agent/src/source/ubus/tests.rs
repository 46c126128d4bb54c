//! The source against a daemon that is written here: both run in turns, on a socket of their own.

mod fake_ubusd;

use wire::Kind;

use super::*;
use crate::limits::{
    REOPEN_FIRST, UBUS_BUFFER_BYTES, UBUS_LOOKUP_INTERVAL, UBUS_MALFORMED_MAX, UBUS_QUIET_MAX,
    UBUS_SILENCE_MAX, UBUS_UNSENT_BYTES_MAX,
};
use crate::ubus::blob::BlobWriter;
use crate::ubus::message::{attribute, encode, kind};
use fake_ubusd::FakeUbusd;

/// Time between two looks at the bus.
const STEP_US: u64 = 30_000;

struct Bus {
    folder: tempfile::TempDir,
    ubusd: Option<FakeUbusd>,
    source: UbusSource,
    now_us: u64,
    heard: Vec<Heard>,
}

impl Bus {
    fn new(interfaces: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ubus.sock");
        let radio = |band: &str| RadioHello {
            ap: "lobby".parse().unwrap(),
            band: band.to_owned(),
        };
        let source = UbusSource::new(UbusOptions {
            radios: vec![radio("2.4"), radio("5")],
            sockets: vec![folder.path().join("nowhere.sock"), path.clone()],
            interfaces: interfaces.iter().map(|&name| name.to_owned()).collect(),
        });
        Self {
            folder,
            ubusd: Some(FakeUbusd::new(&path)),
            source,
            now_us: 1_000_000,
            heard: Vec::new(),
        }
    }

    /// A bus on which hostapd drives one interface, and the source listens to it.
    fn listening() -> (Self, u32) {
        let mut bus = Self::new(&[]);
        let object = bus.ubusd().add_object("hostapd.phy0-ap0");
        bus.settle();
        assert_eq!(bus.source.client.subscriptions(), Some(1));
        (bus, object)
    }

    fn ubusd(&mut self) -> &mut FakeUbusd {
        self.ubusd.as_mut().expect("it runs")
    }

    fn start_ubusd(&mut self) {
        self.ubusd = Some(FakeUbusd::new(&self.folder.path().join("ubus.sock")));
    }

    fn stop_ubusd(&mut self) {
        self.ubusd = None;
        std::fs::remove_file(self.folder.path().join("ubus.sock")).unwrap();
    }

    fn step(&mut self) -> Drained {
        self.now_us += STEP_US;
        let heard = &mut self.heard;
        let drained = self
            .source
            .drain(self.now_us, 1_000, &mut |h| heard.push(h))
            .unwrap();
        if let Some(ubusd) = &mut self.ubusd {
            ubusd.turn();
        }
        drained
    }

    fn settle(&mut self) {
        for _ in 0..8 {
            self.step();
        }
    }

    /// Lets time pass.
    fn wait(&mut self, time: std::time::Duration) {
        self.now_us += time.as_micros() as u64;
        self.settle();
    }

    fn probe(&mut self, object: u32, last_octet: u8) -> usize {
        self.ubusd()
            .notify(object, "probe", false, &frame(last_octet))
    }

    fn is_heard(&mut self, object: u32) -> bool {
        let before = self.heard.len();
        let told = self.probe(object, 0x55);
        self.settle();
        assert!(told <= 1, "notified twice");
        self.heard.len() > before
    }
}

fn frame(last_octet: u8) -> BlobWriter {
    let mut fields = BlobWriter::new();
    fields.field_text("address", &format!("00:00:5e:00:53:{last_octet:02x}"));
    fields.field_text("target", "ff:ff:ff:ff:ff:ff");
    fields.field_u32("signal", (-61_i32).cast_unsigned());
    fields.field_u32("freq", 5_180);
    fields
}

#[test]
fn what_hostapd_tells_is_heard() {
    let (mut bus, object) = Bus::listening();
    for method in ["probe", "auth", "assoc", "disassoc"] {
        bus.ubusd().notify(object, method, false, &frame(1));
    }
    bus.settle();
    let kinds: Vec<_> = bus.heard.iter().map(|heard| heard.kind).collect();
    assert_eq!(kinds, [Kind::Probe, Kind::Management, Kind::Management]);
    let heard = bus.heard[0];
    let address = crate::address::Address::new([0, 0, 0x5e, 0, 0x53, 1]);
    assert!(heard.from == Transmitter::Address(address));
    assert_eq!(
        (heard.radio, heard.channel, heard.rssi_dbm),
        (1, 36, Some(-61))
    );
    assert!(!heard.associated && heard.heard_at_us > 1_000_000);
    assert!(bus.source.fd().is_some());
    let health = bus.source.health();
    assert_eq!((health.frames, health.heard, health.restarts), (3, 3, 0));
    assert_eq!(health.notice, None);
}

#[test]
fn it_asks_for_nothing_but_notifications() {
    let (mut bus, object) = Bus::listening();
    for octet in 0..100 {
        bus.probe(object, octet);
    }
    bus.wait(UBUS_LOOKUP_INTERVAL);
    let client = &bus.ubusd().clients[0];
    let expected = [
        (kind::ADD_OBJECT, ""),
        (kind::INVOKE, "register"),
        (kind::INVOKE, "register"),
        (kind::LOOKUP, ""),
        (kind::SUBSCRIBE, ""),
        (kind::LOOKUP, ""),
    ];
    let requests: Vec<_> = client
        .requests
        .iter()
        .map(|(k, m)| (*k, m.as_str()))
        .collect();
    assert_eq!(requests, expected);
    assert_eq!(client.answers, []);
    assert_eq!(bus.heard.len(), 100);
}

#[test]
fn a_frame_that_hostapd_holds_back_is_agreed_to_at_once_or_never() {
    let (mut bus, object) = Bus::listening();
    bus.ubusd().notify(object, "auth", true, &frame(1));
    bus.ubusd().turn();
    bus.step();
    assert_eq!(bus.ubusd().clients[0].answers, [([0x12, 0x34], 0)]);
    // With more on the bus than is read in one look, answers would come late.
    for _ in 0..10_000 {
        bus.ubusd().notify(object, "auth", true, &frame(1));
    }
    while bus.heard.len() < 10_001 {
        bus.step();
    }
    bus.settle();
    let answers = bus.ubusd().clients[0].answers.len();
    assert!(answers < 1_500, "{answers}");
}

#[test]
fn a_daemon_that_reads_nothing_blocks_nobody() {
    let (mut bus, object) = Bus::listening();
    bus.ubusd().deaf = true;
    let mut waiting = 0;
    let mut frames = 0;
    // Until no more answers fit anywhere, and then some.
    while waiting + 64 < UBUS_UNSENT_BYTES_MAX || frames < 1_000 {
        for octet in 0..100 {
            bus.ubusd().notify(object, "auth", true, &frame(octet));
        }
        bus.ubusd().turn();
        bus.step();
        frames += 100;
        assert_eq!(bus.heard.len(), frames);
        waiting = bus.source.client.poll_transmit().len();
        assert!(waiting <= UBUS_UNSENT_BYTES_MAX, "{waiting}");
        assert!(frames < 1_000_000, "a socket without end");
    }
    assert_eq!(bus.source.health().restarts, 0);
    // What was held back is sent whole once the daemon reads again.
    bus.ubusd().deaf = false;
    bus.settle();
    assert!(bus.source.client.poll_transmit().is_empty());
    assert!(bus.is_heard(object));
}

#[test]
fn only_the_named_interfaces_are_listened_to() {
    let mut bus = Bus::new(&["phy0-ap0"]);
    let other = bus.ubusd().add_object("hostapd.phy1-ap0");
    let own = bus.ubusd().add_object("hostapd.phy0-ap0");
    bus.settle();
    assert!(bus.is_heard(own) && !bus.is_heard(other));
}

#[test]
fn frames_of_no_use_are_counted() {
    let (mut bus, object) = Bus::listening();
    let mut silent = BlobWriter::new();
    silent.field_text("address", "00:00:5e:00:53:01");
    silent.field_u32("freq", 5_180);
    let mut nobody = BlobWriter::new();
    nobody.field_u32("signal", (-61_i32).cast_unsigned());
    let mut elsewhere = frame(1);
    elsewhere.field_u32("freq", 5_975);
    for fields in [&silent, &nobody, &elsewhere, &frame(1), &frame(1)] {
        bus.ubusd().notify(object, "probe", false, fields);
    }
    bus.settle();
    let health = bus.source.health();
    assert_eq!((health.frames, health.heard, health.stale), (5, 1, 1));
    assert_eq!(
        (
            health.without_signal,
            health.without_transmitter,
            health.without_radio
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_new_ubusd_is_found() {
    let (mut bus, object) = Bus::listening();
    assert!(bus.is_heard(object));
    bus.stop_ubusd();
    bus.settle();
    let notice = bus.source.health().notice.expect("something to know");
    assert!(notice.contains("ubusd ended the connection"), "{notice}");
    assert!(bus.source.fd().is_none());
    bus.wait(REOPEN_FIRST);
    let notice = bus.source.health().notice.expect("something to know");
    assert!(notice.starts_with("source ubus: "), "{notice}");
    assert!(notice.contains("nowhere.sock"), "{notice}");
    bus.start_ubusd();
    let object = bus.ubusd().add_object("hostapd.phy0-ap0");
    bus.wait(2 * REOPEN_FIRST);
    assert!(bus.is_heard(object));
    let health = bus.source.health();
    assert_eq!((health.restarts, health.notice), (1, None));
}

#[test]
fn a_new_hostapd_is_found_by_events() {
    let (mut bus, object) = Bus::listening();
    for round in 0..3 {
        bus.ubusd().remove_object(object + round);
        bus.settle();
        assert_eq!(bus.source.client.subscriptions(), Some(0));
        let notice = bus.source.health().notice.expect("something to know");
        assert!(notice.contains("hostapd is not on the bus"), "{notice}");
        let again = bus.ubusd().add_object("hostapd.phy0-ap0");
        bus.settle();
        assert!(bus.is_heard(again), "{round}");
    }
    // Gone and back before anybody looked.
    bus.ubusd().remove_object(object + 3);
    let again = bus.ubusd().add_object("hostapd.phy0-ap0");
    bus.settle();
    assert!(bus.is_heard(again));
    assert_eq!(bus.source.health().restarts, 0);
}

#[test]
fn a_new_hostapd_is_found_without_events_too() {
    let mut bus = Bus::new(&[]);
    bus.ubusd().events_allowed = false;
    bus.settle();
    let object = bus.ubusd().add_object("hostapd.phy0-ap0");
    bus.settle();
    assert!(!bus.is_heard(object));
    bus.wait(UBUS_LOOKUP_INTERVAL);
    assert!(bus.is_heard(object));
}

#[test]
fn a_silent_ubusd_is_left() {
    let (mut bus, object) = Bus::listening();
    bus.ubusd().mute = true;
    bus.wait(UBUS_LOOKUP_INTERVAL);
    assert_eq!(bus.source.health().notice, None, "it has some time");
    bus.wait(UBUS_SILENCE_MAX);
    let notice = bus.source.health().notice.expect("something to know");
    assert!(notice.contains("is silent"), "{notice}");
    bus.ubusd().mute = false;
    bus.wait(REOPEN_FIRST);
    assert!(bus.is_heard(object));
    assert_eq!(bus.source.health().restarts, 1);
}

#[test]
fn a_hostapd_that_tells_nothing_for_long_is_subscribed_to_anew() {
    let (mut bus, object) = Bus::listening();
    let mut waited = std::time::Duration::ZERO;
    while waited < UBUS_QUIET_MAX {
        bus.wait(UBUS_LOOKUP_INTERVAL);
        waited += UBUS_LOOKUP_INTERVAL;
    }
    bus.wait(REOPEN_FIRST);
    assert_eq!(bus.ubusd().connections, 2);
    assert!(bus.is_heard(object));
}

#[test]
fn a_flood_is_taken_in_bounded_portions() {
    let (mut bus, object) = Bus::listening();
    for index in 0..10_000_u32 {
        let mut fields = BlobWriter::new();
        let [_, b, c, d] = index.to_be_bytes();
        fields.field_text("address", &format!("00:00:5e:{b:02x}:{c:02x}:{d:02x}"));
        fields.field_u32("signal", (-61_i32).cast_unsigned());
        fields.field_u32("freq", 2_412);
        bus.ubusd().notify(object, "probe", false, &fields);
    }
    bus.ubusd().turn();
    let most = (UBUS_READS_MAX + 1) * UBUS_BUFFER_BYTES / 100;
    let mut looks = 0;
    while bus.heard.len() < 10_000 {
        let before = bus.heard.len();
        bus.step();
        assert!(
            bus.heard.len() - before <= most,
            "{}",
            bus.heard.len() - before
        );
        looks += 1;
        assert!(looks < 1_000, "{} heard", bus.heard.len());
    }
    assert!(looks > 5, "{looks}");
    let health = bus.source.health();
    assert_eq!(
        (health.frames, health.heard, health.restarts),
        (10_000, 10_000, 0)
    );
    // Little room is kept to as well.
    for octet in 0..100 {
        bus.probe(object, octet);
    }
    bus.ubusd().turn();
    bus.now_us += STEP_US;
    let mut given = 0;
    let drained = bus.source.drain(bus.now_us, 7, &mut |_| given += 1);
    assert_eq!((drained.unwrap(), given), (Drained::More, 7));
}

#[test]
fn malformed_notifications_are_counted_and_survived() {
    let (mut bus, object) = Bus::listening();
    let mut wrong = frame(1);
    wrong.field_text("signal", "-61");
    for _ in 0..UBUS_MALFORMED_MAX {
        bus.ubusd().notify(object, "probe", false, &wrong);
        bus.probe(object, 2);
    }
    bus.settle();
    let health = bus.source.health();
    assert_eq!(
        (health.malformed, health.restarts),
        (u64::from(UBUS_MALFORMED_MAX), 0)
    );
    assert_eq!(health.heard + health.stale, u64::from(UBUS_MALFORMED_MAX));
    // A stream of nothing else is left.
    for _ in 0..UBUS_MALFORMED_MAX {
        bus.ubusd().clients[0].send_raw(&[0, kind::INVOKE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 1, 2]);
    }
    bus.settle();
    let notice = bus.source.health().notice.expect("something to know");
    assert!(notice.contains("made no sense"), "{notice}");
    bus.wait(REOPEN_FIRST);
    assert!(bus.is_heard(object));
}

#[test]
fn a_lookup_with_a_malformed_answer_costs_no_subscription() {
    let (mut bus, object) = Bus::listening();
    bus.ubusd().garbles_lookups = true;
    bus.wait(UBUS_LOOKUP_INTERVAL);
    bus.ubusd().garbles_lookups = false;
    assert_eq!(bus.source.health().malformed, 1);
    bus.wait(UBUS_LOOKUP_INTERVAL);
    assert!(bus.is_heard(object));
}

#[test]
fn a_stream_that_cannot_be_followed_is_left_at_once() {
    let (mut bus, object) = Bus::listening();
    bus.ubusd().clients[0].send_raw(b"HTTP/1.1 400 Bad Request\r\n");
    bus.settle();
    let notice = bus.source.health().notice.expect("something to know");
    assert!(notice.contains("no messages"), "{notice}");
    bus.wait(REOPEN_FIRST);
    assert!(bus.is_heard(object));
    assert_eq!(bus.source.health().restarts, 1);
}

#[test]
fn a_message_of_a_megabyte_is_passed_over() {
    let (mut bus, object) = Bus::listening();
    let mut long = Vec::new();
    encode(&mut long, kind::DATA, [9, 9], [0; 4], |writer| {
        writer.put(attribute::DATA, &vec![0; 1_000_000]);
    });
    bus.ubusd().clients[0].send_raw(&long);
    (0..16).for_each(|_| bus.settle());
    assert!(bus.is_heard(object));
    let health = bus.source.health();
    assert_eq!((health.malformed, health.restarts), (1, 0));
}

#[test]
fn messages_may_come_byte_by_byte() {
    let (mut bus, object) = Bus::listening();
    bus.probe(object, 1);
    bus.probe(object, 2);
    let bytes = bus.ubusd().clients[0].take_out();
    for byte in bytes {
        bus.ubusd().clients[0].send_raw(&[byte]);
        bus.ubusd().clients[0].flush();
        bus.step();
    }
    assert_eq!(bus.heard.len(), 2);
}

#[test]
fn without_a_bus_the_source_waits_and_says_so() {
    let mut bus = Bus::new(&[]);
    bus.stop_ubusd();
    let Drained::NextAt(next_us) = bus.step() else {
        panic!("nothing to read");
    };
    assert_eq!(next_us, bus.now_us + REOPEN_FIRST.as_micros() as u64);
    // Asked before that, it does not try.
    assert_eq!(bus.step(), Drained::NextAt(next_us));
    bus.start_ubusd();
    let object = bus.ubusd().add_object("hostapd.phy0-ap0");
    bus.wait(REOPEN_FIRST);
    assert!(bus.is_heard(object));
    assert_eq!(bus.source.health().restarts, 0, "it never ran before");
}
