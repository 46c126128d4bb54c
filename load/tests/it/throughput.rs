//! `throughput` as its users run it: short runs of every pattern against a node of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const LOAD: &str = env!("CARGO_BIN_EXE_trilobite-load");

const KEYS: [&str; 34] = [
    "agents",
    "clients",
    "sites",
    "anchors_per_client",
    "seconds",
    "observations_per_10s",
    "node_cpu_s",
    "observations_per_node_cpu_s",
    "load_cpu_s",
    "observations_per_cpu_s_both",
    "datagrams",
    "ns_per_observation",
    "us_per_datagram",
    "lost",
    "dropped",
    "residual",
    "fixes_per_s",
    "rss_node_mib",
    "latency_ms",
    "solve_cpu_s",
    "us_per_fix",
    "pattern",
    "id",
    "rate",
    "workers",
    "fix_hz",
    "clients_folded_share",
    "rounds_skipped",
    "folded_latency_ms",
    "health_ms_max",
    "ledger_ms_max",
    "load_cores_used",
    "node_cores_used",
    "machine",
];

/// A folder with the load generator and, beside it, the node that the workspace has built; `None`
/// where only this crate was built.
fn programs() -> Option<TempDir> {
    let beside = |name| Path::new(LOAD).with_file_name(name);
    let built = [beside("node-under-test"), beside("trilobite")];
    let newest = |path: &PathBuf| path.metadata().and_then(|about| about.modified()).ok();
    let node = built
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(newest)?;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(LOAD, folder.path().join("trilobite-load")).unwrap();
    std::fs::copy(node, folder.path().join("trilobite")).unwrap();
    Some(folder)
}

/// Runs a small measurement and checks what holds for all of them.
fn measured(folder: &TempDir, line: &str) -> Value {
    let small = "throughput --agents 10 --clients 1000 --seconds 2 --fix-hz 1 --hold 50 --json";
    let args = small.split_whitespace().chain(line.split_whitespace());
    let output = Command::new(folder.path().join("trilobite-load"))
        .args(args)
        .output()
        .unwrap();
    let (told, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr),
    );
    // How many fixes a busy machine makes in a second is no matter of tests.
    let is_slow = said.contains("fixes per second");
    assert!(output.status.success() || is_slow, "{line}: {told} {said}");
    let json: Value = serde_json::from_str(&told).unwrap();
    for key in KEYS {
        assert!(json.get(key).is_some(), "{line}: no {key} in {told}");
    }
    for key in ["p50", "p99", "p999"] {
        assert!(json["latency_ms"].get(key).is_some(), "{line}: {told}");
    }
    assert_eq!(json["residual"], 0, "{line}: {told}");
    assert_eq!(json["clients"], 1_000, "{line}: {told}");
    assert!(
        json["observations_per_10s"].as_f64().unwrap() > 10_000.0,
        "{line}: {told}"
    );
    json
}

/// Observations per datagram.
fn thickness(json: &Value) -> f64 {
    let number = |key: &str| json[key].as_f64().unwrap();
    number("observations_per_10s") / 10.0 * number("seconds") / number("datagrams")
}

#[test]
fn every_pattern_folds_all_clients_and_closes_its_books() {
    let Some(folder) = programs() else {
        eprintln!("no node beside {LOAD}; run the tests of the whole workspace");
        return;
    };
    for id in ["full", "short"] {
        let bulk = measured(&folder, &format!("--pattern bulk --id {id}"));
        assert_eq!(
            (bulk["rate"].as_str(), bulk["id"].as_str()),
            (Some("max"), Some(id))
        );
        assert_eq!(
            bulk["dropped_agent"], 0,
            "who waits for room drops nothing: {bulk}"
        );
        let rows = thickness(&bulk);
        match id {
            "full" => assert!((95.0..125.0).contains(&rows), "{rows} rows: {bulk}"),
            _ => assert!((170.0..240.0).contains(&rows), "{rows} rows: {bulk}"),
        }
        let fleet = measured(&folder, &format!("--pattern fleet --rate 20000 --id {id}"));
        let rate = fleet["observations_per_10s"].as_f64().unwrap() / 10.0;
        assert!((15_000.0..25_000.0).contains(&rate), "{rate}: {fleet}");
        let single = measured(&folder, &format!("--pattern single --id {id}"));
        let rows = thickness(&single);
        assert!((0.95..1.1).contains(&rows), "{rows} rows: {single}");
    }
}

#[test]
fn a_fleet_needs_a_rate() {
    let output = Command::new(LOAD)
        .args(["throughput", "--pattern", "fleet"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("add --rate"), "{said}");
}
