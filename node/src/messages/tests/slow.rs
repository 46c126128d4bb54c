//! Readers that hardly read, and what the others notice of them.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use outbox::Message;

use super::caller::{ask, get};
use super::{PACE, Rig, SITE, token};
use crate::messages::limits::{HELD_BYTES_PER_CONSUMER_MAX, PAGE_BYTES};

/// Slow readers of the measurement.
const READERS: usize = 1_000;

/// Polls of a consumer that reads as it should.
const POLLS: usize = 400;

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

    /// 99th percentile and maximum of short polls.
    fn percentile(&self, header: &str) -> (Duration, Duration) {
        let poll = |_| {
            let began = Instant::now();
            let answer = get(self.listening.address(), "/messages?limit=20", header);
            assert_eq!(answer.status, 200);
            began.elapsed()
        };
        let mut took: Vec<Duration> = (0..POLLS).map(poll).collect();
        took.sort_unstable();
        (took[POLLS * 99 / 100], took[POLLS - 1])
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
    assert_eq!(get(address, "/messages?limit=1", &other).status, 200);
    drop(readers);
    // What waited for them goes with them.
    while get(address, "/messages?limit=1", &slow).status != 200 {}
}

/// Figures, not a verdict: run it alone, in a release build, with `--ignored --nocapture`.
#[test]
#[ignore = "measures for half a minute"]
fn a_thousand_slow_readers_beside_one_that_reads() {
    let (rig, slow, other) = Rig::full();
    let idle = rig.percentile(&other);
    let address = rig.listening.address();
    let mut readers: Vec<_> = (0..READERS)
        .map(|_| ask(address, "/messages", &slow))
        .collect();
    let (begin, stop) = (Instant::now(), AtomicBool::new(false));
    let mut busy = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for reader in &mut readers {
                    reader.set_nonblocking(true).unwrap();
                    // One byte a second each, until they are cut.
                    let _ = reader.read(&mut [0]);
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        while begin.elapsed() < Duration::from_secs(25) {
            let held_bytes = rig.listening.messages().counts().held_bytes;
            busy.push((begin.elapsed(), held_bytes, rig.percentile(&other)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("p99 and maximum of a poll, idle: {idle:?}; beside {READERS} slow readers:");
    for (at, held_bytes, took) in busy {
        println!("after {at:?}, {held_bytes} bytes held: {took:?}");
    }
}
