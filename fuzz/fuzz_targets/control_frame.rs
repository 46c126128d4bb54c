//! Any bytes on the control stream end somewhere; a frame that was read survives another trip.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Frame;
use wire::control::{FrameError, FrameReader, encode_frame};

fuzz_target!(|input: (u8, &[u8])| {
    let (step, stream) = input;
    let mut reader = FrameReader::new();
    for piece in stream.chunks(usize::from(step) + 1) {
        reader.push(piece);
        loop {
            match reader.poll_frame() {
                Ok(Some(frame)) => check_round_trip(&frame),
                Err(FrameError::Malformed(what)) => assert!(what.len() <= 160),
                Ok(None) | Err(_) => break,
            }
        }
    }
});

fn check_round_trip(frame: &Frame) {
    let mut bytes = Vec::new();
    if encode_frame(frame, &mut bytes).is_err() {
        // Keys that were left out are written as defaults, so a frame can outgrow its limit.
        return;
    }
    let mut reader = FrameReader::new();
    reader.push(&bytes);
    assert_eq!(reader.poll_frame().as_ref(), Ok(&Some(frame.clone())));
    assert!(reader.is_between_frames());
}
