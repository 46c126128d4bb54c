//! What travels on the control stream: few, small, reliable frames.
//!
//! A frame is a MessagePack map with the key `type`; unknown keys and unknown types are ignored, so
//! that versions can live together. On the stream each frame is preceded by its length in bytes as
//! a big-endian `u32`, at most [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX).

pub(crate) mod from_node;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::access_point::AccessPoint;
use crate::id::{AgentName, ApName, ClientId, ClientName, Session};
use crate::limits::RADIOS_MAX;

/// A control frame. The direction is in each variant's first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Frame {
    /// Agent → node, first: who hears here and with what.
    Hello(Hello),
    /// Node → agent, the answer to `hello`: the session begins.
    Welcome(Welcome),
    /// Node → agent, at any time: settings that replace those of `welcome`.
    Configure(Configure),
    /// Agent → node, each second: cumulative counters of this session.
    Report(Report),
    /// Node → agent: the final report has been booked; the connection may close.
    Settled {},
    /// Agent → node: names of clients that were named by consent.
    Names {
        /// Id on the wire and the name that the node shows instead.
        names: Vec<(u64, ClientName)>,
    },
    /// Agent → node: these clients opted out; forget them, and tell whoever was told of them.
    OptOut {
        /// Their ids of the running period, whether anybody has heard them or not; at most
        /// [`DEFINE_CLIENTS_MAX`](crate::limits::DEFINE_CLIENTS_MAX).
        #[serde(with = "crate::client_ids")]
        clients: Vec<ClientId>,
    },
    /// Agent → node: what short ids stand for from now on.
    Define(Define),
    /// Node → agent: these short ids may be used.
    Defined(Defined),
    /// Node → agent: another worker or node owns this site.
    Redirect {
        /// `host:port` to connect to instead; an empty host means the same host.
        address: String,
    },
    /// Node → agent: the node is about to stop; send the final report, close and come back later.
    Drain {},
    /// Node → agent: this agent is not served; it should retry rarely.
    Reject {
        /// What is wrong and what to do about it, for the agent's log.
        reason: String,
    },
    /// Agent → node: two thirds of the certificate's life are over; sign this key for the same names.
    Renew {
        /// A PKCS #10 request (RFC 2986) in DER; at most
        /// [`SIGNING_REQUEST_BYTES_MAX`](crate::limits::SIGNING_REQUEST_BYTES_MAX).
        #[serde(with = "crate::short_bytes")]
        signing_request: Vec<u8>,
    },
    /// Node → agent, an answer to `renew`: to be shown from the next connection on.
    Renewed {
        /// The certificate as PEM.
        certificate: String,
    },
    /// Node → agent, the other answer to `renew`: the agent keeps what it has and may ask tomorrow.
    NotRenewed {
        /// What is wrong and what to do about it, for the agent's log.
        reason: String,
    },
    /// A frame of a later version; ignored.
    #[serde(other)]
    Unknown,
}

/// Who hears here and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the batch format that the agent will send.
    pub version: u8,
    /// Name and version of the agent program.
    pub program: String,
    /// The radios, in the order in which batches index them; at most [`RADIOS_MAX`].
    #[serde(deserialize_with = "radios_within_limit")]
    pub radios: Vec<RadioHello>,
    /// Which clock stamps the observations.
    #[serde(default)]
    pub clock: Clock,
    /// How the agent's last session ended, if this process had one.
    #[serde(default)]
    pub previous: Option<SessionEnd>,
}

/// One of the agent's radios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RadioHello {
    /// The AP as the site file names it.
    pub ap: ApName,
    /// Band: `2.4`, `5`, `6`, `ble` or `uwb`.
    pub band: String,
}

/// Which clock stamps an agent's observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The agent's monotonic clock; the node maps it to its own.
    #[default]
    Monotonic,
    /// A recording's clock, common to all agents that replay it; see [`Report::clock_us`].
    Recording,
}

/// How a session ended, as far as the agent knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// The session.
    pub session: Session,
    /// Counters of the last report that the node has most likely received.
    pub reported: Counters,
    /// Counters now, including what was offered and dropped while there was no connection.
    pub ended: Counters,
}

/// The session begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Number that every batch of this connection carries.
    pub session: Session,
    /// The agent as its certificate names it.
    pub agent: AgentName,
    /// How often to report, in milliseconds.
    pub report_interval_ms: u32,
    /// Settings in force.
    pub configure: Configure,
    /// Short ids that the node keeps for this session: 0 up to this, exclusive. 0: use full ids.
    #[serde(default)]
    pub short_ids: u32,
    /// The node's clock in Unix seconds, for a device that has none; 0 from a node that does not tell.
    #[serde(default)]
    pub time_unix_s: u64,
    /// The site's own access points that this agent may hear, its own among them: what they send
    /// goes out under their names. None from a node that does not tell.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::access_point::within_limit"
    )]
    pub access_points: Vec<AccessPoint>,
}

/// What short ids stand for: `first + i` for `clients[i]`, from now on and in this session only.
///
/// The agent uses them once the node has answered by [`Defined`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Define {
    /// The first short id.
    pub first: u32,
    /// The clients, at most [`DEFINE_CLIENTS_MAX`](crate::limits::DEFINE_CLIENTS_MAX).
    #[serde(with = "crate::client_ids")]
    pub clients: Vec<ClientId>,
}

/// Short ids that the node has taken in; what it refuses it does not name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defined {
    /// The first short id.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// Settings that the node hands out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configure {
    /// Key that turns addresses into pseudonyms in this period.
    pub pseudonym_key: PseudonymKey,
}

/// The key of one pseudonym period, common to all agents of a site.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PseudonymKey {
    /// Number of the period; a pseudonym depends on it.
    pub period: u32,
    /// Thirty-two random bytes, kept in memory only.
    #[serde(with = "crate::byte_string")]
    pub key: [u8; 32],
}

impl std::fmt::Debug for PseudonymKey {
    /// Shows the period and hides the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PseudonymKey")
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// Cumulative counters of one session, and what the agent's clock shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Counters since the session began.
    pub counters: Counters,
    /// The clock that stamps observations, in microseconds: nothing heard before it is still unsent.
    pub clock_us: u64,
    /// Nothing follows: the agent is about to leave and waits for `settled`.
    #[serde(default, rename = "final")]
    pub last: bool,
    /// Devices that the agent only counts, in the last interval that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// Least signal strength in dBm of the first three classes of [`Counted`]; the fourth is weaker.
pub const SIGNAL_CLASSES_DBM: [i8; 3] = [-50, -65, -80];

/// Devices with a made-up address and no association, counted in one interval without any id.
///
/// Reports repeat an interval until the next one is over. By class of [`SIGNAL_CLASSES_DBM`]: at
/// arm's length, in the room, nearby, and far away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Number of the interval since the agent started.
    pub interval: u32,
    /// How long it was.
    pub length_ms: u32,
    /// Different addresses, each in the class of its strongest frame. One device uses several in an
    /// hour.
    pub devices: [u32; 4],
    /// Their frames.
    pub frames: [u32; 4],
}

/// What an agent offered, dropped and sent since a session began.
///
/// `offered = dropped + (sent - unsent) + waiting`, in observations. A datagram is offered when it
/// is packed, so `datagrams offered = datagrams_sent`; an observation that was dropped before it was
/// packed counts no datagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Observations that the sources gave after filters and privacy rules.
    pub observations_offered: u64,
    /// Observations packed and handed to the transport; equals the next observation number.
    pub observations_sent: u64,
    /// Datagrams packed and handed to the transport; equals the next sequence number.
    pub datagrams_sent: u64,
    /// Of those datagrams, how many the transport still held when it closed.
    #[serde(default)]
    pub datagrams_unsent: u64,
    /// Observations dropped, by reason.
    pub dropped: AgentDrops,
}

/// Observations that an agent dropped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDrops {
    /// The queue was full: the oldest went.
    #[serde(default)]
    pub queue_full: u64,
    /// Too old when the connection had room for them.
    #[serde(default)]
    pub too_old: u64,
    /// There was no connection.
    #[serde(default)]
    pub disconnected: u64,
    /// In [`Counters::datagrams_unsent`]: the transport closed before it sent them.
    #[serde(default)]
    pub unsent: u64,
}

impl AgentDrops {
    /// Observations dropped for any reason.
    pub fn total(&self) -> u64 {
        self.queue_full + self.too_old + self.disconnected + self.unsent
    }
}

pub(crate) fn radios_within_limit<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<RadioHello>, D::Error> {
    let radios = Vec::deserialize(from)?;
    if radios.len() > RADIOS_MAX {
        let count = radios.len();
        return Err(D::Error::custom(format_args!(
            "{count} radios; at most {RADIOS_MAX} fit"
        )));
    }
    Ok(radios)
}
