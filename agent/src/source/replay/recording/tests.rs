use wire::batch::{BatchWriter, Header};
use wire::recording::Recorder;
use wire::{ApName, Kind, SiteName};

use super::*;

fn agent(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

fn radio(band: &str) -> RadioHello {
    RadioHello {
        ap: ApName::new("ap").unwrap(),
        band: band.to_owned(),
    }
}

fn session<'a>(number: u64, name: &str, clock: Clock, bands: &[&str]) -> Entry<'a> {
    Entry::Session {
        session: Session(number),
        agent: agent(name),
        site: SiteName::new("hq").unwrap(),
        clock,
        radios: bands.iter().map(|band| radio(band)).collect(),
    }
}

fn batch_bytes(session: u64, sequence: u64, sent_us: u64, heard_at_us: u64, radio: u8) -> Vec<u8> {
    let header = Header {
        session: Session(session),
        sequence,
        first_observation: 0,
        sent_us,
        radio,
    };
    let observation = Observation {
        client: ClientId(7),
        heard_at_us,
        radio,
        rssi_dbm: Some(-50),
        noise_dbm: None,
        channel: 6,
        kind: Kind::Data,
        randomised: false,
        associated: true,
        range: None,
    };
    let mut bytes = Vec::new();
    BatchWriter::new(1_200).encode(&header, &[observation], &mut bytes);
    bytes
}

/// A recording of these sessions and then of these datagrams (session, received at, bytes).
fn recording(sessions: &[Entry<'_>], datagrams: &[(u64, u64, &[u8])]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new()).unwrap();
    sessions
        .iter()
        .for_each(|entry| recorder.write(entry).unwrap());
    for &(session, received_us, bytes) in datagrams {
        let entry = Entry::Datagram {
            session: Session(session),
            received_us,
            bytes,
        };
        recorder.write(&entry).unwrap();
    }
    recorder.into_inner()
}

fn times(replay: &Replay) -> Vec<u64> {
    replay.heard.iter().map(|heard| heard.heard_at_us).collect()
}

#[test]
fn agents_clocks_are_mapped_to_the_nodes() {
    let sessions = [session(1, "a", Clock::Monotonic, &["2.4"])];
    let (slow, fast) = (
        batch_bytes(1, 0, 10_000, 8_000, 0),
        batch_bytes(1, 1, 50_000, 50_000, 0),
    );
    let datagrams: [(u64, u64, &[u8]); 2] = [(1, 1_019_000, &slow), (1, 1_052_000, &fast)];
    let agents = read(recording(&sessions, &datagrams).as_slice(), "test", None).unwrap();
    let replay = &agents[&agent("a")];
    // The quicker datagram took at most 2 ms: its offset, 1,002,000 us, holds for both.
    assert_eq!(times(replay), [1_010_000, 1_052_000]);
    assert_eq!(replay.span_us(), Some((1_010_000, 1_052_000)));
    assert!(replay.heard[0].from == Transmitter::Client(ClientId(7)) && replay.notice.is_none());
}

#[test]
fn a_shared_clock_stays_and_a_repeated_datagram_counts_once() {
    let sessions = [session(1, "a", Clock::Recording, &["2.4"])];
    let bytes = batch_bytes(1, 0, 10_000, 10_000, 0);
    let datagrams: [(u64, u64, &[u8]); 2] = [(1, 99_000, &bytes), (1, 99_500, &bytes)];
    let agents = read(recording(&sessions, &datagrams).as_slice(), "test", None).unwrap();
    assert_eq!(times(&agents[&agent("a")]), [10_000]);
}

#[test]
fn sessions_of_one_agent_share_its_radios() {
    let sessions = [
        session(1, "a", Clock::Recording, &["2.4", "5"]),
        session(2, "a", Clock::Recording, &["5"]),
        session(3, "b", Clock::Recording, &["6"]),
    ];
    let (first, second) = (
        batch_bytes(1, 0, 1_000, 1_000, 1),
        batch_bytes(2, 0, 2_000, 2_000, 0),
    );
    let datagrams: [(u64, u64, &[u8]); 2] = [(1, 5, &first), (2, 6, &second)];
    let bytes = recording(&sessions, &datagrams);
    let all = read(bytes.as_slice(), "test", None).unwrap();
    assert_eq!(
        all.keys().cloned().collect::<Vec<_>>(),
        [agent("a"), agent("b")]
    );
    let replay = &all[&agent("a")];
    assert_eq!(replay.radios, [radio("2.4"), radio("5")]);
    assert!(replay.heard.iter().all(|heard| heard.radio == 1) && replay.heard.len() == 2);
    let only = read(bytes.as_slice(), "test", Some(&agent("b"))).unwrap();
    assert_eq!(only.into_keys().collect::<Vec<_>>(), [agent("b")]);
}

#[test]
fn names_come_along_and_damage_is_told() {
    let name = ClientName::new("tag0").unwrap();
    let names = Entry::Names {
        session: Session(1),
        names: vec![(7, name.clone())],
    };
    let sessions = [
        session(1, "a", Clock::Recording, &["2.4"]),
        names.clone(),
        names,
    ];
    let mut bytes = recording(&sessions, &[(1, 5, b"no batch"), (1, 6, b"torn")]);
    bytes.truncate(bytes.len() - 1);
    let agents = read(bytes.as_slice(), "test", None).unwrap();
    let replay = &agents[&agent("a")];
    assert_eq!(replay.names, [(ClientId(7), name)]);
    let notice = replay.notice.as_deref().unwrap();
    assert!(notice.contains("1 entries that cannot be read"), "{notice}");
    assert!(read(&b"something else"[..], "test", None).is_err());
}

#[test]
fn short_ids_mean_what_was_defined_last() {
    let mut recorder = Recorder::new(Vec::new()).unwrap();
    let define = |client| Entry::Define {
        session: Session(1),
        first: 5,
        clients: vec![ClientId(client)],
    };
    let short = |sequence: u64| {
        let header = Header {
            session: Session(1),
            sequence,
            first_observation: sequence,
            sent_us: 1_000 * sequence,
            radio: 0,
        };
        let bytes = batch_bytes(1, 0, header.sent_us, header.sent_us, 0);
        let full = batch::decode(&bytes).unwrap().observations().next();
        let mut bytes = Vec::new();
        let given = full.iter().map(|observation| (observation, Some(5)));
        BatchWriter::new(1_200).encode_mixed(&header, given, &mut bytes);
        bytes
    };
    let datagrams = [short(0), short(1), short(2)];
    let datagram = |index: usize| Entry::Datagram {
        session: Session(1),
        received_us: 5,
        bytes: &datagrams[index],
    };
    let entries = [
        session(1, "a", Clock::Recording, &["2.4"]),
        datagram(0),
        define(8),
        datagram(1),
        define(9),
        datagram(2),
    ];
    for entry in entries {
        recorder.write(&entry).unwrap();
    }
    let agents = read(recorder.into_inner().as_slice(), "test", None).unwrap();
    let replay = &agents[&agent("a")];
    let heard: Vec<_> = replay.heard.iter().map(|heard| heard.from).collect();
    assert!(heard == [8, 9].map(|client| Transmitter::Client(ClientId(client))));
    let notice = replay.notice.as_deref().unwrap();
    assert!(notice.contains("1 observations by short ids"), "{notice}");
}
