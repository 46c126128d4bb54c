//! Sites, fixes, clients, ledger: shapes, filters, errors.

use std::sync::Arc;

use serde_json::{Value, json};
use wire::{ClientId, ClientName};

use super::caller::Running;
use super::{office, sent};
use crate::body::truth::Truth;
use crate::names::Names;

#[tokio::test]
async fn a_fix_reads_as_the_design_says() {
    let (state, hub, _) = office();
    hub.publish(&[sent(0x9f0c_4e2a_b1d0_7735, 1)]);
    let node = Running::start(state).await;
    let mut fix = node
        .json("/api/v1/sites/office/clients/9f0c4e2ab1d07735")
        .await;
    let age_ms = fix["age_ms"].take().as_u64().unwrap();
    assert!((180..10_000).contains(&age_ms), "{age_ms}");
    let expected = json!({
        "client": "9f0c4e2ab1d07735", "site": "office", "time": "2026-11-20T10:15:00.250Z",
        "age_ms": null, "x_m": 12.41, "y_m": 7.03, "z_m": 1.2, "floor": "2",
        "floor_probability": 0.98,
        "error": {"cov_m2": [[1.21, 0.1], [0.1, 0.84]], "r50_m": 1.1, "r90_m": 2.2},
        "radios": 7, "observations": 31, "source": "grid", "flags": ["outside"],
    });
    assert_eq!(fix, expected);
    let snapshot = node.json("/api/v1/sites/office/fixes").await;
    assert_eq!(snapshot["site"], "office");
    assert!(snapshot["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(snapshot["fixes"][0]["client"], "9f0c4e2ab1d07735");
    node.stop().await;
}

#[tokio::test]
async fn snapshots_are_filtered_and_paged() {
    let (state, hub, _) = office();
    let fixes: Vec<_> = (0..10)
        .map(|client| sent(client, (client % 2) as u8))
        .collect();
    hub.publish(&fixes);
    let node = Running::start(state).await;
    let first = node
        .json("/api/v1/sites/office/fixes?floor=1&limit=3")
        .await;
    let clients = |page: &Value| -> Vec<String> {
        let fixes = page["fixes"].as_array().unwrap();
        fixes
            .iter()
            .map(|fix| fix["client"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        clients(&first),
        ["0000000000000000", "0000000000000002", "0000000000000004"]
    );
    let next = first["next"].as_str().unwrap();
    let rest = node
        .json(&format!(
            "/api/v1/sites/office/fixes?floor=1&limit=3&after={next}"
        ))
        .await;
    assert_eq!(clients(&rest), ["0000000000000006", "0000000000000008"]);
    assert_eq!(rest.get("next"), None);
    node.stop().await;
}

#[tokio::test]
async fn named_clients_appear_under_their_name() {
    let (state, hub, _) = office();
    let names = Arc::new(Names::default());
    names.insert(ClientId(7), ClientName::new("badge-7").unwrap());
    hub.publish(&[sent(7, 0)]);
    let node = Running::start(state.with_names(names)).await;
    for path in ["badge-7", "0000000000000007"] {
        let fix = node
            .json(&format!("/api/v1/sites/office/clients/{path}"))
            .await;
        assert_eq!(fix["client"], "badge-7");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_site_has_its_plan_and_a_tag() {
    let (state, ..) = office();
    let node = Running::start(state).await;
    let sites = node.json("/api/v1/sites").await;
    assert_eq!(sites["sites"][0]["href"], "/api/v1/sites/office");
    let answer = node.get("/api/v1/sites/office", "").await;
    let site = answer.json();
    assert_eq!(site["floors"].as_array().unwrap().len(), 3);
    let floor = &site["floors"][0];
    for key in ["outline", "allowed", "blocked", "walls", "zones"] {
        assert!(floor[key].is_array(), "{key}");
    }
    assert_eq!(floor["walls"][0]["material"], "brick");
    assert!(floor["walls"][0]["loss_db"]["2.4"].as_f64().unwrap() > 0.0);
    assert_eq!(site["anchors"][0]["online"], true);
    assert_eq!(site["anchors"][1]["online"], false);
    let tag = &answer.headers["etag"];
    let again = node
        .get(
            "/api/v1/sites/office",
            &format!("if-none-match: \"x\", {tag}\r\n"),
        )
        .await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(&again.headers["etag"], tag);
    node.stop().await;
}

#[tokio::test]
async fn the_ledger_shows_all_books() {
    let (state, hub, _) = office();
    hub.publish(&[sent(1, 0)]);
    let node = Running::start(state).await;
    let ledger = node.json("/api/v1/ledger").await;
    let counted = &ledger["agents"][0]["only_counted"];
    assert_eq!(counted["devices_by_class"], json!([0, 1, 4, 9]));
    assert_eq!(counted["length_s"], 60.0);
    let expected = json!({
        "offered": {"observations": 10, "datagrams": 1},
        "dropped_at_agent": {"observations": 0, "datagrams": 0, "by_reason": {}},
        "lost": {"observations": 0, "datagrams": 0},
        "unknown": {"observations": 0, "datagrams": 0},
        "received": {"observations": 10, "datagrams": 1},
        "dropped_at_node": {"observations": 0, "datagrams": 0,
            "by_reason": {"late": {"observations": 0, "datagrams": 0}}},
        "folded": {"observations": 10, "datagrams": 1},
        "residual": 0,
    });
    assert_eq!(ledger["total"], expected);
    assert_eq!(ledger["sites"][0]["books"], expected);
    assert_eq!(ledger["sites"][0]["fixes"]["published"], 1);
    assert_eq!(ledger["agents"][0]["connected"], true);
    for latency in ["latency", "folded_latency"] {
        for key in ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"] {
            assert!(ledger[latency][key].is_number(), "{latency}.{key}");
        }
    }
    let worker = &ledger["workers"][0];
    assert_eq!(worker["solve_cpu_s"], 1.25);
    assert_eq!(worker["rounds_skipped"], 3);
    let brief = node.json("/api/v1/ledger?agents=false").await;
    assert_eq!(brief["total"], expected);
    assert_eq!(brief["agents"], json!([]));
    let wrong = node.get("/api/v1/ledger?agent=1", "").await;
    assert_eq!(wrong.status, 400);
    node.stop().await;
}

#[tokio::test]
async fn the_truth_is_there_only_in_a_simulated_world() {
    let (state, ..) = office();
    let real = Running::start(state.clone()).await;
    assert_eq!(real.get("/api/v1/demo/truth", "").await.status, 404);
    real.stop().await;
    let (state, ..) = office();
    let truth = Truth {
        client: "a".into(),
        position_in_site: [1.0, 2.004, 3.0],
        floor: "1".into(),
    };
    let demo = Running::start(state.with_truth(move || vec![truth.clone()])).await;
    let body = demo.json("/api/v1/demo/truth").await;
    assert_eq!(
        body["truth"],
        json!([{"client": "a", "x_m": 1.0, "y_m": 2.0, "z_m": 3.0, "floor": "1"}])
    );
    demo.stop().await;
}

#[tokio::test]
async fn errors_say_what_and_what_to_do() {
    let (state, ..) = office();
    let node = Running::start(state).await;
    let long = format!("/api/v1/sites/{}", "x".repeat(8_000));
    for (path, headers, status) in [
        ("/nothing", "", 404),
        ("/api/v1/sites/", "", 404),
        ("/api/v1/sites/other", "", 404),
        (long.as_str(), "", 404),
        ("/api/v1/sites/%ff", "", 400),
        ("/api/v1/sites/..%2f..%2fetc/fixes", "", 404),
        ("/page/..%2fstyle.css", "", 404),
        ("/api/v1/sites/office/clients/00000000000000ff", "", 404),
        ("/api/v1/sites/office/clients/nobody", "", 404),
        ("/api/v1/sites/office/fixes?limit=0", "", 400),
        ("/api/v1/sites/office/fixes?limit=10001", "", 400),
        ("/api/v1/sites/office/fixes?limit=-1", "", 400),
        ("/api/v1/sites/office/fixes?limit=1&limit=2", "", 400),
        ("/api/v1/sites/office/fixes?floor=9", "", 400),
        ("/api/v1/sites/office/fixes?flor=1", "", 400),
        ("/api/v1/sites/office/fixes?after=x%00", "", 400),
        ("/api/v1/sites/office/fixes?%ff=%ff", "", 400),
        ("/api/v1/sites/office/fixes", "accept: image/png\r\n", 406),
    ] {
        let answer = node.get(path, headers).await;
        assert_eq!(answer.status, status, "{path}");
        let error = &answer.json()["error"];
        for key in ["what", "what_to_do"] {
            assert!(
                error[key].as_str().is_some_and(|text| !text.is_empty()),
                "{path}: {error}"
            );
        }
    }
    node.stop().await;
}
