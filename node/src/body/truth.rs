//! Where simulated clients really are: the demo's extra.

use serde::Serialize;

use super::rounded;
use super::time::rfc3339;

/// Where a simulated client really is.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// The client as fixes show it: sixteen digits, or its name.
    pub client: String,
    /// In the site's frame, in metres.
    pub position_in_site: [f64; 3],
    /// Id of the floor.
    pub floor: String,
}

/// True places at one moment.
#[derive(Debug, Serialize)]
pub struct TruthsBody {
    /// The moment.
    pub time: String,
    /// One entry per client.
    pub truth: Vec<TruthBody>,
}

/// The true place of one client.
#[derive(Debug, Serialize)]
pub struct TruthBody {
    /// Sixteen digits, or the name of a named client.
    pub client: String,
    /// In the site's frame, in metres.
    pub x_m: f64,
    /// In the site's frame, in metres.
    pub y_m: f64,
    /// In the site's frame, in metres.
    pub z_m: f64,
    /// Id of the floor.
    pub floor: String,
}

impl TruthsBody {
    /// The places at `now_us`.
    pub fn new(truths: Vec<Truth>, now_us: u64) -> Self {
        Self {
            time: rfc3339(now_us),
            truth: truths.into_iter().map(TruthBody::from).collect(),
        }
    }
}

impl From<Truth> for TruthBody {
    fn from(truth: Truth) -> Self {
        let [x_m, y_m, z_m] = truth.position_in_site.map(|m| rounded(m, 2));
        Self {
            client: truth.client,
            x_m,
            y_m,
            z_m,
            floor: truth.floor,
        }
    }
}
