//! What a link carries, how it ends, and what each end learns.

use std::time::Duration;

use bytes::Bytes;
use wire::Frame;

use super::network::Network;
use crate::engine::{Engine, Event, LinkId};
use crate::{ControlError, Knobs, LinkClosed, ResetKey, SendError};

fn network() -> Network {
    Network::new(Knobs::default())
}

#[test]
fn datagrams_and_frames_arrive_and_are_counted() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    let identity = network.node.identity(at_node).unwrap();
    assert_eq!(identity.to_string(), "trilobite://hq/ap-1");
    assert_eq!(network.agents.identity(at_agent), None);
    let remote = network.node.remote_address(at_node).unwrap();
    assert_eq!(remote, network.agents_address);

    for number in 0..100_u8 {
        let datagram = Bytes::from(vec![number; 500]);
        network.agents.send_datagram(at_agent, datagram).unwrap();
    }
    let mut received = Vec::new();
    network.until("a hundred datagrams", |network| {
        received.extend(network.read_all(at_node));
        (received.len() == 100).then_some(())
    });
    assert!(
        received
            .iter()
            .zip(0..)
            .all(|(datagram, number)| datagram[..] == [number; 500])
    );
    assert_eq!(network.agents.stats(at_agent).unwrap().datagrams_sent, 100);
    assert_eq!(network.node.stats(at_node).unwrap().datagrams_received, 100);

    network
        .agents
        .write_frame(at_agent, &Frame::Drain {})
        .unwrap();
    assert_eq!(network.frame_at_node(at_node), Frame::Drain {});
    let reject = Frame::Reject {
        reason: "full ".repeat(10_000),
    };
    network.node.write_frame(at_node, &reject).unwrap();
    network.node.finish_control(at_node);
    assert_eq!(network.frame_at_agent(at_agent), reject);
    assert_eq!(network.agents.read_frame(at_agent), Ok(None));
    let more = network.node.write_frame(at_node, &Frame::Drain {});
    assert_eq!(more, Err(ControlError::Abandoned));
}

#[test]
fn datagrams_are_told_of_once_until_they_are_read() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    let told = |network: &Network| {
        let events = network.node_events.iter();
        events
            .filter(|event| **event == Event::Datagrams(at_node))
            .count()
    };
    for _ in 0..3 {
        network
            .agents
            .send_datagram(at_agent, "one".into())
            .unwrap();
        network.pass(Duration::from_millis(20));
    }
    assert_eq!(told(&network), 1);
    assert_eq!(network.read_all(at_node).len(), 3);
    network
        .agents
        .send_datagram(at_agent, "two".into())
        .unwrap();
    network.pass(Duration::from_millis(20));
    assert_eq!(told(&network), 2);
}

#[test]
fn a_hello_may_be_written_before_the_link_is_open() {
    let mut network = network();
    let at_agent = network.connect("ap-1");
    network
        .agents
        .write_frame(at_agent, &Frame::Drain {})
        .unwrap();
    let at_node = network.until("control at the node", |network| {
        network.node_events.iter().find_map(|event| match event {
            Event::Control(id) => Some(*id),
            _ => None,
        })
    });
    assert_eq!(network.frame_at_node(at_node), Frame::Drain {});
}

#[test]
fn many_large_frames_pass_both_ways_and_the_buffer_is_bounded() {
    /// Writes as many of twenty frames as there is room for, and reads what has come.
    fn talk(engine: &mut Engine, id: LinkId, written: &mut usize, read: &mut usize) -> bool {
        let frame = |number: usize| Frame::Reject {
            reason: format!("{number:04}").repeat(16_000),
        };
        let mut refused = false;
        while *written < 20 && !refused {
            match engine.write_frame(id, &frame(*written)) {
                Ok(()) => *written += 1,
                Err(error) => {
                    assert_eq!(error, ControlError::NoRoom);
                    refused = true;
                }
            }
        }
        while let Some(next) = engine.read_frame(id).unwrap() {
            assert_eq!(next, frame(*read));
            *read += 1;
        }
        refused
    }
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    let (mut there, mut back) = ((0, 0), (0, 0));
    let mut refused = 0;
    network.until("twenty frames each way", |network| {
        let (agents, node) = (&mut network.agents, &mut network.node);
        refused += usize::from(talk(agents, at_agent, &mut there.0, &mut back.1));
        refused += usize::from(talk(node, at_node, &mut back.0, &mut there.1));
        (there.1 == 20 && back.1 == 20).then_some(())
    });
    assert!(refused > 1, "more than a megabyte was buffered");
    assert!(network.agents_events.contains(&Event::Room(at_agent)));
    assert!(network.node_events.contains(&Event::Room(at_node)));
}

#[test]
fn a_full_send_buffer_refuses_drops_nothing_and_tells_of_room() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    let datagram = || Bytes::from(vec![0; 1_000]);
    let mut taken = 0;
    while network.agents.datagram_room(at_agent) >= 1_000 {
        network.agents.send_datagram(at_agent, datagram()).unwrap();
        taken += 1;
    }
    let refused = network.agents.send_datagram(at_agent, datagram());
    assert_eq!(refused, Err(SendError::NoRoom));
    network.until("room", |network| {
        network
            .agents_events
            .contains(&Event::Room(at_agent))
            .then_some(())
    });
    let last = Bytes::from(vec![1; 1_000]);
    network.agents.send_datagram(at_agent, last).unwrap();
    let mut received = Vec::new();
    network.until("all of them", |network| {
        received.extend(network.read_all(at_node));
        (received.len() == taken + 1).then_some(())
    });
    assert_eq!(received.last().unwrap()[0], 1);
    let too_long = network
        .agents
        .send_datagram(at_agent, vec![0; 2_000].into());
    assert!(matches!(
        too_long,
        Err(SendError::TooLong { bytes: 2_000, .. })
    ));
}

#[test]
fn the_path_is_found_to_carry_a_whole_batch() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    network.until("a large packet", |network| {
        let bytes_max = network.agents.datagram_bytes_max(at_agent);
        let _ = network.agents.send_datagram(at_agent, "probe".into());
        network.read_all(at_node);
        (bytes_max >= wire::limits::BATCH_BYTES_MAX).then_some(())
    });
    assert!(network.agents.stats(at_agent).unwrap().mtu <= 1_452);
}

#[test]
fn what_is_not_read_in_time_is_dropped_oldest_first_and_counted() {
    let knobs = Knobs {
        datagram_receive_buffer_bytes: 16 * 1024,
        ..Knobs::default()
    };
    let mut network = Network::new(knobs);
    let (at_node, at_agent) = network.link("ap-1");
    for number in 0..40_u8 {
        let datagram = Bytes::from(vec![number; 1_000]);
        network.agents.send_datagram(at_agent, datagram).unwrap();
    }
    network.node.begin_round();
    network.pass(Duration::from_millis(200));
    assert!(network.node.is_brimming(), "nobody was told to read first");
    assert_eq!(network.node.stats(at_node).unwrap().datagrams_received, 40);
    let read = network.read_all(at_node);
    assert!((10..=16).contains(&read.len()), "{} read", read.len());
    assert_eq!(read.last().unwrap()[0], 39);
}

#[test]
fn a_close_carries_its_words_and_what_was_not_sent_can_be_counted() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    network
        .agents
        .send_datagram(at_agent, "before".into())
        .unwrap();
    network.pass(Duration::from_millis(50));
    network
        .agents
        .send_datagram(at_agent, "too late".into())
        .unwrap();
    network.agents.close(at_agent, network.now, "leaving");
    assert_eq!(network.closed_at_agent(at_agent), LinkClosed::Here);
    assert_eq!(network.agents.stats(at_agent).unwrap().datagrams_sent, 1);
    let late = network.agents.send_datagram(at_agent, "x".into());
    assert_eq!(late, Err(LinkClosed::Here.into()));

    let closed = network.closed_at_node(at_node);
    assert_eq!(closed.to_string(), "closed by the other end: leaving");
    // What had arrived before can still be read.
    assert_eq!(network.read_all(at_node), ["before"]);
    assert_eq!(network.node.stats(at_node).unwrap().datagrams_received, 1);
    network.node.forget(at_node);
    assert_eq!(network.node.identity(at_node), None);
    network.agents.forget(at_agent);
    network.pass(Duration::from_secs(5));
    assert_eq!(network.node.connections(), 0);
    assert_eq!(network.agents.connections(), 0);
    assert_eq!(network.node.poll_timeout(), None);

    let (again, _) = network.link("ap-1");
    assert_ne!(again, at_node);
    assert_eq!(network.node.stats(at_node), None);
}

#[test]
fn a_node_that_stops_tells_everybody_and_lets_nobody_in() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    network.node.close_all(network.now, "the node stops");
    let closed = network.closed_at_agent(at_agent);
    assert_eq!(
        closed.to_string(),
        "closed by the other end: the node stops"
    );
    assert_eq!(network.closed_at_node(at_node), LinkClosed::Here);
    let late = network.connect("ap-2");
    let closed = network.closed_at_agent(late);
    assert!(matches!(closed, LinkClosed::Broken { .. }), "{closed:?}");
    network.until("silence", |network| {
        (network.node.connections() == 0).then_some(())
    });
}

#[test]
fn silence_ends_a_link_at_both_ends() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    network.pass(Duration::from_secs(30));
    assert!(
        network
            .agents
            .send_datagram(at_agent, "alive".into())
            .is_ok()
    );
    network.faults.loss = 1.0;
    let silent_since = network.now;
    assert_eq!(network.closed_at_node(at_node), LinkClosed::Silent);
    assert_eq!(network.closed_at_agent(at_agent), LinkClosed::Silent);
    assert!(network.now - silent_since < Duration::from_secs(15));
    network.node.forget(at_node);
    assert_eq!(network.node.connections(), 0);
}

#[test]
fn keys_change_under_way() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    for number in 0..20_u8 {
        if number % 2 == 0 {
            network.agents.force_key_update(at_agent);
        } else {
            network.node.force_key_update(at_node);
        }
        let datagram = Bytes::from(vec![number]);
        network.agents.send_datagram(at_agent, datagram).unwrap();
        // Both ends must have used the new keys before they may change again.
        let frame = Frame::Drain {};
        network.agents.write_frame(at_agent, &frame).unwrap();
        assert_eq!(network.frame_at_node(at_node), frame);
        network.node.write_frame(at_node, &frame).unwrap();
        assert_eq!(network.frame_at_agent(at_agent), frame);
        network.pass(Duration::from_millis(500));
        assert_eq!(network.read_all(at_node), [[number].as_slice()]);
    }
    assert_eq!(network.agents.stats(at_agent).unwrap().packets_lost, 0);
}

#[test]
fn an_agent_that_moves_to_another_address_stays_linked() {
    let mut network = network();
    let (at_node, at_agent) = network.link("ap-1");
    for (ip, port) in [([10, 0, 0, 2], 41_000), ([192, 168, 7, 7], 40_000)] {
        network.agents_address = (ip, port).into();
        network
            .agents
            .send_datagram(at_agent, "moved".into())
            .unwrap();
        network.pass(Duration::from_millis(500));
        assert_eq!(network.read_all(at_node), ["moved"]);
        let remote = network.node.remote_address(at_node).unwrap();
        assert_eq!(remote, network.agents_address);
    }
    network
        .agents
        .write_frame(at_agent, &Frame::Drain {})
        .unwrap();
    assert_eq!(network.frame_at_node(at_node), Frame::Drain {});
    network.node.write_frame(at_node, &Frame::Drain {}).unwrap();
    assert_eq!(network.frame_at_agent(at_agent), Frame::Drain {});
}

#[test]
fn a_restarted_node_is_noticed_at_once_if_it_has_the_old_key() {
    let mut network = network();
    let (_, at_agent) = network.link("ap-1");
    network.pass(Duration::from_millis(100));
    let key = network.reset_key.clone();
    network.restart_node(&key);
    let restarted = network.now;
    network
        .agents
        .send_datagram(at_agent, "still there?".into())
        .unwrap();
    assert_eq!(network.closed_at_agent(at_agent), LinkClosed::Restarted);
    assert!(network.now - restarted < Duration::from_secs(1));
}

#[test]
fn without_the_old_key_it_takes_the_idle_timeout() {
    let mut network = network();
    let (_, at_agent) = network.link("ap-1");
    network.restart_node(&ResetKey::random().unwrap());
    network
        .agents
        .send_datagram(at_agent, "still there?".into())
        .unwrap();
    assert_eq!(network.closed_at_agent(at_agent), LinkClosed::Silent);
}
