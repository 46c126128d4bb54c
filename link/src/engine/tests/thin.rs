//! An agent that says a few words now and then.

use std::time::Duration;

use bytes::Bytes;

use super::network::Network;
use crate::Knobs;
use crate::engine::LinkId;

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
    assert!(network.sent["node"] <= 45, "{:?}", network.sent);
    assert_eq!(network.sent["agents"], 240);
    let stats = network.agents.stats(at_agent).unwrap();
    assert_eq!(stats.packets_lost, 0);
    // How late the node answers is not taken for the way.
    assert!(stats.rtt < Duration::from_millis(20), "{:?}", stats.rtt);
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
