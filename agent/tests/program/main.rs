//! The program as its user runs it: what it shows, what it answers to signals and requests.
#![cfg(all(feature = "pcap", unix))]

mod addresses;
mod behaviour;
#[path = "../../src/run/tests/fake_node.rs"]
#[expect(dead_code, reason = "the unit tests need more of it")]
mod fake_node;
mod process;
#[expect(dead_code, reason = "the unit tests need more of it")]
mod testing;

use agent::capture;
