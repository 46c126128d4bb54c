use std::collections::BTreeMap;

use super::*;
use crate::address::Address;
use crate::testing::{dot11, forms_of, heard_at, radiotap_pcap};

const FACTORY: [u8; 6] = [0x00, 0x1b, 0xc5, 0xd2, 0xe9, 0xa7];
const RANDOM: [u8; 6] = [0x9a, 0x31, 0xf4, 0xc6, 0x5e, 0x0d];
const AP: [u8; 6] = [0x00, 0x31, 0xf4, 0xc6, 0x5e, 0x0d];

fn preview(rules: Rules) -> String {
    let probe = |address| dot11(0x40, 0, [[0xff; 6], address, [0xff; 6]]);
    let frames = [
        heard_at(2_437, -60, &probe(FACTORY)),
        heard_at(2_437, -45, &probe(RANDOM)),
        heard_at(5_180, -70, &probe(RANDOM)),
        heard_at(5_180, -40, &dot11(0x80, 0, [[0xff; 6], AP, AP])),
        b"no radiotap".to_vec(),
    ];
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), radiotap_pcap(&frames)).expect("written");
    let mut out = Vec::new();
    preview_file(file.path(), rules, &[], &mut out).expect("a preview");
    String::from_utf8(out).expect("text")
}

/// The rows under "Totals by rule".
fn totals(text: &str) -> BTreeMap<String, u64> {
    let (_, totals) = text.split_once("Totals by rule\n").expect("totals");
    let row = |line: &str| {
        let (what, count) = line.trim_end_matches(" frames").trim().rsplit_once(' ')?;
        Some((what.trim().to_owned(), count.parse().ok()?))
    };
    totals.lines().filter_map(row).collect()
}

#[test]
fn what_leaves_is_shown_field_by_field() {
    let text = preview(Rules::default());
    for part in [
        "5 frames; 1 observations of 1 clients would leave",
        "this-ap 2.4",
        "\n                  -60\n",
        "probe",
        "Only counted: 2 frames",
        "-50 dBm and more          1 devices        1 frames",
        "-80 to -66 dBm            0 devices        1 frames",
        "randomised = \"on\" under [privacy]",
        "What never leaves",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    for form in [FACTORY, RANDOM, AP].iter().flat_map(forms_of) {
        assert!(!text.contains(&form), "an address is in the output");
    }
}

#[test]
fn the_totals_add_up_under_any_rules() {
    let ap = "ap-2".parse().expect("name");
    let rules = [
        Rules::default(),
        Rules {
            randomised: Randomised::On,
            deny: vec!["00:1b:c5".parse().expect("prefix")],
            ..Rules::default()
        },
        Rules {
            randomised: Randomised::Off,
            rssi_min_dbm: Some(-55),
            access_points: vec![(Address::new(AP), ap)],
            ..Rules::default()
        },
    ];
    let expected = [
        [
            ("randomised", 2),
            ("leaves, of clients", 1),
            ("other access point", 0),
        ],
        [("denied", 1), ("leaves, of clients", 2), ("randomised", 0)],
        [
            ("weak", 2),
            ("leaves, of the site's access points", 1),
            ("randomised", 1),
        ],
    ];
    for (rules, expected) in rules.into_iter().zip(expected) {
        let text = preview(rules);
        let mut totals = totals(&text);
        let all = totals.remove("in all").expect("the sum");
        for (what, count) in expected {
            assert_eq!(totals.get(what), Some(&count), "{what}: {text}");
        }
        assert_eq!((totals.values().sum::<u64>(), all), (5, 5), "{text}");
    }
}

#[test]
fn other_link_types_are_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let capture = crate::testing::pcap(false, 0xa1b2_c3d4, 105, &[(1, 0, b"frame")]);
    std::fs::write(file.path(), capture).expect("written");
    let error = preview_file(file.path(), Rules::default(), &[], &mut io::sink());
    assert!(matches!(
        error,
        Err(PreviewError::Capture(CaptureError::LinkType {
            link_type: 105,
            ..
        }))
    ));
}
