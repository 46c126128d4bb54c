//! An agent that says a few words now and then.

use std::time::Duration;

use bytes::Bytes;
use wire::Frame;

use super::network::{DELAY, Network};
use crate::Knobs;
use crate::engine::LinkId;
use crate::transport::ACK_DELAY;

/// Bursts of three datagrams every 250 ms; returns how many arrived.
fn talk(network: &mut Network, at_node: LinkId, at_agent: LinkId, bursts: usize) -> usize {
    let mut received = 0;
    for _ in 0..bursts {
        for _ in 0..3 {
            let bytes = network.agents.datagram_bytes_max(at_agent);
            let datagram = Bytes::from(vec![0; bytes]);
            network.agents.send_datagram(at_agent, datagram).unwrap();
        }
        network.pass(Duration::from_millis(250));
        received += network.read_all(at_node).len();
    }
    received
}

#[test]
fn several_bursts_have_one_acknowledgement_and_nobody_asks_what_became_of_them() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    // What follows a handshake: the search for larger packets, for one.
    talk(&mut network, at_node, at_agent, 40);
    network.sent.clear();
    assert_eq!(talk(&mut network, at_node, at_agent, 80), 240);
    assert!(network.sent["node"] <= 22, "{:?}", network.sent);
    assert_eq!(network.sent["agents"], 240);
    let stats = network.agents.stats(at_agent).unwrap();
    assert_eq!(stats.packets_lost, 0);
    // How late the node answers is not taken for the way.
    assert!(stats.rtt < Duration::from_millis(20), "{:?}", stats.rtt);
}

/// Time until a frame arrives whose first packet is lost, while words follow it in this interval.
fn late_frame(nudge: Option<Duration>) -> Duration {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    let frame = Frame::Names { names: Vec::new() };
    // The first frame opens the stream.
    network.agents.write_frame(at_agent, &frame).unwrap();
    talk(&mut network, at_node, at_agent, 40);
    while network.node.read_frame(at_node).unwrap().is_some() {}
    let began = network.now;
    network.faults.loss = 1.0;
    network.agents.write_frame(at_agent, &frame).unwrap();
    network.pass(Duration::from_millis(50));
    network.faults.loss = 0.0;
    let mut nudged = began;
    while network.node.read_frame(at_node).unwrap().is_none() {
        network.pass(Duration::from_millis(10));
        if nudge.is_some_and(|nudge| network.now - nudged >= nudge) {
            nudged = network.now;
            network.agents.write_frame(at_agent, &frame).unwrap();
        }
    }
    network.now - began
}

#[test]
fn a_frame_that_got_lost_in_silence_arrives_soon_if_others_follow_it() {
    let alone = late_frame(None);
    assert!(alone > ACK_DELAY && alone < 2 * ACK_DELAY, "{alone:?}");
    let nudge = Duration::from_millis(250);
    let nudged = late_frame(Some(nudge));
    assert!(nudged < 2 * nudge + 10 * DELAY, "{nudged:?}");
}

#[test]
fn a_packet_missing_among_others_is_found_with_the_next_burst() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    talk(&mut network, at_node, at_agent, 40);
    let before = network.agents.stats(at_agent).unwrap().packets_lost;
    network.faults.loss = 1.0;
    talk(&mut network, at_node, at_agent, 1);
    network.faults.loss = 0.0;
    talk(&mut network, at_node, at_agent, 1);
    let lost = network.agents.stats(at_agent).unwrap().packets_lost - before;
    assert_eq!(lost, 3);
}
