//! The receiving process: ingest pipelines, the HTTP face, the page. Wiring only.
//!
//! It decides nothing about observations or positions: `ingest` and `locate` do. It stores what its
//! owner asks for and no more: a recording, calibrations that were kept and their backups, survey
//! points, and what must survive a restart in `state_dir` (and, where named, `runtime_dir`).
//!
//! Start with [`Node`], which puts the parts together, and [`http`], which shows them. The
//! program's commands are [`serve`], [`demo`], [`validate`], [`explain`], [`calibrate`] and
//! [`certificates`] and [`tokens`].
//!
//! # Invariants
//! - Readers never block a worker: what leaves one passes a bounded queue that drops the oldest.
//! - HTTP listens on loopback only and answers only to hosts under which the node is known.
//! - No request leaves the machine; the page loads nothing from elsewhere.

pub mod api_client;
pub mod body;
pub mod calibrate;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod demo;
pub mod enrolment;
pub mod explain;
pub mod fan_out;
pub mod http;
pub mod latest;
pub mod metrics;
pub mod names;
pub mod node;
pub mod periods;
pub mod program;
pub mod record;
pub mod serve;
pub mod signals;
pub mod sites;
pub mod status;
pub mod summary;
pub mod tokens;
pub mod validate;
pub mod view;

pub use node::{Node, NodeParts};
