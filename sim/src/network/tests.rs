use super::*;

const MS: Duration = Duration::from_millis(1);

/// Sends `count` numbered packets a millisecond apart and returns (arrival, number) of all.
fn run(config: NetworkConfig, count: u32) -> (Vec<(Duration, u32)>, NetworkCounters) {
    let mut network = Network::new(config).unwrap();
    let mut arrived = Vec::new();
    let mut drain = |network: &mut Network, until: Duration| {
        while let Some(at) = network.poll_timeout().filter(|at| *at <= until) {
            let bytes = network.poll_delivery(at).unwrap();
            arrived.push((at, u32::from_le_bytes(bytes.try_into().unwrap())));
        }
    };
    for number in 0..count {
        drain(&mut network, MS * number);
        network.handle_packet(&number.to_le_bytes(), MS * number);
    }
    drain(&mut network, Duration::MAX);
    (arrived, network.counters())
}

#[test]
fn a_quiet_network_delivers_everything_in_order_after_its_delay() {
    let (arrived, counters) = run(
        NetworkConfig {
            delay: 3 * MS,
            ..Default::default()
        },
        100,
    );
    let expected: Vec<_> = (0..100)
        .map(|number| (MS * number + 3 * MS, number))
        .collect();
    assert_eq!(arrived, expected);
    assert_eq!((counters.offered, counters.delivered), (100, 100));
}

#[test]
fn nothing_arrives_before_its_time() {
    let mut network = Network::new(NetworkConfig {
        delay: 5 * MS,
        ..Default::default()
    })
    .unwrap();
    assert_eq!(network.poll_timeout(), None);
    network.handle_packet(b"one", MS);
    assert_eq!(network.poll_delivery(5 * MS), None);
    assert_eq!(network.poll_timeout(), Some(6 * MS));
    assert_eq!(network.poll_delivery(6 * MS).as_deref(), Some(&b"one"[..]));
    assert_eq!(network.poll_delivery(Duration::MAX), None);
}

#[test]
fn jitter_delays_by_its_mean_and_keeps_the_order() {
    let config = NetworkConfig {
        jitter: MS / 10,
        ..Default::default()
    };
    let (arrived, _) = run(config, 20_000);
    assert!(arrived.is_sorted());
    assert!(arrived.windows(2).all(|pair| pair[0].1 < pair[1].1));
    let waits = arrived
        .iter()
        .map(|(at, number)| (*at - MS * *number - config.delay).as_secs_f64());
    let mean_s = waits.sum::<f64>() / arrived.len() as f64;
    assert!((mean_s / 1e-4 - 1.0).abs() < 0.05, "{mean_s}");
}

#[test]
fn reordered_packets_are_overtaken() {
    let config = NetworkConfig {
        reorder_share: 0.1,
        ..Default::default()
    };
    let (arrived, counters) = run(config, 10_000);
    let overtaken = arrived
        .windows(2)
        .filter(|pair| pair[1].1 < pair[0].1)
        .count();
    assert!((800..1_200).contains(&counters.reordered), "{counters:?}");
    assert!(overtaken > 700, "{overtaken}");
}

#[test]
fn the_books_of_a_bad_network_close() {
    let config = NetworkConfig {
        loss: Loss::Bursts {
            share: 0.3,
            burst_packets: 4.0,
        },
        jitter: 2 * MS,
        reorder_share: 0.05,
        duplicate_share: 0.1,
        ..Default::default()
    };
    let (arrived, c) = run(config, 20_000);
    assert_eq!(c.offered + c.duplicated, c.lost + c.dropped + c.delivered);
    assert_eq!(arrived.len() as u64, c.delivered);
    assert!((5_400..6_600).contains(&c.lost), "{c:?}");
    assert!((1_200..1_600).contains(&c.duplicated), "{c:?}");
    assert_eq!(run(config, 20_000).0, arrived, "same seed, same fate");
    assert_ne!(run(NetworkConfig { seed: 2, ..config }, 20_000).0, arrived);
}

#[test]
fn a_full_network_drops_and_counts() {
    let mut network = Network::new(NetworkConfig::default()).unwrap();
    for _ in 0..PACKETS_IN_FLIGHT_MAX + 3 {
        network.handle_packet(b"", Duration::ZERO);
    }
    assert_eq!(network.counters().dropped, 3);
}
