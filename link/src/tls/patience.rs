//! A node that acknowledges seldom, and says so in the handshake.
//!
//! An agent asks for acknowledgements as late as it can use them, but quinn grants it no more than
//! the round-trip time or 25 ms: each burst of a thin connection then has an acknowledgement of its
//! own, which costs the node more than taking the burst in. The least delay that the other end
//! announces comes before that limit (draft-ietf-quic-ack-frequency, `min_ack_delay`), and quinn
//! lets nobody set it. So it is put into what the node announces, on the way to the handshake.

use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use quinn::crypto::rustls::QuicServerConfig;
use quinn_proto::coding::Codec;
use quinn_proto::crypto::{Keys, ServerConfig, Session, UnsupportedVersion};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side};

/// `max_ack_delay` (RFC 9000, section 18.2), in milliseconds.
const MAX_ACK_DELAY: u32 = 0x0b;

/// `min_ack_delay` of the draft's versions from 7 on, in microseconds.
const MIN_ACK_DELAY: u32 = 0xff04_de1b;

/// The node's side of handshakes, which announces how long its acknowledgements take.
pub(crate) struct Patient {
    inner: Arc<QuicServerConfig>,
    ack_delay: Duration,
}

impl Patient {
    pub(crate) fn new(inner: QuicServerConfig, ack_delay: Duration) -> Self {
        Self {
            inner: Arc::new(inner),
            ack_delay,
        }
    }

    /// What quinn announces, with the delay; `None` if it announces one of its own by now.
    fn announce(&self, params: &TransportParameters) -> Option<TransportParameters> {
        let whole_ms = u32::try_from(self.ack_delay.as_millis()).ok()?;
        let micros = whole_ms.checked_mul(1_000)?;
        let mut bytes = Vec::new();
        params.write(&mut bytes);
        for (id, value) in [(MAX_ACK_DELAY, whole_ms), (MIN_ACK_DELAY, micros)] {
            let mut encoded = Vec::new();
            VarInt::from_u32(value).encode(&mut encoded);
            VarInt::from_u32(id).encode(&mut bytes);
            VarInt::try_from(encoded.len()).ok()?.encode(&mut bytes);
            bytes.extend_from_slice(&encoded);
        }
        // As the agent will read them; of two values of the draft's parameter the last counts.
        TransportParameters::read(Side::Client, &mut &bytes[..]).ok()
    }
}

impl ServerConfig for Patient {
    fn initial_keys(&self, version: u32, dst: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.inner.initial_keys(version, dst)
    }

    fn retry_tag(&self, version: u32, orig_dst: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.inner.retry_tag(version, orig_dst, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        let announced = self.announce(params);
        debug_assert!(announced.is_some(), "quinn announces a delay of its own");
        let params = announced.as_ref().unwrap_or(params);
        self.inner.clone().start_session(version, params)
    }
}
