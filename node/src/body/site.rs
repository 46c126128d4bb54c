//! A site as readers see it: the plan that the page draws.

use serde::Serialize;
use site::{Anchor, BandLoss, Floor, Polygon, Radio, Site, Stairs, Wall, Zone};

use super::rounded;

/// A place in the plan, in metres of the site's frame: x, y.
pub type PlanPoint = [f64; 2];

/// All sites in short.
#[derive(Debug, Serialize)]
pub struct SitesBody<'a> {
    /// In the node's order.
    pub sites: Vec<SiteEntryBody<'a>>,
}

/// A site in short.
#[derive(Debug, Serialize)]
pub struct SiteEntryBody<'a> {
    /// Id.
    pub site: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// How many floors.
    pub floors: usize,
    /// How many surveyed access points.
    pub anchors: usize,
    /// Clients with a fix now.
    pub clients: u64,
    /// Path of the whole.
    pub href: String,
}

/// A site.
#[derive(Debug, Serialize)]
pub struct SiteBody<'a> {
    /// Id.
    pub site: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// From the lowest to the highest.
    pub floors: Vec<FloorBody<'a>>,
    /// Stairs and lifts.
    pub stairs: Vec<StairsBody<'a>>,
    /// Surveyed access points.
    pub anchors: Vec<AnchorBody<'a>>,
}

/// A storey.
#[derive(Debug, Serialize)]
pub struct FloorBody<'a> {
    /// Id; fixes name it.
    pub id: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// Walking surface above the site's origin, in metres.
    pub elevation_m: f64,
    /// To the next walking surface, in metres.
    pub height_m: f64,
    /// Outline.
    pub outline: Vec<PlanPoint>,
    /// Where clients may be.
    pub allowed: Vec<Vec<PlanPoint>>,
    /// Where they cannot be.
    pub blocked: Vec<Vec<PlanPoint>>,
    /// Walls.
    pub walls: Vec<WallBody>,
    /// Named areas.
    pub zones: Vec<ZoneBody<'a>>,
}

/// A wall.
#[derive(Debug, Serialize)]
pub struct WallBody {
    /// One end.
    pub from: PlanPoint,
    /// The other.
    pub to: PlanPoint,
    /// `glass`, `drywall`, `wood`, `brick`, `concrete` or `metal`.
    pub material: &'static str,
    /// In metres.
    pub thickness_m: f64,
    /// At normal incidence.
    pub loss_db: LossBody,
}

/// Loss of one crossing by band, in dB.
#[derive(Debug, Serialize)]
pub struct LossBody {
    /// At 2.4 GHz.
    #[serde(rename = "2.4")]
    pub ghz2_db: f64,
    /// At 5 GHz.
    #[serde(rename = "5")]
    pub ghz5_db: f64,
    /// At 6 GHz.
    #[serde(rename = "6")]
    pub ghz6_db: f64,
}

/// A named area.
#[derive(Debug, Serialize)]
pub struct ZoneBody<'a> {
    /// Id.
    pub id: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// Its corners.
    pub area: Vec<PlanPoint>,
}

/// Stairs or a lift.
#[derive(Debug, Serialize)]
pub struct StairsBody<'a> {
    /// Id.
    pub id: &'a str,
    /// In metres.
    pub x_m: f64,
    /// In metres.
    pub y_m: f64,
    /// Ids of the floors that it joins.
    pub floors: Vec<&'a str>,
}

/// A surveyed access point.
#[derive(Debug, Serialize)]
pub struct AnchorBody<'a> {
    /// Id.
    pub id: &'a str,
    /// The agent that serves it.
    pub agent: &'a str,
    /// Id of its floor.
    pub floor: &'a str,
    /// In metres.
    pub x_m: f64,
    /// In metres.
    pub y_m: f64,
    /// In metres, above the site's origin.
    pub z_m: f64,
    /// Whether its agent has a session now.
    pub online: bool,
    /// Its radios.
    pub radios: Vec<RadioBody>,
}

/// One radio of an access point.
#[derive(Debug, Serialize)]
pub struct RadioBody {
    /// `2.4`, `5`, `6`, `ble` or `uwb`.
    pub band: &'static str,
    /// Channel centre in MHz.
    pub freq_mhz: f64,
    /// In dBm.
    pub tx_power_dbm: f64,
}

impl<'a> SiteBody<'a> {
    /// The site as it stands; `online` tells whether an agent has a session.
    pub fn new(site: &'a Site, online: impl Fn(&str) -> bool) -> Self {
        let anchor = |anchor: &'a Anchor| AnchorBody {
            id: &anchor.id,
            agent: &anchor.agent,
            floor: floor_id(site, anchor.floor),
            x_m: rounded(anchor.position.x, 2),
            y_m: rounded(anchor.position.y, 2),
            z_m: rounded(anchor.position.z, 2),
            online: online(&anchor.agent),
            radios: anchor.radios.iter().map(RadioBody::from).collect(),
        };
        let stairs = |stairs: &'a Stairs| StairsBody {
            id: &stairs.id,
            x_m: rounded(stairs.position.x, 2),
            y_m: rounded(stairs.position.y, 2),
            floors: stairs
                .floors
                .iter()
                .map(|floor| floor_id(site, *floor))
                .collect(),
        };
        Self {
            site: &site.id,
            name: &site.name,
            floors: site.floors.iter().map(FloorBody::from).collect(),
            stairs: site.stairs.iter().map(stairs).collect(),
            anchors: site.anchors.iter().map(anchor).collect(),
        }
    }
}

impl<'a> From<&'a Floor> for FloorBody<'a> {
    fn from(floor: &'a Floor) -> Self {
        Self {
            id: &floor.id,
            name: &floor.name,
            elevation_m: rounded(floor.elevation_m, 2),
            height_m: rounded(floor.height_m, 2),
            outline: corners(&floor.outline),
            allowed: floor.allowed.iter().map(corners).collect(),
            blocked: floor.blocked.iter().map(corners).collect(),
            walls: floor.walls.iter().map(WallBody::from).collect(),
            zones: floor.zones.iter().map(ZoneBody::from).collect(),
        }
    }
}

impl From<&Wall> for WallBody {
    fn from(wall: &Wall) -> Self {
        let plan = |x, y| [rounded(x, 2), rounded(y, 2)];
        Self {
            from: plan(wall.from.x, wall.from.y),
            to: plan(wall.to.x, wall.to.y),
            material: wall.material.as_str(),
            thickness_m: rounded(wall.thickness_m, 3),
            loss_db: wall.loss_db.into(),
        }
    }
}

impl From<BandLoss> for LossBody {
    fn from(loss: BandLoss) -> Self {
        Self {
            ghz2_db: rounded(loss.ghz2_db, 1),
            ghz5_db: rounded(loss.ghz5_db, 1),
            ghz6_db: rounded(loss.ghz6_db, 1),
        }
    }
}

impl<'a> From<&'a Zone> for ZoneBody<'a> {
    fn from(zone: &'a Zone) -> Self {
        Self {
            id: &zone.id,
            name: &zone.name,
            area: corners(&zone.area),
        }
    }
}

impl From<&Radio> for RadioBody {
    fn from(radio: &Radio) -> Self {
        Self {
            band: radio.band.as_str(),
            freq_mhz: rounded(radio.freq_mhz, 1),
            tx_power_dbm: rounded(radio.tx_power_dbm, 1),
        }
    }
}

fn corners(polygon: &Polygon) -> Vec<PlanPoint> {
    polygon
        .corners
        .iter()
        .map(|corner| [rounded(corner.x, 2), rounded(corner.y, 2)])
        .collect()
}

fn floor_id(site: &Site, floor: site::FloorIndex) -> &str {
    site.floors
        .get(usize::from(floor.0))
        .map_or("", |floor| &floor.id)
}
