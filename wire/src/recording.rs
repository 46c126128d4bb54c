//! Datagrams kept for later: what a node received, with what is needed to understand it.
//!
//! A recording is a magic, then entries like control frames: a length and a MessagePack map. It
//! holds pseudonyms and names, never an address and never a key. This module opens no file; it
//! writes to any [`io::Write`](std::io::Write) and reads from any [`io::Read`](std::io::Read).
//!
//! ```
//! use wire::recording::{Entry, Recorder, RecordingReader};
//! use wire::Session;
//!
//! let mut recorder = Recorder::new(Vec::new())?;
//! let entry = Entry::Datagram { session: Session(1), received_us: 5, bytes: b"as it came" };
//! recorder.write(&entry)?;
//! let file = recorder.into_inner();
//!
//! let mut reader = RecordingReader::new(file.as_slice())?;
//! assert_eq!(reader.read_entry()?, Some(entry));
//! assert_eq!(reader.read_entry()?, None);
//! assert_eq!(reader.torn_bytes(), 0, "the last entry is whole");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod reader;
mod writer;

use serde::{Deserialize, Serialize};

use crate::frame::{Clock, RadioHello};
use crate::id::{AgentName, ClientId, ClientName, Session, SiteName};

pub use reader::{RecordingError, RecordingReader};
pub use writer::{RecordError, Recorder};

/// The first bytes of every recording: a name and the version of the format.
pub const MAGIC: [u8; 10] = *b"trilobite\x01";

/// One thing that happened at a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Entry<'a> {
    /// A session began; stands before its datagrams.
    Session {
        /// Number that its datagrams carry.
        session: Session,
        /// The agent as its certificate names it.
        agent: AgentName,
        /// The site as the agent's certificate names it.
        site: SiteName,
        /// Which clock stamps the session's observations.
        #[serde(default)]
        clock: Clock,
        /// The agent's radios, in the order in which batches index them.
        #[serde(deserialize_with = "crate::frame::radios_within_limit")]
        radios: Vec<RadioHello>,
    },
    /// A session told names of clients that were named by consent.
    Names {
        /// The session.
        session: Session,
        /// Id on the wire and the name that is shown instead.
        names: Vec<(u64, ClientName)>,
    },
    /// A session told what its short ids stand for from now on; stands before the datagrams that use
    /// them.
    Define {
        /// The session.
        session: Session,
        /// The first short id.
        first: u32,
        /// Whom it and the following ones stand for.
        #[serde(with = "crate::client_ids")]
        clients: Vec<ClientId>,
    },
    /// A datagram arrived.
    Datagram {
        /// The session whose connection brought it.
        session: Session,
        /// When it arrived, in microseconds since 1970-01-01 UTC by the node's clock.
        received_us: u64,
        /// The datagram as it arrived, be it a batch or not.
        #[serde(borrow, serialize_with = "crate::byte_string::serialize")]
        bytes: &'a [u8],
    },
    /// An entry of a later version; ignored.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests;
