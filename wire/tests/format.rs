//! `FORMAT.md` shows what the code does: each of its examples is written and read here.

use wire::batch::{self, BatchWriter, Header, SHORT_ID_MAX};
use wire::control::{FrameReader, encode_frame};
use wire::enrol::{Denial, EnrolAnswer, EnrolRequest};
use wire::frame::{
    AgentDrops, Clock, Configure, Counted, Counters, Define, Defined, Hello, PseudonymKey,
    RadioHello, Report, Welcome,
};
use wire::recording::{Entry, Recorder, RecordingReader};
use wire::{AccessPoint, Bssid, ClientId, ClientName, Frame, Kind, Observation, Range, Session};

const FORMAT: &str = include_str!("../FORMAT.md");

/// The bytes of the block that opens with "```hex NAME"; `#` begins a comment.
fn example(name: &str) -> Vec<u8> {
    let open = format!("```hex {name}\n");
    let (_, rest) = FORMAT
        .split_once(&open)
        .unwrap_or_else(|| panic!("no example {name}"));
    let (block, _) = rest.split_once("```").expect("the block closes");
    block
        .lines()
        .flat_map(|line| {
            line.split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
        })
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}

fn data() -> Observation {
    Observation {
        client: ClientId(0x9f0c_4e2a_b1d0_7735),
        heard_at_us: 86_399_750_000,
        radio: 1,
        rssi_dbm: Some(-61),
        noise_dbm: Some(-95),
        channel: 36,
        kind: Kind::Data,
        randomised: false,
        associated: true,
        range: None,
    }
}

fn probe() -> Observation {
    Observation {
        client: ClientId(0x0123_4567_89ab_cdef),
        heard_at_us: 86_400_000_000,
        rssi_dbm: Some(-88),
        noise_dbm: None,
        channel: 6,
        kind: Kind::Probe,
        randomised: true,
        associated: false,
        ..data()
    }
}

fn ranging() -> Observation {
    Observation {
        client: ClientId(0x42),
        heard_at_us: 86_400_010_000,
        rssi_dbm: None,
        noise_dbm: None,
        channel: 0,
        kind: Kind::Ranging,
        associated: false,
        range: Some(Range {
            distance_mm: -35,
            deviation_mm: Some(120),
        }),
        ..data()
    }
}

#[track_caller]
fn check_batch(name: &str, header: Header, observations: &[Observation]) {
    let expected = example(name);
    let mut out = Vec::new();
    assert_eq!(
        BatchWriter::new(1_200).encode(&header, observations, &mut out),
        observations.len()
    );
    assert_eq!(out, expected, "{name}: {out:02x?}");
    let batch = batch::decode(&expected).expect(name);
    assert_eq!(batch.header, header);
    assert!(
        batch.observations().eq(observations.iter().copied()),
        "{batch:?}"
    );
}

#[test]
fn batches() {
    let header = Header {
        session: Session(7),
        sequence: 300,
        first_observation: 28_500,
        sent_us: 86_400_000_000,
        radio: 1,
    };
    check_batch("batch", header, &[data(), probe()]);
    let header = Header {
        sequence: 301,
        first_observation: 28_502,
        sent_us: 86_400_050_000,
        ..header
    };
    let data = Observation {
        heard_at_us: 86_399_800_000,
        ..data()
    };
    check_batch("batch-with-ranges", header, &[data, ranging()]);
}

#[test]
fn a_batch_with_short_rows() {
    let header = Header {
        session: Session(7),
        sequence: 302,
        first_observation: 28_504,
        sent_us: 86_400_050_000,
        radio: 1,
    };
    let data = Observation {
        heard_at_us: 86_399_800_000,
        ..data()
    };
    let given = [
        (data, Some(5)),
        (ranging(), None),
        (probe(), Some(SHORT_ID_MAX)),
    ];
    let expected = example("batch-with-short-rows");
    let mut out = Vec::new();
    let given = given.iter().map(|(o, short_id)| (o, *short_id));
    assert_eq!(
        BatchWriter::new(1_200).encode_mixed(&header, given, &mut out),
        3
    );
    assert_eq!(out, expected, "{out:02x?}");
    let batch = batch::decode(&expected).expect("our own batch");
    assert_eq!(batch.header, header);
    let client = |short_id| match short_id {
        5 => Some(data.client),
        SHORT_ID_MAX => Some(probe().client),
        _ => None,
    };
    assert!(batch.resolved(client).eq([ranging(), data, probe()]));
}

#[track_caller]
fn check_frame(name: &str, frame: Frame) {
    let expected = example(name);
    let mut out = Vec::new();
    encode_frame(&frame, &mut out).expect(name);
    assert_eq!(out, expected, "{name}: {out:02x?}");
    let mut reader = FrameReader::new();
    reader.push(&expected);
    assert_eq!(reader.poll_frame(), Ok(Some(frame)));
    assert!(reader.is_between_frames());
}

fn radios() -> Vec<RadioHello> {
    vec![RadioHello {
        ap: "ap-03".parse().expect("a name"),
        band: "5".to_owned(),
    }]
}

fn names() -> Vec<(u64, ClientName)> {
    vec![(0x42, "badge-7".parse().expect("a name"))]
}

#[test]
fn frames() {
    check_frame(
        "hello",
        Frame::Hello(Hello {
            version: 2,
            program: "trilobite-agent 0.1.0".to_owned(),
            radios: radios(),
            clock: Clock::Monotonic,
            previous: None,
        }),
    );
    let key = std::array::from_fn(|index| index as u8);
    check_frame(
        "welcome",
        Frame::Welcome(Welcome {
            session: Session(7),
            agent: "ap-03".parse().expect("a name"),
            report_interval_ms: 1_000,
            configure: Configure {
                pseudonym_key: PseudonymKey {
                    period: 20_777,
                    key,
                },
            },
            short_ids: 16_384,
            time_unix_s: 1_795_000_000,
            access_points: Vec::new(),
        }),
    );
    check_frame(
        "welcome-with-access-points",
        Frame::Welcome(Welcome {
            session: Session(7),
            agent: "ap-03".parse().expect("a name"),
            report_interval_ms: 1_000,
            configure: Configure {
                pseudonym_key: PseudonymKey {
                    period: 20_777,
                    key,
                },
            },
            short_ids: 0,
            time_unix_s: 0,
            access_points: vec![AccessPoint {
                ap: "ap-04".parse().expect("a name"),
                bssids: vec![
                    Bssid([0x00, 0x00, 0x5e, 0x00, 0x53, 0xaa]),
                    Bssid([0x00, 0x00, 0x5e, 0x00, 0x53, 0xab]),
                ],
            }],
        }),
    );
    let counters = Counters {
        observations_offered: 30_000,
        observations_sent: 28_595,
        datagrams_sent: 301,
        datagrams_unsent: 0,
        dropped: AgentDrops {
            too_old: 1_405,
            ..AgentDrops::default()
        },
    };
    check_frame(
        "report",
        Frame::Report(Report {
            counters,
            clock_us: 86_400_000_000,
            last: false,
            counted: None,
        }),
    );
    check_frame(
        "counted",
        Frame::Report(Report {
            counted: Some(Counted {
                interval: 3,
                length_ms: 60_000,
                devices: [0, 2, 5, 31],
                frames: [0, 9, 14, 60],
            }),
            ..Report::default()
        }),
    );
    check_frame("names", Frame::Names { names: names() });
    check_frame(
        "opt_out",
        Frame::OptOut {
            clients: vec![data().client],
        },
    );
    check_frame(
        "define",
        Frame::Define(Define {
            first: 5,
            clients: vec![data().client, ranging().client],
        }),
    );
    check_frame("defined", Frame::Defined(Defined { first: 5, count: 2 }));
    check_frame("drain", Frame::Drain {});
    check_frame(
        "renew",
        Frame::Renew {
            signing_request: vec![0x30, 0x02, 0x05, 0x00],
        },
    );
}

#[test]
fn enrolments() {
    let request = EnrolRequest {
        secret: std::array::from_fn(|index| index as u8),
        signing_request: vec![0x30, 0x02, 0x05, 0x00],
    };
    let expected = example("enrol-request");
    assert_eq!(request.encode().expect("short"), expected);
    assert_eq!(EnrolRequest::parse(&expected).expect("whole"), request);
    let answer = EnrolAnswer::Denied {
        why: Denial::UsedToken,
        reason: "it was used".to_owned(),
    };
    let expected = example("enrol-answer");
    assert_eq!(answer.encode().expect("short"), expected);
    assert_eq!(EnrolAnswer::parse(&expected).expect("whole"), answer);
}

#[test]
fn recordings() {
    let header = Header {
        session: Session(7),
        sequence: 0,
        first_observation: 0,
        sent_us: 250_000,
        radio: 1,
    };
    let first = Observation {
        heard_at_us: 0,
        ..data()
    };
    let mut datagram = Vec::new();
    BatchWriter::new(1_200).encode(&header, &[first], &mut datagram);
    let entries = [
        Entry::Session {
            session: Session(7),
            agent: "ap-03".parse().expect("a name"),
            site: "hq".parse().expect("a name"),
            clock: Clock::Monotonic,
            radios: radios(),
        },
        Entry::Names {
            session: Session(7),
            names: names(),
        },
        Entry::Define {
            session: Session(7),
            first: 5,
            clients: vec![data().client],
        },
        Entry::Datagram {
            session: Session(7),
            received_us: 1_795_000_000_000_000,
            bytes: &datagram,
        },
    ];
    let mut recorder = Recorder::new(Vec::new()).expect("a Vec takes every byte");
    for entry in &entries {
        recorder.write(entry).expect("short");
    }
    let out = recorder.into_inner();
    let expected = example("recording");
    assert_eq!(out, expected, "{out:02x?}");

    let mut reader = RecordingReader::new(expected.as_slice()).expect("the magic");
    for entry in entries {
        assert_eq!(reader.read_entry().expect("whole"), Some(entry));
    }
    assert_eq!(reader.read_entry().expect("the end"), None);
    assert_eq!(reader.torn_bytes(), 0);
}

#[test]
fn every_example_is_checked_and_the_python_loop_is_the_tested_one() {
    let examples: Vec<_> = FORMAT
        .lines()
        .filter_map(|line| line.strip_prefix("```hex "))
        .collect();
    let checked = [
        "batch",
        "batch-with-ranges",
        "batch-with-short-rows",
        "hello",
        "welcome",
        "welcome-with-access-points",
        "report",
        "counted",
        "names",
        "opt_out",
        "define",
        "defined",
        "drain",
        "renew",
        "enrol-request",
        "enrol-answer",
        "recording",
    ];
    assert_eq!(examples, checked);
    let (_, rest) = FORMAT.split_once("```python\n").expect("a python block");
    let (block, _) = rest.split_once("```").expect("the block closes");
    let (_, functions) = block.split_once("import msgpack\n").expect("its imports");
    assert!(
        include_str!("read_batch.py").contains(functions.trim()),
        "read_batch.py differs"
    );
}
