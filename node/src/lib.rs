//! The receiving process: ingest pipelines, the HTTP face, the page. Wiring only.
//!
//! It decides nothing about observations or positions: `ingest` and `locate` do. It stores what its
//! owner asks for and no more: a recording, calibrations that were kept and their backups, survey
//! points, and what must survive a restart in `state_dir` (and, where named, `runtime_dir`).
//!
//! Start with [`Node`], which puts the parts together, and [`http`], which shows them. The
//! program's commands are [`serve`], [`demo`], [`validate`], [`explain`], [`calibrate`],
//! [`certificates`], [`tokens`] and [`outbox_command`].
//!
//! # Invariants
//! - Readers never block a worker: what leaves one passes a bounded queue that drops the oldest.
//! - HTTP answers only to hosts under which the node is known; off loopback only with TLS and to who
//!   shows a token.
//! - Every method of every route has a policy, and the same policy decides which messages are seen.
//! - Nothing leaves the machine unasked but to the webhook of `[alerts]` and to each `[[relay]]`, if
//!   there are any; the page loads nothing from elsewhere.

pub mod alerts;
pub mod api_client;
pub mod body;
pub mod calibrate;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod demo;
mod discreet;
pub mod enrolment;
pub mod explain;
pub mod fan_out;
pub mod http;
pub mod inbox_command;
pub mod latest;
pub mod messages;
pub mod metrics;
pub mod names;
pub mod node;
pub mod outbox_command;
pub mod periods;
pub mod presence;
pub mod program;
pub mod record;
pub mod serve;
pub mod signals;
pub mod sites;
pub mod status;
pub mod summary;
#[cfg(test)]
mod testing;
pub mod tokens;
pub mod trust;
pub mod validate;
pub mod view;

pub use node::{COMPONENTS, Node, NodeParts};
