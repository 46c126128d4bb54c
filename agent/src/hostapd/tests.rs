use proptest::prelude::*;

use super::*;

fn address(last: u8) -> Address {
    Address::new([2, 0, 0, 0, 0, last])
}

#[test]
fn events_are_told_from_answers() {
    let check = |text: &str, expected| {
        assert_eq!(
            Told::parse(text.as_bytes()),
            Told::Event(expected),
            "{text}"
        );
    };
    check(
        "<3>AP-STA-CONNECTED 02:00:00:00:00:01",
        Event::Connected(address(1)),
    );
    check(
        "<3>AP-STA-CONNECTED 02:00:00:00:00:01 keyid=7 auth_alg=open",
        Event::Connected(address(1)),
    );
    check(
        "<3>AP-STA-DISCONNECTED 02:00:00:00:00:02",
        Event::Disconnected(address(2)),
    );
    let probe = |signal_dbm| Event::Probe {
        from: address(3),
        signal_dbm,
    };
    check(
        "<3>RX-PROBE-REQUEST sa=02:00:00:00:00:03 signal=-71",
        probe(Some(-71)),
    );
    check(
        "<3>RX-PROBE-REQUEST sa=02:00:00:00:00:03 signal=0",
        probe(None),
    );
    check("<3>RX-PROBE-REQUEST sa=02:00:00:00:00:03", probe(None));
    check("<3>CTRL-EVENT-TERMINATING ", Event::Terminating);
    for odd in [
        "<3>RX-PROBE-REQUEST sa=",
        "<3>AP-STA-CONNECTED",
        "<3>",
        "<>x",
        "<3>AP-ENABLED ",
    ] {
        check(odd, Event::Other);
    }
    assert_eq!(Told::parse(b"OK\n"), Told::Answer("OK\n"));
    assert_eq!(Told::parse(b"OK\xff\n"), Told::Answer("OK"));
}

#[test]
fn a_client_of_the_table() {
    let answer = "02:00:00:00:00:01\nflags=[AUTH][ASSOC][AUTHORIZED]\naid=1\nrx_packets=12\n\
                  inactive_msec=1240\nsignal=-58\nconnected_time=9\n";
    let expected = Client {
        address: address(1),
        signal_dbm: Some(-58),
        inactive_ms: Some(1_240),
        associated: true,
    };
    assert_eq!(Client::parse(answer), Some(expected));
    let bare = Client::parse("02:00:00:00:00:01\nflags=[AUTH]\nsignal=-300").expect("a client");
    assert_eq!(
        (bare.signal_dbm, bare.inactive_ms, bare.associated),
        (None, None, false)
    );
    for end in ["", "FAIL\n", "UNKNOWN COMMAND\n", "\n"] {
        assert_eq!(Client::parse(end), None, "{end:?}");
    }
}

#[test]
fn the_frequency_of_the_status() {
    assert_eq!(
        freq_mhz("state=ENABLED\nphy=phy0\nfreq=5180\nchannel=36\n"),
        Some(5_180)
    );
    assert_eq!(freq_mhz("state=DISABLED\nfreq=0\n"), None);
    assert_eq!(freq_mhz("FAIL\n"), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Told::Answer(answer) = Told::parse(&bytes) {
            prop_assert!(answer.len() <= bytes.len());
            let _ = (Client::parse(answer), freq_mhz(answer));
        }
    }
}
