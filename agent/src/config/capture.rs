//! `kind = "pcap"`: a Wi-Fi capture.

use std::error::Error;
use std::path::PathBuf;

use serde::Deserialize;
use wire::AgentName;

use super::sources::{Around, Plan, SpeedText, addresses, keys, needs_radios};
use super::tree::{Table, TreeError};
use crate::source::Source;
use crate::source::pcap::{CaptureOptions, PcapSource};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    path: PathBuf,
    speed: Option<SpeedText>,
    #[serde(default)]
    access_points: Vec<String>,
}

struct Capture {
    path: PathBuf,
    options: CaptureOptions,
}

pub(super) fn plan(table: Table, around: &Around<'_>) -> Result<Box<dyn Plan>, TreeError> {
    let keys: Keys = keys("pcap", table)?;
    needs_radios("pcap", around)?;
    Ok(Box::new(Capture {
        path: around.folder.join(keys.path),
        options: CaptureOptions {
            radios: around.radios.to_vec(),
            access_points: addresses("pcap", &keys.access_points, around)?,
            pace: SpeedText::pace(keys.speed.as_ref())?,
        },
    }))
}

impl Plan for Capture {
    fn open(&self, _own: &AgentName) -> Result<Box<dyn Source>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(PcapSource::open(
            &self.path,
            self.options.clone(),
        )?))
    }
}
