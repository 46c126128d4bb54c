//! Limits of relays: their reasons, and what happens when they are met.

use std::time::Duration;

/// Most messages sent before their acknowledgements are awaited: enough to hide the way to the
/// broker, few enough that one transaction that marks them does not hold others for long.
pub const BATCH_MAX: usize = 250;

/// Longest wait for a connection. Then it is tried again, later.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait for an answer, or for the next of several. Then the connection is given up.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// First wait after a failure; it doubles with each further one.
pub const RETRY_MIN: Duration = Duration::from_millis(250);

/// Longest wait after a failure.
pub const RETRY_MAX: Duration = Duration::from_secs(30);

/// How often a relay looks for messages that somebody asked to send again.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A connection that was not used for so long is made anew: routers and brokers forget idle ones
/// without a word, and to learn that from a missing answer takes longer.
pub const IDLE_MAX: Duration = Duration::from_secs(25);

/// How often a place that moved over unwanted messages only is stored.
pub const PLACE_EVERY: Duration = Duration::from_secs(10);

/// Tries of a message that its receiver refuses for what it is. Then it is passed over, with
/// `refused` beside it; asked for again, it gets one more try.
pub const REFUSALS_MAX: u32 = 6;

/// Longest text of a failure that is kept or told, in characters.
pub const WORDS_MAX: usize = 300;

/// Longest frame or line that is read from a broker. A longer one ends the connection.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Longest routing key of AMQP, in bytes; a longer one is cut and gets a hash.
pub const ROUTING_KEY_BYTES_MAX: usize = 255;

/// How long the end of a relay waits for its thread.
pub const STOP_PATIENCE: Duration = Duration::from_secs(2);
