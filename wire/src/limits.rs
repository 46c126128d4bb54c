//! Every limit of the wire, with its reason.

/// Longest control frame in bytes: names of a few hundred clients fit. A longer one closes the
/// connection, since a length field must never make the reader allocate without bound.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Most clients of one `define` or `opt_out`, eight bytes each: 64,000 bytes and the keys fit a frame, and an
/// entry of a recording. A longer one ends the connection, as every malformed frame does.
pub const DEFINE_CLIENTS_MAX: usize = 8_000;

/// Most bytes that wait in a frame reader: one frame, and what one read of the stream may bring with
/// it. More means that frames are pushed and never polled, and ends the stream.
pub const FRAME_BUFFER_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// Longest batch in bytes, before QUIC: a datagram of this size fits the 1,452-byte packets of an
/// Ethernet path. A longer one is refused undecoded.
pub const BATCH_BYTES_MAX: usize = 1_400;

/// Most radios of one agent: an index must fit a byte. A `hello` with more is refused.
pub const RADIOS_MAX: usize = 255;

/// Most networks of access points that `welcome` names, and most access points: their names at their
/// longest fit a frame, and an agent hears far fewer. A `welcome` with more is malformed; a node names
/// those that are nearest to the agent.
pub const WELCOME_BSSIDS_MAX: usize = 512;

/// Longest entry of a recording in bytes: what fits a control frame fits a recording. A longer one
/// is not written, and ends the reading, since a damaged length must not fill the memory.
pub const ENTRY_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// Longest request for a certificate (PKCS #10) in bytes: one for an Ed25519 key and a name has some
/// 200, one by another program with a few attributes still fits. A longer one is refused unread.
pub const SIGNING_REQUEST_BYTES_MAX: usize = 1_024;

/// Longest message with which a stranger asks for its first certificate: a token and such a request.
/// The connection is closed at the first byte beyond.
pub const ENROL_REQUEST_BYTES_MAX: usize = 2_048;

/// Longest answer to it: two certificates in PEM, of some 800 bytes each, or a sentence.
pub const ENROL_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Deepest nesting of a control frame or recording entry: ours have four levels, later versions may
/// have more; a frame of nothing but brackets must not exhaust the stack.
pub const NESTING_MAX: usize = 16;

// A full `define` fits a frame, a token and a signing request an enrolment, a datagram with its envelope an entry, and a whole frame fits a reader's buffer.
const _: () = assert!(DEFINE_CLIENTS_MAX * size_of::<u64>() + 256 <= FRAME_BYTES_MAX);
const _: () = assert!(WELCOME_BSSIDS_MAX * (63 + 32) + 1_024 <= FRAME_BYTES_MAX);
const _: () = assert!(SIGNING_REQUEST_BYTES_MAX + 256 <= ENROL_REQUEST_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX + 256 <= ENTRY_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX + size_of::<u32>() <= FRAME_BUFFER_BYTES_MAX);
