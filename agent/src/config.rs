//! The file `agent.toml`, or the same keys in OpenWrt's UCI: read whole, checked whole, every
//! unknown key refused.
//!
//! `agent.example.toml` beside the crate explains each key. Both forms are read into one tree
//! (`tree`), and the structs here take what they know from it. In UCI a table is a section of
//! that type, an array of tables several of them, and the keys outside of tables stand in the
//! section `agent`.

mod behaviour;
#[cfg(feature = "ble")]
mod ble;
#[cfg(feature = "pcap")]
mod capture;
mod change;
mod error;
pub(crate) mod hint;
#[cfg(feature = "hostapd")]
mod hostapd;
#[cfg(feature = "monitor")]
mod monitor;
#[cfg(feature = "nl80211")]
mod nl80211;
mod privacy;
#[cfg(feature = "replay")]
mod replay;
mod sources;
#[cfg(feature = "synthetic")]
mod synthetic;
#[cfg(all(
    test,
    feature = "pcap",
    feature = "replay",
    feature = "synthetic",
    feature = "monitor",
    feature = "nl80211",
    feature = "hostapd",
    feature = "ubus",
    feature = "ble"
))]
mod tests;
mod tree;
#[cfg(feature = "ubus")]
mod ubus;
pub mod uci;

use std::path::{Path, PathBuf};
use std::time::Duration;

use link::AgentCredentials;
use serde::Deserialize;
use wire::frame::RadioHello;
use wire::{AgentName, ApName};

use crate::batcher::BatcherLimits;
use crate::limits;
use crate::renewal::{self, Renewal};
use crate::run::AgentConfig;
use crate::source::Source;
use error::Place;
use tree::{Spanned, Table};

pub use error::ConfigError;

/// Bands that a radio may have.
const BANDS: [&str; 5] = ["2.4", "5", "6", "ble", "uwb"];

/// What a configuration file says, checked; no file that it names has been opened yet.
#[derive(Debug)]
pub struct FileConfig {
    /// The agent's settings.
    pub agent: AgentConfig,
    /// The radios that hear, where a source does not bring its own.
    pub radios: Vec<RadioHello>,
    /// The most memory that the process may take.
    pub memory_mib: Option<u32>,
    /// Where the agent answers who asks for its status.
    pub status_socket: Option<PathBuf>,
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    sources: sources::Plans,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    nodes: Spanned<Vec<String>>,
    server_name: Option<String>,
    identity: IdentityText,
    #[serde(default)]
    radio: Vec<Spanned<RadioText>>,
    #[serde(default)]
    batching: Option<Spanned<BatchingText>>,
    coalesce: Option<Spanned<behaviour::CoalesceText>>,
    limits: Option<Spanned<behaviour::LimitsText>>,
    status: Option<Spanned<behaviour::StatusText>>,
    #[serde(default)]
    privacy: Option<Spanned<privacy::PrivacyText>>,
    #[serde(default)]
    access_point: Vec<Spanned<privacy::AccessPointText>>,
    /// Taken out beforehand: which keys a source has depends on its kind.
    #[serde(default, rename = "source")]
    _source: Vec<Taken>,
}

/// Nothing.
#[derive(Deserialize)]
struct Taken {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityText {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RadioText {
    ap: ApName,
    band: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchingText {
    hold_ms: Option<u32>,
    age_max_ms: Option<u32>,
    queue_observations_max: Option<usize>,
    burst_datagrams: Option<usize>,
    short_ids: Option<bool>,
}

impl FileConfig {
    /// Reads and checks a file. Paths in it are relative to its own folder.
    ///
    /// # Errors
    /// [`ConfigError`] with the file, the line, what is wrong and what to do about it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Checks the text of a file that stands, or would stand, at `path`: TOML, or UCI if it begins
    /// with one of its words.
    ///
    /// # Errors
    /// As [`FileConfig::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let place = Place { path, text };
        let whole = 0..text.len();
        let tree = if uci::is_uci(text) {
            uci::parse(text)
                .map_err(Into::into)
                .and_then(Table::from_uci)
        } else {
            Table::from_toml(text)
        };
        let mut tree = tree.map_err(|error| place.tree_error(error, &whole))?;
        let sources = tree.remove("source");
        let file: FileText = tree
            .read()
            .map_err(|error| place.tree_error(error, &whole))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let radios = radios(&place, &file.radio)?;
        let mut agent = AgentConfig::new(nodes(&place, &file.nodes)?);
        agent.server_name = file.server_name;
        if let Some(batching) = &file.batching {
            agent.batcher = batching_limits(&place, batching)?;
            agent.short_ids = batching.get_ref().short_ids.unwrap_or(agent.short_ids);
        }
        if let Some(coalesce) = &file.coalesce {
            agent.coalesce = behaviour::coalesce(&place, coalesce)?;
        }
        let mut memory_mib = None;
        if let Some(limits) = &file.limits {
            (agent.cpu_percent, memory_mib) = behaviour::limits(&place, limits)?;
        }
        agent.privacy = privacy::rules(&place, file.privacy.as_ref(), &file.access_point)?;
        let sources = sources::Plans::parse(&place, folder, &radios, &agent.privacy, sources)?;
        Ok(Self {
            agent,
            authority: folder.join(file.identity.authority),
            certificate: folder.join(file.identity.certificate),
            key: folder.join(file.identity.key),
            radios,
            memory_mib,
            status_socket: file
                .status
                .as_ref()
                .map(|table| behaviour::status(folder, table)),
            sources,
        })
    }

    /// Reads the certificates and the key that the file names.
    ///
    /// # Errors
    /// [`link::CredentialError`], which names the file that is unfit.
    pub fn credentials(&self) -> Result<AgentCredentials, link::CredentialError> {
        AgentCredentials::from_files(&self.authority, &self.certificate, &self.key)
    }

    /// What renews the certificate that the file names; `None` if its key is of another make.
    ///
    /// # Errors
    /// [`ConfigError::Identity`], which names the file that cannot be read.
    pub fn renewal(&self, credentials: &AgentCredentials) -> Result<Option<Renewal>, ConfigError> {
        let (certificate, key) = (&self.certificate, &self.key);
        renewal::from_files(credentials, &self.authority, certificate, key)
    }

    /// Opens the sources that the file names, for the agent with this name.
    ///
    /// # Errors
    /// [`ConfigError`] when one of them cannot be opened.
    pub fn open_sources(&self, own: &AgentName) -> Result<Vec<Box<dyn Source>>, ConfigError> {
        self.sources.open(own)
    }
}

fn nodes(
    place: &Place<'_>,
    nodes: &Spanned<Vec<String>>,
) -> Result<Vec<crate::route::NodeAddress>, ConfigError> {
    let at = nodes.span();
    if nodes.get_ref().is_empty() {
        return Err(place.problem(
            at,
            "nodes is empty; name at least one, such as \"node:4433\"",
        ));
    }
    let parse = |text: &String| {
        text.parse()
            .map_err(|error| place.problem(at.clone(), error))
    };
    nodes.get_ref().iter().map(parse).collect()
}

fn radios(
    place: &Place<'_>,
    radios: &[Spanned<RadioText>],
) -> Result<Vec<RadioHello>, ConfigError> {
    let mut checked: Vec<RadioHello> = Vec::with_capacity(radios.len());
    for radio in radios {
        let RadioText { ap, band } = radio.get_ref();
        if !BANDS.contains(&band.as_str()) {
            let bands = BANDS.join("\", \"");
            let what = format!("unknown band {band:?}; use one of \"{bands}\"");
            return Err(place.problem(radio.span(), what));
        }
        let radio_hello = RadioHello {
            ap: ap.clone(),
            band: band.clone(),
        };
        if checked.contains(&radio_hello) {
            let what = format!("AP {ap} has two radios on band {band}; keep one of them");
            return Err(place.problem(radio.span(), what));
        }
        checked.push(radio_hello);
    }
    Ok(checked)
}

fn batching_limits(
    place: &Place<'_>,
    batching: &Spanned<BatchingText>,
) -> Result<BatcherLimits, ConfigError> {
    let text = batching.get_ref();
    let mut limits = BatcherLimits::default();
    if let Some(ms) = text.hold_ms {
        limits.hold = Duration::from_millis(ms.into());
    }
    if let Some(ms) = text.age_max_ms {
        limits.age_max = Duration::from_millis(ms.into());
    }
    limits.queue_observations_max = text
        .queue_observations_max
        .unwrap_or(limits.queue_observations_max);
    limits.burst_batches_max = text.burst_datagrams.unwrap_or(limits.burst_batches_max);
    let problem = |what: String| Err(place.problem(batching.span(), what));
    if limits.hold >= limits.age_max {
        return problem("hold_ms must be below age_max_ms, or nothing would be sent".to_owned());
    }
    if !(1..=limits::QUEUE_OBSERVATIONS_MAX).contains(&limits.queue_observations_max) {
        let max = limits::QUEUE_OBSERVATIONS_MAX;
        return problem(format!("queue_observations_max must be from 1 to {max}"));
    }
    if !(1..=limits::BURST_BATCHES_MAX).contains(&limits.burst_batches_max) {
        let max = limits::BURST_BATCHES_MAX;
        return problem(format!("burst_datagrams must be from 1 to {max}"));
    }
    Ok(limits)
}
