//! Any bytes are a batch or refused; what was read is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::ClientId;
use wire::batch::{self, BatchWriter};
use wire::limits::BATCH_BYTES_MAX;

fuzz_target!(|datagram: &[u8]| {
    let Ok(batch) = batch::decode(datagram) else {
        return;
    };
    let client = |short_id: u32| Some(ClientId(short_id.into()));
    let observations: Vec<_> = batch.resolved(client).collect();
    assert_eq!(observations.len(), batch.len());
    let ranged = observations
        .iter()
        .filter(|observation| observation.range.is_some());
    assert_eq!(ranged.count(), batch.ranges.len());

    let mut again = Vec::new();
    let full = batch.rows.iter().map(|_| None);
    let short_ids = full.chain(batch.short_rows.raw().map(|row| Some(row.short_id())));
    let short_ids: Vec<_> = short_ids.collect();
    let given = observations.iter().zip(short_ids.iter().copied());
    let packed = BatchWriter::new(BATCH_BYTES_MAX).encode_mixed(&batch.header, given, &mut again);
    assert_eq!(
        packed,
        observations.len(),
        "the shortest form fits where another did"
    );
    // Nothing is heard before the agent's clock began, so ages beyond that are not kept.
    if packed > 0 && batch.header.sent_us >= u64::from(u16::MAX) * 1_000 {
        let read = batch::decode(&again).expect("our own batch");
        assert_eq!(read.header, batch.header);
        assert!(read.resolved(client).eq(observations));
    }
});
