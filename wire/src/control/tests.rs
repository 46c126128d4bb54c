use super::*;
use crate::frame::{Configure, Hello, PseudonymKey, RadioHello};
use crate::id::{ApName, ClientName};
use crate::limits::NESTING_MAX;

/// Reads one frame from the body of a frame.
fn read(body: &[u8]) -> Result<Option<Frame>, FrameError> {
    let mut reader = FrameReader::new();
    reader.push(&(body.len() as u32).to_be_bytes());
    reader.push(body);
    reader.poll_frame()
}

#[track_caller]
fn check_malformed(body: &[u8], part: &str) {
    match read(body) {
        Err(FrameError::Malformed(what)) => assert!(what.contains(part), "{what}"),
        other => panic!("{other:?}"),
    }
}

/// A MessagePack text of at most 31 bytes.
fn text(text: &str) -> Vec<u8> {
    [&[0xa0 | text.len() as u8], text.as_bytes()].concat()
}

fn map(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = vec![0x80 | pairs.len() as u8];
    for (key, value) in pairs {
        body.extend(text(key));
        body.extend_from_slice(value);
    }
    body
}

#[test]
fn malformed_frames_say_what_is_wrong() {
    let drain = map(&[("type", &text("drain"))]);
    assert_eq!(read(&drain), Ok(Some(Frame::Drain {})));
    check_malformed(&[], "not a MessagePack map");
    check_malformed(
        &[0x91, 0xa5, b'd', b'r', b'a', b'i', b'n'],
        "not a MessagePack map",
    );
    check_malformed(&drain[..8], "cut short");
    for trailing in 0..=u8::MAX {
        check_malformed(&[&drain[..], &[trailing]].concat(), "bytes follow");
    }
    check_malformed(&map(&[]), "missing field `type`");
    check_malformed(&map(&[("type", &[0xc0])]), "variant identifier");
    check_malformed(
        &map(&[("type", &text("redirect"))]),
        "missing field `address`",
    );
    check_malformed(
        &map(&[("type", &text("reject")), ("reason", &[7])]),
        "expected a string",
    );
    let key = map(&[("period", &[1]), ("key", &[0xc4, 2, 1, 2])]);
    let configure = map(&[("type", &text("configure")), ("pseudonym_key", &key)]);
    check_malformed(&configure, "invalid length 2, expected 32 bytes");
}

#[test]
fn a_complaint_stays_short_and_printable() {
    let name = format!("\u{1b}[31m{}", "x".repeat(9_000));
    let mut body = map(&[
        ("type", &text("hello")),
        ("version", &[1]),
        ("program", &text("p")),
    ]);
    body[0] += 1;
    body.extend(text("clock"));
    body.push(0xda);
    body.extend((name.len() as u16).to_be_bytes());
    body.extend(name.as_bytes());
    let Err(FrameError::Malformed(what)) = read(&body) else {
        panic!("an unknown clock")
    };
    assert!(
        what.len() <= 160 && what.is_ascii() && !what.contains('\u{1b}'),
        "{what}"
    );
}

#[test]
fn unknown_types_and_keys_are_ignored() {
    let later = map(&[
        ("type", &text("later")),
        ("x", &[0xc4, 1, 0]),
        ("y", &[0xd4, 5, 0]),
    ]);
    assert_eq!(read(&later), Ok(Some(Frame::Unknown)));
    let more = map(&[
        ("x", &[0x81, 1, 0x91, 0xc0]),
        ("type", &text("settled")),
        ("y", &[0xc0]),
    ]);
    assert_eq!(read(&more), Ok(Some(Frame::Settled {})));
}

#[test]
fn deep_nesting_is_refused() {
    // The frame's own map is the first level, the integer in the middle is none.
    let nested = |levels| [&vec![0x91; levels - 1][..], &[7]].concat();
    let frame = |levels| map(&[("type", &text("later")), ("x", &nested(levels))]);
    assert_eq!(read(&frame(NESTING_MAX)), Ok(Some(Frame::Unknown)));
    check_malformed(&frame(NESTING_MAX + 1), "depth limit exceeded");
    check_malformed(&frame(60_000), "depth limit exceeded");
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let names = map(&[
        ("type", &text("names")),
        ("names", &[0xdd, 0xff, 0xff, 0xff, 0xff]),
    ]);
    check_malformed(&names, "cut short");
}

#[test]
fn a_pseudonym_key_travels_as_one_byte_string() {
    let pseudonym_key = PseudonymKey {
        period: 3,
        key: [0xab; 32],
    };
    let frame = Frame::Configure(Configure { pseudonym_key });
    let mut out = Vec::new();
    encode_frame(&frame, &mut out).expect("short");
    let key = [&text("key")[..], &[0xc4, 32], &[0xab; 32]].concat();
    assert!(
        out.windows(key.len()).any(|window| window == key),
        "{out:02x?}"
    );
    assert_eq!(read(&out[LENGTH_BYTES..]), Ok(Some(frame)));
}

#[test]
fn a_hello_has_at_most_as_many_radios_as_an_index_reaches() {
    let radio = RadioHello {
        ap: ApName::new("ap").expect("a name"),
        band: "5".to_owned(),
    };
    for (count, fits) in [(255, true), (256, false)] {
        let hello = Hello {
            version: 1,
            program: String::new(),
            radios: vec![radio.clone(); count],
            clock: Default::default(),
            previous: None,
        };
        let mut out = Vec::new();
        encode_frame(&Frame::Hello(hello), &mut out).expect("short");
        assert_eq!(read(&out[LENGTH_BYTES..]).is_ok(), fits, "{count}");
    }
}

#[test]
fn a_frame_too_long_is_not_written() {
    let name = ClientName::new("x".repeat(63)).expect("a name");
    let names = Frame::Names {
        names: vec![(u64::MAX, name); 900],
    };
    let mut out = vec![1, 2, 3];
    let error = encode_frame(&names, &mut out).expect_err("900 names of 74 bytes");
    assert!(error.bytes > FRAME_BYTES_MAX);
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn a_reader_goes_on_after_a_malformed_frame_and_stops_after_a_long_one() {
    let drain = map(&[("type", &text("drain"))]);
    let mut stream = vec![0, 0, 0, 1, 0xc0];
    stream.extend((drain.len() as u32).to_be_bytes());
    stream.extend(drain);
    stream.extend((FRAME_BYTES_MAX as u32 + 1).to_be_bytes());
    let mut reader = FrameReader::new();
    reader.push(&stream);
    assert!(matches!(reader.poll_frame(), Err(FrameError::Malformed(_))));
    assert_eq!(reader.poll_frame(), Ok(Some(Frame::Drain {})));
    for _ in 0..2 {
        assert_eq!(
            reader.poll_frame(),
            Err(FrameError::TooLong {
                bytes: FRAME_BYTES_MAX + 1
            })
        );
        reader.push(&[0; 9]);
        assert!(!reader.is_between_frames());
    }
}

#[test]
fn a_reader_that_nobody_polls_stays_bounded() {
    let mut reader = FrameReader::new();
    for _ in 0..100 {
        reader.push(&[0; 10_000]);
        assert!(reader.buffer.capacity() <= 2 * FRAME_BUFFER_BYTES_MAX);
    }
    assert_eq!(reader.poll_frame(), Err(FrameError::Overrun));
}
