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

/// Handshakes that one thread of `throughput` has under way: a node sends newcomers back once it
/// has two hundred.
pub const DIALLING_MAX: usize = 64;

/// How long an agent of `throughput` waits until it asks a node again that did not answer.
pub const REDIAL_INTERVAL: Duration = Duration::from_millis(200);

/// How long threads of `throughput` wait after closing until the node has most likely been told.
pub const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// Shortest and longest warm-up of `throughput`: until all clients have been heard.
pub const WARM_UP_MIN: Duration = Duration::from_secs(2);
/// See [`WARM_UP_MIN`]; after that it is measured all the same, and the report tells who is missing.
pub const WARM_UP_MAX: Duration = Duration::from_secs(60);

/// How long `throughput` looks for the moment at which workers tell their counters: they do so twice
/// a second and more, unless they are overloaded.
pub const EDGE_MAX: Duration = Duration::from_secs(1);

/// Time between two such looks.
pub const EDGE_INTERVAL: Duration = Duration::from_millis(15);

/// How often a node under load is asked for its health and its whole ledger, as somebody with a
/// dashboard does. With a thousand agents each answer costs it some milliseconds, which count like
/// everything that it does.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a process rests until its memory is looked at: what began must be over.
pub const REST: Duration = Duration::from_millis(500);

/// How long all agents of `throughput` may take to send what waits and to settle.
pub const LEAVE_MAX: Duration = Duration::from_secs(20);

/// Longest time that an observation of `throughput` may wait for others, in milliseconds: after
/// five seconds agents drop it.
pub const HOLD_MS_MAX: u64 = 4_000;

/// Most sites of `throughput`: each is a radio map of its own.
pub const SITES_MAX: u64 = 1_000;

/// How long the last reports may take to be booked once all has been sent.
pub const SETTLE_MAX: Duration = Duration::from_secs(10);

/// How long an answer of the node's API may take.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Longest answer of the node's API that is read: a ledger of ten thousand agents.
pub const LEDGER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How often progress is looked at.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long fixes that are on their way may take once the books are closed.
pub const LAST_FIXES_MAX: Duration = Duration::from_secs(5);

/// Days for which the certificates of a run are valid: it ends before.
pub const CERTIFICATE_DAYS: u32 = 2;
