//! How relays fare.

use std::fmt;

use outbox::Time;
use outbox::relay::RelayHealth;
use prometheus_client::encoding::DescriptorEncoder;

use super::{Labels, counters, gauges};

/// What is counted of a relay since it began.
type Count = fn(&RelayHealth) -> u64;

pub(super) fn encode(encoder: &mut DescriptorEncoder, relays: &[RelayHealth]) -> fmt::Result {
    gauges(
        encoder,
        "relay_up",
        "1 while what a relay sends is acknowledged, 0 while it is not.",
        relays
            .iter()
            .map(|relay| (labels(relay), f64::from(u8::from(relay.is_well)))),
    )?;
    gauges(
        encoder,
        "relay_behind_messages",
        "Messages that a relay has still to look at.",
        relays
            .iter()
            .map(|relay| (labels(relay), relay.behind as f64)),
    )?;
    let now = Time::now();
    let age_s = |at: Option<Time>| Some(now.since(at?).as_secs_f64());
    gauges(
        encoder,
        "relay_oldest_waiting_age_seconds",
        "Age of the oldest message that waits for its acknowledgement; 0 while none does.",
        relays
            .iter()
            .map(|relay| (labels(relay), age_s(relay.oldest_waiting).unwrap_or(0.0))),
    )?;
    gauges(
        encoder,
        "relay_last_ack_age_seconds",
        "Seconds since something was last acknowledged; missing before the first time.",
        relays
            .iter()
            .filter_map(|relay| Some((labels(relay), age_s(relay.last_ack)?))),
    )?;
    let so_far: [(&str, &str, Count); 5] = [
        ("relay_attempted", "Messages sent.", |relay| relay.attempted),
        ("relay_acked", "Messages acknowledged.", |relay| relay.acked),
        ("relay_failures", "Tries that failed.", |relay| {
            relay.failures
        }),
        (
            "relay_refused",
            "Messages passed over since their receiver refuses them.",
            |relay| relay.refused,
        ),
        (
            "relay_gaps",
            "How often messages were purged before they were sent.",
            |relay| relay.gaps,
        ),
    ];
    for (name, help, count) in so_far {
        let samples = relays.iter().map(|relay| (labels(relay), count(relay)));
        counters(encoder, name, help, samples)?;
    }
    Ok(())
}

fn labels(relay: &RelayHealth) -> Labels<'_> {
    vec![("relay", relay.name.as_str()), ("kind", relay.kind)]
}
