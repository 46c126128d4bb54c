//! Ranges to other access points.

use super::*;
use crate::nl80211;

/// A source that measures a range every minute, after its first poll.
fn ranging(kernel: &mut Kernel, sockets: mpsc::Receiver<OwnedFd>) -> StationsSource {
    let mut source = source(&["wlan0"], sockets);
    source.ranging = Some(Ranging::new(RangingOptions {
        interface: "wlan0".to_owned(),
        peers: vec![nl80211::ftm::Peer {
            address: Address::new([0, 1, 2, 3, 4, 5]),
            freq_mhz: 5_180,
        }],
        interval: Duration::from_secs(60),
    }));
    source.index_of = |_| Ok(7);
    // No socket waits: the first measurement fails, the next one is a minute later.
    poll(&mut source, kernel, 0);
    assert!(
        source
            .health()
            .notice
            .expect("no socket")
            .contains("no ranges through wlan0")
    );
    source
}

/// Begins a measurement a minute later; the kernel's end of its socket, and the request's number.
fn begin_measuring(source: &mut StationsSource, kernel: &mut Kernel) -> (UnixDatagram, u32) {
    let polled = std::mem::replace(
        &mut kernel.socket,
        UnixDatagram::unbound().expect("a socket"),
    );
    kernel.restart();
    let measuring = std::mem::replace(&mut kernel.socket, polled);
    poll(source, kernel, 60 * SECOND_US);
    let mut request = [0; 1_024];
    let len = measuring.recv(&mut request).expect("a request");
    let message = Messages::new(&request[..len]).next().expect("a request");
    assert!(matches!(
        message.answer,
        Answer::Row {
            family: FAMILY,
            command: command::PEER_MEASUREMENT_START,
            ..
        }
    ));
    (measuring, message.sequence)
}

#[test]
fn ranges_to_other_access_points_are_given_out() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = ranging(&mut kernel, sockets);
    let (measuring, number) = begin_measuring(&mut source, &mut kernel);
    let peer = [0, 1, 2, 3, 4, 5];
    let complete = Row::new(command::PEER_MEASUREMENT_COMPLETE, |_| {});
    for message in [
        done(number, 0),
        Row::measured(peer, 0, &[(16, 7_250)]).bytes(FAMILY, 0),
        Row::measured(peer, 2, &[]).bytes(FAMILY, 0),
        // Of somebody that was not asked for.
        Row::measured([9; 6], 0, &[(16, 1)]).bytes(FAMILY, 0),
        complete.bytes(FAMILY, 0),
    ] {
        measuring.send(&message).expect("the source listens");
    }
    let heard = poll(&mut source, &mut kernel, 60 * SECOND_US + 100_000);
    assert_eq!(heard.len(), 1);
    let range = heard[0].range.expect("a range");
    assert_eq!((range.distance_mm, range.deviation_mm), (7_250, None));
    assert_eq!((heard[0].kind, heard[0].rssi_dbm), (Kind::Ranging, None));
    assert_eq!((heard[0].radio, heard[0].channel), (1, 36));
    let health = source.health();
    assert_eq!((health.notice, health.without_signal), (None, 2));
    // The measurement is over: its socket is closed.
    assert!(measuring.send(b"x").is_err());
}

#[test]
fn a_measurement_that_fails_or_lasts_too_long_is_ended() {
    let (mut kernel, sockets) = Kernel::new();
    let mut source = ranging(&mut kernel, sockets);
    let (measuring, _) = begin_measuring(&mut source, &mut kernel);
    poll(&mut source, &mut kernel, 62 * SECOND_US);
    assert!(measuring.send(b"x").is_ok(), "it still runs");
    poll(&mut source, &mut kernel, 66 * SECOND_US);
    assert!(
        source
            .health()
            .notice
            .expect("too long")
            .contains("timed out")
    );
    assert!(measuring.send(b"x").is_err(), "closing ends it");

    let (mut kernel, sockets) = Kernel::new();
    let mut source = ranging(&mut kernel, sockets);
    let (measuring, number) = begin_measuring(&mut source, &mut kernel);
    // EOPNOTSUPP: this radio cannot.
    measuring
        .send(&done(number, -95))
        .expect("the source listens");
    poll(&mut source, &mut kernel, 61 * SECOND_US);
    let notice = source.health().notice.expect("it cannot");
    assert!(notice.contains("leave ftm_peers out"), "{notice}");
    assert!(measuring.send(b"x").is_err());
}
