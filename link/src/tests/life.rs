//! The life of a link: what it carries, how it ends, and what each end learns.

use std::time::{Duration, Instant};

use bytes::Bytes;
use wire::Frame;

use super::node::Node;
use super::support::{Installation, LOOPBACK, within};
use crate::{AgentEndpoint, ControlError, Knobs, LinkClosed, Port, ResetKey, SendError};

#[tokio::test]
async fn datagrams_and_frames_arrive_and_are_counted() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    assert_eq!(at_node.identity().await.to_string(), "trilobite://hq/ap-1");
    assert_eq!(at_node.remote_address().await, agent.local_addr());
    assert_eq!(at_agent.remote_address(), node.local_addr());

    for number in 0..100_u8 {
        at_agent.send_datagram(vec![number; 500].into()).unwrap();
    }
    let mut received = Vec::new();
    while received.len() < 100 {
        received.push(within(5, at_node.read_datagram()).await.unwrap());
    }
    assert!(
        received
            .iter()
            .zip(0..)
            .all(|(datagram, number)| datagram[..] == [number; 500])
    );
    assert_eq!(at_node.try_read_datagram().await, None);
    assert_eq!(at_agent.stats().datagrams_sent, 100);
    assert_eq!(at_node.stats().await.datagrams_received, 100);

    let (mut agent_reader, mut agent_writer) = at_agent.open_control().await.unwrap();
    agent_writer.write(&Frame::Drain {}).await.unwrap();
    assert_eq!(
        within(5, at_node.read_frame()).await.unwrap(),
        Frame::Drain {}
    );
    let reject = Frame::Reject {
        reason: "full ".repeat(10_000),
    };
    at_node.write_frame(&reject).await;
    at_node.finish_control().await;
    assert_eq!(within(5, agent_reader.read()).await.unwrap(), Some(reject));
    assert_eq!(within(5, agent_reader.read()).await.unwrap(), None);
}

#[tokio::test]
async fn each_end_may_open_just_what_it_needs() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (_at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    let _control = at_agent.open_control().await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(100), at_agent.open_control()).await;
    assert!(second.is_err(), "a second stream was granted");
}

#[tokio::test]
async fn a_full_send_buffer_refuses_and_drops_nothing() {
    let home = Installation::new();
    let knobs = Knobs {
        datagram_send_buffer_bytes: 16 * 1024,
        ..Knobs::default()
    };
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;

    // No await in between: the transport gets no chance to send.
    let mut taken = 0;
    while at_agent.datagram_room() >= 1_000 {
        at_agent.send_datagram(Bytes::from(vec![0; 1_000])).unwrap();
        taken += 1;
    }
    let refused = at_agent.send_datagram(Bytes::from(vec![0; 1_000]));
    assert_eq!(refused, Err(SendError::NoRoom));
    at_agent
        .send_datagram_wait(Bytes::from(vec![1; 1_000]))
        .await
        .unwrap();
    let mut received = Vec::new();
    while received.len() < taken + 1 {
        received.push(within(5, at_node.read_datagram()).await.unwrap());
    }
    assert_eq!(received.last().unwrap()[0], 1);
}

#[tokio::test]
async fn what_was_not_sent_at_close_can_be_counted() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (_at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    for _ in 0..10 {
        at_agent.send_datagram("too late".into()).unwrap();
    }
    at_agent.close("leaving");
    assert_eq!(at_agent.closed().await, LinkClosed::Here);
    assert_eq!(at_agent.stats().datagrams_sent, 0);
    assert_eq!(
        at_agent.send_datagram("x".into()),
        Err(LinkClosed::Here.into())
    );
}

#[tokio::test]
async fn a_close_carries_its_words() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    let (mut reader, _writer) = at_agent.open_control().await.unwrap();

    at_node.close("ap-1 has connected anew").await;
    let closed = within(5, at_agent.closed()).await;
    assert_eq!(
        closed.to_string(),
        "closed by the other end: ap-1 has connected anew"
    );
    assert_eq!(reader.read().await, Err(ControlError::Closed(closed)));

    let (_, another) = home.link(&node, &agent, &knobs).await;
    node.engine(|engine, now| engine.close_all(now, "stopping"))
        .await;
    let closed = within(5, another.closed()).await.to_string();
    assert_eq!(closed, "closed by the other end: stopping");
    let gone = node.until(|engine| (engine.connections() == 0).then_some(()));
    within(5, gone).await;
}

#[tokio::test]
async fn the_path_is_found_to_carry_a_whole_batch() {
    let home = Installation::new();
    let knobs = Knobs::default();
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    assert!(at_agent.datagram_bytes_max() > 1_100);
    let ping_pong = async {
        while at_agent.datagram_bytes_max() < wire::limits::BATCH_BYTES_MAX {
            at_agent.send_datagram("probe along".into()).unwrap();
            at_node.read_datagram().await.unwrap();
        }
    };
    within(10, ping_pong).await;
    assert!(at_agent.stats().mtu <= 1_452);

    at_agent
        .send_datagram(vec![7; wire::limits::BATCH_BYTES_MAX].into())
        .unwrap();
    assert_eq!(
        within(5, at_node.read_datagram()).await.unwrap().len(),
        1_400
    );
    let too_long = at_agent.send_datagram(vec![7; 2_000].into()).unwrap_err();
    assert!(
        matches!(too_long, SendError::TooLong { bytes: 2_000, .. }),
        "{too_long}"
    );
}

#[tokio::test]
async fn a_jumbo_path_carries_jumbo_datagrams() {
    let home = Installation::new();
    let knobs = Knobs {
        mtu_max: 9_000,
        ..Knobs::default()
    };
    let node = home.run_node(&knobs);
    let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    let ping_pong = async {
        while at_agent.datagram_bytes_max() < 8_900 {
            at_agent.send_datagram("probe along".into()).unwrap();
            at_node.read_datagram().await.unwrap();
        }
    };
    within(10, ping_pong).await;
    for _ in 0..100 {
        at_agent
            .send_datagram_wait(vec![9; 8_900].into())
            .await
            .unwrap();
        assert_eq!(
            within(5, at_node.read_datagram()).await.unwrap().len(),
            8_900
        );
    }
    assert_eq!(at_agent.stats().packets_lost, 0);
}

#[test]
fn a_link_lives_in_a_local_set_and_on_many_threads() {
    async fn round_trip() {
        let home = Installation::new();
        let knobs = Knobs::default();
        let node = home.run_node(&knobs);
        let agent = AgentEndpoint::bind(LOOPBACK, &knobs).unwrap();
        let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
        at_agent.send_datagram("here".into()).unwrap();
        assert_eq!(within(5, at_node.read_datagram()).await.unwrap(), "here");
    }
    let mut one = tokio::runtime::Builder::new_current_thread();
    tokio::task::LocalSet::new().block_on(&one.enable_all().build().unwrap(), round_trip());
    let mut many = tokio::runtime::Builder::new_multi_thread();
    many.worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(round_trip());
}

/// How a link ends when its node is killed and another takes its place with this key.
fn after_restart(old: &ResetKey, new: &ResetKey, knobs: &Knobs) -> (LinkClosed, Duration) {
    let home = Installation::new();
    let bind =
        |address, key| Node::run(Port::bind_node(address, &home.node(), key, knobs).unwrap());
    let mortal = bind(LOOPBACK, old);
    let address = mortal.local_addr();
    let here = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let link = here.block_on(async {
        let agent = AgentEndpoint::bind(LOOPBACK, knobs).unwrap();
        home.link(&mortal, &agent, knobs).await.1
    });
    drop(mortal);
    let _restarted = bind(address, new);
    let started = Instant::now();
    link.send_datagram("still there?".into()).unwrap();
    (here.block_on(within(20, link.closed())), started.elapsed())
}

#[test]
fn a_restarted_node_is_noticed_at_once() {
    let key = ResetKey::random().unwrap();
    let (closed, took) = after_restart(&key, &key, &Knobs::default());
    assert_eq!(closed, LinkClosed::Restarted);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn without_the_old_key_it_takes_the_idle_timeout() {
    let (old, new) = (ResetKey::random().unwrap(), ResetKey::random().unwrap());
    let knobs = Knobs {
        idle_timeout: Duration::from_millis(500),
        ..Knobs::default()
    };
    assert_eq!(after_restart(&old, &new, &knobs).0, LinkClosed::Silent);
}
