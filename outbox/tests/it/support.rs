//! What tests share: places, messages, consumers.

use std::time::Duration;

use outbox::{
    Cursor, Message, Page, PageError, PageQuery, Place, Publish as _, PublishError, Start, Store,
    StoreConfig, Time,
};

/// Noon of a day long after 1970, so that days before it have positive numbers too.
pub(crate) const NOON: Time = Time::from_micros(1_766_059_200_000_000);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A configuration for tests: nothing happens by itself, and nobody waits for neighbours.
pub(crate) fn config(place: &Place) -> StoreConfig {
    StoreConfig {
        commit_window: Duration::ZERO,
        purge_interval: Duration::ZERO,
        headroom_bytes: 1 << 20,
        look_interval: Duration::from_millis(20),
        ..StoreConfig::new(place.clone())
    }
}

pub(crate) fn open(place: &Place) -> Store {
    Store::open(config(place), &[]).unwrap()
}

pub(crate) fn message(time: Time, kind: &str, resource: &str) -> Message {
    Message::at(time, kind.parse().unwrap(), resource.parse().unwrap())
}

/// Messages of one type, one after the other.
pub(crate) fn messages(count: usize) -> Vec<Message> {
    let at = |n: usize| NOON.plus(Duration::from_millis(n as u64));
    (0..count)
        .map(|n| message(at(n), "test.made", &format!("/things/{n}")))
        .collect()
}

/// Publishes all in one transaction.
pub(crate) fn publish(store: &Store, messages: &[Message]) {
    let messages = messages.to_vec();
    store
        .transact(move |tx| {
            for message in &messages {
                tx.publish(message)?;
            }
            Ok::<_, PublishError>(())
        })
        .unwrap();
}

pub(crate) fn page(store: &Store, after: Start) -> Page {
    store.page(&PageQuery::new(after)).unwrap()
}

/// Everything from `after` on, and where it ended.
pub(crate) fn all(store: &Store, query: &PageQuery) -> (Vec<Message>, Cursor) {
    let mut query = query.clone();
    let mut taken = Vec::new();
    loop {
        let page = store.page(&query).unwrap();
        taken.extend(page.messages);
        query.after = Start::Cursor(page.next);
        if !page.more {
            return (taken, page.next);
        }
    }
}

pub(crate) fn from_oldest(store: &Store) -> Vec<Message> {
    all(store, &PageQuery::new(Start::Oldest)).0
}

pub(crate) fn is_gone(store: &Store, cursor: Cursor) -> bool {
    matches!(
        store.page(&PageQuery::new(Start::Cursor(cursor))),
        Err(PageError::Gone { .. })
    )
}
