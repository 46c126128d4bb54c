//! Many strangers at the door.

use std::time::Duration;

use super::support::{Installation, LOOPBACK, within};
use crate::{AgentEndpoint, Knobs};

#[tokio::test]
async fn above_the_threshold_a_newcomer_proves_its_address_and_comes_in() {
    let home = Installation::new();
    let knobs = Knobs {
        retry_above: 2,
        ..Knobs::default()
    };
    let node = home.node_endpoint(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let credentials = home.agent("ap-1");
    let connect = || agent.connect(node.local_addr(), "localhost", &credentials, &knobs);

    let at_node = async {
        let first = node.accept().await.unwrap();
        let second = node.accept().await.unwrap();
        assert_eq!(node.handshakes().open, 2);
        let third = node.accept().await.unwrap();
        assert_eq!(node.handshakes().retried, 1);
        let links = tokio::join!(first.finish(), second.finish(), third.finish());
        (links.0.unwrap(), links.1.unwrap(), links.2.unwrap())
    };
    let all = async { tokio::join!(at_node, connect(), connect(), connect()) };
    let (_links, one, two, three) = within(20, all).await;
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(node.handshakes().open, 0);
}

#[tokio::test]
async fn above_the_cap_newcomers_are_ignored() {
    let home = Installation::new();
    let handshake_timeout = Duration::from_millis(200);
    let knobs = Knobs {
        handshakes_max: 0,
        handshake_timeout,
        ..Knobs::default()
    };
    let node = home.node_endpoint(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let credentials = home.agent("ap-1");
    let connecting = agent.connect(node.local_addr(), "localhost", &credentials, &knobs);
    let error = tokio::select! {
        connected = connecting => connected.unwrap_err().to_string(),
        _ = node.accept() => panic!("nobody may come in"),
    };
    assert!(error.contains("within 0.2 s; check the address"), "{error}");
    assert!(node.handshakes().ignored >= 1);
}
