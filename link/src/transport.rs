//! Every knob of the transport, with its value and its reason.
//!
//! [`Knobs`] has those that a deployment, a load generator or a test may turn; the constants are
//! those that nobody should.

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, EndpointConfig, MtuDiscoveryConfig, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;

use crate::congestion::{FLOOR_BYTES, TelemetryConfig};
use crate::reset_key::ResetKey;

/// Streams that an agent may open: the control stream. quinn makes an entry for each allowed
/// stream up front, so that 10,000 would cost 500 KB per connection.
const AGENT_STREAMS_MAX: u32 = 1;

/// Streams that a node may open: none, it answers on the agent's.
const NODE_STREAMS_MAX: u32 = 0;

/// Control bytes that may be on their way to us, per connection: one frame of the greatest length
/// fits, and a hostile peer cannot make us hold more.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// Packets that the node receives before it acknowledges, if the delay below is not over first.
/// It saves most acknowledgements of a burst. The floor of the congestion window is more than twice
/// that, so that nobody waits for the delay but who sends into a standing queue.
const ACK_THRESHOLD: u32 = 50;

/// Delay of an acknowledgement, which the node announces and the agent asks for: an agent that says
/// a few words every 250 ms has one for four bursts, and one costs the node as much as a burst. A
/// packet that is missing is told of when two more have come; what is found that much later is the
/// loss of the last ones, which nobody sends again, and of a control frame in silence. Who waits for
/// an answer says a few more words, and does not wait so long. The congestion window counts what the
/// delay holds back, see [`congestion`](crate::congestion).
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(800);

/// Round-trip time assumed before one is measured. The first probe goes out after three times
/// this, so that a handshake survives a lossy start; on a slower path a packet is sent in vain.
const INITIAL_RTT: Duration = Duration::from_millis(50);

/// Time between searches for a larger packet size: one that lost its probes to bad luck is made
/// up for within a minute, at the cost of a few packets.
const MTU_SEARCH_INTERVAL: Duration = Duration::from_secs(60);

/// Time after which a larger packet is tried again when large packets seemed to vanish. Heavy
/// loss can look like that, so the judgement must not stand for long.
const BLACK_HOLE_COOLDOWN: Duration = Duration::from_secs(10);

/// Largest packet with which segmentation offload is used. quinn sends up to ten segments at
/// once, and above 65,507 bytes in all they vanish without an error.
const OFFLOAD_MTU_MAX: u16 = 6_500;

/// Largest UDP payload that is accepted in any case: an Ethernet packet over IPv4.
const RECEIVE_MTU_MIN: u16 = 1_472;

/// Largest UDP payload that QUIC knows (RFC 9000, section 18.2).
const RECEIVE_MTU_MAX: u16 = 65_527;

/// Datagrams that the node may have under way to an agent: it sends none, but QUIC ties the
/// permission to send to a readiness to receive.
const AGENT_RECEIVE_BUFFER_BYTES: usize = 4 * 1024;

/// Least time between two stateless resets: after a restart of a node a thousand agents are told
/// within a second. Only packets with a connection id of ours are answered at all.
const RESET_INTERVAL: Duration = Duration::from_millis(1);

/// Connection attempts that wait for the application, and bytes kept for each and for all of
/// them: an attempt is one or two packets, and all of them together must not be felt.
const INCOMING_MAX: usize = 4_096;
const INCOMING_BYTES: u64 = 8 * 1024;
const INCOMING_BYTES_TOTAL: u64 = 4 * 1024 * 1024;

/// Answers to strangers that wait to be sent, of some hundred bytes each: what a round of reception
/// can bring, so that a flood costs a megabyte at most.
pub(crate) const ANSWERS_MAX: usize = 2_048;

/// Bytes of control frames that wait at this end of a link, beyond what the transport holds: two of
/// the greatest length. Beyond it a frame is not taken.
pub(crate) const CONTROL_BUFFER_BYTES_MAX: usize = 2 * (wire::limits::FRAME_BYTES_MAX + 4);

/// Agents without a certificate that may be there at once to ask for one, and how long each may stay
/// after its handshake: a few kilobytes each, and who is honest needs a round trip and a signature.
pub(crate) const NEWCOMERS_MAX: usize = 64;
pub(crate) const NEWCOMER_STAY: Duration = Duration::from_secs(5);

/// Packets that leave in one system call, as one large packet that the system or the network card
/// cuts: the gain is nearly all had by ten.
pub(crate) const SEGMENTS_MAX: usize = 10;

/// System calls in a round of reception, and packets after which the links are read first: so few
/// that they are still in the cache next to the processor, and so many that a round costs them
/// nothing. Who ticks every few milliseconds is not late either.
pub(crate) const RECEIVE_CALLS_MAX: usize = 4;
pub(crate) const RECEIVE_PACKETS_MAX: usize = 256;

/// Least time to wait for a timer of a connection: their grain is a millisecond (RFC 9002, section
/// 6.1.2), and those that fall into the same one cost one wake-up.
pub(crate) const TIMER_GRAIN: Duration = Duration::from_millis(1);

/// How long a node with many links lets packets gather once few came: a burst of one agent is a
/// wake-up of its own else, which costs more than what is in it, and finds the processor's caches
/// full of something else. Timers of connections are served on the same occasions, no more than this
/// late. An agent holds back what it hears for twenty times as long.
pub(crate) const GATHER: Duration = Duration::from_millis(12);

/// The same where the system gives a receive buffer below [`GATHER_BUFFER_BYTES`], which the bursts
/// of many agents would fill.
pub(crate) const GATHER_SHORT: Duration = Duration::from_micros(1_800);
pub(crate) const GATHER_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Links from which packets gather, and packets of a round above which they come fast enough by
/// themselves.
pub(crate) const GATHER_LINKS_MIN: usize = 64;
pub(crate) const GATHER_PACKETS_MAX: usize = 192;

/// Code of every close: the reason is in the words that go with it.
pub(crate) const CLOSE_CODE: VarInt = VarInt::from_u32(0);

/// The knobs that may be turned. `Knobs::default()` suits an agent and a node in the field.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Largest UDP payload to try, in bytes. 1,452 fits an Ethernet path over IPv6; each
    /// connection starts at 1,200 and works its way up.
    pub mtu_max: u16,
    /// Datagrams waiting to be sent, in bytes, per connection. Beyond it
    /// [`datagram_room`](crate::NodeLink::datagram_room) is zero. Half a second of a busy agent:
    /// what waits longer should wait in the batcher, which knows its age.
    pub datagram_send_buffer_bytes: usize,
    /// Datagrams received and not read yet, in bytes, per connection. Beyond it the oldest are
    /// dropped, which shows in [`datagrams_received`](crate::LinkStats::datagrams_received).
    pub datagram_receive_buffer_bytes: usize,
    /// Receive buffer to ask the system for at the node, in bytes. The usual 208 KiB hold about
    /// a hundred packets, one slice of a worker's time.
    pub socket_receive_buffer_bytes: usize,
    /// Time without a packet after which the other end is taken to be gone.
    pub idle_timeout: Duration,
    /// Time without a packet after which the agent sends one: several may be lost before the
    /// idle timeout.
    pub keep_alive: Duration,
    /// Time for a handshake. Half of the packets may be lost, and then it takes a few probes.
    pub handshake_timeout: Duration,
    /// Handshakes in progress above which a newcomer must first prove its address, which costs
    /// it one round trip and us no memory.
    pub retry_above: usize,
    /// Handshakes in progress above which newcomers are ignored.
    pub handshakes_max: usize,
    /// Least congestion window of an agent, in bytes; see [`congestion`](crate::congestion).
    pub congestion_floor_bytes: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            mtu_max: 1_452,
            datagram_send_buffer_bytes: 64 * 1024,
            datagram_receive_buffer_bytes: 256 * 1024,
            socket_receive_buffer_bytes: 8 * 1024 * 1024,
            idle_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_millis(2_500),
            handshake_timeout: Duration::from_secs(5),
            retry_above: 200,
            handshakes_max: 4_096,
            congestion_floor_bytes: FLOOR_BYTES,
        }
    }
}

impl Knobs {
    /// What both ends have in common.
    fn common(&self) -> TransportConfig {
        let mut mtu = MtuDiscoveryConfig::default();
        mtu.upper_bound(self.mtu_max)
            .interval(MTU_SEARCH_INTERVAL)
            .black_hole_cooldown(BLACK_HOLE_COOLDOWN);
        let idle = VarInt::try_from(self.idle_timeout.as_millis()).unwrap_or(VarInt::MAX);
        let congestion = TelemetryConfig {
            floor_bytes: self.congestion_floor_bytes,
        };

        let mut config = TransportConfig::default();
        config
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
            .receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
            .send_window(u64::from(STREAM_WINDOW_BYTES))
            .datagram_send_buffer_size(self.datagram_send_buffer_bytes)
            .max_idle_timeout(Some(idle.into()))
            .initial_rtt(INITIAL_RTT)
            .mtu_discovery_config(Some(mtu))
            .enable_segmentation_offload(self.mtu_max <= OFFLOAD_MTU_MAX)
            .congestion_controller_factory(Arc::new(congestion));
        config
    }

    /// The node's side of each connection.
    pub(crate) fn node_transport(&self) -> TransportConfig {
        let mut config = self.common();
        config
            .max_concurrent_bidi_streams(VarInt::from_u32(AGENT_STREAMS_MAX))
            .datagram_receive_buffer_size(Some(self.datagram_receive_buffer_bytes));
        config
    }

    /// The agent's side of its connection.
    pub(crate) fn agent_transport(&self) -> TransportConfig {
        let mut acks = AckFrequencyConfig::default();
        acks.ack_eliciting_threshold(VarInt::from_u32(ACK_THRESHOLD));
        acks.max_ack_delay(Some(ACK_DELAY));
        let mut config = self.common();
        config
            .max_concurrent_bidi_streams(VarInt::from_u32(NODE_STREAMS_MAX))
            .datagram_receive_buffer_size(Some(AGENT_RECEIVE_BUFFER_BYTES))
            .keep_alive_interval(Some(self.keep_alive))
            .ack_frequency_config(Some(acks));
        config
    }

    /// What the node does for all of its connections.
    pub(crate) fn node_endpoint(&self, reset_key: &ResetKey) -> EndpointConfig {
        let id_key = reset_key.connection_id_key();
        let mut config = EndpointConfig::new(Arc::new(reset_key.clone()));
        config
            .cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)))
            .min_reset_interval(RESET_INTERVAL);
        self.accept_packets(&mut config);
        config
    }

    /// What the agent does for all of its connections.
    pub(crate) fn agent_endpoint(&self) -> EndpointConfig {
        let mut config = EndpointConfig::default();
        self.accept_packets(&mut config);
        config
    }

    /// Largest UDP payload that is accepted.
    pub(crate) fn receive_mtu(&self) -> u16 {
        self.mtu_max.clamp(RECEIVE_MTU_MIN, RECEIVE_MTU_MAX)
    }

    fn accept_packets(&self, config: &mut EndpointConfig) {
        config
            .max_udp_payload_size(self.receive_mtu())
            .expect("the size is from 1,472 to 65,527");
    }

    /// Bounds what strangers can make the node hold.
    pub(crate) fn bound_incoming(&self, config: &mut quinn::ServerConfig) {
        config
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BYTES)
            .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    }
}
