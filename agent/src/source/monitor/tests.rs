use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::source::Transmitter;
use crate::source::pace::Pace;
use crate::source::pcap::{CaptureOptions, PcapSource};
use crate::system::tap::Tap;
use crate::testing::{dot11, heard_at, radiotap_pcap, stored_captures};

/// Set in the process that a test starts in a network of its own.
const INSIDE: &str = "TRILOBITE_TEST_INSIDE";

/// Runs `test`, whose name this is, in a network namespace of its own, in another process.
fn in_own_network(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        if let Err(error) = Tap::new("probe0", 803) {
            eprintln!("skipped: no tap of link type 803 can be made here: {error}");
            return;
        }
        test();
        return;
    }
    let name = format!("source::monitor::tests::{name}");
    let own = std::env::current_exe().expect("a test has a program");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]);
    command.arg(own).args(["--exact", &name, "--nocapture"]);
    let output = match command.env(INSIDE, "1").output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: unshare (util-linux) cannot be run: {error}");
            return;
        }
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    eprint!("{errors}");
    if !told.contains("running 1 test") {
        eprintln!("skipped: no network namespace can be made here");
        return;
    }
    assert!(output.status.success(), "{told}");
}

fn radios() -> Vec<RadioHello> {
    let radio = |band: &str| RadioHello {
        ap: "ap".parse().expect("name"),
        band: band.to_owned(),
    };
    vec![radio("2.4"), radio("5"), radio("6")]
}

fn monitor(access_points: &[Address]) -> Result<MonitorSource, SourceError> {
    MonitorSource::open(MonitorOptions {
        interface: "mon0".to_owned(),
        radios: radios(),
        access_points: access_points.to_vec(),
    })
}

fn tap() -> Tap {
    let tap = Tap::new("mon0", RADIOTAP.into()).expect("a tap");
    tap.set_up(true).expect("the tap is ours");
    tap
}

/// What was heard but when, with an address that only a test may look at.
type Key = ([u8; 6], u8, Option<i8>, Option<i8>, u8, wire::Kind, bool);

fn key(heard: &Heard) -> Key {
    let Transmitter::Address(address) = heard.from else {
        panic!("a frame has an address");
    };
    (
        *address.octets(),
        heard.radio,
        heard.rssi_dbm,
        heard.noise_dbm,
        heard.channel,
        heard.kind,
        heard.associated,
    )
}

/// Whether the source's descriptor is readable within ten seconds.
fn wait(source: &MonitorSource) -> bool {
    let fd = source.fd().expect("an open socket");
    let ten_seconds = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut polled, Some(&ten_seconds)).expect("a descriptor") > 0
}

/// Writes frames to the tap and reads the source until `heard` have come.
fn listen(source: &mut MonitorSource, tap: &mut Tap, frames: &[Vec<u8>], heard: usize) -> Vec<Key> {
    let mut keys = Vec::new();
    for frames in frames.chunks(64) {
        for frame in frames {
            tap.send(frame).expect("the tap is up");
        }
        source
            .drain(1_000, 10_000, &mut |one| keys.push(key(&one)))
            .expect("it stands");
    }
    while keys.len() < heard && wait(source) {
        source
            .drain(1_000, 10_000, &mut |one| keys.push(key(&one)))
            .expect("it stands");
    }
    keys
}

fn from_capture(frames: &[Vec<u8>], access_points: &[Address]) -> Vec<Key> {
    let options = CaptureOptions {
        radios: radios(),
        access_points: access_points.to_vec(),
        pace: Pace::AsFastAsPossible,
    };
    let file = io::Cursor::new(radiotap_pcap(frames));
    let mut source = PcapSource::new("test", file, options).expect("a capture");
    let mut keys = Vec::new();
    while source
        .drain(0, usize::MAX, &mut |one| keys.push(key(&one)))
        .expect("a capture")
        != Drained::Finished
    {}
    keys
}

const AP: [u8; 6] = [0, 1, 2, 3, 4, 5];
const CLIENT: [u8; 6] = [0x02, 6, 7, 8, 9, 10];

/// A probe request of one of many clients.
fn probe(client: u8) -> Vec<u8> {
    let from = [2, 0, 0, 0, 0, client];
    heard_at(
        2_437,
        -40 - (client % 50) as i8,
        &dot11(0x40, 0, [AP, from, AP]),
    )
}

#[test]
fn a_monitor_hears_what_a_capture_of_the_same_frames_holds() {
    in_own_network(
        "a_monitor_hears_what_a_capture_of_the_same_frames_holds",
        || {
            let mut built: Vec<_> = (0..200).map(probe).collect();
            for first in 0..=255 {
                let frame = dot11(first, first.rotate_left(3), [AP, CLIENT, AP]);
                built.push(heard_at(5_180, -50, &frame));
            }
            let mut captures = vec![("built frames".to_owned(), built)];
            captures.extend(stored_captures());
            let mut tap = tap();
            for (path, frames) in captures {
                // A tap refuses what is no longer than an Ethernet header, or longer than its packets.
                let frames: Vec<_> = frames
                    .into_iter()
                    .filter(|frame| (14..=1_500).contains(&frame.len()))
                    .collect();
                let plain = from_capture(&frames, &[]);
                let own: Vec<_> = plain
                    .iter()
                    .map(|key| Address::new(key.0))
                    .step_by(3)
                    .collect();
                for own in [&[][..], &own] {
                    let mut expected = from_capture(&frames, own);
                    if own.is_empty() {
                        // A capture takes any network as the site's then, a monitor none.
                        expected.iter_mut().for_each(|key| key.6 = false);
                    }
                    let mut source = monitor(own).expect("a monitor interface");
                    let found = listen(&mut source, &mut tap, &frames, expected.len());
                    assert!(
                        found == expected,
                        "{path}: {} and {}",
                        found.len(),
                        expected.len()
                    );
                    let health = source.health();
                    assert_eq!(
                        (health.heard, health.dropped_by_kernel),
                        (found.len() as u64, 0)
                    );
                    assert!(health.frames <= frames.len() as u64);
                }
                eprintln!("{path}: {} frames, {} heard", frames.len(), plain.len());
            }
        },
    );
}

/// When a source that broke is opened again.
fn opens_at(source: &MonitorSource) -> u64 {
    match source.reopen.wait(0) {
        Some(Drained::NextAt(at_us)) => at_us,
        other => panic!("it waits: {other:?}"),
    }
}

#[test]
fn an_interface_that_comes_goes_and_comes_back() {
    in_own_network("an_interface_that_comes_goes_and_comes_back", || {
        let mut source = monitor(&[]).expect("it may come");
        let first_us = opens_at(&source);
        let drained = source.drain(0, 9, &mut |_| {}).expect("it waits");
        assert_eq!(drained, Drained::NextAt(first_us));
        let notice = source.health().notice.expect("it is missing");
        assert_eq!(notice, "source monitor mon0: there is no such interface");
        let mut now_us = first_us;
        for restarts in 0..3 {
            let tap_down = Tap::new("mon0", RADIOTAP.into()).expect("a tap");
            let drained = source.drain(now_us, 9, &mut |_| {}).expect("it waits");
            assert_eq!(drained, Drained::NextAt(opens_at(&source)));
            assert!(
                source
                    .health()
                    .notice
                    .expect("it is down")
                    .contains("is down")
            );
            tap_down.set_up(true).expect("the tap is ours");
            let mut tap = tap_down;
            now_us = opens_at(&source);
            source.drain(now_us, 9, &mut |_| {}).expect("it is up");
            assert_eq!(source.health().notice, None);
            assert_eq!(source.health().restarts, restarts);
            let keys = listen(&mut source, &mut tap, &[probe(1)], 1);
            assert!(keys.len() == 1 && keys[0].0[5] == 1);
            drop(tap);
            assert!(wait(&source), "an interface that goes wakes");
            source
                .drain(now_us, 9, &mut |_| {})
                .expect("it may come back");
            assert!(source.fd().is_none());
            now_us = opens_at(&source);
        }
    });
}

#[test]
fn what_is_not_in_monitor_mode_is_refused_in_clear_words() {
    in_own_network(
        "what_is_not_in_monitor_mode_is_refused_in_clear_words",
        || {
            let ethernet = Tap::new("mon0", 1).expect("a tap");
            ethernet.set_up(true).expect("the tap is ours");
            let error = monitor(&[]).expect_err("not in monitor mode").to_string();
            assert!(
                error.starts_with(
                    "source monitor mon0: it is not in monitor mode: its frames are of type 1,"
                ),
                "{error}"
            );
            assert!(
                error.contains("iw dev wlan0 interface add mon0 type monitor"),
                "{error}"
            );
        },
    );
}

#[test]
fn what_the_kernel_drops_is_counted_and_reads_are_bounded() {
    in_own_network(
        "what_the_kernel_drops_is_counted_and_reads_are_bounded",
        || {
            let mut tap = tap();
            let mut source = monitor(&[]).expect("a monitor interface");
            let sent = 20_000u64;
            for n in 0..sent {
                tap.send(&probe(n as u8)).expect("the tap is up");
            }
            let mut heard = 0u64;
            let mut drains = 0;
            loop {
                let before = heard;
                let drained = source
                    .drain(1_000, 5_000, &mut |_| heard += 1)
                    .expect("it stands");
                assert!(heard - before <= PULLS_MAX as u64);
                drains += 1;
                if drained != Drained::More {
                    break;
                }
            }
            let health = source.health();
            assert!(
                drains > 1 && health.dropped_by_kernel > 0,
                "{drains} {health:?}"
            );
            eprintln!("{heard} of {sent} short frames fit the kernel's queue");
            assert_eq!(health.heard, heard);
            assert_eq!(
                health.frames, sent,
                "heard and dropped are all that was sent"
            );
        },
    );
}

#[test]
fn frames_are_stamped_when_they_came_not_when_they_were_read() {
    in_own_network(
        "frames_are_stamped_when_they_came_not_when_they_were_read",
        || {
            let mut tap = tap();
            let mut source = monitor(&[]).expect("a monitor interface");
            assert!(matches!(
                source.drain(1_000, 9, &mut |_| {}),
                Ok(Drained::NextAt(u64::MAX))
            ));
            // The kernel begins to stamp when a worker of its own gets round to it, which a busy
            // machine puts off at will; before, what is read is as if it came now.
            let begun = std::time::Instant::now();
            let mut second = 0;
            let mut is_stamped = false;
            while !is_stamped && begun.elapsed().as_secs() < 60 {
                second += 1;
                tap.send(&probe(1)).expect("the tap is up");
                assert!(wait(&source), "a frame wakes");
                let arrived = std::time::Instant::now();
                while arrived.elapsed().as_millis() < 20 {
                    std::hint::spin_loop();
                }
                let now_us = second * 60_000_000;
                let mut times = Vec::new();
                source
                    .drain(now_us, 9, &mut |one| times.push(one.heard_at_us))
                    .expect("it stands");
                assert_eq!((times.len(), source.watermark_us()), (1, now_us));
                let before_us = now_us - 60_000_000;
                assert!((before_us..=now_us).contains(&times[0]), "{times:?}");
                // Half of the wait is enough: the system's clock may be set meanwhile.
                is_stamped = times[0] <= now_us - 10_000;
            }
            assert!(is_stamped, "none of {second} frames was stamped");
        },
    );
}
