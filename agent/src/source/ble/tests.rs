//! The source against an adapter that is written here: both run in turns, on a pair of sockets.

use std::sync::mpsc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;
use crate::address::Address;
use crate::limits::{BLE_ANSWER_MAX, BLE_QUIET_MAX, REOPEN_MAX};

const UNKNOWN_COMMAND: u8 = 0x01;

/// Both of one interface, or of the older one only.
#[derive(Clone, Copy, PartialEq)]
enum Kin {
    Legacy,
    Extended,
}

struct Adapter {
    socket: OwnedFd,
    kin: Kin,
    commands: Vec<u16>,
    mute: bool,
}

impl Adapter {
    /// Answers commands.
    fn turn(&mut self) {
        let mut packet = [0; 64];
        while let Ok(bytes) = rustix::io::read(&self.socket, &mut packet[..]) {
            let [1, low, high, length, ..] = packet else {
                panic!("no command");
            };
            assert_eq!(bytes, 4 + usize::from(length));
            let opcode = u16::from_le_bytes([low, high]);
            self.commands.push(opcode);
            let known = self.kin == Kin::Extended || opcode < 0x2041;
            let status = if known { 0 } else { UNKNOWN_COMMAND };
            if !self.mute {
                self.send(&[4, 0x0e, 4, 1, low, high, status]);
            }
        }
    }

    fn send(&self, packet: &[u8]) {
        rustix::io::write(&self.socket, packet).expect("room in the socket");
    }

    /// An event with a legacy report of each of these addresses.
    fn advertise(&self, octets: &[[u8; 6]]) {
        let mut packet = vec![4, 0x3e, 0, 0x02, octets.len() as u8];
        for octets in octets {
            packet.extend([0, 1]);
            packet.extend(octets.iter().rev());
            packet.extend([0, (-70_i8).cast_unsigned()]);
        }
        packet[2] = (packet.len() - 3) as u8;
        self.send(&packet);
    }
}

struct Room {
    plug: mpsc::Sender<io::Result<OwnedFd>>,
    source: BleSource,
    now_us: u64,
    heard: Vec<Heard>,
}

impl Room {
    fn new() -> Self {
        let (plug, sockets) = mpsc::channel();
        let options = BleOptions {
            radio: RadioHello {
                ap: "lobby".parse().unwrap(),
                band: "ble".to_owned(),
            },
            adapter: 0,
            timing: ScanTiming {
                interval: Duration::from_millis(60),
                window: Duration::from_millis(30),
            },
        };
        let open = move |_| sockets.try_recv().unwrap_or(Err(Errno::NODEV.into()));
        Self {
            plug,
            source: BleSource::with_open(options, Box::new(open)),
            now_us: 0,
            heard: Vec::new(),
        }
    }

    /// A room with an adapter that scans.
    fn scanning(kin: Kin) -> (Self, Adapter) {
        let mut room = Self::new();
        let mut adapter = room.plug_in(kin);
        room.settle(&mut adapter);
        assert!(room.source.scanner.scans());
        (room, adapter)
    }

    fn plug_in(&mut self, kin: Kin) -> Adapter {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (host, socket) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        self.plug.send(Ok(host)).unwrap();
        Adapter {
            socket,
            kin,
            commands: Vec::new(),
            mute: false,
        }
    }

    fn step(&mut self) -> Drained {
        self.now_us += 10_000;
        let heard = &mut self.heard;
        self.source
            .drain(self.now_us, 1_000, &mut |h| heard.push(h))
            .unwrap()
    }

    fn settle(&mut self, adapter: &mut Adapter) {
        for _ in 0..10 {
            self.step();
            adapter.turn();
        }
    }

    fn notice(&self) -> String {
        self.source.health().notice.unwrap_or_default()
    }
}

#[test]
fn a_scan_begins_with_the_newer_commands() {
    let (room, adapter) = Room::scanning(Kin::Extended);
    assert_eq!(adapter.commands, [0x0c03, 0x0c01, 0x2001, 0x2041, 0x2042]);
    assert!(room.source.fd().is_some());
}

#[test]
fn an_older_adapter_scans_as_well() {
    let (_, adapter) = Room::scanning(Kin::Legacy);
    let expected = [0x0c03, 0x0c01, 0x2001, 0x2041, 0x200b, 0x200c];
    assert_eq!(adapter.commands, expected);
}

#[test]
fn advertisements_are_heard_every_time() {
    let (mut room, adapter) = Room::scanning(Kin::Legacy);
    let octets = [0xc1, 2, 3, 4, 5, 6];
    adapter.advertise(&[octets]);
    adapter.advertise(&[octets, [0x41, 2, 3, 4, 5, 6]]);
    room.step();
    assert_eq!(room.heard.len(), 3);
    let heard = room.heard[1];
    assert!(heard.from == Transmitter::Address(Address::new(octets)));
    let Transmitter::Address(address) = heard.from else {
        panic!("an address");
    };
    assert!(address.is_randomised() && !address.is_group());
    assert_eq!(
        (heard.radio, heard.channel, heard.rssi_dbm),
        (0, 0, Some(-70))
    );
    assert_eq!((heard.kind, heard.associated), (Kind::Advertisement, false));
    assert_eq!(room.source.health().heard, 3);
}

#[test]
fn a_packet_waits_for_room() {
    let (mut room, adapter) = Room::scanning(Kin::Legacy);
    let octets: Vec<_> = (0..20).map(|last| [0xc1, 2, 3, 4, 5, last]).collect();
    adapter.advertise(&octets);
    adapter.advertise(&octets);
    let mut given = Vec::new();
    for room_for in [0, 7, 7, 0, 7, 100] {
        let before = given.len();
        let out = &mut |heard: Heard| given.push(heard.from);
        let drained = room.source.drain(room.now_us, room_for, out).unwrap();
        assert!(given.len() - before <= room_for);
        assert_eq!(
            drained == Drained::More,
            given.len() < 40,
            "{}",
            given.len()
        );
    }
    let expected = octets.iter().chain(&octets);
    let expected: Vec<_> = expected
        .map(|o| Transmitter::Address(Address::new(*o)))
        .collect();
    assert!(given == expected);
}

#[test]
fn what_is_of_no_use_is_counted() {
    let (mut room, adapter) = Room::scanning(Kin::Legacy);
    adapter.send(&[4, 0x3e, 12, 0x02, 1, 0, 0, 1, 2, 3, 4, 5, 6, 0, 127]);
    adapter.send(&[4, 0x3e, 12, 0x02, 1, 0, 0xff, 1, 2, 3, 4, 5, 6, 0, 0xc4]);
    adapter.send(&[4, 0x3e, 12, 0x02, 2, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0xc4]);
    adapter.send(&[4, 0x3e]);
    room.step();
    let health = room.source.health();
    assert_eq!((health.frames, health.heard, health.malformed), (5, 1, 2));
    assert_eq!((health.without_signal, health.without_transmitter), (1, 1));
}

#[test]
fn an_adapter_may_be_pulled_out_and_come_back() {
    let (mut room, adapter) = Room::scanning(Kin::Extended);
    drop(adapter);
    room.step();
    assert_eq!(room.notice(), "source ble hci0: it is not there");
    assert!(room.source.fd().is_none());
    room.now_us += REOPEN_MAX.as_micros() as u64;
    room.step();
    let mut adapter = room.plug_in(Kin::Extended);
    room.now_us += REOPEN_MAX.as_micros() as u64;
    room.settle(&mut adapter);
    adapter.advertise(&[[1; 6]]);
    room.step();
    assert_eq!((room.heard.len(), room.notice().as_str()), (1, ""));
    assert_eq!(room.source.health().restarts, 1);
}

#[test]
fn an_adapter_that_does_not_answer_is_given_up() {
    let mut room = Room::new();
    let mut adapter = room.plug_in(Kin::Extended);
    adapter.mute = true;
    room.settle(&mut adapter);
    assert_eq!(room.notice(), "");
    room.now_us += BLE_ANSWER_MAX.as_micros() as u64;
    room.step();
    assert!(
        room.notice().contains("does not answer"),
        "{}",
        room.notice()
    );
}

#[test]
fn an_adapter_that_refuses_or_fails_is_given_up() {
    let mut room = Room::new();
    let adapter = room.plug_in(Kin::Extended);
    room.step();
    adapter.send(&[4, 0x0e, 4, 1, 0x03, 0x0c, 0x0c]);
    room.step();
    let expected = "source ble hci0: the adapter refuses command 0x0c03 (status 0x0c)";
    assert_eq!(room.notice(), expected);
    let (mut room, adapter) = Room::scanning(Kin::Extended);
    adapter.send(&[4, 0x10, 1, 0]);
    room.step();
    assert!(
        room.notice().contains("a failure of its own"),
        "{}",
        room.notice()
    );
}

#[test]
fn an_adapter_that_hears_nothing_for_long_is_started_anew() {
    let (mut room, adapter) = Room::scanning(Kin::Extended);
    room.now_us += BLE_QUIET_MAX.as_micros() as u64 / 2;
    adapter.advertise(&[[1; 6]]);
    room.step();
    room.now_us += BLE_QUIET_MAX.as_micros() as u64 / 2;
    room.step();
    assert_eq!(room.notice(), "");
    room.now_us += BLE_QUIET_MAX.as_micros() as u64 / 2;
    room.step();
    assert!(room.notice().contains("heard nothing"), "{}", room.notice());
}

#[test]
fn what_can_never_work_ends_the_source() {
    let check = |errno: Errno, expected: &str| {
        let mut room = Room::new();
        room.plug.send(Err(errno.into())).unwrap();
        let error = room.source.drain(0, 1, &mut |_| {}).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        Errno::AFNOSUPPORT,
        "source ble hci0: the kernel has no Bluetooth",
    );
    check(Errno::PERM, "CAP_NET_ADMIN");
    let mut room = Room::new();
    room.plug.send(Err(Errno::BUSY.into())).unwrap();
    room.step();
    assert!(room.notice().contains("it is in use"), "{}", room.notice());
}
