//! Tests across crates: the house's rules, and the whole path over real QUIC.

mod house;
