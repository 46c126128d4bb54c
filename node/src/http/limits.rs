//! Every limit of the HTTP face, with its reason.

use std::time::Duration;

/// Most connections at once: a page needs two to eight, a scraper one. Further ones wait in the
/// listen queue of the system.
pub const CONNECTIONS_MAX: usize = 1_024;

/// Most streams (NDJSON and SSE) at once: each encodes its own fixes. Further requests for one get
/// `503` with `Retry-After`.
pub const STREAMS_MAX: usize = 256;

/// Longest time for a request's head to arrive, and longest idle time between two requests.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(15);

/// Longest time for a TLS handshake.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Largest request head in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1_024;

/// Largest body in bytes: orders are a line of JSON. A longer one gets `413`.
pub const BODY_BYTES_MAX: usize = 4 * 1_024;

/// Longest time for a request's body to arrive.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// Most clients listened to at once for survey points; a further one gets `503`. Each holds a
/// thread while it waits for a worker.
pub const LISTENING_MAX: usize = 8;

/// Most explanations under way; a further one gets `503`. Each holds a thread while it waits for a
/// worker and then computes for a millisecond or so.
pub const EXPLAINING_MAX: usize = 8;

/// Longest time that a peer may refuse to take bytes before its connection is closed: a reader that
/// stopped reading must not hold one of the streams.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// How long open connections may take to finish when the node stops.
pub const CLOSING_TIME_MAX: Duration = Duration::from_secs(3);

/// Most fixes in one answer, and the default: about 3 MB. The rest follows with `?after=`.
pub const PAGE_FIXES_MAX: usize = 10_000;

/// Most fixes in one event of a stream: a browser stays responsive while it reads one.
pub const EVENT_FIXES_MAX: usize = 2_000;

/// Time between two events of a stream: five a second looks smooth once the page interpolates.
pub const EVENT_INTERVAL: Duration = Duration::from_millis(200);

/// Time after which a silent stream says that it lives, so that dead peers are found.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);

/// Time between two sweeps of clients that were not seen for long.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

const _: () = assert!(
    EVENT_FIXES_MAX <= PAGE_FIXES_MAX,
    "an event is no larger than an answer"
);
const _: () = assert!(
    STREAMS_MAX < CONNECTIONS_MAX,
    "streams leave room for other requests"
);
