//! What a node reads: its configuration, sites and certificates, written into a folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use link::authority::{AuthorityDir, Existing};
use serde::Serialize;

use crate::limits::CERTIFICATE_DAYS;

/// A site for a node.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteFiles {
    /// Id of the site.
    pub id: String,
    /// Text of the site file.
    pub site: String,
    /// Text of the calibration file, if there is one.
    pub calibration: Option<String>,
}

/// How a node serves a run.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeFiles {
    /// The sites.
    pub sites: Vec<SiteFiles>,
    /// Worker threads.
    pub workers: usize,
    /// Fixes per second and client.
    pub fix_hz: f64,
    /// Oldest sighting that takes part in a fix, in seconds; the node's own default where `None`.
    pub window_s: Option<f64>,
    /// Run on the clock of so many replaying agents.
    pub recording_agents: Option<usize>,
}

/// Where a node listens.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// Agents.
    pub quic: SocketAddr,
    /// Readers.
    pub http: SocketAddr,
}

impl Listen {
    /// Any free ports of this machine, for a node that tells which it got.
    pub fn anywhere() -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            quic: free,
            http: free,
        }
    }

    /// The usual ports, for a node that others reach.
    pub fn usual() -> Self {
        Self {
            quic: ([0, 0, 0, 0], 4433).into(),
            http: ([127, 0, 0, 1], 8080).into(),
        }
    }
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The configuration file.
    pub config: PathBuf,
    /// The authority that the node trusts.
    pub authority: AuthorityDir,
}

impl NodeFiles {
    /// Writes everything that the node needs into `dir`, a new authority included.
    ///
    /// # Errors
    /// When files cannot be written, or an authority is in the way.
    pub fn write(&self, dir: &Path, listen: Listen) -> anyhow::Result<Written> {
        let authority = AuthorityDir::create(&dir.join("pki"))?;
        let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        authority.issue_node(&names, CERTIFICATE_DAYS, Existing::Keep)?;
        for site in &self.sites {
            write(&dir.join(format!("{}.toml", site.id)), &site.site)?;
            if let Some(calibration) = &site.calibration {
                write(
                    &dir.join(format!("{}.calibration.toml", site.id)),
                    calibration,
                )?;
            }
        }
        let config = dir.join("node.toml");
        let text = toml::to_string(&self.config(listen)).context("cannot spell node.toml")?;
        write(&config, &text)?;
        Ok(Written { config, authority })
    }

    fn config(&self, listen: Listen) -> Config {
        Config {
            state_dir: "state",
            workers: self.workers,
            quic: Quic {
                listen: listen.quic,
                authority: "pki/ca.pem",
                certificate: "pki/node.pem",
                key: "pki/node.key",
            },
            http: Http {
                listen: listen.http,
            },
            // Nodes of several runs stand beside each other; nobody polls them.
            messages: Http {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            },
            locate: Locate {
                fix_hz: self.fix_hz,
                window_s: self.window_s,
            },
            recording: self.recording_agents.map(|agents| Recording { agents }),
            site: self
                .sites
                .iter()
                .map(|site| Site {
                    file: format!("{}.toml", site.id),
                })
                .collect(),
        }
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// `node.toml`, as far as a run sets it.
#[derive(Serialize)]
struct Config {
    state_dir: &'static str,
    workers: usize,
    quic: Quic,
    http: Http,
    messages: Http,
    locate: Locate,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    site: Vec<Site>,
}

#[derive(Serialize)]
struct Quic {
    listen: SocketAddr,
    authority: &'static str,
    certificate: &'static str,
    key: &'static str,
}

#[derive(Serialize)]
struct Http {
    listen: SocketAddr,
}

#[derive(Serialize)]
struct Locate {
    fix_hz: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_s: Option<f64>,
}

#[derive(Serialize)]
struct Recording {
    agents: usize,
}

#[derive(Serialize)]
struct Site {
    file: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_has_all_that_node_toml_names() {
        let dir = tempfile::tempdir().unwrap();
        let files = NodeFiles {
            sites: vec![SiteFiles {
                id: "hall".into(),
                site: "site = \"hall\"\n".into(),
                calibration: Some("site = \"hall\"\n".into()),
            }],
            workers: 2,
            fix_hz: 12.5,
            window_s: Some(0.1),
            recording_agents: Some(3),
        };
        let written = files.write(dir.path(), Listen::anywhere()).unwrap();
        let text = std::fs::read_to_string(written.config).unwrap();
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["recording"]["agents"].as_integer(), Some(3));
        assert_eq!(config["locate"]["fix_hz"].as_float(), Some(12.5));
        let quic = config["quic"].as_table().unwrap();
        for key in ["authority", "certificate", "key"] {
            assert!(
                dir.path().join(quic[key].as_str().unwrap()).exists(),
                "{key}"
            );
        }
        let site = config["site"][0]["file"].as_str().unwrap();
        assert!(dir.path().join(site).exists());
        assert!(dir.path().join("hall.calibration.toml").exists());
    }
}
