//! The shell of a worker: one thread and one port; it receives, calls the worker, sends.
//!
//! Everything of a worker happens in one loop (`hall`) on its thread, so that neither the
//! [`Worker`] nor a connection needs a lock, a task or a queue: what arrives is decrypted, decoded
//! and folded where it is. Other threads leave a word (`commands`) and wake the port.

mod call;
mod certify;
mod commands;
mod cpu;
mod greeting;
mod guests;
mod hall;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Receiver;
use link::{Port, PortWaker};

use crate::pipeline::{PipelineConfig, Shared, StartError};
use crate::question::Question;
use crate::registrar::Registry;
use crate::worker::Worker;

pub(crate) use commands::Commands;

use hall::Hall;

/// How often agents report.
const REPORT_INTERVAL_MS: u32 = 1_000;

/// How often the sweep looks whether a slice is due: 85 times a second, three slices at a time. Less
/// often than packets gather for, since each look of a worker with little to do is a wake-up.
const TICK: Duration = Duration::from_micros(11_700);

/// Time between two snapshots for readers of a worker with few agents.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(125);

/// Agents that make snapshots rarer: each such number of them by one more interval, since all of
/// them are told anew each time. A further one does not, so that readers are never later than half
/// a second.
const AGENTS_PER_INTERVAL: usize = 100;
const INTERVALS_MAX: usize = 4;

/// Time between two snapshots of a worker with so many agents.
fn snapshot_interval(agents: usize) -> Duration {
    let intervals = (1 + agents / AGENTS_PER_INTERVAL).min(INTERVALS_MAX);
    SNAPSHOT_INTERVAL * intervals as u32
}

/// What a worker's thread needs from outside.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: Commands,
    pub(crate) questions: Receiver<Question>,
    pub(crate) registry: Registry,
}

/// A worker's port, bound before its thread starts.
#[derive(Debug)]
pub(crate) struct Gate(Port);

impl Gate {
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr()
    }

    pub(crate) fn waker(&self) -> PortWaker {
        self.0.waker()
    }
}

/// Binds one port per worker.
pub(crate) fn bind(config: &PipelineConfig, workers: usize) -> Result<Vec<Gate>, StartError> {
    let first = config.listen.port();
    (0..workers)
        .map(|index| {
            let ports = StartError::Ports { workers, first };
            let offset = if first == 0 {
                0
            } else {
                u16::try_from(index).unwrap_or(u16::MAX)
            };
            let port = first.checked_add(offset).ok_or(ports)?;
            let listen = SocketAddr::new(config.listen.ip(), port);
            let port = Port::bind_node(
                listen,
                &config.credentials,
                &config.reset_key,
                &config.knobs,
            )?;
            Ok(Gate(port))
        })
        .collect()
}

/// Runs a worker until it is told to stop.
pub(crate) fn run(gate: Gate, worker: Worker, door: Door) {
    Hall::new(gate.0, worker, door).serve();
}
