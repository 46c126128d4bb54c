//! Every limit of the agent, with its reason.

use std::time::Duration;

/// Short ids of one agent unless configured otherwise, whatever the node grants: 27 bytes each with
/// the index, 880 kB, of which only what clients in sight need is ever touched. Further clients go by their full
/// ids.
pub const SHORT_IDS: usize = 32_768;

/// Most short ids of one agent: what a node grants. More is taken as this.
pub const SHORT_IDS_MAX: usize = 262_144;

/// Counters of clients that have no short id yet, one byte each. More clients than that share some,
/// and get a short id an observation or two early.
pub const SHORT_ID_NEWCOMERS: usize = 16_384;

/// Places in which a client's short id is looked for: chosen ids must not make a look-up long. Who
/// finds no place goes by the full id.
pub const SHORT_ID_PROBES_MAX: usize = 32;

/// Short ids that one newcomer looks at to find one out of use; then it goes by its full id and the
/// next one looks on.
pub const SHORT_ID_SWEEP_MAX: usize = 16;

/// Short ids that a definition says again to reach further new ones: eight bytes each, where another
/// frame costs 40 bytes and its handling.
pub const SHORT_ID_BRIDGE_MAX: usize = 8;

/// Frames of definitions that leave with one burst: they must not push reports aside. The rest
/// leaves with the next ones.
pub const DEFINES_PER_BURST_MAX: usize = 4;

/// Frames of definitions that the node may owe an answer; no more are sent until it gives one, or
/// the oldest has waited for 20 seconds.
pub const DEFINES_OUTSTANDING_MAX: usize = 64;

/// How long after a burst was dealt its short ids hold; what leaves later goes by full ids.
pub const SHORT_IDS_HOLD: Duration = Duration::from_secs(5);

const _: () = assert!(SHORT_IDS <= SHORT_IDS_MAX);
const _: () = assert!(SHORT_IDS_MAX <= wire::batch::SHORT_ID_MAX as usize);
const _: () = assert!(SHORT_ID_NEWCOMERS.is_power_of_two());
const _: () = assert!(DEFINES_PER_BURST_MAX + CONTROL_FRAMES_SPARE <= CONTROL_FRAMES_MAX);

/// Addresses whose pseudonyms are remembered: 4,096 entries of 16 bytes, 64 kB for good. More
/// clients than that in sight cost one hash per observation of an evicted one, nothing else.
pub const PSEUDONYM_CACHE_ENTRIES_MAX: usize = 4_096;

/// Observations that wait in the batcher unless configured otherwise, 24 bytes each and 12 for a
/// range: 400 kB, which a router of 64 MB bears, and 1.6 s of 10,000 observations a second. One more
/// drops the oldest.
pub const QUEUE_OBSERVATIONS: usize = 16_384;

/// Datagrams that fill a burst unless configured otherwise: quinn gives the kernel ten packets in one
/// call, and a node spends a quarter on a datagram of a burst of ten.
pub const BURST_BATCHES: usize = 10;

/// Most datagrams of a burst; the place in a burst must fit sixteen bits. More is taken as this.
pub const BURST_BATCHES_MAX: usize = 64;

/// How long an observation waits for others unless configured otherwise: a quarter of the second
/// in which a fix is made.
pub const HOLD: Duration = Duration::from_millis(250);

/// Observations older than this are not sent unless configured otherwise: a fix of a client that
/// walks would be five metres and more behind.
pub const AGE_MAX: Duration = Duration::from_secs(5);

/// Longest datagram, whatever the path takes.
pub const DATAGRAM_BYTES_MAX: usize = wire::limits::BATCH_BYTES_MAX;

/// Shortest datagram length that a path may announce: QUIC promises packets of 1,200 bytes.
pub const DATAGRAM_BYTES_MIN: usize = 1_000;

const _: () = assert!(BURST_BATCHES <= BURST_BATCHES_MAX);
const _: () =
    assert!(BURST_BATCHES_MAX * wire::batch::short_rows_max(DATAGRAM_BYTES_MAX, false) < 1 << 16);
const _: () = assert!(wire::batch::rows_max(DATAGRAM_BYTES_MIN, true) > 0);

/// Longest frame of a capture, in bytes: tcpdump's own limit. A longer one means that the file is
/// damaged; reading stops there with an error.
pub const CAPTURED_FRAME_BYTES_MAX: usize = 262_144;

/// Longest block of a pcapng capture that is read, in bytes: a frame with its options. A longer one
/// of a kind that we need means that the file is damaged.
pub const CAPTURE_BLOCK_BYTES_MAX: usize = CAPTURED_FRAME_BYTES_MAX + 65_536;

/// Most interfaces of one pcapng section; more means that the file is damaged.
pub const CAPTURE_INTERFACES_MAX: usize = 1_024;

/// Most randomised clients that are told apart while they are counted, per interval. More are heard
/// but not told apart: the count then says "at least".
pub const RANDOMISED_CLIENTS_MAX: usize = 4_096;

/// How long randomised clients are counted until who they were is forgotten: a minute, in which few
/// devices change their address.
pub const COUNT_INTERVAL: Duration = Duration::from_mins(1);

/// Most addresses and prefixes in one list of the privacy rules: some 100 kB. More is refused.
pub const RULE_ADDRESSES_MAX: usize = 4_096;

/// Clients whose observations are gathered at once where that is configured, 64 bytes each and the
/// same for finding them: half a megabyte. With one more, the one that began first is told early.
pub const COALESCED_CLIENTS_MAX: usize = 4_096;

/// Longest interval in which observations may be gathered: older ones are of little use.
pub const COALESCE_INTERVAL_MAX: Duration = Duration::from_secs(2);

const _: () = assert!(COALESCE_INTERVAL_MAX.as_millis() < AGE_MAX.as_millis());

/// The time over which the agent's share of a processor is measured.
pub const PACE_WINDOW: Duration = Duration::from_secs(1);

/// Longest rest of an agent that has used up its share: a link without reports for much longer
/// would look dead, and what waits would be too old.
pub const PACE_REST_MAX: Duration = Duration::from_secs(2);

/// Least memory that an agent may be limited to: its queues and a handshake take some 4 MB.
pub const MEMORY_MIB_MIN: u32 = 8;

/// How long someone who asks for the status may take to ask, and to take the answer.
pub const STATUS_ANSWER_MAX: Duration = Duration::from_secs(2);

/// Datagrams whose row counts are remembered, 2 bytes each: more than fit the transport's send
/// buffer. Of older ones that the transport never sent, only the datagrams would be counted.
pub const HANDED_OVER_DATAGRAMS_MAX: usize = 2_048;

/// First wait before a new attempt to connect: a node restarts in less than a second.
pub const RETRY_FIRST: Duration = Duration::from_millis(200);

/// Longest wait between attempts while the node was there a short while ago: a restarted node is
/// served again within five seconds.
pub const RETRY_SHORT_MAX: Duration = Duration::from_millis(1_500);

/// How long the node counts as gone for a short while.
pub const RETRY_SHORT_WHILE: Duration = Duration::from_mins(10);

/// Longest wait between attempts when the node has been gone for long or refuses the agent.
pub const RETRY_LONG_MAX: Duration = Duration::from_secs(30);

/// First wait after a refusal: somebody must change something first.
pub const RETRY_REFUSED_FIRST: Duration = Duration::from_secs(2);

/// How long an attempt to connect may take until the next address is tried.
pub const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Redirects followed in a row. Two nodes that point at each other would send an agent to and fro.
pub const REDIRECTS_MAX: u32 = 4;

/// Reports are at least this far apart, whatever the node asks for.
pub const REPORT_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Names of clients in one control frame: 10 bytes for the id and 65 for the longest name each.
pub const NAMES_PER_FRAME_MAX: usize = 512;

const _: () = assert!(
    NAMES_PER_FRAME_MAX * (10 + wire::id::NAME_BYTES_MAX + 4) < wire::limits::FRAME_BYTES_MAX
);

/// Observations taken at once from a source that cannot wait; then the link has its turn.
pub const DRAIN_OBSERVATIONS_MAX: usize = 4_096;

/// Observations by which one recording may be read ahead of another in the same agent.
pub const RECORDING_SKEW_OBSERVATIONS_MAX: usize = 64;

/// Longest and shortest time between two looks at the sources: what is heard waits for its burst
/// anyway, and each wake-up costs more than a hundred observations.
pub const LOOK_INTERVAL_MAX: Duration = Duration::from_millis(100);
/// See [`LOOK_INTERVAL_MAX`].
pub const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// A source that gave so many observations in one look is busy: it is looked at again after the
/// interval, without being asked to wake the agent in between, which would be one more wake-up for
/// each look.
pub const BUSY_OBSERVATIONS: u32 = 8;

/// How long to wait for room in the transport's send buffer before looking again.
pub const ROOM_INTERVAL: Duration = Duration::from_millis(1);

/// Turns in which the transport may find room by itself before that wait begins.
pub const ROOM_TURNS: u32 = 8;

/// Control frames that wait to be written; reports beyond that are left out, for they add up.
pub const CONTROL_FRAMES_MAX: usize = 8;

/// Of those, how many definitions of short ids leave free for reports and names.
pub const CONTROL_FRAMES_SPARE: usize = 3;

/// How long the answer to `hello` may take.
pub const WELCOME_MAX: Duration = Duration::from_secs(3);

/// How long leaving may take until what still waits is dropped: as long as it is worth sending.
pub const FLUSH_MAX: Duration = AGE_MAX;

/// How long the node may take to book the final report.
pub const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Time between two words to a node that has not answered `hello` or the final report. It tells at
/// once what is missing before them, and what it misses is sent again: three times at least while
/// the answer is waited for.
pub const NUDGE_INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait after closing until the node has most likely been told.
pub const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// How often to look meanwhile whether it has answered.
pub const FAREWELL_LOOK: Duration = Duration::from_millis(5);

/// Readings that a source looks at in one call, most of which may be of no use: some 50 us of the
/// agent's one thread. After that it comes back.
pub const PULLS_MAX: usize = 1_024;

/// Most foreign networks that a capture's listener remembers: 8 kB. Control frames of further ones
/// pass for those of clients.
pub const ACCESS_POINTS_MAX: usize = 1_024;

/// Bytes of a frame that a monitor reads: its radiotap header, rarely longer than 100 bytes, and
/// the 802.11 header. A frame whose radiotap header is longer than that counts as malformed.
pub const MONITOR_FRAME_BYTES_MAX: usize = 1_024;

/// Frames that wait in the kernel for a monitor, in bytes as asked for (the kernel doubles them):
/// 2,500 short ones from a tap, fewer from a driver with larger buffers. Enough for the longest time
/// between two looks on a busy channel; more are dropped and counted.
pub const MONITOR_QUEUE_BYTES: u32 = 1_048_576;

/// Own access points that a monitor's filter tells apart from others, five instructions each. With
/// more, the kernel keeps no data frames back.
pub const MONITOR_FILTER_ADDRESSES_MAX: usize = 256;

/// Longest datagram from netlink: the kernel makes none of more than 32 kB.
pub const NETLINK_DATAGRAM_BYTES_MAX: usize = 32_768;

/// How long the kernel may take to answer: it does so at once, unless a driver asks its firmware.
pub const NETLINK_ANSWER_MAX: Duration = Duration::from_secs(5);

/// Most interfaces of one device whose stations are polled; further ones are passed over.
pub const INTERFACES_MAX: usize = 32;

/// How often the list of interfaces is read: they come and go, and change their channel.
pub const INTERFACES_INTERVAL: Duration = Duration::from_secs(10);

/// Time between two polls of stations unless configured otherwise: a fix is made each second.
pub const STATIONS_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest and longest of these.
pub const STATIONS_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// See [`STATIONS_INTERVAL_MIN`].
pub const STATIONS_INTERVAL_MAX: Duration = Duration::from_mins(1);

/// A client that was heard so short after the last poll may have been in it: the kernel counts in
/// ticks of up to ten milliseconds.
pub const STATION_TIME_SLACK: Duration = Duration::from_millis(10);

/// Most access points to which ranges are measured, in one request each time.
pub const FTM_PEERS_MAX: usize = 16;

/// How long a measurement of ranges may take, and how often it is looked after meanwhile.
pub const FTM_TIMEOUT: Duration = Duration::from_secs(5);
/// See [`FTM_TIMEOUT`].
pub const FTM_LOOK: Duration = Duration::from_millis(100);

/// Time between two measurements unless configured otherwise: access points do not walk.
pub const FTM_INTERVAL: Duration = Duration::from_mins(1);

/// Shortest time between two measurements: each takes the radio off its channel.
pub const FTM_INTERVAL_MIN: Duration = Duration::from_secs(10);

const _: () = assert!(FTM_TIMEOUT.as_secs() < FTM_INTERVAL_MIN.as_secs());

/// Longest datagram from hostapd that is read whole: its own limit for an answer.
pub const HOSTAPD_DATAGRAM_BYTES_MAX: usize = 4_096;

/// How long hostapd may take to answer; then it is attached to anew.
pub const HOSTAPD_ANSWER_MAX: Duration = Duration::from_secs(2);

/// Most clients of one hostapd interface that are walked through, and remembered with the time they
/// were heard last: some 16 kB.
pub const HOSTAPD_CLIENTS_MAX: usize = 512;

/// First wait until a source that broke is opened again: an interface that is set up anew is back
/// within a second.
pub const REOPEN_FIRST: Duration = Duration::from_millis(500);

/// Longest wait until a source that broke is opened again.
pub const REOPEN_MAX: Duration = Duration::from_secs(15);

/// How often to look whether the certificate is to be renewed.
pub const RENEWAL_LOOK: Duration = Duration::from_secs(30);

/// Longest wait between two turns on a link on which nothing is due.
pub const IDLE_MAX: Duration = Duration::from_mins(1);

/// Most clients that the summary of a capture tells apart, some 2 MB; further ones are not listed.
pub const DECODED_CLIENTS_MAX: usize = 65_536;

/// Most rows of one file of a data set, some 600 MB of readings. More is refused.
pub const DATASET_ROWS_MAX: usize = 10_000_000;

/// Most observations of a recording that is played, some 1 GB. More is refused: play one agent.
pub const REPLAYED_OBSERVATIONS_MAX: usize = 20_000_000;

/// Most observations that may be configured to wait: 24 MB, without ranges.
pub const QUEUE_OBSERVATIONS_MAX: usize = 1_000_000;

/// Longest life of a simulated world, and so the most that a late agent has to catch up with: at a
/// hundred clients about a second of computing, in steps between which the agent does its work.
pub const CATCH_UP_MAX: Duration = Duration::from_mins(10);

/// How long an agent catches up with a simulated world before it does its other work.
pub const CATCH_UP_TURN: Duration = Duration::from_millis(20);

/// Longest step of a simulated world, in which the agent does nothing else.
pub const WORLD_STEP: Duration = Duration::from_millis(500);

/// Time between two looks at a simulated world: short against the quarter of a second for which an
/// observation waits anyway.
pub const WORLD_LOOK: Duration = Duration::from_millis(50);

/// Longest message that ubusd and its clients agree on (`UBUS_MAX_MSGLEN`). More means that the
/// stream cannot be followed any more.
pub const UBUS_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes of the bus that wait to be understood. A probe takes some 300, hostapd's description of
/// itself some 4,000; a longer message is passed over and counted.
pub const UBUS_BUFFER_BYTES: usize = 16_384;

/// Reads from the bus in one look, each of at most the buffer: some 400 notifications. ubusd keeps
/// the rest, up to a megabyte.
pub const UBUS_READS_MAX: usize = 8;

/// Tables within tables on the bus: hostapd has three.
pub const UBUS_DEPTH_MAX: u8 = 8;

/// Objects of hostapd, one for each of its networks. Further ones are not listened to.
pub const UBUS_OBJECTS_MAX: usize = 64;

/// Bytes that wait to be written to the bus: requests for all objects, and some answers. Beyond
/// that hostapd gets no answer and goes on after 100 ms.
pub const UBUS_UNSENT_BYTES_MAX: usize = 8_192;

/// Messages in a row that make no sense until the connection is made anew.
pub const UBUS_MALFORMED_MAX: u32 = 16;

/// Time between two looks for hostapd's objects, which also show that ubusd is alive.
pub const UBUS_LOOKUP_INTERVAL: Duration = Duration::from_secs(10);

/// How long ubusd may be silent while it owes an answer.
pub const UBUS_SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long an answer of ubusd may take while it says other things.
pub const UBUS_ANSWER_MAX: Duration = Duration::from_mins(1);

/// How long hostapd may tell nothing until this client subscribes anew: its objects have been seen
/// to freeze, and a new connection each ten minutes costs a quiet place nothing.
pub const UBUS_QUIET_MAX: Duration = Duration::from_mins(10);

/// Within this time a frame of the same client, channel and strength is the same frame, told by
/// another network of the same radio.
pub const SAME_FRAME_WITHIN: Duration = Duration::from_millis(5);

/// Frames among which such a one is looked for.
pub const SAME_FRAME_PLACES: usize = 16;

const _: () = assert!(UBUS_UNSENT_BYTES_MAX > (UBUS_OBJECTS_MAX + 8) * 96);

/// Longest configuration in UCI, in bytes: a long one has some thousand.
pub const UCI_TEXT_BYTES_MAX: usize = 65_536;

/// Sections of it: sources, radios, named clients.
pub const UCI_SECTIONS_MAX: usize = 1_024;

/// Keys of one section; none of ours has twenty.
pub const UCI_ENTRIES_MAX: usize = 64;

/// Values of one list: devices that opted out, access points.
pub const UCI_VALUES_MAX: usize = 1_024;

/// Longest value: a path. A longer one means that a quote is missing.
pub const UCI_WORD_BYTES_MAX: usize = 4_096;

/// How often a scan begins anew unless configured otherwise: devices advertise some ten times a
/// second, so one in sight is heard within a few tries.
pub const BLE_INTERVAL: Duration = Duration::from_millis(60);

/// How long of that it listens unless configured otherwise: half the time, so that an adapter which
/// shares its antenna with Wi-Fi leaves it the other half.
pub const BLE_WINDOW: Duration = Duration::from_millis(30);

/// Longest interval and shortest window that every adapter takes (Bluetooth Core Specification 5.4,
/// volume 4, part E, 7.8.10: 10.24 s and 2.5 ms).
pub const BLE_INTERVAL_MAX: Duration = Duration::from_millis(10_240);
/// See [`BLE_INTERVAL_MAX`].
pub const BLE_WINDOW_MIN: Duration = Duration::from_millis(3);

/// Packets of an adapter that are read in one look: a tenth of a second of a crowded hall.
pub const BLE_PACKETS_MAX: usize = 256;

/// Longest packet that is read whole: an event has 258 bytes.
pub const BLE_PACKET_BYTES_MAX: usize = 512;

/// How long an adapter may take to answer a command.
pub const BLE_ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long an adapter may hear nothing until it is started anew.
pub const BLE_QUIET_MAX: Duration = Duration::from_mins(5);
