//! Every limit of the receiving side, with its reason.

use std::time::Duration;

/// Radios remembered per client: sixteen fill a cache line. In the example office, where some twenty
/// radios hear a client, sixteen give a median error of 1.15 m, fifteen 1.20 m and eight 1.80 m. A
/// seventeenth replaces the weakest or stalest of them.
pub const RADIOS_PER_CLIENT_MAX: usize = 16;

/// Radios of a site: their indices fit into twelve bits of a slot, and one of those values stands
/// for nobody. A radio beyond is not served.
pub const RADIOS_PER_SITE_MAX: usize = 4_095;

/// Sequence numbers remembered per session. An agent sends bursts of ten datagrams; a network that
/// reorders by more than a hundred bursts does not exist indoors. Older arrivals are `late`.
pub const SEQUENCE_WINDOW_LEN: u64 = 1_024;

/// Furthest jump ahead of a sequence number. A larger one is a broken or lying agent, whose
/// arithmetic must not fill the ledger with losses.
pub const SEQUENCE_JUMP_MAX: u64 = 1 << 24;

/// Furthest jump ahead of an observation number: what that many full datagrams hold.
pub const OBSERVATION_JUMP_MAX: u64 = SEQUENCE_JUMP_MAX * 128;

/// Largest count that an agent is believed: at a million observations a second, nine years.
pub const COUNT_MAX: u64 = 1 << 48;

/// Latest time of a recording in microseconds that is believed: beyond it arithmetic would overflow.
pub const RECORDED_US_MAX: u64 = u64::MAX / 2;

/// Parts into which a shard's directory of clients is divided. A part grows by itself, so that no
/// single growth stalls reception: a part of a million clients has four thousand.
pub const SEGMENTS: usize = 256;

/// Buckets of the directory where a client may be: a lying agent that chooses ids to collide makes
/// a look-up read so many cache lines at most. A newcomer that finds them all full is dropped as
/// `clients`.
pub const PROBE_BUCKETS_MAX: usize = 16;

/// Short ids that a session may have: 2 MiB of entries, and twice what the largest of access points
/// hears in 50 s. Clients beyond go with full ids.
pub const SHORT_IDS_PER_SESSION_MAX: u32 = 262_144;

/// Short ids of all sessions of a worker: 128 MiB of entries. A definition beyond is not
/// acknowledged, and its clients go with full ids.
pub const SHORT_IDS_PER_WORKER_MAX: usize = 16 << 20;

/// An entry of a dictionary that was not used for so long is invalid: the agent, which gives a short
/// id to another client after 30 s without use, may mean somebody else.
pub const SHORT_ID_SILENCE_MAX: Duration = Duration::from_secs(50);

/// Slices of the solve sweep: each client is in one of them and each is visited once per interval.
pub const SLICES: usize = 256;

/// Fixes made in one go before reception gets its turn: at 10 us each, 2 ms.
pub const SOLVES_PER_TICK_MAX: usize = 200;

/// Lines looked at in one go before reception gets its turn: at some 20 ns for one without news,
/// read from memory in order, under 1 ms.
pub const LINES_PER_TICK_MAX: usize = 32_768;

/// Oldest observation that is accepted, by the node's clock. Older ones are worth nothing to a live
/// map and are dropped as `time`.
pub const OBSERVATION_AGE_MAX: Duration = Duration::from_secs(30);

/// A client that nobody heard for so long is forgotten, track and all.
pub const CLIENT_SILENCE_MAX: Duration = Duration::from_secs(60);

/// Fixes that wait for the fan-out. When it falls behind, the oldest are dropped and counted:
/// a position is worth less the older it is.
pub const FIX_QUEUE_LEN: usize = 65_536;

/// Ended sessions kept per agent, since its next `hello` may tell how they really ended. Older ones
/// are booked as they stand.
pub const ENDED_PER_AGENT_MAX: usize = 4;

/// Observations that wait for a recording's clock. Beyond it the clock is pushed on, since agents
/// that replay must not fill the memory of the node.
pub const RECORDED_WAITING_MAX: usize = 4_000_000;

/// How long a report of a recording's clock waits for datagrams that were sent before it.
pub const RECORDED_GRACE: Duration = Duration::from_millis(250);

/// Time for an accepted connection to open its control stream and say `hello`.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Least time between two requests of one connected agent for a certificate: it needs one in days.
pub const RENEWAL_INTERVAL_MIN: Duration = Duration::from_secs(60);

/// Answers to requests for certificates that wait for a worker. A further one is lost, as the
/// network could lose it.
pub const ANSWERS_LEN_MAX: usize = 256;

/// Time for a refused or redirected agent to read why and leave.
pub const PARTING_TIMEOUT: Duration = Duration::from_secs(2);

/// Datagrams of one session that are looked at together, so that their cache misses overlap: what
/// a processor can have under way.
pub const DATAGRAMS_PER_GROUP_MAX: usize = 16;

/// Time for agents to hear that the node stops; who has not by then finds out by itself.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Latency probes that wait in one segment for their client's next fix; further ones are not taken,
/// since a sample is enough.
pub const PROBES_PER_SEGMENT_MAX: usize = 64;

/// Senders of beacons remembered per radio: a dense site hears some twenty access points per radio.
/// One more replaces the weakest or stalest of them.
pub const BEACON_SENDERS_PER_RADIO_MAX: usize = 32;

/// Time in which a beacon loses all but 1/e of its weight: long enough to average fading and people
/// in the way, short enough that an access point that was moved shows within the hour.
pub const BEACON_MEMORY: Duration = Duration::from_secs(600);

/// An access point that was not heard for so long is not told any more.
pub const BEACON_SILENCE_MAX: Duration = Duration::from_secs(1_800);

/// Questions that wait in front of a worker; a further one gets no answer, since people and pages
/// ask a few times a second at most.
pub const QUESTIONS_WAITING_MAX: usize = 64;

/// Clients that one order to forget names; a longer list is several orders. A worker is done with so
/// many in well under a millisecond.
pub const FORGOTTEN_AT_ONCE_MAX: usize = 1_024;

/// Questions that a worker takes up per tick, so that asking never keeps it from receiving.
pub const QUESTIONS_PER_TICK_MAX: usize = 4;

/// Questions about clients of one site that wait for the client's next fix at the same time; each
/// fix is compared with all of them. A further one gets no answer.
pub const WATCHES_MAX: usize = 64;

/// Most fixes in one sample of a site.
pub const SAMPLE_LEN_MAX: usize = 256;

/// Longest time in which a question waits for a fix; then it is answered with what is held.
pub const WATCH_MAX: Duration = Duration::from_secs(2);

/// How long who asks waits for an answer: longer than the worker waits for a fix.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

const _: () = assert!(WATCH_MAX.as_millis() < ANSWER_TIMEOUT.as_millis());
const _: () = assert!(SEGMENTS.is_power_of_two());
const _: () = assert!(SLICES.is_power_of_two());
const _: () = assert!(SHORT_ID_SILENCE_MAX.as_secs() < CLIENT_SILENCE_MAX.as_secs());
const _: () = assert!(SHORT_IDS_PER_SESSION_MAX <= 1 << 22);
const _: () = assert!(SEQUENCE_WINDOW_LEN.is_multiple_of(64));
const _: () = assert!(OBSERVATION_AGE_MAX.as_secs() < CLIENT_SILENCE_MAX.as_secs());
