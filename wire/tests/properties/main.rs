//! What holds for every input: round trips, bounds, and no panic on any bytes.

mod strategies;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use wire::batch::{
    self, AIR_BYTES, Air, BatchWriter, HEADER_BYTES_MAX, Header, RANGE_BYTES, ROW_BYTES, Reading,
    SHORT_ID_MAX, SHORT_ROW_BYTES, rows_max, short_rows_max,
};
use wire::control::{FrameError, FrameReader, encode_frame};
use wire::limits::BATCH_BYTES_MAX;
use wire::recording::{Entry, MAGIC, Recorder, RecordingReader};
use wire::{ClientId, Observation, Session};

use strategies::{bytes, datagrams, frame, header, mixed, observations};

/// The same cases in every run; no file of past failures beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(0x7472_696c_6f62_6974),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn encode(header: &Header, observations: &[Observation], bytes_max: usize) -> (usize, Vec<u8>) {
    let mut out = Vec::new();
    let packed = BatchWriter::new(bytes_max).encode(header, observations, &mut out);
    (packed, out)
}

fn encode_mixed(
    header: &Header,
    observations: &[(Observation, Option<u32>)],
    bytes_max: usize,
) -> (usize, Vec<u8>) {
    let mut out = Vec::new();
    let given = observations.iter().map(|(o, short_id)| (o, *short_id));
    let packed = BatchWriter::new(bytes_max).encode_mixed(header, given, &mut out);
    (packed, out)
}

/// Bytes of a datagram that are surely free for rows, ranges and air.
fn fit_surely(bytes_max: usize) -> usize {
    let bytes_max = bytes_max.min(BATCH_BYTES_MAX);
    bytes_max.saturating_sub(HEADER_BYTES_MAX + 3 * 3)
}

/// Reads everything that a batch offers, so that no accessor can panic unseen.
fn read_all(datagram: &[u8]) {
    let Ok(batch) = batch::decode(datagram) else {
        return;
    };
    assert_eq!(batch.observations().count(), batch.rows.len());
    assert_eq!(batch.rows.iter().len(), batch.rows.raw().len());
    assert!((0..batch.rows.len()).all(|index| batch.rows.row(index).is_some()));
    assert!(batch.rows.row(batch.rows.len()).is_none());
    let named = |short_id: u32| Some(ClientId(short_id.into()));
    assert_eq!(batch.resolved(named).count(), batch.len());
    assert_eq!(batch.resolved(|_| None).count(), batch.rows.len());
    assert_eq!(batch.len(), batch.rows.len() + batch.short_rows.raw().len());
    assert!(batch.short_rows.row(batch.short_rows.len()).is_none());
    assert!(batch.ranges.iter().all(|(index, _)| index < batch.len()));
    assert!(batch.airs.iter().all(|(index, _)| index < batch.len()));
    let ranged = batch.resolved(named).filter(|o| o.range.is_some());
    assert_eq!(ranged.count(), batch.ranges.len());
    assert!(!format!("{batch:?}").is_empty());
}

fn record(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new()).expect("a Vec takes every byte");
    for entry in entries {
        recorder.write(entry).expect("short");
    }
    recorder.into_inner()
}

fn record_datagrams(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let entry = |(received_us, bytes)| Entry::Datagram {
        session: Session(1),
        received_us,
        bytes,
    };
    let entries: Vec<_> = (1..)
        .zip(datagrams.iter().map(Vec::as_slice))
        .map(entry)
        .collect();
    record(&entries)
}

/// The datagrams that a recording gives, and the bytes torn off at its end.
fn replay(file: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let mut reader = RecordingReader::new(file).expect("the magic");
    let mut datagrams = Vec::new();
    while let Some(entry) = reader.read_entry().expect("whole entries") {
        if let Entry::Datagram { bytes, .. } = entry {
            datagrams.push(bytes.to_vec());
        }
    }
    (datagrams, reader.torn_bytes())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_batch_reads_back_as_it_was_written((header, observations) in observations(60)) {
        let (packed, out) = encode(&header, &observations, BATCH_BYTES_MAX);
        let batch = batch::decode(&out).expect("our own batch");
        prop_assert_eq!(batch.header, header);
        prop_assert!(batch.observations().eq(observations[..packed].iter().copied()));
    }

    #[test]
    fn full_and_short_rows_read_back_each_in_their_order((header, observations) in mixed(80)) {
        let (packed, out) = encode_mixed(&header, &observations, BATCH_BYTES_MAX);
        let batch = batch::decode(&out).expect("our own batch");
        prop_assert_eq!(batch.header, header);
        prop_assert_eq!(batch.len(), packed);
        let (full, short): (Vec<_>, Vec<_>) =
            observations[..packed].iter().partition(|(_, short_id)| short_id.is_none());
        prop_assert_eq!(batch.rows.len(), full.len());
        let short_ids = short.iter().map(|(_, short_id)| short_id.expect("a short one"));
        prop_assert!(batch.short_rows.raw().map(|row| row.short_id()).eq(short_ids));
        let mut clients = short.iter().map(|(o, _)| o.client);
        let read = batch.resolved(|_| clients.next());
        prop_assert!(read.eq(full.iter().chain(&short).map(|(o, _)| *o)));
    }

    #[test]
    fn a_mixed_batch_never_exceeds_its_datagram(
        (header, observations) in mixed(220),
        bytes_max in 0..2_000_usize,
    ) {
        let (packed, out) = encode_mixed(&header, &observations, bytes_max);
        let allowed = bytes_max.min(BATCH_BYTES_MAX);
        prop_assert!(out.len() <= allowed);
        prop_assert_eq!(packed == 0, out.is_empty());
        if observations.iter().all(|(_, short_id)| short_id.is_some()) {
            let most = SHORT_ROW_BYTES + RANGE_BYTES + AIR_BYTES;
            prop_assert!(packed >= (fit_surely(bytes_max) / most).min(observations.len()));
        }
        if let (Some((next, short_id)), true) = (observations.get(packed), packed > 0) {
            // Its row, its range, two entries of the air, and four heads that come or grow.
            let row = if short_id.is_some() { SHORT_ROW_BYTES } else { ROW_BYTES };
            let range = if next.range.is_some() { RANGE_BYTES } else { 0 };
            prop_assert!(out.len() + row + range + 2 * AIR_BYTES + 4 * 3 > allowed);
        }
    }

    #[test]
    fn rows_of_one_kind_are_packed_alike_by_either_way(
        (header, mut observations) in observations(250),
        short in any::<bool>(),
        first_id in 0..=SHORT_ID_MAX - 250,
        bytes_max in prop_oneof![0..400_usize, 0..2_000_usize],
        lead_us in prop_oneof![Just(0), 0..100_000_000_u64],
    ) {
        let header = Header { sent_us: header.sent_us.saturating_add(lead_us), ..header };
        let (channel, noise_dbm) = (observations[0].channel, observations[0].noise_dbm);
        for observation in &mut observations {
            *observation = Observation { range: None, channel, noise_dbm, ..*observation };
        }
        let air = Air::new(channel, noise_dbm);
        let given: Vec<_> = (first_id..)
            .zip(&observations)
            .map(|(id, o)| (*o, short.then_some(id)))
            .collect();
        let expected = encode_mixed(&header, &given, bytes_max);
        let (writer, mut out) = (BatchWriter::new(bytes_max), vec![9; 99]);
        let packed = if short {
            let rows = (first_id..).zip(&observations);
            let rows: Vec<_> = rows.map(|(id, o)| (id, o.heard_at_us, Reading::of(o))).collect();
            writer.encode_short_rows(&header, air, rows.into_iter(), &mut out)
        } else {
            let rows = observations.iter().map(|o| (o.client, o.heard_at_us, Reading::of(o)));
            writer.encode_rows(&header, air, rows, &mut out)
        };
        prop_assert_eq!((packed, out), expected);
    }

    #[test]
    fn a_reading_keeps_what_a_row_keeps((_, observations) in observations(9)) {
        for observation in observations {
            let Observation { client, heard_at_us, radio, range, .. } = observation;
            let kept = Reading::of(&observation).observation(client, heard_at_us, radio, range);
            prop_assert_eq!(kept, observation);
        }
    }

    #[test]
    fn a_batch_never_exceeds_its_datagram(
        (header, observations) in observations(120),
        bytes_max in 0..2_000_usize,
    ) {
        let (packed, out) = encode(&header, &observations, bytes_max);
        let allowed = bytes_max.min(BATCH_BYTES_MAX);
        prop_assert!(out.len() <= allowed);
        prop_assert_eq!(packed == 0, out.is_empty());
        let most = ROW_BYTES + RANGE_BYTES + AIR_BYTES;
        prop_assert!(packed >= (fit_surely(bytes_max) / most).min(observations.len()));
        if packed < observations.len() && packed > 0 {
            // No further row would fit: a row, its range, its air, and heads that come or grow.
            prop_assert!(out.len() + most + 4 * 3 > allowed);
        }
    }

    #[test]
    fn rows_in_the_same_air_fit_as_promised(
        (header, mut observations) in observations(250),
        short in any::<bool>(),
        ranges in any::<bool>(),
        bytes_max in 0..2_000_usize,
    ) {
        let first = observations[0];
        for observation in &mut observations {
            observation.range = observation.range.filter(|_| ranges);
            (observation.channel, observation.noise_dbm) = (first.channel, first.noise_dbm);
        }
        let given: Vec<_> = observations.iter().map(|o| (*o, short.then_some(7))).collect();
        let (packed, out) = encode_mixed(&header, &given, bytes_max);
        let rows_max = if short { short_rows_max } else { rows_max };
        prop_assert!(packed >= rows_max(bytes_max, ranges).min(given.len()));
        if packed > 0 {
            let batch = batch::decode(&out).expect("our own batch");
            prop_assert!(batch.airs.len() <= 1);
        }
    }

    #[test]
    fn any_bytes_are_a_batch_or_refused(datagram in bytes(BATCH_BYTES_MAX + 9)) {
        read_all(&datagram);
    }

    #[test]
    fn any_bytes_behind_a_valid_head_are_a_batch_or_refused(
        header in header(),
        items in 0x97..=0x9a_u8,
        tail in bytes(90),
        short_rows in bytes(90),
        air in bytes(20),
    ) {
        let one = strategies::plain_observation(&header);
        let (_, mut datagram) = encode(&header, &[one], BATCH_BYTES_MAX);
        datagram.truncate(datagram.len() - ROW_BYTES - 2);
        datagram[0] = items;
        datagram.extend([0xc4, tail.len() as u8]);
        datagram.extend(tail);
        if items >= 0x99 {
            datagram.extend([0xc4, 0, 0xc4, short_rows.len() as u8]);
            datagram.extend(short_rows);
        }
        if items == 0x9a {
            datagram.extend([0xc4, air.len() as u8]);
            datagram.extend(air);
        }
        read_all(&datagram);
    }

    #[test]
    fn damaged_batches_are_read_or_refused(
        (header, observations) in mixed(60),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        length in any::<Index>(),
    ) {
        let (_, mut datagram) = encode_mixed(&header, &observations, BATCH_BYTES_MAX);
        for (index, byte) in damage {
            *index.get_mut(&mut datagram) = byte;
        }
        read_all(&datagram);
        read_all(&datagram[..length.index(datagram.len() + 1)]);
    }

    #[test]
    fn frames_read_back_however_the_stream_is_cut(
        frames in prop::collection::vec(frame(), 0..6),
        cuts in prop::collection::vec(any::<Index>(), 0..9),
    ) {
        let mut stream = Vec::new();
        for frame in &frames {
            encode_frame(frame, &mut stream).expect("short");
        }
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.push(stream.len());
        ends.sort_unstable();
        let mut reader = FrameReader::new();
        let (mut read, mut start) = (Vec::new(), 0);
        for end in ends {
            reader.push(&stream[start..end]);
            start = end;
            while let Some(frame) = reader.poll_frame().expect("our own frames") {
                read.push(frame);
            }
        }
        prop_assert!(reader.is_between_frames());
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_bytes_on_the_control_stream_end_somewhere(
        stream in bytes(300),
        body in bytes(300),
        frame in frame(),
        damage in any::<(Index, u8)>(),
    ) {
        let mut whole = Vec::new();
        encode_frame(&frame, &mut whole).expect("short");
        *damage.0.get_mut(&mut whole) = damage.1;
        let prefix = (body.len() as u32).to_be_bytes();
        for bytes in [stream, [&prefix[..], &body].concat(), whole] {
            let mut reader = FrameReader::new();
            reader.push(&bytes);
            // Each poll takes at least the four bytes of a length, or is the last.
            let polls = (0..bytes.len()).take_while(|_| matches!(
                reader.poll_frame(),
                Ok(Some(_)) | Err(FrameError::Malformed(_))
            ));
            prop_assert!(polls.count() <= bytes.len() / 4);
            // An agent reads the same or less, and stops at the same place.
            let (mut of_any, mut of_node) = (FrameReader::new(), FrameReader::new());
            of_any.push(&bytes);
            of_node.push(&bytes);
            for _ in 0..bytes.len() / 4 {
                let (any, node) = (of_any.poll_frame(), of_node.poll_frame_of_node());
                let ends = |read: &Result<Option<wire::Frame>, FrameError>| {
                    !matches!(read, Ok(Some(_)) | Err(FrameError::Malformed(_)))
                };
                prop_assert_eq!(ends(&any), ends(&node), "{:?} {:?}", any, node);
                if let (Ok(Some(any)), Ok(Some(node))) = (any, node) {
                    prop_assert!(node == any || node == wire::Frame::Unknown, "{:?} {:?}", any, node);
                }
            }
        }
    }

    #[test]
    fn a_recording_reads_back_up_to_where_it_was_torn(
        datagrams in datagrams(),
        cut in any::<Index>(),
    ) {
        let file = record_datagrams(&datagrams);
        prop_assert_eq!(replay(&file), (datagrams.clone(), 0));

        let length = MAGIC.len() + cut.index(file.len() - MAGIC.len() + 1);
        let (read, torn_bytes) = replay(&file[..length]);
        prop_assert!(datagrams.starts_with(&read));
        let whole = record_datagrams(&datagrams[..read.len()]).len();
        prop_assert_eq!(torn_bytes, (length - whole) as u64);
        if let Some(next) = datagrams.get(read.len()) {
            let entry = record_datagrams(std::slice::from_ref(next)).len() - MAGIC.len();
            prop_assert!(length - whole < entry);
        }
    }

    #[test]
    fn sessions_names_and_short_ids_read_back(entries in strategies::entries()) {
        let file = record(&entries);
        let mut reader = RecordingReader::new(file.as_slice()).expect("the magic");
        for entry in entries {
            prop_assert_eq!(reader.read_entry().expect("whole"), Some(entry));
        }
        prop_assert_eq!(reader.read_entry().expect("the end"), None);
    }

    #[test]
    fn any_bytes_of_a_recording_end_somewhere(
        tail in bytes(300),
        datagrams in datagrams(),
        damage in any::<(Index, u8)>(),
    ) {
        let mut damaged = record_datagrams(&datagrams);
        *damage.0.get_mut(&mut damaged) = damage.1;
        for file in [[&MAGIC[..], &tail].concat(), damaged] {
            let Ok(mut reader) = RecordingReader::new(file.as_slice()) else { continue };
            let entries = (0..file.len()).take_while(|_| !matches!(reader.read_entry(), Ok(None)));
            prop_assert!(entries.count() <= file.len() / 4);
        }
    }
}
