//! Any bytes are a batch or refused; what was read is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::batch::{self, BatchWriter};
use wire::limits::BATCH_BYTES_MAX;

fuzz_target!(|datagram: &[u8]| {
    let Ok(batch) = batch::decode(datagram) else {
        return;
    };
    let observations: Vec<_> = batch.observations().collect();
    assert_eq!(observations.len(), batch.rows.len());
    let ranged = observations
        .iter()
        .filter(|observation| observation.range.is_some());
    assert_eq!(ranged.count(), batch.ranges.len());

    let mut again = Vec::new();
    let packed = BatchWriter::new(BATCH_BYTES_MAX).encode(&batch.header, &observations, &mut again);
    assert_eq!(
        packed,
        observations.len(),
        "the shortest form fits where another did"
    );
    // Nothing is heard before the agent's clock began, so ages beyond that are not kept.
    if packed > 0 && batch.header.sent_us >= u64::from(u16::MAX) * 1_000 {
        let read = batch::decode(&again).expect("our own batch");
        assert_eq!(read.header, batch.header);
        assert!(read.observations().eq(observations));
    }
});
