//! The node's configuration: one TOML file, unknown keys refused.

mod alerts;
mod listeners;
mod quoted;
mod relays;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::latest::CLIENTS_PER_SITE_MAX;

pub use alerts::{AlertsConfig, SecretText};
pub use listeners::{HttpConfig, MessagesConfig, StorePlace, TlsConfig};
pub(crate) use quoted::quoted;
pub use relays::RelaySection;

/// Most days for which an enrolled agent's certificate may be valid: it renews itself long before.
const AGENT_DAYS_MAX: u32 = 365;

/// What `trilobite serve --config` reads. Relative paths are relative to the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Folder for what must survive a restart: the stateless-reset key. Created when missing.
    pub state_dir: PathBuf,
    /// Folder in memory (tmpfs) for pseudonym keys, so that a restart of the process keeps clients
    /// recognisable. Without it the keys live and die with the process.
    #[serde(default)]
    pub runtime_dir: Option<PathBuf>,
    /// Worker threads, each with a UDP port of its own from `quic.listen` on.
    #[serde(default = "one")]
    pub workers: usize,
    /// Agents connect here.
    pub quic: QuicConfig,
    /// Certify agents here; off unless given.
    #[serde(default)]
    pub enrolment: Option<EnrolmentConfig>,
    /// People and programs look here.
    #[serde(default)]
    pub http: HttpConfig,
    /// Consumers of messages look here.
    #[serde(default)]
    pub messages: MessagesConfig,
    /// When something about messages counts as unusual, and whom to tell.
    #[serde(default)]
    pub alerts: AlertsConfig,
    /// Who sends messages on.
    #[serde(rename = "relay", default)]
    pub relays: Vec<RelaySection>,
    /// How fixes are made.
    #[serde(default)]
    pub locate: LocateConfig,
    /// How long a pseudonym lasts.
    #[serde(default)]
    pub pseudonyms: PseudonymConfig,
    /// Run on the clock of a recording instead of the node's.
    #[serde(default)]
    pub recording: Option<RecordingConfig>,
    /// The sites that the node serves.
    #[serde(rename = "site")]
    pub sites: Vec<SiteConfig>,
}

/// The QUIC listener and its certificates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuicConfig {
    /// Address of the first worker.
    #[serde(default = "quic_listen")]
    pub listen: SocketAddr,
    /// The authority that agents' certificates must come from.
    pub authority: PathBuf,
    /// The node's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a node needs to certify agents by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentConfig {
    /// The authority's private key. Whoever takes over this process can invent agents with it.
    pub authority_key: PathBuf,
    /// Days for which the certificates of agents are valid.
    #[serde(default = "certificate_days")]
    pub certificate_days: u32,
}

/// How fixes are made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocateConfig {
    /// Fixes per second and client.
    pub fix_hz: f64,
    /// Oldest sighting that takes part in a fix, in seconds.
    pub window_s: f32,
    /// Most clients of one site: observations of further ones are dropped as `clients`.
    pub clients_per_site_max: usize,
}

impl Default for LocateConfig {
    fn default() -> Self {
        let shard = ingest::ShardConfig::default();
        Self {
            fix_hz: shard.fix_hz,
            window_s: shard.window_s,
            clients_per_site_max: shard.clients_max,
        }
    }
}

/// How long a pseudonym lasts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PseudonymConfig {
    /// Hours until all clients of a site get new pseudonyms.
    pub period_h: f64,
    /// Hour of the day, in UTC, at which a period of 24 hours begins: put local night here.
    pub starts_at_utc_h: f64,
}

impl Default for PseudonymConfig {
    fn default() -> Self {
        Self {
            period_h: 24.0,
            starts_at_utc_h: 3.0,
        }
    }
}

/// Run on the clock of a recording.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingConfig {
    /// Agents that replay it: the clock starts when all have come.
    pub agents: usize,
}

/// A site that the node serves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// The site file.
    pub file: PathBuf,
    /// The calibration file; `<site file>.calibration.toml` beside it where it exists.
    #[serde(default)]
    pub calibration: Option<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no valid TOML, or has a key that the node does not know.
    #[error("configuration {path}: {what}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where and what.
        what: String,
    },
    /// A value is out of its range.
    #[error("configuration {path}, {key}: {what}")]
    Value {
        /// Which.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong and what to do.
        what: String,
    },
}

impl NodeConfig {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] tells file, key, what is wrong and what to do.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            what: quoted(&error, text),
        })?;
        config.check(path)?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key, what: String| {
            Err(ConfigError::Value {
                path: path.to_owned(),
                key,
                what,
            })
        };
        if !(1..=256).contains(&self.workers) {
            return wrong(
                "workers",
                format!("{} is not a number of threads; use 1 to 256", self.workers),
            );
        }
        if self.sites.is_empty() {
            return wrong("site", "no site; add [[site]] with file = \"...\"".into());
        }
        let checked = listeners::check(&self.http, &self.messages);
        if let Err((key, what)) = checked.and_then(|()| self.alerts.check()) {
            return wrong(key, what);
        }
        if let Err(what) = relays::check(&self.relays) {
            return wrong("relay", what);
        }
        if let Some(enrolment) = &self.enrolment
            && !(1..=AGENT_DAYS_MAX).contains(&enrolment.certificate_days)
        {
            return wrong(
                "enrolment.certificate_days",
                format!(
                    "{} is out of range; use 1 to {AGENT_DAYS_MAX}",
                    enrolment.certificate_days
                ),
            );
        }
        if !(self.locate.fix_hz.is_finite() && (0.01..=50.0).contains(&self.locate.fix_hz)) {
            return wrong(
                "locate.fix_hz",
                format!("{} is out of range; use 0.01 to 50", self.locate.fix_hz),
            );
        }
        if !(0.1..=60.0).contains(&self.locate.window_s) {
            return wrong(
                "locate.window_s",
                format!("{} is out of range; use 0.1 to 60", self.locate.window_s),
            );
        }
        let clients = self.locate.clients_per_site_max;
        if !(1..=CLIENTS_PER_SITE_MAX).contains(&clients) {
            return wrong(
                "locate.clients_per_site_max",
                format!("{clients} is out of range; use 1 to {CLIENTS_PER_SITE_MAX}"),
            );
        }
        if !(0.25..=24.0).contains(&self.pseudonyms.period_h) {
            return wrong(
                "pseudonyms.period_h",
                format!(
                    "{} is out of range; use 0.25 to 24",
                    self.pseudonyms.period_h
                ),
            );
        }
        if !(0.0..24.0).contains(&self.pseudonyms.starts_at_utc_h) {
            return wrong(
                "pseudonyms.starts_at_utc_h",
                format!(
                    "{} is no hour of the day; use 0 to below 24",
                    self.pseudonyms.starts_at_utc_h
                ),
            );
        }
        if self.recording.is_some() && self.workers != 1 {
            return wrong(
                "workers",
                "a recording has one clock, so one worker replays it; use 1".into(),
            );
        }
        if self
            .recording
            .is_some_and(|recording| recording.agents == 0)
        {
            return wrong(
                "recording.agents",
                "0 agents never replay anything; use 1 or more".into(),
            );
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        listeners::resolve(&mut self.http, &mut self.messages, folder);
        self.alerts.resolve(folder);
        for relay in &mut self.relays {
            relay.resolve(folder);
        }
        let paths = [
            &mut self.state_dir,
            &mut self.quic.authority,
            &mut self.quic.certificate,
            &mut self.quic.key,
        ];
        let sites = self
            .sites
            .iter_mut()
            .flat_map(|site| std::iter::once(&mut site.file).chain(site.calibration.as_mut()));
        for path in paths
            .into_iter()
            .chain(self.runtime_dir.as_mut())
            .chain(self.enrolment.as_mut().map(|e| &mut e.authority_key))
            .chain(sites)
        {
            *path = folder.join(&*path);
        }
    }
}

fn certificate_days() -> u32 {
    link::authority::CERTIFICATE_DAYS
}

fn one() -> usize {
    1
}

fn quic_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 4433)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../node.example.toml");

    fn parse(text: &str) -> Result<NodeConfig, ConfigError> {
        NodeConfig::parse(text, Path::new("etc/node.toml"))
    }

    #[test]
    fn the_example_is_valid_and_paths_follow_the_file() {
        let config = parse(EXAMPLE).unwrap();
        assert_eq!(config.quic.listen.port(), 4433);
        assert!(config.sites[0].file.starts_with("etc"));
    }

    #[test]
    fn mistakes_tell_the_key_and_what_to_do() {
        let cases = [
            ("workers = 1", "workers = 0", "workers: 0 is not"),
            ("workers = 1", "wrokers = 1", "wrokers"),
            ("127.0.0.1:8080", "0.0.0.0:8080", "add [http.tls]"),
            ("127.0.0.1:8081", "0.0.0.0:8081", "add [messages.tls]"),
            (
                "# hosts = [\"map.example.org\"]",
                "hosts = [\"https://map.example.org/\"]",
                "http.hosts: \"https://map.example.org/\" is no host",
            ),
            (
                "# hosts = [\"map.example.org\"]",
                "hosts = [\"map.example.org:443\"]",
                "without port",
            ),
            (
                "# [enrolment]\n# authority_key = \"pki/ca.key\"\n# certificate_days = 7",
                "[enrolment]\nauthority_key = \"pki/ca.key\"\ncertificate_days = 366",
                "enrolment.certificate_days: 366 is out of range",
            ),
            ("fix_hz = 1.0", "fix_hz = nan", "locate.fix_hz"),
            (
                "clients_per_site_max = 4000000",
                "clients_per_site_max = 4000001",
                "use 1 to 4000000",
            ),
            ("period_h = 24.0", "period_h = 48.0", "use 0.25 to 24"),
            (
                "[alerts]",
                "[alerts]\nwebhook_secret = 123456",
                "is not shown",
            ),
            (
                "[alerts]",
                "[alerts]\nwebhook_secret = \"123456",
                "is not shown",
            ),
        ];
        for (from, to, expected) in cases {
            assert!(EXAMPLE.contains(from), "{from}");
            let error = parse(&EXAMPLE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
            assert!(error.contains("node.toml"), "{error}");
            assert!(!error.contains("123456"), "{error}");
        }
    }
}
