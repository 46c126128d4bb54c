//! Our own recordings: datagrams as a node received them, taken apart by agent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use wire::batch::SHORT_ID_MAX;
use wire::frame::{Clock, RadioHello};
use wire::recording::{Entry, RecordingError, RecordingReader};
use wire::{AgentName, ClientId, ClientName, Observation, Session, batch};

use super::Replay;
use crate::limits::REPLAYED_OBSERVATIONS_MAX;
use crate::source::{Heard, Transmitter};

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened.
    #[error("recording {path}: cannot be opened")]
    Open {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no recording, or the rest of it cannot be read.
    #[error("recording {path}")]
    Read {
        /// The file.
        path: String,
        /// What is wrong and where.
        source: RecordingError,
    },
    /// It holds more than fits into memory.
    #[error(
        "recording {path}: more than {REPLAYED_OBSERVATIONS_MAX} observations; play a single agent, \
         or a shorter recording"
    )]
    TooLong {
        /// The file.
        path: String,
    },
}

/// What every agent of a recording heard, by agent. Their times have one clock.
///
/// `only` loads a single agent. A whole recording is held in memory, since datagrams arrive out of
/// order of what they tell.
///
/// # Errors
/// [`LoadError`]. A torn end and malformed entries are no errors: the notice tells.
pub fn load(
    path: &Path,
    only: Option<&AgentName>,
) -> Result<BTreeMap<AgentName, Replay>, LoadError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| LoadError::Open {
        path: name.clone(),
        source,
    })?;
    read(BufReader::new(file), &name, only)
}

/// Like [`load`], from bytes that are called `path` in errors.
///
/// # Errors
/// [`LoadError`].
pub fn read(
    bytes: impl Read,
    path: &str,
    only: Option<&AgentName>,
) -> Result<BTreeMap<AgentName, Replay>, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let mut reader = RecordingReader::new(bytes).map_err(failed)?;
    let mut loader = Loader::default();
    loop {
        match reader.read_entry() {
            Ok(Some(entry)) => loader.take(entry, only),
            Ok(None) => break,
            Err(RecordingError::Malformed { .. }) => loader.unreadable += 1,
            Err(error) => return Err(failed(error)),
        }
        if loader.observations > REPLAYED_OBSERVATIONS_MAX {
            return Err(LoadError::TooLong {
                path: path.to_owned(),
            });
        }
    }
    Ok(loader.finish(path, reader.torn_bytes()))
}

/// What has been read so far.
#[derive(Default)]
struct Loader {
    agents: BTreeMap<AgentName, Replay>,
    sessions: HashMap<Session, SessionSoFar>,
    observations: usize,
    /// Entries and batches that could not be read.
    unreadable: u64,
    /// Observations by short ids that the recording does not define.
    undefined: u64,
}

struct SessionSoFar {
    agent: AgentName,
    clock: Clock,
    /// The replay's radio for each of the session's.
    radios: Vec<u8>,
    /// Numbers of the datagrams met: a network may have brought one twice.
    sequences: HashSet<u64>,
    /// Whom its short ids stand for at this point of the recording.
    short_ids: HashMap<u32, ClientId>,
    heard: Vec<Heard>,
    /// Least time between an agent's sending and the node's receiving: the clocks' difference, with
    /// the shortest way added.
    offset_us: Option<i64>,
}

impl Loader {
    fn take(&mut self, entry: Entry<'_>, only: Option<&AgentName>) {
        match entry {
            Entry::Session {
                session,
                agent,
                clock,
                radios,
                ..
            } if only.is_none_or(|only| *only == agent) => {
                self.begin_session(session, agent, clock, &radios);
            }
            Entry::Names { session, names } => self.add_names(session, names),
            Entry::Define {
                session,
                first,
                clients,
            } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.define(first, &clients);
                }
            }
            Entry::Datagram {
                session,
                received_us,
                bytes,
            } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    match session.add_batch(received_us, bytes) {
                        Ok(added) => {
                            self.observations += added.heard;
                            self.undefined += added.undefined;
                        }
                        Err(_) => self.unreadable += 1,
                    }
                }
            }
            _ => {}
        }
    }

    fn begin_session(
        &mut self,
        session: Session,
        agent: AgentName,
        clock: Clock,
        radios: &[RadioHello],
    ) {
        let replay = self.agents.entry(agent.clone()).or_default();
        let radios = radios
            .iter()
            .map(|radio| index_of(radio, &mut replay.radios))
            .collect();
        let so_far = SessionSoFar {
            agent,
            clock,
            radios,
            sequences: HashSet::new(),
            short_ids: HashMap::new(),
            heard: Vec::new(),
            offset_us: None,
        };
        self.sessions.insert(session, so_far);
    }

    fn add_names(&mut self, session: Session, names: Vec<(u64, ClientName)>) {
        let Some(session) = self.sessions.get(&session) else {
            return;
        };
        let replay = self.agents.entry(session.agent.clone()).or_default();
        for (id, name) in names {
            let named = (ClientId(id), name);
            if !replay.names.contains(&named) {
                replay.names.push(named);
            }
        }
    }

    fn finish(mut self, path: &str, torn_bytes: u64) -> BTreeMap<AgentName, Replay> {
        let damaged = torn_bytes > 0 || self.unreadable > 0 || self.undefined > 0;
        let notice = damaged.then(|| {
            format!(
                "recording {path}: {torn_bytes} bytes of a torn entry at its end, {} entries that \
                 cannot be read, {} observations by short ids that it does not define; the rest is \
                 played",
                self.unreadable, self.undefined
            )
        });
        for session in self.sessions.into_values() {
            let Some(replay) = self.agents.get_mut(&session.agent) else {
                continue;
            };
            replay.heard.extend(session.into_heard());
        }
        for replay in self.agents.values_mut() {
            replay.notice.clone_from(&notice);
        }
        self.agents
    }
}

/// What a batch brought.
#[derive(Default)]
struct Added {
    heard: usize,
    undefined: u64,
}

impl SessionSoFar {
    fn define(&mut self, first: u32, clients: &[ClientId]) {
        // Beyond the largest short id nothing can be meant.
        self.short_ids
            .extend((first..=SHORT_ID_MAX).zip(clients.iter().copied()));
    }

    /// Takes a batch in, unless it was met before.
    fn add_batch(&mut self, received_us: u64, bytes: &[u8]) -> Result<Added, batch::DecodeError> {
        let batch = batch::decode(bytes)?;
        if !self.sequences.insert(batch.header.sequence) {
            return Ok(Added::default());
        }
        let offset_us = received_us.wrapping_sub(batch.header.sent_us).cast_signed();
        self.offset_us = Some(
            self.offset_us
                .map_or(offset_us, |least| least.min(offset_us)),
        );
        let Some(&radio) = self.radios.get(usize::from(batch.header.radio)) else {
            return Ok(Added::default());
        };
        let before = self.heard.len();
        self.heard.extend(
            batch
                .resolved(|short_id| self.short_ids.get(&short_id).copied())
                .map(|observation| heard(&observation, radio)),
        );
        let heard = self.heard.len() - before;
        Ok(Added {
            heard,
            undefined: (batch.len() - heard) as u64,
        })
    }

    /// What was heard, in the clock of the recording: that of the node which received it, or the
    /// one that the agents already shared.
    fn into_heard(self) -> impl Iterator<Item = Heard> {
        let offset_us = match self.clock {
            Clock::Monotonic => self.offset_us.unwrap_or(0),
            Clock::Recording => 0,
        };
        self.heard.into_iter().map(move |heard| Heard {
            heard_at_us: heard.heard_at_us.saturating_add_signed(offset_us),
            ..heard
        })
    }
}

/// The index of this radio among the agent's, all sessions together.
fn index_of(radio: &RadioHello, radios: &mut Vec<RadioHello>) -> u8 {
    let index = radios
        .iter()
        .position(|known| known == radio)
        .unwrap_or_else(|| {
            radios.push(radio.clone());
            radios.len() - 1
        });
    // An agent with more radios over its sessions than a batch can name keeps the first ones.
    u8::try_from(index).unwrap_or(u8::MAX)
}

fn heard(observation: &Observation, radio: u8) -> Heard {
    Heard {
        from: Transmitter::Client(observation.client),
        heard_at_us: observation.heard_at_us,
        radio,
        rssi_dbm: observation.rssi_dbm,
        noise_dbm: observation.noise_dbm,
        channel: observation.channel,
        kind: observation.kind,
        associated: observation.associated,
        range: observation.range,
    }
}

#[cfg(test)]
mod tests;
