//! The program from outside: accuracy on real sets, throughput of a real node.

#![expect(
    clippy::unwrap_used,
    reason = "a file that cannot be read is a failed test"
)]

mod throughput;
mod tracked;
mod wrong_input;
