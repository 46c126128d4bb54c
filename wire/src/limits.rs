//! Every limit of the wire, with its reason.

/// Longest control frame in bytes: names of a few hundred clients fit. A longer one closes the
/// connection, since a length field must never make the reader allocate without bound.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Longest batch in bytes, before QUIC: a datagram of this size fits the 1,452-byte packets of an
/// Ethernet path. A longer one is refused undecoded.
pub const BATCH_BYTES_MAX: usize = 1_400;

/// Most radios of one agent: an index must fit a byte.
pub const RADIOS_MAX: usize = 255;
