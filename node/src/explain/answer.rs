//! A node's explanation, as far as the table needs it.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answer {
    pub(super) fix: Fix,
    pub(super) evidence: String,
    pub(super) track_weight: f64,
    pub(super) floors: Vec<Floor>,
    pub(super) offsets_db: Option<Offsets>,
    pub(super) radios: Vec<Radio>,
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fix {
    pub(super) client: String,
    pub(super) site: String,
    pub(super) age_ms: u64,
    pub(super) x_m: f64,
    pub(super) y_m: f64,
    pub(super) floor: String,
    pub(super) floor_probability: f64,
    pub(super) error: Radii,
    pub(super) radios: u16,
    pub(super) observations: u32,
    pub(super) source: String,
    pub(super) flags: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Radii {
    pub(super) r50_m: f64,
    pub(super) r90_m: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Floor {
    pub(super) floor: String,
    pub(super) probability: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Offsets {
    pub(super) low: Offset,
    pub(super) high: Offset,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Offset {
    pub(super) mean_db: f64,
    pub(super) deviation_db: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Radio {
    pub(super) anchor: Option<String>,
    pub(super) band: Option<String>,
    pub(super) distance_m: Option<f64>,
    pub(super) walls: Vec<Wall>,
    pub(super) slabs: usize,
    pub(super) slabs_loss_db: f64,
    pub(super) count: u16,
    pub(super) age_ms: u64,
    pub(super) rssi: Option<Rssi>,
    pub(super) range: Option<Range>,
    pub(super) weight: f64,
    pub(super) moves_m: Option<f64>,
    pub(super) rejected: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Wall {
    pub(super) material: String,
    pub(super) count: usize,
    pub(super) loss_db: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Rssi {
    pub(super) heard_dbm: f64,
    pub(super) corrected_dbm: f64,
    pub(super) expected_dbm: f64,
    pub(super) residual_db: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Range {
    pub(super) corrected_m: f64,
    pub(super) residual_m: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Change {
    pub(super) what: String,
    pub(super) r50_m: BeforeAfter,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct BeforeAfter {
    pub(super) before: f64,
    pub(super) after: f64,
}
