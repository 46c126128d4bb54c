//! Any file is a capture, a damaged one or refused; every frame in it is heard or counted.

#![no_main]

use std::io::{self, Cursor};

use agent::capture::CaptureReader;
use agent::decode::{Addresses, Format, decode};
use agent::source::pace::Pace;
use agent::source::pcap::{CaptureOptions, PcapSource};
use agent::source::{Drained, Source, SourceHealth};
use libfuzzer_sys::fuzz_target;
use wire::ApName;
use wire::frame::RadioHello;

/// Header of a pcap file with radiotap frames: the fuzzer would spend its time on guessing it.
const PCAP: [u8; 24] = [
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 127, 0, 0, 0,
];

fuzz_target!(|bytes: &[u8]| {
    check(bytes.to_vec());
    check([&PCAP, bytes].concat());
});

fn check(file: Vec<u8>) {
    for (format, addresses) in [
        (Format::Table, Addresses::Show),
        (Format::Summary, Addresses::Hide),
    ] {
        if let Ok(reader) = CaptureReader::new("fuzz", Cursor::new(file.clone())) {
            let _ = decode(reader, format, addresses, &mut io::sink());
        }
    }
    let radios = ["2.4", "5", "6"].map(|band| RadioHello {
        ap: ApName::new("ap").expect("a name"),
        band: band.to_owned(),
    });
    let options = CaptureOptions {
        radios: radios.to_vec(),
        access_points: Vec::new(),
        pace: Pace::AsFastAsPossible,
    };
    let Ok(mut source) = PcapSource::new("fuzz", Cursor::new(file), options) else {
        return;
    };
    let mut heard = 0;
    while let Ok(Drained::More | Drained::WaitForRoom) =
        source.drain(0, 1_000, &mut |_| heard += 1)
    {}
    check_books(&source.health(), heard);
}

fn check_books(health: &SourceHealth, heard: u64) {
    let of_no_use = health.without_signal
        + health.without_transmitter
        + health.from_access_point
        + health.without_radio
        + health.bad_checksum
        + health.malformed;
    assert_eq!(health.heard, heard);
    assert_eq!(health.frames, health.heard + of_no_use);
}
