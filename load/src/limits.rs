//! Every limit of the load generator, with its reason.

use std::time::Duration;

/// Most synthetic agents: each has a socket and two threads' share of timers.
pub const AGENTS_MAX: u64 = 10_000;

/// Most synthetic clients: their links take 128 bytes each.
pub const CLIENTS_MAX: u64 = 10_000_000;

/// Most observations per second: more than any machine that this runs on can send.
pub const RATE_PER_S_MAX: u64 = 1_000_000_000;

/// Longest synthetic run.
pub const SECONDS_MAX: u64 = 86_400;

/// Most workers of the node that is started, as its own configuration allows.
pub const WORKERS_MAX: u64 = 256;

/// Threads that run agents: beyond that they compete with the node for this machine's cores.
pub const FLEET_THREADS_MAX: usize = 4;

/// Agents that one thread of the fleet carries before another one starts.
pub const AGENTS_PER_THREAD: usize = 32;

/// How long the node that is started may take to become ready: radio maps of large sites.
pub const READY_MAX: Duration = Duration::from_secs(60);

/// How long the node that was started may take to drain until it is killed.
pub const STOP_MAX: Duration = Duration::from_secs(10);

/// Lines of the node's log that are shown when it fails.
pub const LOG_LINES_SHOWN: usize = 12;

/// How long all agents may take to connect.
pub const CONNECT_MAX: Duration = Duration::from_secs(30);

/// How long the last reports may take to be booked once all has been sent.
pub const SETTLE_MAX: Duration = Duration::from_secs(10);

/// How long an answer of the node's API may take.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How often progress is looked at.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long fixes that are on their way may take once the books are closed.
pub const LAST_FIXES_MAX: Duration = Duration::from_secs(5);

/// Days for which the certificates of a run are valid: it ends before.
pub const CERTIFICATE_DAYS: u32 = 2;
