//! Any bytes on the control stream end somewhere; a frame that was read survives another trip. An
//! agent's reader, which knows only what nodes say, reads that as the general one does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Frame;
use wire::control::{FrameError, FrameReader, encode_frame};

type Poll = fn(&mut FrameReader) -> Result<Option<Frame>, FrameError>;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, stream) = input;
    let pieces = || stream.chunks(usize::from(step) + 1);
    let frames = read(pieces(), FrameReader::poll_frame);
    let of_node = read(pieces(), FrameReader::poll_frame_of_node);
    for (frame, of_node) in frames.iter().zip(&of_node) {
        // It may take what the general reader refuses (an agent's frame with mistakes in it is as
        // unknown as one without), and the other way round never give another frame.
        if let (Ok(frame), Ok(of_node)) = (frame, of_node) {
            assert!(frame == of_node || of_node == &Frame::Unknown);
        }
    }
});

/// What a reader makes of a stream, frame by frame, until it cannot be read any more.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, poll: Poll) -> Vec<Result<Frame, ()>> {
    let mut reader = FrameReader::new();
    let mut frames = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match poll(&mut reader) {
                Ok(Some(frame)) => {
                    check_round_trip(&frame, poll);
                    frames.push(Ok(frame));
                }
                Err(FrameError::Malformed(what)) => {
                    assert!(what.len() <= 160);
                    frames.push(Err(()));
                }
                Ok(None) | Err(_) => break,
            }
        }
    }
    frames
}

fn check_round_trip(frame: &Frame, poll: Poll) {
    let mut bytes = Vec::new();
    if encode_frame(frame, &mut bytes).is_err() {
        // Keys that were left out are written as defaults, so a frame can outgrow its limit.
        return;
    }
    let mut reader = FrameReader::new();
    reader.push(&bytes);
    assert_eq!(poll(&mut reader).as_ref(), Ok(&Some(frame.clone())));
    assert!(reader.is_between_frames());
}
