//! The program from outside: accuracy on real sets.

#![expect(
    clippy::unwrap_used,
    reason = "a file that cannot be read is a failed test"
)]

mod tracked;
mod wrong_input;
