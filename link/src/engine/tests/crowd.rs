//! Many links at once.

use std::collections::HashSet;
use std::time::Duration;

use super::network::Network;
use crate::Knobs;
use crate::engine::Event;

const LINKS: usize = 1_000;

#[test]
fn a_thousand_links_cost_nothing_while_they_are_silent_and_each_gets_its_own() {
    let knobs = Knobs {
        handshakes_max: LINKS,
        retry_above: LINKS,
        idle_timeout: Duration::from_secs(3_600),
        keep_alive: Duration::from_secs(1_800),
        ..Knobs::default()
    };
    let mut network = Network::new(knobs);
    let credentials = network.home.agent("ap-1");
    let at_agents: Vec<_> = (0..LINKS)
        .map(|_| network.connect_with(&credentials, "localhost"))
        .collect();
    let mut at_node = HashSet::new();
    network.until("all open", |network| {
        at_node.extend(
            network
                .node_events
                .drain(..)
                .filter_map(|event| match event {
                    Event::Opened(id) => Some(id),
                    _ => None,
                }),
        );
        (at_node.len() == LINKS).then_some(())
    });
    // What follows a handshake: acknowledgements, connection ids, the search for larger packets.
    network.pass(Duration::from_secs(20));
    network.sent.clear();
    network.node_events.clear();
    network.pass(Duration::from_secs(30));
    assert!(network.sent.is_empty(), "{:?}", network.sent);

    for (number, &id) in (0_u16..).zip(&at_agents) {
        let datagram = number.to_le_bytes().to_vec();
        network.agents.send_datagram(id, datagram.into()).unwrap();
    }
    network.pass(Duration::from_secs(1));
    let mut numbers = HashSet::new();
    for event in std::mem::take(&mut network.node_events) {
        if let Event::Datagrams(id) = event {
            assert!(at_node.contains(&id));
            for datagram in network.read_all(id) {
                numbers.insert(u16::from_le_bytes(datagram[..].try_into().unwrap()));
            }
        }
    }
    assert_eq!(numbers.len(), LINKS);

    network.agents.close_all(network.now, "done");
    network.until("all gone", |network| {
        for event in network.node_events.drain(..) {
            if let Event::Closed(id, _) = event {
                network.node.forget(id);
                at_node.remove(&id);
            }
        }
        (at_node.is_empty() && network.node.connections() == 0).then_some(())
    });
    assert_eq!(network.node.poll_timeout(), None);
}
