//! A busy agent on a network that loses every second packet, in both directions.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::node::Node;
use super::support::{Installation, LOOPBACK, within};
use crate::impair::{Fate, Impairment};
use crate::{AgentEndpoint, Knobs, Port, ResetKey};

const DATAGRAMS: u32 = 400;
const DATAGRAM_BYTES: usize = 1_200;
const INTERVAL: Duration = Duration::from_millis(10);

/// Loses half of the packets, each for itself.
fn random_loss(seed: u64) -> Impairment {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Impairment::new(move |_| {
        if random.random_bool(0.5) {
            Fate::Drop
        } else {
            Fate::Send
        }
    })
}

/// Loses half of the packets, in bursts of eight on average.
fn bursty_loss(seed: u64) -> Impairment {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bad = false;
    Impairment::new(move |_| {
        bad ^= random.random_bool(1.0 / 8.0);
        if bad { Fate::Drop } else { Fate::Send }
    })
}

#[derive(Debug)]
struct Outcome {
    received: usize,
    dropped_there: usize,
    dropped_back: usize,
    longest_wait: Duration,
    least_room_bytes: usize,
}

async fn send_through(there: Impairment, back: Impairment) -> Outcome {
    let home = Installation::new();
    let knobs = Knobs::default();
    let key = ResetKey::random().unwrap();
    let port = Port::bind_node_impaired(LOOPBACK, &home.node(), &key, &knobs, &back).unwrap();
    let node = Node::run(port);
    let agent = AgentEndpoint::bind_impaired(LOOPBACK, &knobs, &there).unwrap();
    let (at_node, at_agent) = home.link(&node, &agent, &knobs).await;
    while at_agent.datagram_bytes_max() < DATAGRAM_BYTES {
        at_agent.send_datagram("probe".into()).unwrap();
        at_node.read_datagram().await.unwrap();
    }
    there.start();
    back.start();

    let start = Instant::now();
    let at_node = tokio::spawn(async move {
        let (mut received, mut longest_wait) = (0, Duration::ZERO);
        while let Ok(datagram) = at_node.read_datagram().await {
            if let Some(micros) = datagram.first_chunk() {
                let sent = start + Duration::from_micros(u64::from_le_bytes(*micros));
                longest_wait = longest_wait.max(sent.elapsed());
                received += 1;
            }
        }
        (received, longest_wait)
    });
    let mut least_room_bytes = usize::MAX;
    let mut ticks = tokio::time::interval(INTERVAL);
    for _ in 0..DATAGRAMS {
        ticks.tick().await;
        least_room_bytes = least_room_bytes.min(at_agent.datagram_room());
        // Heavy loss can look like a path that has become narrower.
        let mut datagram = vec![0; DATAGRAM_BYTES.min(at_agent.datagram_bytes_max())];
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap();
        datagram[..8].copy_from_slice(&micros.to_le_bytes());
        at_agent.send_datagram(datagram.into()).unwrap();
    }
    let all_sent = async {
        while at_agent.datagram_room() < knobs.datagram_send_buffer_bytes - 64 {
            ticks.tick().await;
        }
    };
    within(5, all_sent).await;
    there.stop();
    back.stop();
    at_agent.close("done");
    let (received, longest_wait) = within(20, at_node).await.unwrap();
    Outcome {
        received,
        dropped_there: there.counts().dropped,
        dropped_back: back.counts().dropped,
        longest_wait,
        least_room_bytes,
    }
}

fn check(outcome: &Outcome) {
    println!("{outcome:?}");
    assert!(
        outcome.dropped_there >= 120 && outcome.dropped_back >= 10,
        "{outcome:?}"
    );
    assert!((120..=280).contains(&outcome.received), "{outcome:?}");
    assert!(outcome.longest_wait < Duration::from_secs(1), "{outcome:?}");
    assert!(
        outcome.least_room_bytes > Knobs::default().datagram_send_buffer_bytes / 4,
        "{outcome:?}"
    );
}

#[tokio::test]
async fn half_of_the_packets_lost_at_random() {
    check(&send_through(random_loss(1), random_loss(2)).await);
}

#[tokio::test]
async fn half_of_the_packets_lost_in_bursts_of_eight() {
    check(&send_through(bursty_loss(3), bursty_loss(4)).await);
}
