//! A live node asked why: real agents, real workers, the command a person types.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{Folder, NODE, NodeProcess, PATIENCE, Running, start_agent};

const ACCURACY: &str = "/api/v1/sites/hall/accuracy";

/// A node and agents of the access points in the four corners, which hear the beacons of all ten
/// every second or so. (Along one wall they could not tell how far from it a sender is.)
fn hall() -> (Folder, NodeProcess, Vec<Running>) {
    let folder = Folder::new();
    let node = NodeProcess::start(&folder);
    let agents = ["hall-01", "hall-04", "hall-07", "hall-10"].map(|agent| {
        let config = folder.configure_agent(agent, "pki");
        let mut file = OpenOptions::new().append(true).open(&config).unwrap();
        // The source's table is the last one of the file.
        writeln!(file, "beacon_every_s = 1").unwrap();
        start_agent(&folder, &config)
    });
    (folder, node, agents.into())
}

fn wait_for(node: &NodeProcess, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = node.get(path);
        if is_there(&answer) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{path} stays {answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn explain(folder: &Folder, node: &NodeProcess, client: &str, flags: &[&str]) -> Output {
    let mut command = folder.command(NODE);
    command.args(["explain", client, "--node", node.http()]);
    command.args(flags).output().unwrap()
}

#[test]
fn a_live_fix_is_explained_and_the_present_error_told() {
    let (folder, node, _agents) = hall();
    let fixes = wait_for(&node, "/api/v1/sites/hall/fixes", |answer| {
        let fixes = answer["fixes"].as_array().unwrap();
        fixes.iter().any(|fix| fix["radios"].as_u64() >= Some(3))
    });
    let ids: Vec<&str> = fixes["fixes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|fix| fix["client"].as_str())
        .collect();
    assert!(ids.iter().all(|id| !id.starts_with("hall-")), "{ids:?}");

    let output = explain(&folder, &node, ids[0], &[]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    for word in ["weight", "expected", "in the way", "helped most", "hall-0"] {
        assert!(told.contains(word), "no {word} in {told}");
    }
    let output = explain(&folder, &node, ids[0], &["--json", "--site", "hall"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["fix"]["client"], ids[0]);
    assert!(!answer["radios"].as_array().unwrap().is_empty());

    let stranger = explain(&folder, &node, "00000000000000ff", &[]);
    let complaint = String::from_utf8(stranger.stderr).unwrap();
    assert_eq!(stranger.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("has heard this client"), "{complaint}");

    let accuracy = wait_for(&node, ACCURACY, |answer| {
        answer["beacons"]["anchors_located"].as_u64() >= Some(10)
            && answer["without_anchor"]["clients"].as_u64() >= Some(5)
    });
    // Four corners of 60 m by 40 m locate an anchor to 14 m or so; who says "in the middle" of all
    // ten is 28 m off.
    let median_m = accuracy["beacons"]["median_m"].as_f64().unwrap();
    assert!((0.1..18.0).contains(&median_m), "{accuracy}");
    assert_eq!(accuracy["beacons"]["floors_right"], 10, "{accuracy}");
    assert!(
        accuracy["stated"]["r50_median_m"].as_f64() > Some(0.0),
        "{accuracy}"
    );
    let ledger = node.get("/api/v1/ledger");
    let dropped = &ledger["total"]["dropped_at_node"]["by_reason"];
    assert_eq!(dropped["beacon"]["observations"], 0, "{dropped}");
}
