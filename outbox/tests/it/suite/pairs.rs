//! Key-value pairs of transports, and sending again.

use std::time::Duration;

use outbox::{KV_AGAIN, KvError, Place, Replay, Store, TransactError};

use crate::support::{DAY, NOON, from_oldest, message, messages, open, publish};

pub(super) fn pairs_are_kept_beside_messages_and_go_with_them(place: &Place) {
    let store = open(place);
    let made = messages(2);
    publish(&store, &made);
    let id = made[0].id;
    store.put_kv(id, "nats", "attempted", "1").unwrap();
    store.put_kv(id, "nats", "attempted", "2").unwrap();
    store.put_kv(id, "nats", "acked", "yes").unwrap();
    store.put_kv(id, "amqp", "acked", "no").unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        store.kv(id, "nats").unwrap(),
        [pair("acked", "yes"), pair("attempted", "2")]
    );
    assert!(store.kv(made[1].id, "nats").unwrap().is_empty());
    assert!(
        store
            .transact(move |tx| tx.delete_kv(id, "nats", "acked"))
            .unwrap()
    );
    assert!(
        !store
            .transact(move |tx| tx.delete_kv(id, "nats", "acked"))
            .unwrap()
    );
    assert_eq!(store.kv(id, "nats").unwrap(), [pair("attempted", "2")]);
    // They are in no answer.
    assert_eq!(from_oldest(&store), made);

    let stranger = message(NOON, "a.b", "/1");
    let elsewhere = message(NOON.plus(DAY * 3), "a.b", "/1");
    for nobody in [&stranger, &elsewhere] {
        let refused = store.put_kv(nobody.id, "nats", "k", "v");
        assert!(matches!(
            refused,
            Err(TransactError::Refused(KvError::NoMessage(_)))
        ));
    }
    let long = "k".repeat(10_000);
    for (transport, key, value) in [
        ("", "k", "v"),
        ("t", "", "v"),
        ("t", &long, "v"),
        ("t", "k", &long),
    ] {
        let refused = store.put_kv(id, transport, key, value);
        assert!(matches!(
            refused,
            Err(TransactError::Refused(KvError::TooLong { .. }))
        ));
    }

    publish(&store, &[message(NOON.plus(DAY * 9), "a.b", "/1")]);
    store.purge(NOON.plus(DAY * 9)).unwrap();
    assert!(store.kv(id, "nats").unwrap().is_empty());
}

pub(super) fn a_replay_asks_one_transport_again(place: &Place) {
    let store = open(place);
    let made: Vec<_> = (0..40_u32)
        .map(|n| {
            let time = NOON.plus(Duration::from_secs(3_600) * n);
            message(
                time,
                if n % 2 == 0 { "a.even" } else { "b.odd" },
                &format!("/{n}"),
            )
        })
        .collect();
    publish(&store, &made);
    let replay = Replay {
        from: made[5].time,
        to: made[30].time,
        kinds: vec!["a.*".parse().unwrap()],
        transport: "nats".to_owned(),
    };
    let expected: Vec<_> = made[5..30]
        .iter()
        .filter(|message| message.kind.as_str() == "a.even")
        .cloned()
        .collect();
    assert_eq!(store.replay(&replay).unwrap(), expected.len() as u64);
    // To ask again asks for nothing new.
    assert_eq!(store.replay(&replay).unwrap(), expected.len() as u64);
    assert_eq!(asked(&store, "nats"), expected);
    assert!(asked(&store, "amqp").is_empty());
    assert_eq!(from_oldest(&store), made, "nothing is published anew");
    // The transport has sent one.
    let sent = expected[0].id;
    store
        .transact(move |tx| tx.delete_kv(sent, "nats", KV_AGAIN))
        .unwrap();
    assert_eq!(asked(&store, "nats"), expected[1..]);
    let none = Replay {
        kinds: vec!["c.*".parse().unwrap()],
        ..replay
    };
    assert_eq!(store.replay(&none).unwrap(), 0);
}

fn asked(store: &Store, transport: &str) -> Vec<outbox::Message> {
    store
        .read(|reading| reading.asked_again(transport, 1_000))
        .unwrap()
}
