use std::io::{self, Read};

use super::*;
use crate::envelope::LENGTH_BYTES;
use crate::limits::ENTRY_BYTES_MAX;

fn datagram(bytes: &[u8]) -> Entry<'_> {
    Entry::Datagram {
        session: Session(4),
        received_us: 1_795_000_000_000_000,
        bytes,
    }
}

fn record(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new()).expect("a Vec takes every byte");
    for entry in entries {
        recorder.write(entry).expect("short");
    }
    recorder.into_inner()
}

#[test]
fn the_magic_names_the_format_and_its_version() {
    let read = |bytes: &[u8]| RecordingReader::new(bytes).map(drop);
    assert!(matches!(read(b"trilobite\x01"), Ok(())));
    assert!(matches!(
        read(b"trilobite\x02"),
        Err(RecordingError::Version(2))
    ));
    assert!(matches!(read(b"trilobite"), Err(RecordingError::Magic)));
    assert!(matches!(read(b""), Err(RecordingError::Magic)));
    assert!(matches!(
        read(b"\x0a\x0d\x0d\x0a not ours"),
        Err(RecordingError::Magic)
    ));
}

#[test]
fn an_entry_too_long_is_not_written() {
    let mut recorder = Recorder::new(Vec::new()).expect("a Vec takes every byte");
    let long = vec![0; ENTRY_BYTES_MAX];
    let error = recorder
        .write(&datagram(&long))
        .expect_err("no room for the envelope");
    assert!(matches!(error, RecordError::TooLong { bytes } if bytes > ENTRY_BYTES_MAX));
    assert_eq!(recorder.into_inner(), MAGIC);
}

#[test]
fn a_damaged_entry_is_named_and_passed_over() {
    let mut file = record(&[datagram(b"one"), datagram(b"two")]);
    let second = (MAGIC.len() + file.len()) / 2;
    file[MAGIC.len() + LENGTH_BYTES] = 0xc0;
    let mut reader = RecordingReader::new(file.as_slice()).expect("the magic");
    let error = reader.read_entry().expect_err("nil is no map");
    assert_eq!(
        error.to_string(),
        "recording, byte 10: malformed entry: not a MessagePack map"
    );
    assert_eq!(reader.read_entry().expect("whole"), Some(datagram(b"two")));

    file[second] = 0xff;
    let mut reader = RecordingReader::new(file.as_slice()).expect("the magic");
    assert!(reader.read_entry().is_err());
    let error = reader.read_entry().expect_err("four gigabytes");
    assert!(matches!(error, RecordingError::TooLong { offset, .. } if offset == second as u64));
    assert!(matches!(reader.read_entry(), Ok(None)));
}

#[test]
fn entries_of_later_versions_are_unknown() {
    let mut file = record(&[]);
    let later = *b"\x82\xa4type\xa5later\xa1x\xc0";
    file.extend((later.len() as u32).to_be_bytes());
    file.extend(later);
    let mut reader = RecordingReader::new(file.as_slice()).expect("the magic");
    assert_eq!(reader.read_entry().expect("whole"), Some(Entry::Unknown));
}

#[test]
fn a_failing_source_ends_the_reading() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let file = record(&[datagram(b"one")]);
    let mut reader = RecordingReader::new(file[..20].chain(Failing)).expect("the magic");
    assert!(matches!(reader.read_entry(), Err(RecordingError::Read(_))));
    assert!(matches!(reader.read_entry(), Ok(None)));
}
