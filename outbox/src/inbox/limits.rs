//! What a consumer bounds, why so, and what happens there.

use std::time::Duration;

/// Most bytes of a feed's answer: 10,000 messages of the longest kind and resource. A longer one is
/// no page: nothing of it is stored, and it is asked again after a pause.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most messages in a page. More is no page.
pub const PAGE_MESSAGES_MAX: usize = 10_000;

/// Longest cursor, which is the feed's own business; a longer one is no cursor.
pub const CURSOR_BYTES_MAX: usize = 256;

/// Most bytes of an error kept with a message that failed; the rest is cut off.
pub const ERROR_BYTES_MAX: usize = 2_048;

/// Most messages that wait for their handler. From here on nothing is polled until some are
/// handled: the feed keeps them meanwhile. Dead letters do not count, lest poison stop others.
pub const WAITING_MAX: u64 = 100_000;

/// Longest name of an inbox in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// How often a message is tried before it goes to the dead letters, unless configured.
pub const ATTEMPTS_MAX: u32 = 10;

/// Days for which an inbox knows ids again, unless configured: more than the 5 days for which an
/// outbox keeps messages, unless that was configured too, which a feed tells.
pub const WINDOW_DAYS: u32 = 7;

/// Most ids forgotten in one transaction, so that purging delays nobody for long.
pub const PURGE_ROWS_MAX: u32 = 10_000;

/// Longest wait that a feed may ask for; a longer one is taken as this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Most pages of an overlap; a feed with more in a minute has its cursor, which is the real thing.
pub const OVERLAP_PAGES_MAX: u32 = 20;

/// Most pages asked for without a pause that brought nothing new.
pub const FRUITLESS_PAGES_MAX: u32 = 1_000;

/// Pause after a page, in which more may gather for the next.
pub const GATHER: Duration = Duration::from_millis(50);

/// How many times slower a consumer polls while a broker delivers.
pub const BROKER_SLOWER: u32 = 10;

/// How much older than the newest from the broker a message may be that only polling brought,
/// before the broker is taken to miss some.
pub const BROKER_LAG: Duration = Duration::from_secs(5);

const _: () = assert!(PAGE_MESSAGES_MAX * 800 <= BODY_BYTES_MAX);
const _: () = assert!(WAITING_MAX > PAGE_MESSAGES_MAX as u64);
