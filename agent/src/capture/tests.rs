use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;
use crate::testing::{block, heard_at, ordered, pcap, radiotap_pcap};

type Frames = Vec<(u64, Vec<u8>)>;

/// All frames, the error that ended them, the notice.
fn read(bytes: Vec<u8>) -> (Frames, Option<CaptureError>, Option<String>) {
    let mut frames = Vec::new();
    let mut reader = match CaptureReader::new("test", Cursor::new(bytes)) {
        Ok(reader) => reader,
        Err(error) => return (frames, Some(error), None),
    };
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push((frame.captured_at_ns, frame.bytes.to_vec())),
            Ok(None) => return (frames, None, reader.notice()),
            Err(error) => return (frames, Some(error), reader.notice()),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A pcapng section with one interface of this link type and these options.
fn section(big: bool, link_type: u16, options: &[u8]) -> Vec<u8> {
    let half = |value: u16| ordered(big, value.to_le_bytes());
    let word = |value: u32| ordered(big, value.to_le_bytes());
    let header = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    let interface = [&half(link_type)[..], &half(0), &word(0), options].concat();
    [block(big, 0x0a0d_0d0a, &header), block(big, 1, &interface)].concat()
}

fn enhanced(big: bool, ticks: u64, bytes: &[u8]) -> Vec<u8> {
    let word = |value: u32| ordered(big, value.to_le_bytes());
    let (high, low, len) = ((ticks >> 32) as u32, ticks as u32, bytes.len() as u32);
    let fixed = [word(0), word(high), word(low), word(len), word(len)].concat();
    block(big, 6, &[&fixed[..], bytes].concat())
}

#[test]
fn pcap_of_both_byte_orders_and_both_resolutions() {
    for big in [false, true] {
        for (magic, expected) in [(0xa1b2_c3d4, 7_000_005_000), (0xa1b2_3c4d, 7_000_000_005)] {
            let file = pcap(big, magic, 127, &[(7, 5, b"frame"), (7, 5, b"")]);
            let (frames, error, notice) = read(file);
            assert_eq!(
                frames,
                [(expected, b"frame".to_vec()), (expected, Vec::new())]
            );
            assert!(error.is_none() && notice.is_none());
        }
    }
}

#[test]
fn upper_bits_of_the_link_type_tell_of_checksums() {
    let (frames, error, _) = read(pcap(false, 0xa1b2_c3d4, 0x5400_007f, &[(1, 0, b"x")]));
    assert!(error.is_none() && frames.len() == 1);
}

#[test]
fn pcapng_of_both_byte_orders() {
    for big in [false, true] {
        let half = |value: u16| ordered(big, value.to_le_bytes());
        let nanoseconds = [&half(9)[..], &half(1), &[9, 0, 0, 0], &half(0), &half(0)].concat();
        let file = [
            section(big, 127, &[]),
            block(big, 0xbad, b"a block of another kind"),
            enhanced(big, 3_000_007, b"first"),
            section(!big, 127, &[]),
            enhanced(!big, 4_000_000, b"second section"),
            section(big, 127, &nanoseconds),
            enhanced(big, 5_000_000_009, b"third"),
        ]
        .concat();
        let (frames, error, _) = read(file);
        assert!(error.is_none(), "{error:?}");
        let times: Vec<_> = frames.iter().map(|frame| frame.0).collect();
        assert_eq!(times, [3_000_007_000, 4_000_000_000, 5_000_000_009]);
        assert_eq!(frames[1].1, b"second section");
    }
}

#[test]
fn simple_and_obsolete_packets() {
    let simple = [&5u32.to_le_bytes()[..], b"frame"].concat();
    let words = [0u32, 0, 2_000_000, 5, 5].map(u32::to_le_bytes).concat();
    let obsolete = [&words[..], b"older"].concat();
    let file = [
        section(false, 127, &[]),
        block(false, 2, &obsolete),
        block(false, 3, &simple),
    ];
    let (frames, error, _) = read(file.concat());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        frames,
        [
            (2_000_000_000, b"older".to_vec()),
            (2_000_000_000, b"frame".to_vec())
        ]
    );
}

#[test]
fn debug_shows_no_bytes() {
    let file = radiotap_pcap(&[vec![222, 173, 190, 239]]);
    let mut reader = CaptureReader::new("test", Cursor::new(file)).unwrap();
    let frame = format!("{:?}", reader.next_frame().unwrap().unwrap());
    assert!(frame.contains("bytes: 4"), "{frame}");
    assert!(!format!("{frame} {reader:?}").contains("222"));
}

#[test]
fn gzip_is_told_by_its_first_bytes() {
    let plain = radiotap_pcap(&[heard_at(2412, -50, b"frame")]);
    assert_eq!(read(gzip(&plain)).0, read(plain).0);
}

#[test]
fn a_file_that_is_cut_short_counts_up_to_there() {
    let whole = radiotap_pcap(&[b"first".to_vec(), b"second".to_vec()]);
    for cut in 1..22 {
        let (frames, error, notice) = read(whole[..whole.len() - cut].to_vec());
        assert!(error.is_none());
        assert_eq!(frames.len(), 1, "{cut} bytes cut");
        assert!(notice.unwrap().contains("cut short in record 2"));
    }
    let packed = gzip(&radiotap_pcap(&vec![vec![7; 100]; 1_000]));
    let (frames, error, notice) = read(packed[..packed.len() / 2].to_vec());
    assert!(error.is_none() && notice.is_some() && !frames.is_empty());
}

#[test]
fn captures_without_radiotap_are_refused_with_advice() {
    for (link_type, name) in [(105, "without radiotap"), (119, "Prism"), (1, "Ethernet")] {
        let text = read(pcap(false, 0xa1b2_c3d4, link_type, &[]))
            .1
            .unwrap()
            .to_string();
        assert!(
            text.contains("capture test: link type") && text.contains(name),
            "{text}"
        );
        assert!(text.contains("record with radiotap"), "{text}");
    }
    let text = read(section(false, 105, &[])).1.unwrap().to_string();
    assert!(
        text.contains("capture test, interface 0: link type 105"),
        "{text}"
    );
}

#[test]
fn what_is_no_capture_is_refused() {
    for bytes in [
        &b""[..],
        b"abc",
        b"a longer text that is no capture",
        &[0xd4, 0xc3, 0xb2, 0xa1],
    ] {
        assert!(matches!(
            read(bytes.to_vec()).1,
            Some(CaptureError::Format { .. })
        ));
    }
}

#[test]
fn impossible_lengths_end_the_reading() {
    let mut file = radiotap_pcap(&[b"first".to_vec()]);
    file.extend([[0; 4], [0; 4], [0xff; 4], [0xff; 4]].concat());
    let (frames, error, _) = read(file);
    assert_eq!(frames.len(), 1);
    assert!(
        error
            .unwrap()
            .to_string()
            .starts_with("capture test, record 2: its length is beyond")
    );
    let packet = [0u32, 0, 0, 500, 500].map(u32::to_le_bytes).concat();
    let file = [section(false, 127, &[]), block(false, 6, &packet)].concat();
    assert!(matches!(read(file).1, Some(CaptureError::Damaged { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(bytes.clone());
        let _ = read([&[0xd4, 0xc3, 0xb2, 0xa1][..], &bytes].concat());
        let _ = read([&section(true, 127, &[])[..], &bytes].concat());
    }

    #[test]
    fn mutated_captures_are_read_without_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        big in any::<bool>(),
    ) {
        let frame = heard_at(2412, -50, &[0x40; 30]);
        let ng = [section(big, 127, &[9, 0, 1, 0, 9, 0, 0, 0]), enhanced(big, 9, &frame)].concat();
        for mut file in [pcap(big, 0xa1b2_c3d4, 127, &[(1, 1, &frame)]), ng] {
            for (index, byte) in &changes {
                let at = index.index(file.len());
                file[at] = *byte;
            }
            let _ = read(file);
        }
    }
}
