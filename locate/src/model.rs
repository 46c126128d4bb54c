//! A site made ready for locating: radio map and constants of every radio.

use std::borrow::Cow;

use nalgebra::{Point2, Point3};
use site::{Band, Calibration, FloorIndex, RadioIndex, RangeModel, Regions, Site};

use crate::limits;
use crate::path_loss::{PathLoss, has_walls};
use crate::radio_map::{MapParts, RadioMap};
use crate::shadow_map::Field;

/// Spread of unknown clients' transmit offset in dB, where nothing was learned about the
/// population.
///
/// In a site without walls and without calibration the offset also carries the blind power; with
/// walls it is the spread among device types; a calibrated level was measured with one device among
/// them.
const OFFSET_DEVIATION_BLIND_DB: f64 = 8.0;
const OFFSET_DEVIATION_WALLED_DB: f64 = 5.0;
const OFFSET_DEVIATION_CALIBRATED_DB: f64 = 6.0;

/// Scale of a range in metres where neither the source nor a calibration says it.
const RANGE_DEVIATION_WIFI_M: f64 = 1.2;
const RANGE_DEVIATION_UWB_M: f64 = 0.15;

/// Least deviation of a reading in dB that is believed: readings are whole decibels, and single
/// precision has to hold the likelihood of a client that fits no place.
const DEVIATION_DB_MIN: f64 = 1.0;

/// Least share of a residual's variance that no survey removes: fading, bodies, the hand.
const UNSURVEYED_SHARE: f64 = 0.15;

/// How a model is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelOptions {
    /// Height above its floor at which a client is carried, in metres.
    pub carrying_height_m: f64,
    /// Standard deviation of that height, in metres.
    pub carrying_height_deviation_m: f64,
    /// Memory for the radio map in bytes; see [`limits::MAP_BYTES_MAX`].
    pub map_bytes_max: usize,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            carrying_height_m: 1.2,
            carrying_height_deviation_m: 0.3,
            map_bytes_max: limits::MAP_BYTES_MAX,
        }
    }
}

/// What one radio is to the solvers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RadioConstants {
    /// Which anchor it belongs to: radios of one anchor err together.
    pub(crate) anchor: u16,
    /// Where it hangs, in the site's frame.
    pub(crate) position_in_site: Point3<f64>,
    /// Standard deviation of one sighting's residual, in dB.
    pub(crate) deviation_db: f64,
    /// Share of that variance which is fading, new with each reading.
    pub(crate) fading_share: f32,
    /// How its ranges err.
    pub(crate) range: RangeModel,
    /// Factors on the variances of a radio that the survey did not hear: the map narrows those of
    /// all radios where it was surveyed, and this takes it back.
    pub(crate) rssi_widening: f32,
    pub(crate) range_widening: f32,
    /// Its band.
    pub(crate) band: Band,
}

/// A site made ready: immutable, shared by all workers' [`Locator`](crate::Locator)s.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) map: RadioMap,
    pub(crate) radios: Vec<RadioConstants>,
    pub(crate) storeys: Vec<Storey>,
    pub(crate) client_offset_deviation_db: f64,
    pub(crate) regions: Regions,
    pub(crate) options: ModelOptions,
}

/// What the solvers need of a floor.
#[derive(Debug, Clone)]
pub(crate) struct Storey {
    /// Height of its walking surface in the site's frame.
    pub(crate) elevation_m: f64,
    /// Where `outside` begins.
    pub(crate) outline: site::Polygon,
}

impl Model {
    /// Makes a site ready; what the calibration does not name follows the physics of the site file,
    /// or fixed constants where the site has no walls either.
    ///
    /// Cost: a pass over the walls for every anchor and cell: about a second for 100,000 cells and
    /// 300 radios. A survey of 1,200 places adds up to ten times that in a site so large.
    pub fn new(site: &Site, calibration: &Calibration, options: &ModelOptions) -> Self {
        let site = &*with_slabs(site, calibration);
        let path_losses: Vec<PathLoss> = site
            .radios()
            .map(|(_, radio)| {
                PathLoss::of_radio(site, calibration, radio.index, radio.band, radio.freq_mhz)
            })
            .collect();
        let radios = site
            .anchors
            .iter()
            .zip(0..)
            .flat_map(|(anchor, number)| {
                anchor
                    .radios
                    .iter()
                    .map(move |radio| (number, anchor, radio))
            })
            .zip(&path_losses)
            .map(|((number, anchor, radio), path_loss)| RadioConstants {
                anchor: number,
                position_in_site: anchor.position,
                deviation_db: path_loss.deviation_db.max(DEVIATION_DB_MIN),
                fading_share: path_loss.fading_share as f32,
                range: range_model(calibration, radio.index, radio.band),
                rssi_widening: 1.0,
                range_widening: 1.0,
                band: radio.band,
            });
        let mut radios: Vec<RadioConstants> = radios.collect();
        let storeys = site.floors.iter().map(|floor| Storey {
            elevation_m: floor.elevation_m,
            outline: floor.outline.clone(),
        });
        let shadow = calibration.shadow.as_ref();
        let rssi_field = shadow.and_then(Field::of_rssi);
        let range_field = shadow.and_then(Field::of_ranges);
        let parts = MapParts {
            path_losses: &path_losses,
            rssi_field: rssi_field.as_ref().map(|field| {
                let variance_of = |radio: &RadioConstants| radio.deviation_db.powi(2);
                (field, unsurveyed(field, &radios, variance_of))
            }),
            range_field: range_field.as_ref().map(|field| {
                let variance_of = |radio: &RadioConstants| radio.range.deviation_m.powi(2);
                (field, unsurveyed(field, &radios, variance_of))
            }),
            carrying_height_m: options.carrying_height_m,
            bytes_max: options.map_bytes_max,
        };
        let map = RadioMap::new(site, &parts);
        for (index, radio) in radios.iter_mut().enumerate() {
            let is_new =
                |field: &Option<Field>| field.as_ref().is_some_and(|field| !field.knows(index));
            if is_new(&rssi_field) {
                radio.rssi_widening = map.mean_rssi_variance_left().recip();
            }
            if is_new(&range_field) {
                radio.range_widening = map.mean_range_variance_left().recip();
            }
        }
        Self {
            map,
            storeys: storeys.collect(),
            client_offset_deviation_db: offset_deviation_db(site, calibration),
            regions: calibration.regions,
            options: *options,
            radios,
        }
    }

    /// Side of the map's fine cells in metres.
    pub fn cell_m(&self) -> f64 {
        self.map.grid.cell_m
    }

    /// Tiles of the map: what a fix costs is proportional to them.
    pub fn tiles(&self) -> usize {
        self.map.grid.tiles.len()
    }

    /// Height at which a client is carried on a floor, in the site's frame.
    pub(crate) fn carrying_z_m(&self, floor: FloorIndex) -> f64 {
        self.storeys[usize::from(floor.0)].elevation_m + self.options.carrying_height_m
    }

    /// Whether a place lies outside its floor's outline.
    pub(crate) fn is_outside(&self, floor: FloorIndex, place: Point2<f64>) -> bool {
        !self.storeys[usize::from(floor.0)].outline.contains(place)
    }
}

/// Variance that no survey removes: what the field does not explain of the mean variance of the
/// radios that it knows.
fn unsurveyed(
    field: &Field,
    radios: &[RadioConstants],
    variance_of: impl Fn(&RadioConstants) -> f64,
) -> f64 {
    let known = || (0..radios.len()).filter(|&index| field.knows(index));
    let sum: f64 = known().map(|index| variance_of(&radios[index])).sum();
    let variance = sum / known().count().max(1) as f64;
    (variance - field.variance()).max(UNSURVEYED_SHARE * variance)
}

/// The site with the slabs that were learned instead of those of the file.
fn with_slabs<'s>(site: &'s Site, calibration: &Calibration) -> Cow<'s, Site> {
    if calibration.slabs.iter().all(Option::is_none) {
        return Cow::Borrowed(site);
    }
    let mut learned = site.clone();
    for (floor, slab) in learned.floors.iter_mut().zip(&calibration.slabs) {
        if let Some(loss_db) = slab {
            floor.slab.loss_db = *loss_db;
        }
    }
    Cow::Owned(learned)
}

fn range_model(calibration: &Calibration, index: RadioIndex, band: Band) -> RangeModel {
    let deviation_m = if band == Band::Uwb {
        RANGE_DEVIATION_UWB_M
    } else {
        RANGE_DEVIATION_WIFI_M
    };
    let unlearned = RangeModel {
        bias_m: 0.0,
        slope: 1.0,
        deviation_m,
    };
    calibration
        .radio(index)
        .and_then(|radio| radio.range)
        .unwrap_or(unlearned)
}

pub(crate) fn offset_deviation_db(site: &Site, calibration: &Calibration) -> f64 {
    if let Some(learned) = calibration.client_offset_deviation_db {
        return learned;
    }
    let calibrated = calibration.radios.iter().any(Option::is_some);
    match (calibrated, has_walls(site)) {
        (true, _) => OFFSET_DEVIATION_CALIBRATED_DB,
        (false, true) => OFFSET_DEVIATION_WALLED_DB,
        (false, false) => OFFSET_DEVIATION_BLIND_DB,
    }
}
