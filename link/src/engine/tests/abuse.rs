//! Peers that do not keep to the rules.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use wire::Frame;
use wire::control::FrameError;

use super::network::Network;
use crate::engine::{Below, Engine, Event};
use crate::refused::Reason;
use crate::tests::support::Installation;
use crate::{ControlError, Knobs, LinkClosed};

/// First packets of so many agents, each from its own address.
fn first_packets(network: &Network, count: u16) -> Vec<(SocketAddr, Vec<u8>)> {
    let credentials = network.home.agent("ap-1");
    let below = Below {
        may_fragment: false,
        ipv6: false,
    };
    let first_packet = |number: u16| {
        let mut stranger = Engine::agents(&network.knobs, below);
        let node = ([10, 0, 0, 1], 4433).into();
        stranger
            .connect(network.now, node, "localhost", &credentials, &network.knobs)
            .unwrap();
        let mut packet = Vec::new();
        let transmit = stranger.poll_transmit(network.now, 1, &mut packet).unwrap();
        packet.truncate(transmit.size);
        let [high, low] = number.to_be_bytes();
        (([172, 16, high, low], 5_000).into(), packet)
    };
    (0..count).map(first_packet).collect()
}

#[test]
fn a_flood_of_first_packets_is_bounded_and_agents_still_come_in() {
    let knobs = Knobs {
        retry_above: 20,
        ..Knobs::default()
    };
    let mut network = Network::new(knobs);
    for (from, packet) in first_packets(&network, 500) {
        network.forge(from, &packet);
    }
    let counts = network.node.handshakes();
    assert_eq!((counts.open, counts.retried, counts.ignored), (20, 480, 0));
    assert_eq!(network.node.connections(), 20);
    // A real one proves its address.
    let (_, at_agent) = network.link("ap-1");
    assert_eq!(network.node.handshakes().retried, 481);
    assert!(network.agents.send_datagram(at_agent, "in".into()).is_ok());
    // The forged ones are given up, each told of once, and leave nothing.
    network.pass(Duration::from_secs(10));
    let too_slow = network.node_events.iter().filter(
        |event| matches!(event, Event::Refused(refused) if refused.reason == Reason::TooSlow),
    );
    assert_eq!(too_slow.count(), 20);
    assert_eq!(network.node.handshakes().open, 0);
    assert_eq!(network.node.connections(), 1);
}

#[test]
fn above_the_cap_newcomers_are_ignored() {
    let knobs = Knobs {
        handshakes_max: 0,
        ..Knobs::default()
    };
    let mut network = Network::new(knobs);
    let at_agent = network.connect("ap-1");
    assert_eq!(network.closed_at_agent(at_agent), LinkClosed::Silent);
    assert!(network.node.handshakes().ignored >= 1);
    assert_eq!(network.sent.get("node"), None);
}

#[test]
fn noise_is_answered_with_nothing() {
    let mut network = Network::new(Knobs::default());
    for length in [0, 1, 7, 20, 40, 1_200] {
        for first in [0_u8, 0x40, 0x7f, 0x80, 0xc0, 0xff] {
            let mut noise = vec![0x55; length];
            noise.iter_mut().take(1).for_each(|byte| *byte = first);
            network.forge(([172, 16, 0, 1], 5_000).into(), &noise);
        }
    }
    network.pass(Duration::from_secs(1));
    assert_eq!(network.node.connections(), 0);
    // Only a long packet of an unknown version is told which versions there are.
    assert!(
        *network.sent.get("node").unwrap_or(&0) <= 4,
        "{:?}",
        network.sent
    );
}

#[test]
fn an_agent_of_another_installation_is_refused_in_words_at_both_ends() {
    let mut network = Network::new(Knobs::default());
    let credentials = Installation::new().agent("ap-1");
    let at_agent = network.connect_with(&credentials, "localhost");
    let refused = network.until("a refusal", |network| {
        network.node_events.iter().find_map(|event| match event {
            Event::Refused(refused) => Some(refused.to_string()),
            _ => None,
        })
    });
    let expected = format!(
        "agent at {} refused: it does not trust this node",
        network.agents_address
    );
    assert!(refused.starts_with(&expected), "{refused}");
    let closed = network.closed_at_agent(at_agent).to_string();
    let expected = "give the agent the ca.pem of the node's authority";
    assert!(closed.contains(expected), "{closed}");
}

#[test]
fn an_agent_that_expects_another_name_says_so() {
    let mut network = Network::new(Knobs::default());
    let credentials = network.home.agent("ap-1");
    let at_agent = network.connect_with(&credentials, "elsewhere");
    let closed = network.closed_at_agent(at_agent).to_string();
    let expected = "certificate not valid for name \"elsewhere\"";
    assert!(closed.contains(expected), "{closed}");
    let refused = network.until("a refusal", |network| {
        network.node_events.iter().find_map(|event| match event {
            Event::Refused(refused) => Some(refused.reason.label()),
            _ => None,
        })
    });
    assert_eq!(refused, "turned_away");
}

#[test]
fn a_frame_that_is_too_long_is_an_error_and_costs_no_memory() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    network.agents.write_raw(at_agent, &u32::MAX.to_be_bytes());
    let error = network.until("an error", |network| network.node.read_frame(at_node).err());
    let too_long = FrameError::TooLong {
        bytes: u32::MAX as usize,
    };
    assert_eq!(error, ControlError::Frame(too_long));
    // Whatever follows is not kept either: the stream's window closes.
    for _ in 0..100 {
        network.agents.write_raw(at_agent, &[0; 64 * 1024]);
        network.pass(Duration::from_millis(100));
        assert!(network.node.read_frame(at_node).is_err());
    }
    assert!(network.node.stats(at_node).unwrap().bytes_received < 512 * 1024);
}

#[test]
fn a_node_that_does_not_read_takes_no_more_than_the_window() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    let frame = Frame::Reject {
        reason: "x".repeat(60_000),
    };
    let mut taken = 0;
    for _ in 0..100 {
        taken += usize::from(network.agents.write_frame(at_agent, &frame).is_ok());
        network.pass(Duration::from_millis(50));
    }
    assert!(taken <= 5, "{taken} frames of 60 kB were taken");
    assert!(network.node.stats(at_node).unwrap().bytes_received < 256 * 1024);
}

#[test]
fn a_stream_given_up_within_a_frame_is_told() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    network.agents.write_raw(at_agent, &[0, 0, 0, 9, 1]);
    network.agents.finish_control(at_agent);
    let error = network.until("an error", |network| network.node.read_frame(at_node).err());
    assert_eq!(error, ControlError::Abandoned);
}

#[test]
fn further_streams_are_turned_away_and_the_first_stays() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    network
        .agents
        .write_frame(at_agent, &Frame::Drain {})
        .unwrap();
    assert_eq!(network.frame_at_node(at_node), Frame::Drain {});
    assert_eq!(network.agents.open_streams(at_agent, 10), 0);
    // Not even when the node has said its last word on the first.
    network.node.finish_control(at_node);
    network.agents.finish_control(at_agent);
    network.pass(Duration::from_secs(1));
    assert_eq!(network.node.read_frame(at_node), Ok(None));
    network.pass(Duration::from_secs(1));
    for _ in 0..50 {
        network.agents.open_streams(at_agent, 10);
        network.pass(Duration::from_millis(50));
        assert_eq!(network.node.read_frame(at_node), Ok(None));
    }
    network
        .agents
        .send_datagram(at_agent, Bytes::from("still here"))
        .unwrap();
    network.pass(Duration::from_millis(100));
    assert_eq!(network.read_all(at_node), ["still here"]);
}

#[test]
fn a_packet_of_another_link_changes_nothing() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    network
        .agents
        .send_datagram(at_agent, "secret".into())
        .unwrap();
    let mut packet = Vec::new();
    let transmit = network
        .agents
        .poll_transmit(network.now, 1, &mut packet)
        .unwrap();
    packet.truncate(transmit.size);
    *packet.last_mut().unwrap() ^= 1;
    let from = network.agents_address;
    let forged = BytesMut::from(&packet[..]);
    network
        .node
        .handle_packet(network.now, from, None, None, forged);
    network.pass(Duration::from_millis(100));
    assert!(network.read_all(at_node).is_empty());
    *packet.last_mut().unwrap() ^= 1;
    network.forge(from, &packet);
    network.pass(Duration::from_millis(100));
    assert_eq!(network.read_all(at_node), ["secret"]);
}
