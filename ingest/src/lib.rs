//! Receive, keep a window per client of the worker's sites, ask `locate`, hand out fixes.
//!
//! It stores nothing, serves no HTTP and knows no message: what must not be lost goes another way.
//! A missed observation costs a little accuracy; a repeated one changes nothing.
//!
//! Start with [`Worker`], plain code that owns the sites of one thread, and [`Pipeline`], which
//! gives workers their threads, sockets and time. What they count is in [`Books`].
//!
//! # Invariants
//! - An observation changes state at most once: its batch's number passes a window per session.
//! - An observation that vanishes adds one to a [`DropReason`] or to `lost`.
//! - The fold allocates nothing per observation, takes no lock, reads no clock and logs nothing.
//! - A client's dense index never changes while it lives; nothing that a worker keeps moves when it
//!   grows. `unsafe` is in `machine` only.
//! - Questions ([`question`]) wait in a bounded queue and never make a worker wait; while nobody
//!   asks, nothing is kept for them.
//! - All agents of a site meet on one worker, whose tables are private.

pub mod account;
pub mod beacons;
pub mod books;
pub mod clock;
mod dense;
mod dictionary;
mod directory;
pub mod ledger;
pub mod limits;
pub mod line;
mod machine;
pub mod moment;
mod neighbours;
pub mod outlet;
pub mod pipeline;
mod probe;
pub mod question;
mod ranges;
pub mod receive;
mod recorded;
pub mod registrar;
pub mod sequence;
mod session;
pub mod shard;
pub mod snapshot;
pub mod table;
mod watch;
pub mod worker;

pub use beacons::BeaconReading;
pub use books::{Books, DropReason, Tally};
pub use ledger::SessionKey;
pub use outlet::{FixQueue, SentFix};
pub use pipeline::{Pipeline, PipelineConfig};
pub use question::{AskError, ClientWindow, ReplaceError};
pub use session::Refusal;
pub use shard::ShardConfig;
pub use snapshot::{AgentSnapshot, Connection, Snapshot, WorkerSnapshot};
pub use worker::{ServedSite, Worker, WorkerConfig};
