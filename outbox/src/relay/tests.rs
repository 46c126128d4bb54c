//! Relays against a transport that fails as it is told, and against real brokers.

mod brokers;
mod faults;
mod readers;
mod webhook;

use std::time::{Duration, Instant};

use super::COMPONENT;
use crate::{Message, Place, Publish as _, PublishError, Store, StoreConfig, Time};

/// Noon of a day long after 1970.
const NOON: Time = Time::from_micros(1_766_059_200_000_000);

/// How long something may take that has to happen; nobody waits for it longer than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn open(place: Place) -> Store {
    let config = StoreConfig {
        commit_window: Duration::ZERO,
        purge_interval: Duration::ZERO,
        headroom_bytes: 1 << 20,
        look_interval: Duration::from_millis(20),
        ..StoreConfig::new(place)
    };
    Store::open(config, &[COMPONENT]).unwrap()
}

/// Publishes messages about things with these numbers.
fn publish(store: &Store, numbers: std::ops::Range<u64>) -> Vec<Message> {
    let one = |n: u64| {
        let resource = format!("/things/{n}").parse().unwrap();
        let time = NOON.plus(Duration::from_millis(n));
        Message::at(time, "test.made".parse().unwrap(), resource)
    };
    let messages: Vec<Message> = numbers.map(one).collect();
    let given = messages.clone();
    store
        .transact(move |tx| {
            for message in &given {
                tx.publish(message)?;
            }
            Ok::<_, PublishError>(())
        })
        .unwrap();
    messages
}

/// What a transport keeps under a key beside a message.
fn kv(store: &Store, message: &Message, transport: &str, key: &str) -> Option<String> {
    let pairs = store.kv(message.id, transport).unwrap();
    pairs
        .into_iter()
        .find(|pair| pair.0 == key)
        .map(|pair| pair.1)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for_acks(store: &Store, messages: &[Message], transport: &str) {
    wait_until("acknowledgement of all", || {
        messages
            .iter()
            .all(|message| kv(store, message, transport, "acked").is_some())
    });
}
