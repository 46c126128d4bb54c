//! Loss, duplicates and disorder.

use std::time::Duration;

use bytes::Bytes;
use wire::Frame;

use super::network::{Faults, Network};
use crate::Knobs;

#[test]
fn datagrams_arrive_at_most_once_and_frames_exactly_once_in_order() {
    let mut network = Network::new(Knobs::default());
    network.faults = Faults {
        loss: 0.2,
        duplicate: 0.2,
        late: 0.3,
    };
    let (at_node, at_agent) = network.link("ap-1");
    let mut seen = vec![0; 1_000];
    let mut frames = 0;
    for number in 0..1_000_u16 {
        let datagram = Bytes::copy_from_slice(&number.to_le_bytes());
        network.agents.send_datagram(at_agent, datagram).unwrap();
        if number % 10 == 0 {
            let frame = Frame::Reject {
                reason: number.to_string(),
            };
            network.agents.write_frame(at_agent, &frame).unwrap();
        }
        network.pass(Duration::from_millis(5));
        for datagram in network.read_all(at_node) {
            let number = u16::from_le_bytes(datagram[..].try_into().unwrap());
            seen[usize::from(number)] += 1;
        }
        while let Some(frame) = network.node.read_frame(at_node).unwrap() {
            let reason = (10 * frames).to_string();
            assert_eq!(frame, Frame::Reject { reason });
            frames += 1;
        }
    }
    let received = seen.iter().filter(|&&times| times == 1).count();
    assert!(
        seen.iter().all(|&times| times <= 1),
        "a datagram came twice"
    );
    assert!((700..=900).contains(&received), "{received} of 1,000");
    network.until("all frames", |network| {
        while let Some(frame) = network.node.read_frame(at_node).unwrap() {
            let reason = (10 * frames).to_string();
            assert_eq!(frame, Frame::Reject { reason });
            frames += 1;
        }
        (frames == 100).then_some(())
    });
}

/// A hundred full datagrams a second through a network that loses half of all packets.
#[test]
fn a_busy_agent_gets_through_half_of_the_packets_lost() {
    let mut network = Network::new(Knobs::default());
    let (at_node, at_agent) = network.link("ap-1");
    network.faults.loss = 0.5;
    let (mut received, mut least_room) = (0, usize::MAX);
    for _ in 0..400 {
        least_room = least_room.min(network.agents.datagram_room(at_agent));
        let bytes = network.agents.datagram_bytes_max(at_agent).min(1_200);
        let datagram = Bytes::from(vec![0; bytes]);
        network.agents.send_datagram(at_agent, datagram).unwrap();
        network.pass(Duration::from_millis(10));
        received += network.read_all(at_node).len();
    }
    assert!((120..=280).contains(&received), "{received} of 400");
    let room = Knobs::default().datagram_send_buffer_bytes / 4;
    assert!(least_room > room, "{least_room} bytes of room");
}
