//! The core of `trilobite-agent privacy`: what of a capture would leave this device, and what not.
//!
//! The capture goes through the same listener and the same privacy stage as in a run. Nothing is
//! sent. Pseudonyms are made under a throw-away key, so that two outputs cannot be joined.

mod fields;

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;

use wire::ClientId;
use wire::frame::{Counted, PseudonymKey, RadioHello, SIGNAL_CLASSES_DBM};

use crate::capture::CaptureError;
use crate::limits::{DECODED_CLIENTS_MAX, DRAIN_OBSERVATIONS_MAX};
use crate::privacy::{self, Randomised, Rules, Stage};
use crate::source::pace::Pace;
use crate::source::pcap::{CaptureOptions, PcapSource};
use crate::source::{Drained, Source, SourceError, SourceHealth};

use fields::Fields;

/// Bands of the radio that is assumed where no configuration names any.
const BANDS: [&str; 3] = ["2.4", "5", "6"];

/// Why a preview could not be made, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviewError {
    /// The capture cannot be opened or is of no use.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The capture is damaged; what stands before was shown.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The output.
    #[error("the output cannot be written")]
    Write(#[from] io::Error),
    /// The system gave no random bytes for the throw-away key.
    #[error("no random bytes for a throw-away key: {0}")]
    Random(getrandom::Error),
}

/// Shows what of the capture in a file would leave under these rules, if these radios had heard it;
/// without radios, an AP with all Wi-Fi bands is assumed.
///
/// # Errors
/// [`PreviewError`]; what stands before a damaged record has been shown then.
pub fn preview_file(
    path: &Path,
    rules: Rules,
    radios: &[RadioHello],
    out: &mut dyn Write,
) -> Result<(), PreviewError> {
    let radios = match radios {
        [] => assumed_radios(),
        radios => radios.to_vec(),
    };
    let options = CaptureOptions {
        radios: radios.clone(),
        access_points: rules
            .access_points
            .iter()
            .map(|(address, _)| *address)
            .collect(),
        pace: Pace::AsFastAsPossible,
    };
    let mut source = PcapSource::open(path, options)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(PreviewError::Random)?;
    let mut preview = Preview::new(rules, &radios, PseudonymKey { period: 0, key });
    let ended = preview.listen(&mut source);
    preview.write(&source.health(), out)?;
    Ok(ended?)
}

fn assumed_radios() -> Vec<RadioHello> {
    let name = wire::ApName::new("this-ap").into_iter();
    let radio = |ap: wire::ApName| {
        BANDS.map(|band| RadioHello {
            ap: ap.clone(),
            band: band.to_owned(),
        })
    };
    name.flat_map(radio).collect()
}

/// What has been met so far.
struct Preview {
    stage: Stage,
    randomised: Randomised,
    fields: Fields,
    clients: HashSet<ClientId>,
    observations: u64,
    /// Sums over all intervals, and the number of the last one in them.
    devices: [u64; 4],
    frames: [u64; 4],
    intervals: u64,
    counted: Option<u32>,
}

impl Preview {
    fn new(rules: Rules, radios: &[RadioHello], key: PseudonymKey) -> Self {
        let randomised = rules.randomised;
        let mut stage = Stage::new(rules);
        stage.set_radios(radios);
        stage.set_key(&key);
        Self {
            stage,
            randomised,
            fields: Fields::new(radios),
            clients: HashSet::new(),
            observations: 0,
            devices: [0; 4],
            frames: [0; 4],
            intervals: 0,
            counted: None,
        }
    }

    fn listen(&mut self, source: &mut PcapSource) -> Result<(), SourceError> {
        let mut last_us = 0;
        let ended = loop {
            let drained = source.drain(0, DRAIN_OBSERVATIONS_MAX, &mut |heard| {
                last_us = heard.heard_at_us.max(last_us);
                let observation = self.stage.handle(heard);
                let counted = self.stage.counted(last_us);
                self.add_counted(counted);
                let Some(observation) = observation else {
                    return;
                };
                self.observations += 1;
                self.fields.add(&observation);
                if self.clients.len() < DECODED_CLIENTS_MAX {
                    self.clients.insert(observation.client);
                }
            });
            match drained {
                Ok(Drained::Finished) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        self.stage.close_counted(last_us);
        let counted = self.stage.counted(last_us);
        self.add_counted(counted);
        ended
    }

    fn add_counted(&mut self, counted: Option<Counted>) {
        let Some(counted) = counted.filter(|counted| self.counted != Some(counted.interval)) else {
            return;
        };
        self.counted = Some(counted.interval);
        self.intervals += 1;
        for (sum, more) in self.devices.iter_mut().zip(counted.devices) {
            *sum += u64::from(more);
        }
        for (sum, more) in self.frames.iter_mut().zip(counted.frames) {
            *sum += u64::from(more);
        }
    }

    fn write(&self, health: &SourceHealth, out: &mut dyn Write) -> io::Result<()> {
        let observations = self.observations;
        let clients = self.clients.len();
        writeln!(
            out,
            "{} frames; {observations} observations of {clients} clients would leave\n",
            health.frames
        )?;
        self.fields.write(out)?;
        self.write_counted(out)?;
        fields::write_what_stays(out)?;
        write_totals(health, &self.stage.counters(), out)?;
        if let Some(notice) = &health.notice {
            writeln!(out, "notice: {notice}")?;
        }
        Ok(())
    }

    fn write_counted(&self, out: &mut dyn Write) -> io::Result<()> {
        let only = self.stage.counters().randomised;
        match self.randomised {
            Randomised::Count => {
                let [a, b, c] = SIGNAL_CLASSES_DBM;
                writeln!(
                    out,
                    "Only counted: {only} frames of devices with a made-up address and without \
                     association.\nEach minute the node is told how many there were and how many \
                     frames, without any id;\nover the {} intervals of this capture:",
                    self.intervals
                )?;
                let classes = [
                    format!("{a} dBm and more"),
                    format!("{b} to {} dBm", a - 1),
                    format!("{c} to {} dBm", b - 1),
                    "weaker".to_owned(),
                ];
                for ((class, devices), frames) in classes.iter().zip(self.devices).zip(self.frames)
                {
                    writeln!(out, "  {class:<18} {devices:>8} devices {frames:>8} frames")?;
                }
                writeln!(
                    out,
                    "To tell them like all others: randomised = \"on\" under [privacy].\n"
                )
            }
            Randomised::Off => writeln!(
                out,
                "Dropped and not even counted: {only} frames of devices with a made-up address and \
                 without association\n(randomised = \"off\" under [privacy]).\n"
            ),
            Randomised::On => writeln!(
                out,
                "Devices with a made-up address are told like all others (randomised = \"on\" under \
                 [privacy]).\n"
            ),
        }
    }
}

/// Where every frame went: of no use, dropped by a rule, or out.
fn write_totals(
    health: &SourceHealth,
    counters: &privacy::Counters,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "Totals by rule")?;
    let of_no_use = [
        ("malformed", health.malformed),
        ("wrong checksum", health.bad_checksum),
        ("no transmitter", health.without_transmitter),
        ("no signal strength", health.without_signal),
        ("access point, none of the site's", health.from_access_point),
        ("no radio of the band", health.without_radio),
    ];
    let rules = counters.dropped();
    let rows = of_no_use.into_iter().chain(rules).chain([
        (
            "leaves, of clients",
            counters.passed - counters.access_points,
        ),
        (
            "leaves, of the site's access points",
            counters.access_points,
        ),
    ]);
    for (what, frames) in rows {
        writeln!(out, "  {:<36} {frames:>8} frames", what.replace('_', " "))?;
    }
    writeln!(out, "  {:<36} {:>8} frames", "in all", health.frames)
}

#[cfg(test)]
mod tests;
