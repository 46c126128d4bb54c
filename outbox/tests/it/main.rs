//! The store as its users see it: one suite over both databases, then what each has of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod late;
mod migrate;
mod server;
mod sqlite;
mod suite;
mod support;
