use super::*;
use crate::access_point::{AccessPoint, Bssid};
use crate::control::encode_frame;
use crate::envelope::LENGTH_BYTES;
use crate::frame::{Configure, Define, Defined, PseudonymKey, Report, Welcome};
use crate::id::{AgentName, ApName, ClientId, Session};
use crate::limits::NESTING_MAX;

fn body(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(frame, &mut out).expect("short");
    out.split_off(LENGTH_BYTES)
}

fn configure() -> Configure {
    let pseudonym_key = PseudonymKey {
        period: 3,
        key: [0xab; 32],
    };
    Configure { pseudonym_key }
}

/// Each frame of a node once.
fn of_a_node() -> Vec<Frame> {
    let text = || "what it says".to_owned();
    vec![
        Frame::Welcome(Welcome {
            session: Session(7),
            agent: AgentName::new("ap-1").expect("a name"),
            report_interval_ms: 1_000,
            configure: configure(),
            short_ids: 4_096,
            time_unix_s: 1_793_491_200,
            access_points: vec![AccessPoint {
                ap: ApName::new("ap-2").expect("a name"),
                bssids: vec![Bssid([2, 0, 0, 0, 0, 9])],
            }],
        }),
        Frame::Configure(configure()),
        Frame::Settled {},
        Frame::Defined(Defined { first: 5, count: 9 }),
        Frame::Redirect { address: text() },
        Frame::Drain {},
        Frame::Reject { reason: text() },
        Frame::Renewed {
            certificate: text(),
        },
        Frame::NotRenewed { reason: text() },
        Frame::Unknown,
    ]
}

#[test]
fn what_a_node_says_is_read_as_by_the_general_way() {
    for frame in of_a_node() {
        let body = body(&frame);
        assert_eq!(parse(&body).as_ref(), Ok(&frame));
        assert_eq!(envelope::parse::<Frame>(&body).as_ref(), Ok(&frame));
        for cut in 0..body.len() {
            assert!(parse(&body[..cut]).is_err(), "{frame:?} of {cut} bytes");
        }
        let longer = [&body[..], &[0xc0]].concat();
        assert_eq!(parse(&longer), Err("bytes follow the map".to_owned()));
    }
}

#[test]
fn what_an_agent_says_is_not_for_agents() {
    let frames = [
        Frame::Report(Report::default()),
        Frame::Define(Define {
            first: 0,
            clients: vec![ClientId(9)],
        }),
        Frame::Renew {
            signing_request: vec![1; 9],
        },
        Frame::Names { names: Vec::new() },
    ];
    for frame in frames {
        assert_eq!(parse(&body(&frame)), Ok(Frame::Unknown), "{frame:?}");
    }
}

#[test]
fn the_type_may_stand_anywhere_and_unknown_keys_are_ignored() {
    // {"x": {1: [nil]}, "address": "a", "type": "redirect", "y": an extension}
    let mut redirect = vec![0x84, 0xa1, b'x', 0x81, 1, 0x91, 0xc0];
    redirect.extend(b"\xa7address\xa1a\xa4type\xa8redirect\xa1y\xd4\x05\x00");
    let address = "a".to_owned();
    assert_eq!(parse(&redirect), Ok(Frame::Redirect { address }));
}

#[test]
fn malformed_frames_say_what_is_wrong() {
    let check = |body: &[u8], part: &str| {
        let error = parse(body).expect_err("malformed");
        assert!(error.contains(part), "{error}");
    };
    check(b"", "not a MessagePack map");
    check(b"\x91\xa5drain", "not a MessagePack map");
    check(b"\x80", "missing field `type`");
    check(b"\x81\xa4type\x00", "integer `0`");
    check(b"\x81\xa4type\xc0", "expected a borrowed string");
    check(b"\x82\xa4type\xa5drain\xa4type\xa5drain", "duplicate field");
    check(b"\x81\xa4type\xa8redirect", "missing field `address`");
    check(b"\x82\xa4type\xa6reject\xa6reason\x07", "expected a string");
    for (levels, fits) in [(NESTING_MAX, true), (NESTING_MAX + 1, false)] {
        let mut deep = b"\x82\xa4type\xa5later\xa1x".to_vec();
        deep.extend(vec![0x91; levels - 1]);
        deep.push(7);
        assert_eq!(parse(&deep).is_ok(), fits, "{levels} levels");
    }
}
