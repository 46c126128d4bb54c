use std::fs;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use wire::Kind;

use super::*;
use crate::source::Transmitter;

const ANCHORS: &str = "\
anchor_id,x_m,y_m,z_m,floor,band,freq_mhz,colour
A07-2.4,1.5,2,,1,2.4,2412,red
A07-5,1.5,2,,1,5,5745,red
U0,3,4,1.1,,uwb,,blue
";
const TRUTH: &str = "\
epoch_id,t_s,client_id,traj_id,loc_id,split,x_m,y_m,z_m,floor,los
0,3,phone,,here,cal,1,2,,1,
1,0,phone,,there,test,3,4,,1,scene1
2,1,phone,,here,cal,1,2,,1,
3,9.5,tag 0,walk,w-1,test,5,6,0.9,,
";
const OBSERVATIONS: &str = "\
epoch_id,t_s,anchor_id,rssi_dbm,range_m,range_std_m
0,3,A07-5,-44.6,,
2,1,A07-2.4,-60,,
1,0,A07-5,-50,4.041,0
3,9.75,U0,,-0.2,0.06
";

/// A folder with these files; the observations are packed.
fn folder(anchors: &str, truth: &str, observations: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("anchors.csv"), anchors).unwrap();
    fs::write(folder.path().join("truth.csv"), truth).unwrap();
    let packed = fs::File::create(folder.path().join("observations.csv.gz")).unwrap();
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(observations.as_bytes()).unwrap();
    packed.finish().unwrap();
    folder
}

fn dataset() -> Dataset {
    Dataset::load(folder(ANCHORS, TRUTH, OBSERVATIONS).path()).unwrap()
}

fn options(split: Option<Split>, identity: Identity) -> TimelineOptions {
    TimelineOptions {
        split,
        identity,
        pause_s: 10.0,
        begin_us: 1_000_000,
    }
}

#[test]
fn a_set_is_read_with_its_gaps() {
    let dataset = dataset();
    let aps: Vec<_> = dataset.anchors.iter().map(Anchor::ap).collect();
    assert_eq!(aps, ["A07", "A07", "U0"]);
    assert_eq!(
        (dataset.anchors[0].z_m, dataset.anchors[2].z_m),
        (None, Some(1.1))
    );
    assert_eq!(dataset.epochs[1].sight, "scene1");
    assert_eq!(dataset.epochs[3].trajectory.as_deref(), Some("walk"));
    assert_eq!(dataset.readings[3].range_m, Some(-0.2));
}

#[test]
fn errors_name_file_and_line() {
    let check = |anchors: &str, truth: &str, observations: &str, expected: &str| {
        let folder = folder(anchors, truth, observations);
        let error = Dataset::load(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    };
    let bad = OBSERVATIONS.replace("-50,4.041", "loud,");
    check(
        ANCHORS,
        TRUTH,
        &bad,
        "observations.csv.gz, line 4: rssi_dbm is \"loud\"; use a number",
    );
    let bad = OBSERVATIONS.replace("2,1,A07-2.4", "2,1,A99");
    let expected = "line 3: anchor_id \"A99\" is not in anchors.csv; add it there";
    check(ANCHORS, TRUTH, &bad, expected);
    let bad = TRUTH.replace("test,3", "tset,3");
    check(
        ANCHORS,
        &bad,
        OBSERVATIONS,
        "truth.csv, line 3: split is \"tset\"; use cal or test",
    );
    let bad = ANCHORS.replace("y_m", "north_m");
    let expected =
        "line 1: no column y_m; it needs anchor_id, x_m, y_m, z_m, floor, band, freq_mhz";
    check(&bad, TRUTH, OBSERVATIONS, expected);
    let bad = OBSERVATIONS.replace("-44.6", "100");
    let expected = "line 2: rssi_dbm is not in [-127, 0]; leave it empty where nothing was heard";
    check(ANCHORS, TRUTH, &bad, expected);
    let error = Dataset::load(Path::new("/nowhere"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("data set file /nowhere/anchors.csv: cannot be opened"),
        "{error}"
    );
}

#[test]
fn walks_and_places_follow_one_another() {
    let dataset = dataset();
    let timeline = dataset.timeline(&options(None, Identity::Segment));
    let times: Vec<_> = (0..4)
        .map(|e| timeline.time_us(e, dataset.epochs[e].t_s))
        .collect();
    let expected = [3_000_000, 13_000_000, 1_000_000, 23_000_000];
    assert_eq!(times, expected.map(Some));
    assert_eq!(timeline.end_us(), 33_250_000);
    let names: Vec<_> = (0..4)
        .map(|e| timeline.client(e).unwrap().1.to_string())
        .collect();
    assert_eq!(
        names,
        ["phone.here", "phone.there", "phone.here", "tag-0.walk"]
    );
    assert_eq!(timeline.names().len(), 3);
}

#[test]
fn a_split_leaves_the_other_out() {
    let timeline = dataset().timeline(&options(Some(Split::Test), Identity::Device));
    assert_eq!(timeline.time_us(0, 3.0), None);
    assert_eq!(timeline.time_us(1, 0.0), Some(1_000_000));
    assert_eq!(timeline.names().len(), 2);
}

#[test]
fn an_agent_plays_what_its_radios_heard() {
    let dataset = dataset();
    let timeline = dataset.timeline(&options(None, Identity::Device));
    let replay = dataset.replay(&timeline, &[2, 1]);
    assert_eq!(replay.radios[1].ap.as_str(), "A07");
    let [place, ranged, walk] = replay.heard[..] else {
        panic!("three readings")
    };
    assert_eq!(
        (place.radio, place.rssi_dbm, place.channel),
        (1, Some(-45), 149)
    );
    assert_eq!((place.kind, place.heard_at_us), (Kind::Other, 3_000_000));
    assert_eq!(ranged.kind, Kind::Ranging);
    assert_eq!(ranged.range.unwrap().deviation_mm, None);
    let range = walk.range.unwrap();
    assert_eq!((walk.rssi_dbm, walk.heard_at_us), (None, 23_250_000));
    assert_eq!((range.distance_mm, range.deviation_mm), (-200, Some(60)));
    assert!(walk.from == Transmitter::Client(timeline.client(3).unwrap().0));
}

#[test]
fn the_development_sets_are_read() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let data = std::env::var_os("TRILOBITE_DATA").unwrap_or_else(|| beside.into());
    let expected = [
        ("sod-cetc331", 52, 1_795),
        ("feng-smalloffice", 3, 740),
        ("yu-carpark", 6, 2_147),
        ("danis-ble", 12, 1_326),
        ("lias-uwb", 8, 3_300),
    ];
    for (name, anchors, epochs) in expected {
        let folder = Path::new(&data).join(name);
        if !folder.is_dir() {
            println!(
                "skipped: no data set {}; set TRILOBITE_DATA",
                folder.display()
            );
            continue;
        }
        let dataset = Dataset::load(&folder).unwrap();
        assert_eq!(
            (dataset.anchors.len(), dataset.epochs.len()),
            (anchors, epochs),
            "{name}"
        );
        let timeline = dataset.timeline(&options(None, Identity::Segment));
        let all: Vec<_> = (0..anchors).collect();
        assert_eq!(
            dataset.replay(&timeline, &all).heard.len(),
            dataset.readings.len(),
            "{name}"
        );
    }
}
