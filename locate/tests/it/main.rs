//! Accuracy on real recordings: needs the development sets, and says so where they are absent.

#![expect(
    clippy::unwrap_used,
    reason = "a file that cannot be read is a failed test"
)]

mod danis;
mod recording;
