//! Readers that hardly read, and what the others notice of them.

use std::io::Read as _;

use outbox::Message;

use super::caller::{ask, get};
use super::{PACE, Rig, SITE, ids, message, token};
use crate::messages::limits::{
    BLOCKING_THREADS_MAX, HELD_BYTES_PER_CONSUMER_MAX, PAGE_BYTES, THREADS,
};

impl Rig {
    /// With a full page of messages, each nearly as long as they get, and two consumers: who reads
    /// slowly, and who reads.
    fn full() -> (Self, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let (slow, other) = (token(&folder, "slow"), token(&folder, "other"));
        let rig = Self::in_folder(PACE, folder);
        let long = "x".repeat(400);
        let made = (0..1_000).map(|client| {
            let resource = format!("{SITE}/clients/{client}-{long}");
            Message::new("client.gone".parse().unwrap(), resource.parse().unwrap())
        });
        rig.publish(made.collect());
        (rig, slow, other)
    }
}

#[test]
fn answers_for_readers_that_do_not_read_are_bounded_and_others_are_answered() {
    let (rig, slow, other) = Rig::full();
    let address = rig.listening.address();
    let held = || rig.listening.messages().counts().held_bytes;
    // Nobody reads, until one is refused without a look into the store.
    let mut readers = Vec::new();
    while held() + PAGE_BYTES <= HELD_BYTES_PER_CONSUMER_MAX {
        let mut reader = ask(address, "/messages", &slow);
        // Its answer has begun, and goes no further.
        reader.read_exact(&mut [0]).unwrap();
        readers.push(reader);
        assert!(readers.len() < 1_000, "nothing is held");
    }
    let refused = get(address, "/messages?limit=1", &slow);
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
    assert!(held() <= HELD_BYTES_PER_CONSUMER_MAX);
    // There are more of them than threads, so none has one; and none has a lock: another commits and
    // reads, a whole page too.
    assert!(readers.len() > THREADS + BLOCKING_THREADS_MAX);
    let new = message("site.owner");
    rig.publish(vec![new.clone()]);
    let found = get(address, "/messages?type=site.owner", &other);
    assert_eq!(ids(&found), [new.id.to_string()]);
    assert_eq!(ids(&get(address, "/messages", &other)).len(), 1_000);
    drop(readers);
    // What waited for them goes with them.
    while get(address, "/messages?limit=1", &slow).status != 200 {}
}
