use std::io::Cursor;
use std::path::PathBuf;

use super::*;
use crate::testing::{dot11, forms_of, heard_at, radiotap_pcap};

const CLIENT: [u8; 6] = [0x02, 0x1b, 0xc5, 0xd2, 0xe9, 0xa7];
const AP: [u8; 6] = [0x00, 0x31, 0xf4, 0xc6, 0x5e, 0x0d];

/// Columns of the oracle that must be equal: transmitter, signals, noises, frequency.
const JUDGED: [usize; 4] = [6, 9, 10, 12];

fn show(format: Format, addresses: Addresses) -> String {
    let frames = [
        heard_at(2_437, -60, &dot11(0x40, 0, [[0xff; 6], CLIENT, [0xff; 6]])),
        heard_at(5_180, -40, &dot11(0x80, 0, [[0xff; 6], AP, AP])),
        b"no radiotap".to_vec(),
    ];
    let mut out = Vec::new();
    let reader = CaptureReader::new("test", Cursor::new(radiotap_pcap(&frames))).unwrap();
    let counters = decode(reader, format, addresses, &mut out).unwrap();
    assert_eq!(
        counters,
        DecodeCounters {
            frames: 3,
            with_signal: 2,
            malformed: 1
        }
    );
    String::from_utf8(out).unwrap()
}

/// Folder with the captures, or `None` (said aloud) where there is none.
fn captures() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let data = std::env::var_os("TRILOBITE_DATA").unwrap_or_else(|| beside.into());
    let folder = PathBuf::from(data).join("captures");
    let present = folder.is_dir();
    if !present {
        println!(
            "skipped: no captures in {}; set TRILOBITE_DATA",
            folder.display()
        );
    }
    present.then_some(folder)
}

#[test]
fn a_table_has_one_row_per_frame() {
    let text = show(Format::Table, Addresses::Show);
    let rows: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 4);
    let expected = [
        "1",
        "1000.000000000",
        "37",
        "13",
        "",
        "0x0004",
        "02:1b:c5:d2:e9:a7",
        "ff:ff:ff:ff:ff:ff",
        "ff:ff:ff:ff:ff:ff",
        "-60",
        "",
        "",
        "2437",
        "",
        "0",
        "",
    ];
    assert_eq!(rows[1], expected);
    assert_eq!(rows[3].last(), Some(&"malformed"));
}

#[test]
fn a_summary_says_what_would_leave() {
    let text = show(Format::Summary, Addresses::Hide);
    for part in [
        "frames       3, 2 with a signal strength",
        "1 malformed",
        "beacon 1, probe 1",
        "2.4 1, 5 1",
        "clients      1, 1 of them with a randomised address",
        "1 randomised and not associated: by default these are only counted",
        "with randomised = \"on\" under [privacy]",
        "1 frames, -60 dBm at best",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn addresses_are_shown_on_request_only() {
    let shown = show(Format::Summary, Addresses::Show);
    assert!(shown.contains("02:1b:c5:d2:e9:a7"));
    for format in [Format::Summary, Format::Table] {
        let hidden = show(format, Addresses::Hide);
        for form in [CLIENT, AP].iter().flat_map(forms_of) {
            assert!(!hidden.contains(&form), "an address is in the output");
        }
    }
}

#[test]
fn captures_decode_as_the_oracle_says() {
    let Some(folder) = captures() else { return };
    let (mut compared, mut malformed) = (0, 0);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((stem, extension)) = name.split_once(".pcap").or(name.split_once(".cap")) else {
            continue;
        };
        let oracle = folder.join(format!("{stem}.expected.tsv"));
        let oracle = std::fs::read_to_string(oracle).unwrap();
        let mut out = Vec::new();
        let decoded = decode_file(&path, Format::Table, Addresses::Show, &mut out);
        if matches!(stem, "wpa" | "ieee802.11_tim_ie_oobr") {
            assert!(matches!(
                decoded,
                Err(DecodeError::Capture(CaptureError::LinkType { .. }))
            ));
            continue;
        }
        let counters = decoded.unwrap_or_else(|error| panic!("{stem}{extension}: {error}"));
        let ours = String::from_utf8(out).unwrap();
        let marked = ours.lines().filter(|row| row.ends_with("\tmalformed"));
        assert_eq!(marked.count() as u64, counters.malformed, "{stem}");
        malformed += counters.malformed;
        compared += compare(stem, &oracle, &ours);
    }
    assert_eq!(compared, 1_695, "frames in all captures with radiotap");
    assert!(malformed >= 2, "{malformed} malformed frames");
}

/// Number of rows, all of which agree in the judged columns. Never shows an address.
fn compare(stem: &str, oracle: &str, ours: &str) -> usize {
    assert_eq!(
        oracle.lines().next(),
        ours.lines().next(),
        "{stem}: the columns"
    );
    assert_eq!(
        oracle.lines().count(),
        ours.lines().count(),
        "{stem}: the number of frames"
    );
    for (row, (expected, found)) in oracle.lines().zip(ours.lines()).enumerate().skip(1) {
        let [expected, found]: [Vec<_>; 2] = [expected, found].map(|row| row.split('\t').collect());
        for column in JUDGED {
            assert!(
                expected[column] == found[column],
                "{stem}, frame {row}, column {column}"
            );
        }
    }
    oracle.lines().count() - 1
}

#[test]
fn no_address_of_any_capture_is_in_the_output() {
    let Some(folder) = captures() else { return };
    for stem in [
        "test1.pcap",
        "ieee802.11_exthdr.pcap",
        "wpa-eap-tls.pcap.gz",
    ] {
        let path = folder.join(stem);
        let mut reader = CaptureReader::open(&path).unwrap();
        let mut forms = std::collections::BTreeSet::new();
        while let Some(frame) = reader.next_frame().unwrap() {
            let Ok(header) = Dissected::new(frame).header else {
                continue;
            };
            let addresses = [header.transmitter, header.receiver, header.bssid];
            forms.extend(
                addresses
                    .into_iter()
                    .flatten()
                    .flat_map(|a| forms_of(a.octets())),
            );
        }
        for format in [Format::Summary, Format::Table] {
            let mut out = Vec::new();
            decode_file(&path, format, Addresses::Hide, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap().to_lowercase();
            assert!(
                !forms.iter().any(|form| text.contains(form)),
                "an address of {stem}"
            );
        }
    }
}
