//! Tests across crates: the house's rules, and the whole path over real QUIC.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod demo;
mod enrol;
mod explain;
#[path = "../../outbox/tests/inbox/feed_server.rs"]
#[allow(dead_code, reason = "the inbox's own tests use the rest")]
mod feed_server;
mod house;
mod inbox;
mod neighbours;
mod network;
mod opt_out;
mod outage;
mod package;
mod process;
mod relay;
mod tls;
mod two_processes;
