//! Streams deliver, lag honestly and end with the node.

use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::caller::{Running, read_until};
use super::{office, sent};
use crate::body::truth::Truth;
use crate::http::limits::STREAMS_MAX;

const NDJSON: &str = "accept: application/x-ndjson\r\n";
const EVENTS: &str = "accept: text/event-stream\r\n";

#[tokio::test]
async fn lines_begin_with_what_is_known_and_go_on() {
    let (state, hub, _) = office();
    hub.publish(&[sent(1, 0), sent(2, 1)]);
    let node = Running::start(state).await;
    let mut stream = node.ask("/api/v1/sites/office/fixes?floor=1", NDJSON).await;
    let known = read_until(&mut stream, "}\n").await;
    assert!(
        known.contains("content-type: application/x-ndjson"),
        "{known}"
    );
    assert!(!known.contains("0000000000000002"), "{known}");
    let line = known.lines().find(|line| line.starts_with('{')).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(line).unwrap()["client"],
        "0000000000000001"
    );
    hub.publish(&[sent(3, 0)]);
    read_until(&mut stream, "0000000000000003").await;
    node.stop().await;
}

#[tokio::test]
async fn events_hold_the_newest_fix_of_each_client() {
    let (state, hub, _) = office();
    let node = Running::start(state).await;
    let mut stream = node.ask("/api/v1/sites/office/fixes", EVENTS).await;
    read_until(&mut stream, "\r\n\r\n").await;
    let mut newer = sent(1, 0);
    newer.fix.radios = 9;
    hub.publish(&[sent(1, 0), newer, sent(2, 0)]);
    let text = read_until(&mut stream, "]\n\n").await;
    assert!(text.contains("event: fixes\n"), "{text}");
    let data = text
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let fixes: Vec<Value> = serde_json::from_str(data).unwrap();
    assert_eq!(fixes.len(), 2);
    let first = fixes
        .iter()
        .find(|fix| fix["client"] == "0000000000000001")
        .unwrap();
    assert_eq!(first["radios"], 9);
    node.stop().await;
}

#[tokio::test]
async fn true_places_stream_too() {
    let (state, ..) = office();
    let truth = Truth {
        client: "a".into(),
        position_in_site: [1.0; 3],
        floor: "1".into(),
    };
    let node = Running::start(state.with_truth(move || vec![truth.clone()])).await;
    let mut stream = node.ask("/api/v1/demo/truth", EVENTS).await;
    read_until(&mut stream, "event: truth\ndata: {\"time\":").await;
    node.stop().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_blocks_nobody_and_learns_its_loss() {
    let (state, hub, _) = office();
    let node = Running::start(state).await;
    let mut stream = node.ask("/api/v1/sites/office/fixes", NDJSON).await;
    hub.publish(&[sent(0, 0)]);
    read_until(&mut stream, "}\n").await;
    // Far more than the ring and both socket buffers hold. Publishing is synchronous: that it
    // returns shows that it does not wait.
    let burst: Vec<_> = (0..256).map(|client| sent(client, 0)).collect();
    for _ in 0..2_000 {
        hub.publish(&burst);
    }
    assert_eq!(hub.counts(0).published, 1 + 2_000 * 256);
    let text = read_until(&mut stream, "{\"lagged\":").await;
    assert!(text.contains("\"client\""), "fixes come before the loss");
    assert!(hub.counts(0).lagged > 0);
    node.stop().await;
}

#[tokio::test]
async fn streams_are_few_and_end_with_the_node() {
    let (state, ..) = office();
    let taken = state
        .streams
        .clone()
        .try_acquire_many_owned(STREAMS_MAX as u32 - 1)
        .unwrap();
    let node = Running::start(state.clone()).await;
    let mut stream = node.ask("/api/v1/sites/office/fixes", EVENTS).await;
    read_until(&mut stream, "\r\n\r\n").await;
    let refused = node.get("/api/v1/sites/office/fixes", EVENTS).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "2");
    node.stop().await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"0\r\n\r\n", "the body ends properly");
    drop(taken);
}
