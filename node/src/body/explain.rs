//! Why a fix is where it is, as readers see it.

use locate::explain::{Explanation, RadioPart, Rejection, Way};
use serde::Serialize;
use site::Site;

use super::fix::FixBody;
use super::rounded;

mod change;

use change::ChangeBody;

/// Where the readings of an explanation come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// They are exactly what the fix was made of.
    Exact,
    /// The client fell silent: they are what is still held of its last window, and the track's
    /// memory before the fix is not known.
    Held,
}

/// The explanation of a client's last fix.
#[derive(Debug, Serialize)]
pub struct ExplainBody<'a> {
    fix: FixBody<'a>,
    evidence: Evidence,
    /// Share of what is known of the place that came from the client's track.
    track_weight: f64,
    floors: Vec<FloorBody<'a>>,
    /// Transmit offsets of the client against the nominal one.
    offsets_db: Option<OffsetsBody>,
    radios: Vec<RadioBody<'a>>,
    /// What would have made the fix better, the most helpful first.
    changes: Vec<ChangeBody<'a>>,
}

#[derive(Debug, Serialize)]
struct FloorBody<'a> {
    floor: &'a str,
    probability: f64,
}

#[derive(Debug, Serialize)]
struct OffsetsBody {
    /// At 2.4 GHz.
    low: OffsetBody,
    /// Above.
    high: OffsetBody,
}

#[derive(Debug, Serialize)]
struct OffsetBody {
    mean_db: f64,
    deviation_db: f64,
}

#[derive(Debug, Serialize)]
struct RadioBody<'a> {
    /// `None` for a radio that the site does not have.
    anchor: Option<&'a str>,
    band: Option<&'static str>,
    distance_m: Option<f64>,
    walls: Vec<WallBody>,
    slabs: usize,
    slabs_loss_db: f64,
    count: u16,
    age_ms: u64,
    rssi: Option<RssiBody>,
    range: Option<RangeBody>,
    weight: f64,
    moves_m: Option<f64>,
    rejected: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct WallBody {
    material: &'static str,
    count: usize,
    loss_db: f64,
}

#[derive(Debug, Serialize)]
struct RssiBody {
    heard_dbm: f64,
    corrected_dbm: f64,
    expected_dbm: f64,
    residual_db: f64,
    deviation_db: f64,
}

#[derive(Debug, Serialize)]
struct RangeBody {
    measured_m: f64,
    corrected_m: f64,
    expected_m: f64,
    residual_m: f64,
    deviation_m: f64,
}

impl<'a> ExplainBody<'a> {
    /// An explanation of a fix at `site`.
    pub fn new(
        fix: FixBody<'a>,
        evidence: Evidence,
        site: &'a Site,
        explanation: &Explanation,
    ) -> Self {
        let floors = site.floors.iter().zip(&explanation.floors);
        let offset = |(mean_db, deviation_db)| OffsetBody {
            mean_db: rounded(mean_db, 2),
            deviation_db: rounded(deviation_db, 2),
        };
        Self {
            fix,
            evidence,
            track_weight: rounded(explanation.track_weight, 4),
            floors: floors
                .map(|(floor, &probability)| FloorBody {
                    floor: &floor.id,
                    probability: rounded(probability, 4),
                })
                .collect(),
            offsets_db: explanation.offsets_db.map(|[low, high]| OffsetsBody {
                low: offset(low),
                high: offset(high),
            }),
            radios: explanation
                .radios
                .iter()
                .map(|part| RadioBody::new(part, site))
                .collect(),
            changes: explanation
                .changes
                .iter()
                .map(|change| ChangeBody::new(change, site))
                .collect(),
        }
    }
}

impl<'a> RadioBody<'a> {
    fn new(part: &RadioPart, site: &'a Site) -> Self {
        let anchor = part
            .anchor
            .map(|(anchor, _)| site.anchors[anchor].id.as_str());
        let way = part.way.as_ref();
        Self {
            anchor,
            band: part.anchor.map(|(_, band)| band.as_str()),
            distance_m: way.map(|way| rounded(way.distance_m, 2)),
            walls: way.map(walls).unwrap_or_default(),
            slabs: way.map_or(0, |way| way.slabs),
            slabs_loss_db: way.map_or(0.0, |way| rounded(way.slabs_loss_db, 1)),
            count: part.count,
            // Floats become integers by saturation, and NaN becomes 0.
            age_ms: (part.age_s * 1e3).round() as u64,
            rssi: part.rssi.map(|rssi| RssiBody {
                heard_dbm: rounded(rssi.heard_dbm, 2),
                corrected_dbm: rounded(rssi.corrected_dbm, 2),
                expected_dbm: rounded(rssi.expected_dbm, 2),
                residual_db: rounded(rssi.residual_db, 2),
                deviation_db: rounded(rssi.deviation_db, 2),
            }),
            range: part.range.map(|range| RangeBody {
                measured_m: rounded(range.measured.distance_m.into(), 3),
                corrected_m: rounded(range.corrected_m, 3),
                expected_m: rounded(range.expected_m, 3),
                residual_m: rounded(range.residual_m, 3),
                deviation_m: rounded(range.deviation_m, 3),
            }),
            weight: rounded(part.weight, 4),
            moves_m: part.moves_m.map(|moves_m| rounded(moves_m, 3)),
            rejected: part.rejected.map(rejection),
        }
    }
}

fn walls(way: &Way) -> Vec<WallBody> {
    let walls = way.walls.iter().map(|walls| WallBody {
        material: walls.material.as_str(),
        count: walls.count,
        loss_db: rounded(walls.loss_db, 1),
    });
    walls.collect()
}

fn rejection(why: Rejection) -> &'static str {
    match why {
        Rejection::UnknownRadio => "unknown_radio",
        Rejection::Impossible => "impossible",
        Rejection::Repeated => "repeated",
        Rejection::Weak => "weak",
        Rejection::Old => "old",
        Rejection::Outlier => "outlier",
    }
}
