//! A site file that names the networks of its access points is enough: agents turn what they hear of
//! each other into readings between access points without listing anybody.

use std::path::PathBuf;

use wire::recording::{Entry, RecordingReader};
use wire::{Kind, batch, named_client_id};

use crate::process::{Folder, NodeProcess, start_agent};

/// A network of hall-02.
const BSSID: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xaa];

/// A network of nobody at this site.
const STRANGER: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xbb];

/// A client.
const CLIENT: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0xcc];

const BEACON: u8 = 0x80;
const PROBE: u8 = 0x40;

/// A management frame to all as a radio at 2.4 GHz hears it at -60 dBm, with its radiotap header.
fn frame(kind: u8, from: [u8; 6]) -> Vec<u8> {
    // Version and padding; length; presence of flags (1), channel (3) and signal in dBm (5).
    let mut frame = vec![0, 0, 15, 0];
    frame.extend((1_u32 << 1 | 1 << 3 | 1 << 5).to_le_bytes());
    frame.extend([0, 0]);
    frame.extend(2_437_u16.to_le_bytes());
    frame.extend(0x00a0_u16.to_le_bytes());
    frame.push((-60_i8).cast_unsigned());
    frame.extend([kind, 0, 0, 0]);
    frame.extend([0xff; 6]);
    frame.extend(from);
    frame.extend(if kind == BEACON { from } else { [0xff; 6] });
    frame.extend([0, 0]);
    // Time, interval and capabilities.
    frame.extend([0; 12]);
    frame
}

/// Five minutes of two networks and a client, each ten times a second.
fn capture(folder: &Folder) -> PathBuf {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(127_u32.to_le_bytes());
    for tenth in 0..3_000_u32 {
        for (kind, from) in [(BEACON, BSSID), (BEACON, STRANGER), (PROBE, CLIENT)] {
            let frame = frame(kind, from);
            file.extend((1 + tenth / 10).to_le_bytes());
            file.extend((tenth % 10 * 100_000).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend(frame);
        }
    }
    let path = folder.path("air.pcap");
    std::fs::write(&path, file).unwrap();
    path
}

/// Names the network in the site file, as whoever surveyed the site would.
fn name_network(folder: &Folder) {
    let path = folder.path("hall.toml");
    let site = std::fs::read_to_string(&path).unwrap();
    let of_anchor = "id = \"hall-02\"\n";
    assert_eq!(site.matches(of_anchor).count(), 1);
    let named = format!("{of_anchor}bssids = [\"00:00:5e:00:53:aa\"]\n");
    folder.write("hall.toml", &site.replace(of_anchor, &named));
}

/// Runs an agent beside a node until a good many observations are folded; how many of them tell of
/// hall-02, and how many of anybody else's beacons.
fn beacons_told(folder: &Folder) -> (u64, u64) {
    capture(folder);
    let config = std::fs::read_to_string(folder.configure_agent("hall-01", "pki")).unwrap();
    let (begin, _) = config.split_once("[[source]]").unwrap();
    let source = "[[radio]]\nap = \"hall-01\"\nband = \"2.4\"\n\
                  [[source]]\nkind = \"pcap\"\npath = \"air.pcap\"\n";
    let config = folder.write("hall-01.toml", &format!("{begin}{source}"));
    let node = NodeProcess::start_with(folder, &["--record", "all.recording"]);
    let agent = start_agent(folder, &config);
    node.wait_for_folded_above(60);
    let (status, told) = agent.terminate();
    assert!(status.success(), "{told}");
    let total = &node.get("/api/v1/ledger")["total"];
    assert_eq!(total["residual"], 0, "{total}");
    assert_eq!(total["dropped_at_node"]["observations"], 0, "{total}");
    let (status, log) = node.process.terminate();
    assert!(status.success(), "{log}");

    let recording = std::fs::read(folder.path("all.recording")).unwrap();
    let mut reader = RecordingReader::new(recording.as_slice()).unwrap();
    let hall_02 = named_client_id(&"hall-02".parse().unwrap());
    let (mut of_hall_02, mut others) = (0, 0);
    while let Some(entry) = reader.read_entry().unwrap() {
        let Entry::Datagram { bytes, .. } = entry else {
            continue;
        };
        for row in batch::decode(bytes).unwrap().resolved(|_| Some(hall_02)) {
            match (row.kind, row.client == hall_02) {
                (Kind::Beacon, true) => of_hall_02 += 1,
                (Kind::Beacon, false) => others += 1,
                _ => {}
            }
        }
    }
    (of_hall_02, others)
}

#[test]
fn networks_that_the_site_file_names_are_heard_as_access_points() {
    let folder = Folder::new();
    name_network(&folder);
    let (of_hall_02, others) = beacons_told(&folder);
    assert!(of_hall_02 > 20, "{of_hall_02}");
    assert_eq!(others, 0);
}

#[test]
fn networks_that_nobody_names_are_nobodys() {
    assert_eq!(beacons_told(&Folder::new()), (0, 0));
}
