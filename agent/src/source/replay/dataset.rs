//! Data sets in CSV: anchors, true positions, and what was heard.
//!
//! A folder with `anchors.csv`, `truth.csv` and `observations.csv`, each plain or with `.gz`.
//! Columns are found by name; further ones are tolerated.

mod csv_table;
mod timeline;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use crate::limits::DATASET_ROWS_MAX;
use csv_table::{Row, Table};

pub use timeline::{Identity, Timeline, TimelineOptions};

/// A data set in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name of its folder.
    pub name: String,
    /// Radios at known places.
    pub anchors: Vec<Anchor>,
    /// Scans with their true positions.
    pub epochs: Vec<Epoch>,
    /// What was heard, in the order of the file.
    pub readings: Vec<Reading>,
}

/// One radio at a known place; coordinates in metres in the set's own frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    /// Unique in the set.
    pub id: String,
    /// Across.
    pub x_m: f64,
    /// Along.
    pub y_m: f64,
    /// Up, where the source tells it.
    pub z_m: Option<f64>,
    /// Storey, where the set has several.
    pub floor: Option<i32>,
    /// Band as the wire spells it.
    pub band: String,
    /// Channel centre, where the source names it.
    pub freq_mhz: Option<f64>,
}

impl Anchor {
    /// The access point to which the radio belongs: its id without the band (`A07-5` of `A07`).
    pub fn ap(&self) -> &str {
        let without_band = self.id.strip_suffix(self.band.as_str());
        let ap = without_band.and_then(|id| id.strip_suffix('-'));
        ap.filter(|ap| !ap.is_empty()).unwrap_or(&self.id)
    }
}

/// One scan, burst or second of packets, and where the client truly was.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// Unique in the set.
    pub id: String,
    /// Seconds within its walk, or the number of the sample at its place.
    pub t_s: f64,
    /// The device.
    pub client: String,
    /// The walk; `None` for a static place.
    pub trajectory: Option<String>,
    /// The place.
    pub place: String,
    /// What the epoch may be used for.
    pub split: Split,
    /// True position across, in metres.
    pub x_m: f64,
    /// True position along.
    pub y_m: f64,
    /// True height, where it was measured.
    pub z_m: Option<f64>,
    /// True storey, where the set has several.
    pub floor: Option<i32>,
    /// Anchors in line of sight, or the class of the scene; as the set says it.
    pub sight: String,
}

/// What an epoch may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To fit model parameters.
    Calibration,
    /// To score.
    Test,
}

/// One radio heard or ranged a client once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Index into [`Dataset::epochs`].
    pub epoch: usize,
    /// In the clock of its epoch.
    pub t_s: f64,
    /// Index into [`Dataset::anchors`].
    pub anchor: usize,
    /// Signal strength.
    pub rssi_dbm: Option<f64>,
    /// Distance, raw.
    pub range_m: Option<f64>,
    /// Standard deviation of the distance as the device states it.
    pub range_std_m: Option<f64>,
}

/// Why a data set cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file of the set is missing or cannot be opened.
    #[error("data set file {path}: cannot be opened; it may be plain or end in .gz")]
    Open {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A row is wrong.
    #[error("data set file {path}, line {line}: {what}")]
    Row {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong and what to write instead.
        what: String,
    },
    /// A file has more rows than any data set should.
    #[error("data set file {path}: more than {DATASET_ROWS_MAX} rows; split the set")]
    TooLong {
        /// The file.
        path: String,
    },
}

impl Dataset {
    /// Reads the data set in a folder.
    ///
    /// # Errors
    /// [`DatasetError`], naming the file and the line.
    pub fn load(folder: &Path) -> Result<Self, DatasetError> {
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let anchors = Table::read(folder, "anchors", ANCHOR_COLUMNS, read_anchor)?;
        let epochs = Table::read(folder, "truth", EPOCH_COLUMNS, read_epoch)?;
        let anchor_of = indices(anchors.iter().map(|anchor| anchor.id.as_str()));
        let epoch_of = indices(epochs.iter().map(|epoch| epoch.id.as_str()));
        let readings = Table::read(folder, "observations", READING_COLUMNS, |row| {
            read_reading(row, &epoch_of, &anchor_of)
        })?;
        Ok(Self {
            name: name.unwrap_or_default(),
            anchors,
            epochs,
            readings,
        })
    }
}

fn indices<'a>(ids: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    ids.enumerate().map(|(index, id)| (id, index)).collect()
}

const ANCHOR_COLUMNS: &[&str] = &[
    "anchor_id",
    "x_m",
    "y_m",
    "z_m",
    "floor",
    "band",
    "freq_mhz",
];

fn read_anchor(row: &Row<'_>) -> Result<Anchor, String> {
    Ok(Anchor {
        id: row.text(0)?.to_owned(),
        x_m: row.number(1)?,
        y_m: row.number(2)?,
        z_m: row.optional_number(3)?,
        floor: row.optional_integer(4)?,
        band: row.text(5)?.to_owned(),
        freq_mhz: row.optional_number(6)?,
    })
}

const EPOCH_COLUMNS: &[&str] = &[
    "epoch_id",
    "t_s",
    "client_id",
    "traj_id",
    "loc_id",
    "split",
    "x_m",
    "y_m",
    "z_m",
    "floor",
    "los",
];

fn read_epoch(row: &Row<'_>) -> Result<Epoch, String> {
    Ok(Epoch {
        id: row.text(0)?.to_owned(),
        t_s: row.number(1)?,
        client: row.text(2)?.to_owned(),
        trajectory: row.optional_text(3).map(str::to_owned),
        place: row.optional_text(4).unwrap_or_default().to_owned(),
        split: match row.text(5)? {
            "cal" => Split::Calibration,
            "test" => Split::Test,
            other => return Err(format!("split is {other:?}; use cal or test")),
        },
        x_m: row.number(6)?,
        y_m: row.number(7)?,
        z_m: row.optional_number(8)?,
        floor: row.optional_integer(9)?,
        sight: row.optional_text(10).unwrap_or_default().to_owned(),
    })
}

const READING_COLUMNS: &[&str] = &[
    "epoch_id",
    "t_s",
    "anchor_id",
    "rssi_dbm",
    "range_m",
    "range_std_m",
];

fn read_reading(
    row: &Row<'_>,
    epoch_of: &HashMap<&str, usize>,
    anchor_of: &HashMap<&str, usize>,
) -> Result<Reading, String> {
    let find = |indices: &HashMap<&str, usize>, column, file| {
        let id = row.text(column)?;
        let index = indices.get(id).copied();
        index.ok_or_else(|| format!("{} {id:?} is not in {file}; add it there", row.name(column)))
    };
    let reading = Reading {
        epoch: find(epoch_of, 0, "truth.csv")?,
        t_s: row.number(1)?,
        anchor: find(anchor_of, 2, "anchors.csv")?,
        rssi_dbm: row.optional_number(3)?,
        range_m: row.optional_number(4)?,
        range_std_m: row.optional_number(5)?,
    };
    if reading
        .rssi_dbm
        .is_some_and(|rssi| !(-127.0..=0.0).contains(&rssi))
    {
        return Err("rssi_dbm is not in [-127, 0]; leave it empty where nothing was heard".into());
    }
    if reading.rssi_dbm.is_none() && reading.range_m.is_none() {
        return Err("neither rssi_dbm nor range_m; remove the row".into());
    }
    Ok(reading)
}

#[cfg(test)]
mod tests;
