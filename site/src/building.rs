//! The building itself: floors, walls, stairs, zones, anchors.
//!
//! Everything is in the site's local frame: metres, right-handed, x and y in the plan, z up.

use nalgebra::{Point2, Point3};

use crate::geometry::Polygon;
use crate::material::Material;

/// A validated site: every reference resolves, every number is finite, every anchor is on a floor.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Id of the site, as certificates and paths name it: 1 to 63 of `a-zA-Z0-9-_.`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// How signals travel here beyond walls; see [`Propagation`].
    pub propagation: Propagation,
    /// Storeys from the lowest to the highest; at least one.
    pub floors: Vec<Floor>,
    /// Stairs and lifts: where a client can change floors.
    pub stairs: Vec<Stairs>,
    /// Surveyed access points.
    pub anchors: Vec<Anchor>,
}

/// Site-wide propagation constants of the link model (`Ldif` of the power sum).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propagation {
    /// Excess of the diffuse path at 1 m, in dB (`A`); 2 to 12, default 5.
    pub diffuse_excess_db: f64,
    /// Path-loss exponent of the diffuse path (`m`); default 4.0.
    pub diffuse_exponent: f64,
    /// Path-loss exponent of the direct path between walls (`n`); default 2.0.
    pub direct_exponent: f64,
}

/// Index of a floor in [`Site::floors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FloorIndex(pub u8);

/// Index of a radio in [`Site::radios`], the order in which the site file lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RadioIndex(pub u16);

/// A storey.
#[derive(Debug, Clone, PartialEq)]
pub struct Floor {
    /// Id, unique in the site; what a fix shows as its floor.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Height of the walking surface above the site's origin, in metres.
    pub elevation_m: f64,
    /// Height of the storey from this walking surface to the next, in metres.
    pub height_m: f64,
    /// The slab under this floor.
    pub slab: Slab,
    /// Outline of the storey.
    pub outline: Polygon,
    /// Where clients may be: inside one of these; the outline where the file names none.
    pub allowed: Vec<Polygon>,
    /// Where clients cannot be: shafts, machines, shelves.
    pub blocked: Vec<Polygon>,
    /// Walls.
    pub walls: Vec<Wall>,
    /// Named areas.
    pub zones: Vec<Zone>,
}

/// The slab between a floor and the one below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slab {
    /// What it is made of.
    pub material: Material,
    /// Loss in dB at 2.4, 5 and 6 GHz for one crossing.
    pub loss_db: crate::material::BandLoss,
}

/// A vertical wall from the floor to the ceiling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wall {
    /// One end, in the plan.
    pub from: Point2<f64>,
    /// The other end.
    pub to: Point2<f64>,
    /// What it is made of.
    pub material: Material,
    /// Thickness in metres.
    pub thickness_m: f64,
    /// Loss at normal incidence in dB at 2.4, 5 and 6 GHz.
    pub loss_db: crate::material::BandLoss,
}

/// A named area on one floor.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Id, unique in the site.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Its area.
    pub area: Polygon,
    /// When a client counts as inside.
    pub rules: ZoneRules,
}

/// When a client counts as inside a zone: hysteresis in probability and in time.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneRules {
    /// Least probability of a place inside that speaks for being inside.
    pub enter_probability: f64,
    /// How long it must speak so before the client has entered, in seconds.
    pub enter_after_s: f64,
    /// A lower probability speaks for being outside; below `enter_probability`.
    pub leave_probability: f64,
    /// How long it must speak so before the client has left, in seconds.
    pub leave_after_s: f64,
    /// After this silence a client has left, in seconds.
    pub silent_after_s: f64,
    /// A stay of so many seconds is told of; `None`: stays are not.
    pub dwell_s: Option<f64>,
    /// Numbers of clients inside that are told of when they are reached or no longer reached, in
    /// ascending order.
    pub occupancy: Vec<u32>,
}

impl Default for ZoneRules {
    /// Fixes of a metre or two in rooms of some metres: the middle of a small room has 0.6 to 0.8,
    /// the wall between two rooms 0.5.
    fn default() -> Self {
        Self {
            enter_probability: 0.6,
            enter_after_s: 5.0,
            leave_probability: 0.3,
            leave_after_s: 10.0,
            silent_after_s: 60.0,
            dwell_s: None,
            occupancy: Vec::new(),
        }
    }
}

/// Stairs or a lift: the same place in the plan on several floors.
#[derive(Debug, Clone, PartialEq)]
pub struct Stairs {
    /// Id, unique in the site.
    pub id: String,
    /// Where, in the plan.
    pub position: Point2<f64>,
    /// Floors that it joins, in ascending order; at least two.
    pub floors: Vec<FloorIndex>,
}

/// A surveyed access point.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    /// The AP's id, unique in the site.
    pub id: String,
    /// The agent that serves this AP; the AP's own id where the file names none.
    pub agent: String,
    /// The storey on which it hangs.
    pub floor: FloorIndex,
    /// Where, in the site's frame; z counts from the site's origin, not from the floor.
    pub position: Point3<f64>,
    /// Its radios; at least one, each band at most once.
    pub radios: Vec<Radio>,
    /// Addresses of its networks on air, as far as the file names them: no other anchor has them.
    pub bssids: Vec<Bssid>,
}

/// Address of an access point's network on air, in the order in which it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bssid(pub [u8; 6]);

impl Bssid {
    /// Reads an address such as `00:00:5e:00:53:aa`; `None` for anything else, and for the address of
    /// a group.
    pub fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 6];
        let mut pairs = text.split([':', '-']);
        for octet in &mut octets {
            let pair = pairs.next().filter(|pair| pair.len() == 2)?;
            let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            *octet = u8::from_str_radix(pair, 16).ok().filter(|_| is_hex)?;
        }
        let is_group = octets[0] & 0x01 != 0;
        (pairs.next().is_none() && !is_group).then_some(Self(octets))
    }
}

/// One transmitter-receiver of an AP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Radio {
    /// Index in the site.
    pub index: RadioIndex,
    /// Band.
    pub band: Band,
    /// Channel centre in MHz; the middle of the band where the file names none.
    pub freq_mhz: f64,
    /// Power at which the AP itself sends, in dBm; for AP-to-AP calibration.
    pub tx_power_dbm: f64,
}

/// Frequency band or technology of a radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Wi-Fi at 2.4 GHz.
    Ghz2,
    /// Wi-Fi at 5 GHz.
    Ghz5,
    /// Wi-Fi at 6 GHz.
    Ghz6,
    /// Bluetooth LE at 2.4 GHz.
    Ble,
    /// Ultra-wideband: ranges, no signal strength.
    Uwb,
}

impl Band {
    /// The band as files and the wire spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ghz2 => "2.4",
            Self::Ghz5 => "5",
            Self::Ghz6 => "6",
            Self::Ble => "ble",
            Self::Uwb => "uwb",
        }
    }

    /// The band spelt `text`, if any is.
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().into_iter().find(|band| band.as_str() == text)
    }

    /// Every band.
    pub fn all() -> [Self; 5] {
        [Self::Ghz2, Self::Ghz5, Self::Ghz6, Self::Ble, Self::Uwb]
    }

    /// Power at which an AP sends in this band where the file does not say, in dBm.
    ///
    /// 20 dBm is the European limit at 2.4 GHz (EN 300 328) and a usual indoor setting above it;
    /// Bluetooth class 3 sends at 0 dBm, ultra-wideband at -14 dBm (-41.3 dBm/MHz over 500 MHz).
    pub fn usual_tx_power_dbm(self) -> f64 {
        match self {
            Self::Ghz2 | Self::Ghz5 | Self::Ghz6 => 20.0,
            Self::Ble => 0.0,
            Self::Uwb => -14.0,
        }
    }

    /// Channel centre to assume where none is named, in MHz.
    pub fn middle_mhz(self) -> f64 {
        match self {
            Self::Ghz2 | Self::Ble => 2_437.0,
            Self::Ghz5 => 5_250.0,
            Self::Ghz6 => 6_200.0,
            Self::Uwb => 6_490.0,
        }
    }
}

impl Site {
    /// All radios with their anchors, in the order of [`RadioIndex`].
    pub fn radios(&self) -> impl Iterator<Item = (&Anchor, &Radio)> {
        self.anchors
            .iter()
            .flat_map(|anchor| anchor.radios.iter().map(move |radio| (anchor, radio)))
    }

    /// A storey by its index.
    ///
    /// # Panics
    /// When the index is not of this site.
    pub fn floor(&self, index: FloorIndex) -> &Floor {
        &self.floors[usize::from(index.0)]
    }
}
