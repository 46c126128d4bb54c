//! One connection of an agent, as the worker sees it.

use site::{Band, Site};
use wire::frame::{Clock, Counted, Hello, RadioHello};
use wire::limits::RADIOS_MAX;
use wire::{AgentName, Session, SiteName};

use crate::account::Account;
use crate::clock::ClockMap;
use crate::dictionary::Dictionary;
use crate::limits::RADIOS_PER_SITE_MAX;

/// A session: who, with which radios, on which clock, and its account.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) session: Session,
    pub(crate) agent: AgentName,
    pub(crate) site: SiteName,
    pub(crate) shard: usize,
    pub(crate) radios: Vec<Option<u16>>,
    pub(crate) clock: ClockMap,
    pub(crate) dictionary: Dictionary,
    pub(crate) account: Account,
    pub(crate) phase: Phase,
    pub(crate) heard_at_us: u64,
    pub(crate) recording: RecordingClock,
    /// Devices that the agent only counts, as it last said.
    pub(crate) counted: Option<Counted>,
}

impl SessionState {
    /// The connection is gone or replaced: its short ids go with it.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.dictionary = Dictionary::default();
    }
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its connection lives.
    Connected,
    /// Its connection is gone or replaced; the agent may still tell how it ended.
    Ended,
}

/// How far a replaying agent's clock has come, by its reports.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RecordingClock {
    /// Everything before this time has been received.
    pub(crate) complete_until_us: u64,
    /// A report whose datagrams have not all arrived: its time, their number, when it came.
    pub(crate) pending: Option<(u64, u64, u64)>,
}

/// Why an agent is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The agent's version of the wire is not ours.
    #[error("agent speaks batch version {0}, this node version {ours}; update the older one", ours = wire::batch::BATCH_VERSION)]
    Version(u8),
    /// No radios, or more than an index can hold.
    #[error("agent names {0} radios; configure 1 to {RADIOS_MAX}")]
    Radios(usize),
    /// None of the agent's radios is an anchor that it may speak for.
    #[error(
        "agent \"{agent}\" speaks for none of its radios in site \"{site}\" ({names}); give their \
         anchors agent = \"{agent}\" in the site file, or use the certificate of the agent named there"
    )]
    NoAnchor {
        /// The agent.
        agent: AgentName,
        /// The site.
        site: SiteName,
        /// What it offered.
        names: String,
    },
    /// The node replays a recording and the agent does not.
    #[error("this node runs on a recording's clock and serves replaying agents only")]
    Clock,
    /// No worker owns the site.
    #[error(
        "this node does not serve site \"{0}\"; add a [[site]] to its configuration or connect elsewhere"
    )]
    Site(SiteName),
}

/// Checks what a hello promises apart from its radios.
pub(crate) fn check_hello(hello: &Hello, recording: bool) -> Result<(), Refusal> {
    if hello.version != wire::batch::BATCH_VERSION {
        return Err(Refusal::Version(hello.version));
    }
    if hello.radios.is_empty() || hello.radios.len() > RADIOS_MAX {
        return Err(Refusal::Radios(hello.radios.len()));
    }
    if recording && hello.clock != Clock::Recording {
        return Err(Refusal::Clock);
    }
    Ok(())
}

/// For each of the agent's radios its index in the site, if it is an anchor that this agent serves.
pub(crate) fn match_radios(site: &Site, agent: &AgentName, hello: &Hello) -> Vec<Option<u16>> {
    hello
        .radios
        .iter()
        .map(|radio| match_radio(site, agent, radio))
        .collect()
}

fn match_radio(site: &Site, agent: &AgentName, radio: &RadioHello) -> Option<u16> {
    let band = Band::parse(&radio.band)?;
    let anchor = site
        .anchors
        .iter()
        .find(|anchor| anchor.id == radio.ap.as_str() && anchor.agent == agent.as_str())?;
    anchor
        .radios
        .iter()
        .find(|r| r.band == band)
        .map(|r| r.index.0)
        .filter(|index| usize::from(*index) < RADIOS_PER_SITE_MAX)
}

/// The radios that are nobody's anchor, as `ap/band`.
pub(crate) fn unknown_radios(hello: &Hello, radios: &[Option<u16>]) -> Vec<String> {
    hello
        .radios
        .iter()
        .zip(radios)
        .filter(|(_, index)| index.is_none())
        .map(|(radio, _)| format!("{}/{}", radio.ap, radio.band))
        .collect()
}
