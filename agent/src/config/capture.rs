//! `kind = "pcap"`: a Wi-Fi capture.

use std::error::Error;
use std::path::PathBuf;

use serde::Deserialize;
use wire::AgentName;

use super::sources::{Around, Plan, SpeedText, keys};
use crate::address::Address;
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

pub(super) fn plan(table: toml::Table, around: &Around<'_>) -> Result<Box<dyn Plan>, String> {
    let keys: Keys = keys("pcap", table)?;
    if around.radios.is_empty() {
        return Err(
            "source pcap: nothing says which radio heard the capture; add a [[radio]] with \
                    its AP and band"
                .to_owned(),
        );
    }
    let address = |text: &String| {
        text.parse::<Address>()
            .map_err(|error| format!("source pcap, access_points: {error}"))
    };
    Ok(Box::new(Capture {
        path: around.folder.join(keys.path),
        options: CaptureOptions {
            radios: around.radios.to_vec(),
            access_points: keys
                .access_points
                .iter()
                .map(address)
                .collect::<Result<_, _>>()?,
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
