use std::io::Cursor;

use wire::{ApName, Kind};

use super::*;
use crate::source::Transmitter;
use crate::testing::{RadiotapWriter, dot11, heard_at, radiotap_pcap};

const AP: [u8; 6] = [0, 1, 2, 3, 4, 5];
const CLIENT: [u8; 6] = [0x02, 6, 7, 8, 9, 10];
const BROADCAST: [u8; 6] = [0xff; 6];

fn source(frames: &[Vec<u8>], own: &[[u8; 6]], pace: Pace) -> PcapSource {
    let radio = |band: &str| RadioHello {
        ap: ApName::new("ap").unwrap(),
        band: band.to_owned(),
    };
    let options = CaptureOptions {
        radios: vec![radio("2.4"), radio("5")],
        access_points: own.iter().copied().map(Address::new).collect(),
        pace,
    };
    PcapSource::new("test", Cursor::new(radiotap_pcap(frames)), options).unwrap()
}

fn listen(frames: &[Vec<u8>], own: &[[u8; 6]]) -> (Vec<Heard>, SourceHealth) {
    let mut source = source(frames, own, Pace::AsFastAsPossible);
    let mut heard = Vec::new();
    let drained = source.drain(0, 100, &mut |one| heard.push(one)).unwrap();
    assert_eq!(drained, Drained::Finished);
    (heard, source.health())
}

fn probe() -> Vec<u8> {
    dot11(0x40, 0, [BROADCAST, CLIENT, BROADCAST])
}

fn beacon() -> Vec<u8> {
    dot11(0x80, 0, [BROADCAST, AP, AP])
}

#[test]
fn a_probe_is_heard_by_the_radio_of_its_band() {
    let (heard, _) = listen(
        &[
            heard_at(2_437, -60, &probe()),
            heard_at(5_180, -61, &probe()),
        ],
        &[],
    );
    let of = |heard: &Heard| (heard.radio, heard.channel, heard.rssi_dbm, heard.kind);
    assert_eq!(of(&heard[0]), (0, 6, Some(-60), Kind::Probe));
    assert_eq!(of(&heard[1]), (1, 36, Some(-61), Kind::Probe));
    assert!(heard[0].from == Transmitter::Address(Address::new(CLIENT)));
    assert_eq!(
        [heard[0].heard_at_us, heard[1].heard_at_us],
        [1_000_000_000, 1_000_001_000]
    );
}

#[test]
fn every_frame_of_no_use_is_counted_under_its_reason() {
    let bad_checksum = RadiotapWriter::default()
        .word(1 << 1 | 1 << 5)
        .field(1, &[0x40])
        .field(1, &[0xc0])
        .frame(&probe());
    let transmitted = RadiotapWriter::default()
        .word(1 << 5 | 1 << 15)
        .field(1, &[0xc0])
        .field(2, &[0, 0])
        .frame(&probe());
    let frames = [
        heard_at(2_437, -60, &dot11(0xd4, 0, [AP, AP, AP])[..10]),
        RadiotapWriter::default().word(0).frame(&probe()),
        transmitted,
        bad_checksum,
        heard_at(2_437, -60, &beacon()),
        heard_at(2_437, -60, &dot11(0xb4, 0, [CLIENT, AP, AP])),
        heard_at(5_955, -60, &probe()),
        heard_at(2_437, -60, &probe()[..9]),
        b"no radiotap".to_vec(),
    ];
    let (heard, health) = listen(&frames, &[]);
    assert!(heard.is_empty());
    let expected = SourceHealth {
        frames: 9,
        without_transmitter: 1,
        without_signal: 2,
        bad_checksum: 1,
        from_access_point: 2,
        without_radio: 1,
        malformed: 2,
        ..SourceHealth::default()
    };
    assert_eq!(health, expected);
}

#[test]
fn our_own_access_points_calibrate() {
    let frames = [
        heard_at(2_437, -60, &beacon()),
        heard_at(2_437, -60, &dot11(0x08, 2, [CLIENT, AP, CLIENT])),
    ];
    let (heard, _) = listen(&frames, &[AP]);
    assert!(heard.iter().all(|one| one.kind == Kind::Beacon) && heard.len() == 2);
}

#[test]
fn association_is_with_our_networks_where_we_know_them() {
    let data = heard_at(2_437, -60, &dot11(0x08, 1, [AP, CLIENT, BROADCAST]));
    let associated = |own: &[[u8; 6]]| listen(std::slice::from_ref(&data), own).0[0].associated;
    assert!(associated(&[]) && associated(&[AP]) && !associated(&[BROADCAST]));
}

#[test]
fn at_a_speed_the_agents_clock_stamps() {
    let frames = [
        heard_at(2_437, -60, &probe()),
        heard_at(2_437, -61, &probe()),
    ];
    let mut source = source(&frames, &[], Pace::Speed(1.0));
    assert_eq!(source.clock(), Clock::Monotonic);
    let mut times = Vec::new();
    let mut drain = |now_us| {
        source
            .drain(now_us, 9, &mut |one| times.push(one.heard_at_us))
            .unwrap()
    };
    assert_eq!(drain(70), Drained::NextAt(1_070));
    assert_eq!(drain(1_500), Drained::Finished);
    assert_eq!(times, [70, 1_070]);
    assert_eq!(source.watermark_us(), 1_500);
}

#[test]
fn a_damaged_capture_gives_what_stands_before() {
    let mut file = radiotap_pcap(&[heard_at(2_437, -60, &probe())]);
    file.extend([0xff; 16]);
    let options = CaptureOptions {
        radios: Vec::new(),
        access_points: Vec::new(),
        pace: Pace::Speed(1.0),
    };
    let mut source = PcapSource::new("test", Cursor::new(file), options).unwrap();
    let error = source.drain(0, 9, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "source test: the capture ends here");
    assert_eq!(source.health().frames, 1);
}
