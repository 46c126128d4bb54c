//! Which store a command is for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use outbox::{Place, StoreConfig};
use serde::Deserialize;

use crate::config::quoted;

/// Which store of messages.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct StorePlace {
    /// The node's configuration, which says where its store is
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The store itself: a file of SQLite, or postgres://user@host/database
    #[arg(
        long,
        value_name = "STORE",
        env = "TRILOBITE_STORE",
        hide_env_values = true
    )]
    pub store: Option<Place>,
}

/// What a node's configuration says of its store; all else in it is another's.
#[derive(Debug, Deserialize)]
struct NodeFile {
    #[serde(default = "state_dir")]
    state_dir: PathBuf,
    #[serde(default)]
    messages: Messages,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Messages {
    store: String,
    retention_days: u32,
    headroom_mib: Option<u64>,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            store: "outbox.sqlite".to_owned(),
            retention_days: 5,
            headroom_mib: None,
        }
    }
}

fn state_dir() -> PathBuf {
    "state".into()
}

impl StorePlace {
    /// Where the store is and how it is kept.
    ///
    /// # Errors
    /// A configuration that cannot be read.
    pub fn config(&self) -> anyhow::Result<StoreConfig> {
        match (&self.config, &self.store) {
            (Some(file), _) => from_node_file(file),
            (None, Some(place)) => Ok(StoreConfig::new(place.clone())),
            (None, None) => anyhow::bail!("no store: give --config or --store"),
        }
    }
}

fn from_node_file(file: &Path) -> anyhow::Result<StoreConfig> {
    let name = || format!("configuration {}", file.display());
    let text = std::fs::read_to_string(file).with_context(name)?;
    let node: NodeFile = toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{}", quoted(&error, &text)))
        .with_context(name)?;
    let place = match node.messages.store.parse() {
        Ok(Place::Sqlite(path)) => {
            let beside = file.parent().unwrap_or(Path::new(""));
            Place::Sqlite(beside.join(node.state_dir).join(path))
        }
        Ok(postgres) => postgres,
        Err(never) => match never {},
    };
    let mut config = StoreConfig::new(place);
    config.retention = Duration::from_secs(u64::from(node.messages.retention_days) * 86_400);
    if let Some(mib) = node.messages.headroom_mib {
        config.headroom_bytes = mib.saturating_mul(1 << 20);
    }
    config.validate().with_context(name)?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_configuration_says_where_its_store_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        let config = |text: &str| {
            std::fs::write(&file, text).unwrap();
            StorePlace {
                config: Some(file.clone()),
                store: None,
            }
            .config()
        };
        let plain = config("").unwrap();
        assert_eq!(
            plain.place,
            Place::Sqlite(folder.path().join("state/outbox.sqlite"))
        );
        let other =
            config("state_dir = \"/s\"\n[messages]\nstore = \"m.db\"\nretention_days = 9\n");
        let other = other.unwrap();
        assert_eq!(other.place, Place::Sqlite("/s/m.db".into()));
        assert_eq!(other.retention, Duration::from_secs(9 * 86_400));
        let server = config("[messages]\nstore = \"postgres://a@b/c\"\n").unwrap();
        assert!(matches!(server.place, Place::Postgres(_)));
        assert!(config("[messages]\nretention_days = 0\n").is_err());
        let broken = config("[messages]\nstore = \"postgres://a:secret@b/c\nx = 1\n").unwrap_err();
        assert!(!format!("{broken:#}").contains("secret@"), "{broken:#}");
    }
}
