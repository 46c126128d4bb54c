//! Many strangers at the door.

use std::time::Duration;

use super::support::{Installation, LOOPBACK, mute_after, within};
use crate::{AgentEndpoint, Engine, Knobs};

#[tokio::test]
async fn above_the_threshold_a_newcomer_proves_its_address_and_comes_in() {
    let home = Installation::new();
    let knobs = Knobs {
        retry_above: 2,
        ..Knobs::default()
    };
    let node = home.run_node(&knobs);
    let credentials = home.agent("ap-1");
    let (first, second) = (mute_after(1), mute_after(1));
    let mute =
        [&first, &second].map(|mute| AgentEndpoint::bind_impaired(LOOPBACK, &knobs, mute).unwrap());
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let third = async {
        node.until(|engine| (engine.handshakes().open == 2).then_some(()))
            .await;
        let counts = |engine: &mut Engine, _| engine.handshakes();
        assert_eq!(node.engine(counts).await.retried, 0);
        home.link(&node, &agent, &knobs).await;
        assert!(node.engine(counts).await.retried >= 1);
    };
    within(20, async {
        let hold = async {
            // They may believe that they are in: they have heard all that they need.
            let connect = |agent: &AgentEndpoint| {
                let (agent, credentials, knobs) = (agent.clone(), &credentials, &knobs);
                let address = node.local_addr();
                async move {
                    agent
                        .connect(address, "localhost", credentials, knobs)
                        .await
                }
            };
            let _links = tokio::join!(connect(&mute[0]), connect(&mute[1]));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = third => {}
            () = hold => {}
        }
    })
    .await;
    let counts = node
        .until(|engine| {
            let counts = engine.handshakes();
            (counts.open == 0).then_some(counts)
        })
        .await;
    assert_eq!(counts.ignored, 0);
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
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let credentials = home.agent("ap-1");
    let connecting = agent.connect(node.local_addr(), "localhost", &credentials, &knobs);
    let error = tokio::select! {
        connected = connecting => connected.unwrap_err().to_string(),
        _ = node.arrival() => panic!("nobody may come in"),
    };
    assert!(error.contains("within 0.2 s; check the address"), "{error}");
    let counts = node.engine(|engine, _| engine.handshakes()).await;
    assert!(counts.ignored >= 1);
}
