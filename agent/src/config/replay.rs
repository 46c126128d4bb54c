//! `kind = "replay"`: a recording of a node, or a folder with a data set.

use std::error::Error;
use std::path::PathBuf;

use serde::Deserialize;
use wire::AgentName;

use super::sources::{Around, Plan, SpeedText, keys};
use super::tree::{Table, TreeError};
use crate::source::Source;
use crate::source::pace::Pace;
use crate::source::replay::dataset::{Dataset, Identity, TimelineOptions};
use crate::source::replay::{Replay, ReplaySource, recording};

/// Time between two walks or places of a data set, in seconds: longer than any window of a node.
const PAUSE_S: f64 = 10.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    path: PathBuf,
    agent: Option<AgentName>,
    speed: Option<SpeedText>,
}

struct Replayed {
    path: PathBuf,
    agent: Option<AgentName>,
    pace: Pace,
}

/// Why a recording is not played, although it can be read.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error("recording {path}: {wanted} is not in it; its agents are: {present}")]
    NoSuchAgent {
        path: String,
        wanted: AgentName,
        present: String,
    },
    #[error(
        "recording {path}: several agents are in it; choose one with agent = \"...\": {present}"
    )]
    SeveralAgents { path: String, present: String },
    #[error("recording {path}: there is nothing in it")]
    Empty { path: String },
    #[error("data set {path}: it has {radios} radios; an agent has at most {max}",
        max = wire::limits::RADIOS_MAX)]
    TooManyRadios { path: String, radios: usize },
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let Keys { path, agent, speed } = keys("replay", table)?;
    let pace = SpeedText::pace(speed.as_ref())?;
    Ok(Box::new(Replayed {
        path: around.folder.join(path),
        agent,
        pace,
    }))
}

impl Plan for Replayed {
    fn open(&self, own: &AgentName) -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>> {
        let replay = if self.path.is_dir() {
            self.dataset()?
        } else {
            self.recording(own)?
        };
        Ok(Box::new(ReplaySource::new(replay, self.pace, None)))
    }
}

impl Replayed {
    fn dataset(&self) -> Result<Replay, Box<dyn Error + Send + Sync>> {
        let dataset = Dataset::load(&self.path)?;
        let radios = dataset.anchors.len();
        if radios > wire::limits::RADIOS_MAX {
            let path = self.path.display().to_string();
            return Err(ReplayError::TooManyRadios { path, radios }.into());
        }
        let timeline = dataset.timeline(&TimelineOptions {
            split: None,
            identity: Identity::Segment,
            pause_s: PAUSE_S,
            begin_us: 0,
        });
        Ok(dataset.replay(&timeline, &(0..radios).collect::<Vec<_>>()))
    }

    fn recording(&self, own: &AgentName) -> Result<Replay, Box<dyn Error + Send + Sync>> {
        let mut agents = recording::load(&self.path, None)?;
        let path = self.path.display().to_string();
        let present = agents
            .keys()
            .map(AgentName::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let own = agents.contains_key(own).then_some(own);
        match self.agent.as_ref().or(own) {
            Some(wanted) => agents.remove(wanted).ok_or_else(|| {
                ReplayError::NoSuchAgent {
                    path,
                    wanted: wanted.clone(),
                    present,
                }
                .into()
            }),
            None if agents.len() > 1 => Err(ReplayError::SeveralAgents { path, present }.into()),
            None => agents
                .into_values()
                .next()
                .ok_or_else(|| ReplayError::Empty { path }.into()),
        }
    }
}
