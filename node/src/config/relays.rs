//! `[[relay]]`: who sends messages on, to a broker or a webhook.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use outbox::relay::{Credentials, RelayConfig, RelayKind, Wanted};
use serde::Deserialize;

/// One relay, as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaySection {
    /// Its name, for `outbox replay --to-transport` and metrics.
    pub name: String,
    /// `nats`, `mqtt`, `amqp` or `webhook`.
    pub kind: String,
    /// Where the receiver is.
    pub url: String,
    /// File with `user:password`, a token, or a webhook's secret.
    #[serde(default)]
    pub credentials: Option<PathBuf>,
    /// Certificates in PEM of the authorities that vouch for the receiver.
    #[serde(default)]
    pub authority: Option<PathBuf>,
    /// Speak without TLS to another machine.
    #[serde(default)]
    pub plain: bool,
    /// First word of subjects, topics and routing keys; the exchange of AMQP.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The stream of NATS, or a queue of AMQP that gets everything.
    #[serde(default)]
    pub keep_in: Option<String>,
    /// Types; empty: all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Sites; empty: all.
    #[serde(default)]
    pub sites: Vec<String>,
}

impl RelaySection {
    /// The relay, with its files read.
    ///
    /// # Errors
    /// Tells which file or setting cannot be used.
    pub fn config(&self) -> anyhow::Result<RelayConfig> {
        let mut config = self
            .bare()
            .map_err(|what| anyhow::anyhow!("[[relay]] {what}"))?;
        let read = |path: &PathBuf| {
            let name = &self.name;
            std::fs::read(path)
                .with_context(|| format!("relay {name}: {} cannot be read", path.display()))
        };
        if let Some(path) = &self.credentials {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            let credentials = Credentials::new(&text);
            config.credentials = Some(credentials.with_context(|| path.display().to_string())?);
        }
        if let Some(path) = &self.authority {
            config.authorities_pem = read(path)?;
        }
        Ok(config)
    }

    /// The relay without what files say.
    fn bare(&self) -> Result<RelayConfig, String> {
        let kind: RelayKind = self.kind.parse()?;
        let mut kinds = Vec::new();
        for text in &self.types {
            kinds.push(
                text.parse()
                    .map_err(|error| format!("types, {text:?}: {error}"))?,
            );
        }
        for site in &self.sites {
            if site.is_empty() || site.contains('/') {
                return Err(format!("sites, {site:?} is no site's id"));
            }
        }
        let under = |site: &String| format!("/api/v1/sites/{site}");
        let config = RelayConfig {
            plain: self.plain,
            prefix: self.prefix.clone(),
            keep_in: self.keep_in.clone(),
            wanted: Wanted {
                kinds,
                resources: self.sites.iter().map(under).collect(),
            },
            ..RelayConfig::new(&self.name, kind, &self.url)
        };
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    /// Paths relative to the configuration's folder become whole.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.credentials, &mut self.authority]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
    }
}

/// Checks all that can be checked without their files.
pub(super) fn check(relays: &[RelaySection]) -> Result<(), String> {
    for (n, relay) in relays.iter().enumerate() {
        let name = &relay.name;
        relay.bare().map_err(|what| format!("{name}: {what}"))?;
        if relays[..n].iter().any(|other| other.name == *name) {
            return Err(format!(
                "two relays are named {name}; give one another name"
            ));
        }
    }
    Ok(())
}

fn prefix() -> String {
    "trilobite".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Vec<RelaySection>, String> {
        #[derive(Deserialize)]
        struct All {
            relay: Vec<RelaySection>,
        }
        let all: All = toml::from_str(text).map_err(|error| error.to_string())?;
        check(&all.relay)?;
        Ok(all.relay)
    }

    #[test]
    fn a_relay_chooses_types_and_sites() {
        let text = "[[relay]]\nname = \"hub\"\nkind = \"nats\"\nurl = \"nats://127.0.0.1\"\n\
                    types = [\"zone.*\"]\nsites = [\"hq\"]";
        let config = checked(text).unwrap()[0].config().unwrap();
        assert_eq!(config.wanted.resources, ["/api/v1/sites/hq"]);
        assert_eq!(config.prefix, "trilobite");
        let twice = checked(&format!("{text}\n{text}"));
        assert!(twice.unwrap_err().contains("two relays are named hub"));
    }

    #[test]
    fn mistakes_tell_what_to_do() {
        let good = "[[relay]]\nname = \"hub\"\nkind = \"nats\"\nurl = \"nats://127.0.0.1\"\n";
        for (from, to, expected) in [
            ("\"nats\"", "\"kafka\"", "use nats, mqtt, amqp or webhook"),
            ("\"hub\"", "\"Hub\"", "names are of a-z"),
            ("url", "types = [\"Zone\"]\nurl", "types, \"Zone\""),
            ("url", "sites = [\"a/b\"]\nurl", "is no site's id"),
            ("url", "prefix = \"a.>\"\nurl", "prefix"),
            ("url", "keep_in = \"a b\"\nurl", "stream or queue"),
            ("url", "password = \"x\"\nurl", "password"),
        ] {
            let error = checked(&good.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
