//! Every limit of the listener of messages, with its reason.

use std::time::Duration;

/// Threads that talk to consumers: enough for many slow ones, few enough to leave the cores to workers.
pub const THREADS: usize = 2;

/// Most connections at once; further ones wait in the listen queue of the system.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Most looks into the store at once: as many as the store has connections for readers. Further ones
/// wait for their turn.
pub const LOOKS_MAX: usize = 4;

/// Most looks at once for one consumer with a token, so that the others find turns free.
pub const LOOKS_PER_CONSUMER_MAX: usize = 1;

/// Threads for looks into the store, and for resources that wait for a worker.
pub const BLOCKING_THREADS_MAX: usize = 16;

/// Shortest time between two looks for one waiting consumer, where commits come faster.
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Most looks per second for all who wait: with more than a hundred of them each looks less often, and
/// hears of a message later, by a second where a thousand wait.
pub const LOOKS_PER_S_MAX: u32 = 1_000;

/// Most bytes of answers that wait for slow readers, of all consumers. Beyond it: 503, come back. One
/// half takes only the first answer of each consumer with a token: one that reads finds room beside
/// those that do not.
pub const HELD_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// Most bytes of answers that wait for the readers of one consumer with a token. Beyond it: 429.
pub const HELD_BYTES_PER_CONSUMER_MAX: usize = 16 * 1_024 * 1_024;

/// What a page may take: with less room left, nothing is looked up.
pub const PAGE_BYTES: usize = 512 * 1_024;

/// Send buffer of a connection in the system's memory, in bytes: what lies there cannot be taken back
/// from a slow reader. Enough for 1 MB/s over 100 ms.
pub const SEND_BUFFER_BYTES: u32 = 64 * 1_024;

/// Bytes that a reader must take, in the time below, while an answer waits for it: one that reads 1
/// byte/s is cut, one behind a modem is not.
pub const READ_BYTES_MIN: usize = 16 * 1_024;

/// The time for them.
pub const READ_TIME_MAX: Duration = Duration::from_secs(10);

const _: () = assert!(
    LOOKS_PER_CONSUMER_MAX < LOOKS_MAX,
    "one consumer leaves turns for others"
);
const _: () = assert!(
    HELD_BYTES_PER_CONSUMER_MAX < HELD_BYTES_MAX / 2,
    "one consumer leaves room for others"
);
