//! `kind = "synthetic"`: a simulated world in the site of a site file.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use sim::WorldConfig;
use site::Site;
use wire::AgentName;

use super::sources::{Around, Plan, keys};
use super::tree::{Table, TreeError};
use crate::source::Source;
use crate::source::synthetic::{SyntheticOptions, SyntheticSource};

/// Mean seconds between two beacons of a radio, where the file does not say: a site learns what its
/// access points hear of each other within a minute, for a hundredth of the traffic.
const BEACON_EVERY_S: f64 = 10.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    site: PathBuf,
    agent: Option<AgentName>,
    seed: Option<u64>,
    clients: Option<usize>,
    transmissions_per_second: Option<f64>,
    beacon_every_s: Option<f64>,
    associated: Option<bool>,
}

struct Synthetic {
    site: PathBuf,
    agent: Option<AgentName>,
    world: WorldConfig,
    associated: bool,
}

/// Why a site file cannot be used.
#[derive(Debug, thiserror::Error)]
enum SiteError {
    #[error("site file {path}: it cannot be read; check the path")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("site file {path}: {problems}")]
    Problems { path: String, problems: String },
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("synthetic", table)?;
    let mut world = WorldConfig::default();
    world.seed = keys.seed.unwrap_or(world.seed);
    world.clients = keys.clients.unwrap_or(world.clients);
    if let Some(rate) = keys.transmissions_per_second {
        if !rate.is_finite() || rate < 0.0 {
            return Err("source synthetic: transmissions_per_second is a number, 0 or more".into());
        }
        world.transmissions_per_second = rate;
    }
    let beacon_every_s = keys.beacon_every_s.unwrap_or(BEACON_EVERY_S);
    world.beacon_every = match beacon_every_s {
        0.0 => None,
        every_s if (0.1..=3_600.0).contains(&every_s) => Some(Duration::from_secs_f64(every_s)),
        _ => return Err("source synthetic: beacon_every_s is 0 or from 0.1 to 3600".into()),
    };
    Ok(Box::new(Synthetic {
        site: around.folder.join(keys.site),
        agent: keys.agent,
        world,
        associated: keys.associated.unwrap_or(true),
    }))
}

impl Plan for Synthetic {
    fn open(&self, own: &AgentName) -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>> {
        let path = || self.site.display().to_string();
        let text = std::fs::read_to_string(&self.site).map_err(|source| SiteError::Read {
            path: path(),
            source,
        })?;
        let site = Site::parse(&text).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            SiteError::Problems {
                path: path(),
                problems: problems.join("; "),
            }
        })?;
        let agent = self.agent.as_ref().unwrap_or(own).clone();
        let mut options = SyntheticOptions::new(agent, self.world.clone());
        options.associated = self.associated;
        Ok(Box::new(SyntheticSource::new(site, options)?))
    }
}
