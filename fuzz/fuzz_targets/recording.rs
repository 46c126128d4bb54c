//! Any file is a recording, a torn one or refused; its entries survive another trip.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::recording::{Entry, MAGIC, Recorder, RecordingError, RecordingReader};

fuzz_target!(|tail: &[u8]| {
    // The magic is given, or the fuzzer would spend its time on guessing it.
    let file = [&MAGIC, tail].concat();
    let mut reader = RecordingReader::new(file.as_slice()).expect("the magic");
    loop {
        match reader.read_entry() {
            Ok(Some(entry)) => check_round_trip(&entry),
            Err(RecordingError::Malformed { what, .. }) => assert!(what.len() <= 160),
            Ok(None) | Err(_) => break,
        }
    }
    assert!(reader.torn_bytes() <= tail.len() as u64);
});

fn check_round_trip(entry: &Entry<'_>) {
    let mut recorder = Recorder::new(Vec::new()).expect("a Vec takes every byte");
    if recorder.write(entry).is_err() {
        // Keys that were left out are written as defaults, so an entry can outgrow its limit.
        return;
    }
    let file = recorder.into_inner();
    let mut reader = RecordingReader::new(file.as_slice()).expect("the magic");
    assert_eq!(
        reader.read_entry().expect("our own entry").as_ref(),
        Some(entry)
    );
}
