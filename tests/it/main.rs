//! Tests across crates: the house's rules, and the whole path over real QUIC.

mod demo;
mod house;
mod process;
mod two_processes;
