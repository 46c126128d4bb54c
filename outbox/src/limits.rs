//! Every limit of the crate: its reason, and what happens when it is met.

use std::time::Duration;

/// Longest type of a message, in bytes. A longer one is refused when it is made.
pub const KIND_BYTES_MAX: usize = 64;

/// Longest resource path, in bytes: room for an API prefix and three long names. A longer one is
/// refused when it is made.
pub const RESOURCE_BYTES_MAX: usize = 512;

/// Longest text that is tried as a time, an id or a cursor; all are far shorter. A longer text is
/// refused unread.
pub const TEXT_BYTES_MAX: usize = 96;

/// Most messages in one page; a greater wish is cut down to it.
pub const PAGE_MESSAGES_MAX: usize = 1_000;

/// Most rows looked at for one page: filters that let little pass must not hold a reader for
/// long. When it is met the page ends early, with `more` set and a cursor behind what was seen.
pub const PAGE_ROWS_LOOKED_MAX: usize = 20_000;

/// Rows asked of the database at a time while a page is filled.
pub const PAGE_CHUNK_ROWS: usize = 2_000;

/// Most ranges (days times types) merged by one query; SQLite allows 500 terms. With more, types
/// are filtered row by row instead of by the index.
pub const PAGE_RANGES_MAX: usize = 256;

/// Most types that a store knows. They are names in code, not data; a message with one more is
/// refused, since an unbounded set of types is a mistake of the publisher.
pub const KINDS_MAX: usize = 4_096;

/// Most jobs that wait for the writer. When it is met, giving a job waits for room.
pub const JOBS_WAITING_MAX: usize = 16_384;

/// Most jobs in one commit, so that the first of them does not wait for ever.
pub const JOBS_PER_COMMIT_MAX: usize = 8_192;

/// Longest transport name or key of a key-value pair, in bytes. A longer one is refused.
pub const KV_NAME_BYTES_MAX: usize = 64;

/// Longest value of a key-value pair, in bytes. A longer one is refused.
pub const KV_VALUE_BYTES_MAX: usize = 4_096;

/// Default age after which messages go: a long weekend and two days.
pub const RETENTION_DEFAULT: Duration = Duration::from_secs(5 * 86_400);

/// Shortest retention: a consumer that is down for some hours must find its messages.
pub const RETENTION_MIN: Duration = Duration::from_secs(86_400);

/// Longest retention. Each day is a table, and each page merges all of them.
pub const RETENTION_MAX: Duration = Duration::from_secs(60 * 86_400);

/// Default headroom: with less free space than this, nothing new is taken in.
pub const HEADROOM_BYTES_DEFAULT: u64 = 256 << 20;

/// Least headroom: a purge writes some hundred pages before it frees any.
pub const HEADROOM_BYTES_MIN: u64 = 1 << 20;

/// Largest file kept beside the store to be given back when the file system is full.
pub const BALLAST_BYTES_MAX: u64 = 16 << 20;

/// Default time during which jobs gather for one commit.
pub const COMMIT_WINDOW_DEFAULT: Duration = Duration::from_millis(20);

/// Longest time during which jobs may gather: they all wait for it.
pub const COMMIT_WINDOW_MAX: Duration = Duration::from_secs(1);

/// Default patience with another process that holds the store's write lock.
pub const BUSY_WAIT_DEFAULT: Duration = Duration::from_secs(60);

/// How often commits of other processes are looked for.
pub const LOOK_INTERVAL_DEFAULT: Duration = Duration::from_millis(250);

/// How often days that are past their age are looked for.
pub const PURGE_INTERVAL_DEFAULT: Duration = Duration::from_secs(600);

/// Connections for readers. One more reader waits for one of them.
pub const READERS_DEFAULT: usize = 4;

/// How long a purge waits for those who use a day's tables, such as a dump: all writers wait
/// with it. When it is met, the day stays until the next purge.
pub const LOCK_DAY_WAIT_MAX: Duration = Duration::from_millis(200);

/// Step of the clock beyond which nothing is purged until an operator accepts the clock.
pub const CLOCK_STEP_MAX: Duration = Duration::from_secs(86_400);

const _: () = assert!(PAGE_MESSAGES_MAX <= PAGE_CHUNK_ROWS);
const _: () = assert!(PAGE_CHUNK_ROWS <= PAGE_ROWS_LOOKED_MAX);
const _: () = assert!(HEADROOM_BYTES_MIN <= HEADROOM_BYTES_DEFAULT);
const _: () = assert!(RETENTION_DEFAULT.as_secs() >= RETENTION_MIN.as_secs());
