//! Plays many agents against a node and reports rates, loss and latency.
//!
//! It knows no short cut into a node: everything goes through the agents' own code, QUIC, and the
//! node's HTTP face; only what scores the estimator itself asks it directly. It makes no radio
//! world; `sim` does.
//!
//! Start with [`replay::run`], which plays data sets and recordings, and [`synthetic::run`], which
//! makes up clients. Both need a [`target::Target`] and a [`fleet::Fleet`] of agents.
//! [`throughput::run`] measures what a node takes, with agents that cost as little as they can.
//! [`accuracy::run`] needs neither: it scores fixes of data sets with known positions.
//!
//! # Invariants
//! - A node that was started never outlives the run: it is drained, or killed, and always reaped.
//! - The load is an open loop: a node that is slow gets no less, and its delay shows. Only
//!   `throughput --rate max` waits for room, since it asks how much there is.
//! - True positions of the `test` split reach the scores and nothing else.

pub mod accuracy;
pub mod api;
mod books;
pub mod child;
pub mod cli;
mod dataset;
pub mod fleet;
mod hall;
pub mod interrupt;
pub mod limits;
pub mod node_files;
pub mod program;
mod progress;
pub mod replay;
pub mod report;
pub mod synthetic;
pub mod target;
pub mod throughput;
