//! What a node's recording shows to have arrived: counted by its datagrams, not by anybody's books.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use wire::batch;
use wire::recording::{Entry, RecordingReader};

/// What arrived at a node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrived {
    pub(super) datagrams: u64,
    pub(super) observations: u64,
}

/// Reads a recording; fails if any datagram is in it twice. One that a crash cut short ends early.
pub(super) fn arrived(recording: &Path) -> Arrived {
    let file = BufReader::new(File::open(recording).unwrap());
    let mut reader = RecordingReader::new(file).unwrap();
    let mut seen = HashSet::new();
    let mut arrived = Arrived::default();
    while let Some(entry) = reader.read_entry().unwrap() {
        let Entry::Datagram { session, bytes, .. } = entry else {
            continue;
        };
        let batch = batch::decode(bytes).unwrap();
        assert_eq!(batch.header.session, session);
        let number = (session, batch.header.sequence);
        assert!(seen.insert(number), "{number:?} arrived twice");
        arrived.datagrams += 1;
        arrived.observations += batch.len() as u64;
    }
    arrived
}
