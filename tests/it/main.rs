//! Tests across crates: the house's rules, and the whole path over real QUIC.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod demo;
mod enrol;
mod explain;
mod house;
mod neighbours;
mod network;
mod package;
mod process;
mod relay;
mod two_processes;
