//! The page, the probes, the metrics, the description: what else there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::caller::{Answer, Running};
use super::office;
use crate::http::page::FILES;
use crate::http::routes::table;
use crate::http::status::OPENAPI;

#[test]
fn the_description_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let described: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let routed: BTreeSet<&str> = table().iter().map(|route| route.path).collect();
    assert_eq!(described, routed);
}

#[test]
fn the_description_refers_only_to_what_it_has() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    for reference in OPENAPI.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    // A namespace is a name, not an address.
    let namespace = "http://www.w3.org/2000/svg";
    for (name, _, content) in FILES {
        let content = content.replace(namespace, "");
        for foreign in ["http://", "https://", "url(", "@import", "\"//", "'//"] {
            assert!(!content.contains(foreign), "{name} has {foreign}");
        }
        assert!(
            !content.contains("style=\"") && !content.contains("<script>"),
            "{name}: inline"
        );
    }
}

#[test]
fn the_modules_of_the_page_import_only_each_other() {
    let names: BTreeSet<&str> = FILES.iter().map(|(name, ..)| *name).collect();
    for (name, _, content) in FILES {
        for imported in content.split(" from \"./").skip(1) {
            let imported = imported.split('"').next().unwrap();
            assert!(names.contains(imported), "{name} imports {imported}");
        }
    }
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy() {
    let (state, ..) = office();
    let node = Running::start(state).await;
    let page = node.get("/", "").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.headers["content-security-policy"].starts_with("default-src 'none';"));
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert!(page.text().contains("/page/app.js"));
    let script = node.get("/page/app.js", "accept-encoding: gzip\r\n").await;
    assert_eq!(script.headers["content-encoding"], "gzip");
    assert_eq!(script.body[..2], [0x1f, 0x8b]);
    let again = format!("if-none-match: {}\r\n", script.headers["etag"]);
    assert_eq!(node.get("/page/app.js", &again).await.status, 304);
    node.stop().await;
}

#[tokio::test]
async fn probes_follow_the_health_of_the_node() {
    let (state, _, health) = office();
    let node = Running::start(state).await;
    let probe = async || {
        let mut statuses = Vec::new();
        for path in ["/livez", "/startupz", "/readyz"] {
            statuses.push(node.get(path, "").await.status);
        }
        statuses
    };
    assert_eq!(probe().await, [200, 503, 503]);
    health.set_started();
    assert_eq!(probe().await, [200, 200, 503]);
    health.set_ready(true);
    assert_eq!(probe().await, [200, 200, 200]);
    assert_eq!(node.json("/readyz").await, json!({"status": "ready"}));
    health.set_store("full");
    let body = json!({"status": "ready", "store": "full"});
    assert_eq!(node.json("/readyz").await, body);
    health.set_ready(false);
    assert_eq!(probe().await, [200, 200, 503]);
    node.stop().await;
}

#[tokio::test]
async fn metrics_and_description_are_served() {
    let (state, ..) = office();
    let node = Running::start(state).await;
    let metrics = node.get("/metrics", "").await;
    assert!(metrics.headers["content-type"].starts_with("application/openmetrics-text"));
    let text = metrics.text();
    let offered = "trilobite_ledger_observations_total{site=\"office\",stage=\"offered\"} 10";
    assert!(text.contains(offered), "{text}");
    assert!(
        text.contains("trilobite_agents{site=\"office\",state=\"connected\"} 1.0"),
        "{text}"
    );
    assert_eq!(node.json("/openapi.json").await["openapi"], "3.1.0");
    node.stop().await;
}

#[tokio::test]
async fn resources_that_are_only_read_say_so() {
    let (state, ..) = office();
    let node = Running::start(state).await;
    let request = "DELETE /api/v1/sites HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = answer_to(&node, request).await;
    assert_eq!(answer.status, 405);
    let text = answer.text();
    assert!(text.contains("nearly all are GET"), "{text}");
    node.stop().await;
}

/// The status and body that a request's bytes get.
async fn answer_to(node: &Running, request: &str) -> Answer {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::parse(&bytes)
}

#[tokio::test]
async fn a_page_of_another_site_reads_nothing_and_orders_nothing() {
    let (state, ..) = office();
    let hosts = ["map.example.org".to_owned()];
    let node = Running::start(state.with_hosts(&hosts)).await;
    let ask = async |method: &str, path: &str, lines: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\n{lines}connection: close\r\n\r\n");
        answer_to(&node, &request).await
    };
    // What is not there is guarded as what is, and no path is forgotten.
    for path in ["/", "/api/v1/sites", "/livez", "/metrics", "/nowhere"] {
        let answer = ask("GET", path, "host: evil.example:8080\r\n").await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(answer.text().contains("http.hosts"), "{}", answer.text());
    }
    for host in [
        "127.0.0.1:8080",
        "[::1]:8080",
        "localhost",
        "map.example.org",
    ] {
        let answer = ask("GET", "/livez", &format!("host: {host}\r\n")).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    let point = "/api/v1/sites/office/survey/1";
    for lines in [
        "host: localhost\r\norigin: http://evil.example\r\n",
        "host: localhost\r\nsec-fetch-site: cross-site\r\n",
    ] {
        for (method, path) in [
            ("POST", "/api/v1/sites/office/calibration"),
            ("DELETE", point),
        ] {
            let answer = ask(method, path, lines).await;
            assert_eq!(answer.status, 403, "{method} {lines}");
            assert!(answer.text().contains("another site"), "{}", answer.text());
        }
    }
    let own = "host: map.example.org\r\norigin: https://map.example.org\r\n";
    assert_eq!(
        ask("DELETE", point, own).await.status,
        404,
        "no calibrations here"
    );
    node.stop().await;
}
