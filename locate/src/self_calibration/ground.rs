//! How likely what was heard of clients is when nobody knows where they were.
//!
//! A plain reference beside the locator's posterior: independent Gaussian readings in dB, the
//! client's offset integrated out, places summed up on a lattice over the allowed area. It needs no
//! radio map, so that trying other constants costs milliseconds.

use std::collections::BTreeMap;

use nalgebra::{Point2, Point3};
use site::{Band, Site};

use super::Traffic;
use super::paths::{Path, Slabs, without_slabs};
use crate::fix::Sighting;
use crate::path_loss::PathLoss;

/// Height at which clients are carried, in metres.
const CARRYING_M: f64 = 1.2;

/// Side of the lattice in metres, as long as the memory allows.
const STEP_M: f64 = 1.5;

/// Paths of a lattice at most; a site with more of them gets a wider one. A path is some 60 bytes.
const PATHS_MAX: usize = 300_000;

/// Readings of a window at most: the strongest.
const READINGS_MAX: usize = 16;

/// Smallest spread of clients' offsets that arithmetic is asked to handle, in dB.
const OFFSET_DEVIATION_MIN_DB: f64 = 0.1;

/// Constants under which clients were heard.
#[derive(Debug, Clone)]
pub(super) struct Constants {
    /// By radio.
    pub(super) radios: Vec<PathLoss>,
    pub(super) slabs: Slabs,
    pub(super) offset_deviation_db: f64,
}

/// What was heard of one client at one time.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) client: u64,
    /// Radio and strength.
    pub(super) readings: Vec<(usize, f64)>,
}

/// The lattice with its paths to all anchors that heard a client.
#[derive(Debug)]
pub(super) struct Ground {
    places: usize,
    /// By anchor; empty for those that heard nobody.
    paths: Vec<Vec<Path>>,
    /// By radio.
    anchors: Vec<(usize, Band)>,
    pub(super) windows: Vec<Window>,
}

impl Ground {
    /// The ground under these windows; those that heard less than three anchors are left out, for
    /// they fit nearly every place.
    pub(super) fn new(site: &Site, traffic: &[Traffic]) -> Self {
        let anchors: Vec<(usize, Band)> = (site.anchors.iter().enumerate())
            .flat_map(|(number, anchor)| anchor.radios.iter().map(move |it| (number, it.band)))
            .collect();
        let windows: Vec<Window> = traffic
            .iter()
            .filter_map(|heard| window(heard, &anchors))
            .collect();
        let mut hears = vec![false; site.anchors.len()];
        for (radio, _) in windows.iter().flat_map(|window| &window.readings) {
            hears[anchors[*radio].0] = true;
        }
        let hearing = hears.iter().filter(|hears| **hears).count();
        let places = lattice(site, PATHS_MAX / hearing.max(1));
        let bare = without_slabs(site);
        let paths = site.anchors.iter().zip(&hears).map(|(anchor, hears)| {
            let wanted = if *hears { &places[..] } else { &[] };
            wanted
                .iter()
                .map(|place| Path::new(&bare, anchor.position, *place))
                .collect()
        });
        Self {
            places: places.len(),
            paths: paths.collect(),
            anchors,
            windows,
        }
    }

    /// What each radio hears at each place.
    pub(super) fn expect(&self, constants: &Constants) -> Expected {
        let mut by_radio: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (radio, _) in self.windows.iter().flat_map(|window| &window.readings) {
            by_radio.entry(*radio).or_insert_with(|| {
                let (anchor, band) = self.anchors[*radio];
                let model = &constants.radios[*radio];
                let paths = &self.paths[anchor];
                paths
                    .iter()
                    .map(|path| {
                        let in_the_way_db = path.obstruction_db(band, &constants.slabs);
                        model.expected_dbm(path.distance_m, in_the_way_db)
                    })
                    .collect()
            });
        }
        Expected {
            by_radio,
            deviations_db: constants.radios.iter().map(|it| it.deviation_db).collect(),
            offset_variance: constants
                .offset_deviation_db
                .max(OFFSET_DEVIATION_MIN_DB)
                .powi(2),
            places: self.places,
        }
    }
}

/// Strengths expected on the lattice.
pub(super) struct Expected {
    by_radio: BTreeMap<usize, Vec<f64>>,
    deviations_db: Vec<f64>,
    offset_variance: f64,
    places: usize,
}

/// Sums over the readings of a window at one place.
#[derive(Clone, Copy, Default)]
struct Sums {
    squares: f64,
    residuals: f64,
}

impl Expected {
    /// Log-density of all readings together, in nats.
    pub(super) fn log_density(&self, window: &Window) -> f64 {
        let sums = self.sums(window);
        self.log_mean(&sums, &Weights::of(self, window, None))
    }

    /// Mean over the readings of the log-density of each, given the others, in nats.
    pub(super) fn log_density_held_back(&self, window: &Window) -> f64 {
        let sums = self.sums(window);
        let all = self.log_mean(&sums, &Weights::of(self, window, None));
        let mut others = sums.clone();
        let readings = window.readings.iter();
        let total: f64 = readings
            .map(|(radio, heard_dbm)| {
                let weight = self.deviations_db[*radio].powi(-2);
                let expected = &self.by_radio[radio];
                for ((other, sum), expected) in others.iter_mut().zip(&sums).zip(expected) {
                    let residual = heard_dbm - expected;
                    other.squares = sum.squares - weight * residual * residual;
                    other.residuals = sum.residuals - weight * residual;
                }
                all - self.log_mean(&others, &Weights::of(self, window, Some(*radio)))
            })
            .sum();
        total / window.readings.len() as f64
    }

    fn sums(&self, window: &Window) -> Vec<Sums> {
        let mut sums = vec![Sums::default(); self.places];
        for (radio, heard_dbm) in &window.readings {
            let weight = self.deviations_db[*radio].powi(-2);
            for (sum, expected) in sums.iter_mut().zip(&self.by_radio[radio]) {
                let residual = heard_dbm - expected;
                sum.squares += weight * residual * residual;
                sum.residuals += weight * residual;
            }
        }
        sums
    }

    /// Log of the mean density over all places, the client's offset integrated out:
    /// `(sum of w r)^2 / (2 (sum of w + 1 / s^2))` is what the offset explains.
    fn log_mean(&self, sums: &[Sums], weights: &Weights) -> f64 {
        let explains = 0.5 / (weights.sum + self.offset_variance.recip());
        let logs = || {
            sums.iter()
                .map(|sum| explains * sum.residuals * sum.residuals - 0.5 * sum.squares)
        };
        let best = logs().fold(f64::NEG_INFINITY, f64::max);
        let mass: f64 = logs().map(|log| (log - best).exp()).sum();
        let scale = 0.5 * (weights.logs - (1.0 + weights.sum * self.offset_variance).ln());
        best + (mass / self.places.max(1) as f64).ln() + scale
    }
}

/// Weights of a window's readings, summed up.
struct Weights {
    sum: f64,
    /// Logarithms of `weight / (2 pi)`.
    logs: f64,
}

impl Weights {
    fn of(expected: &Expected, window: &Window, without: Option<usize>) -> Self {
        let mut weights = Self {
            sum: 0.0,
            logs: 0.0,
        };
        for (radio, _) in &window.readings {
            if Some(*radio) != without {
                let weight = expected.deviations_db[*radio].powi(-2);
                weights.sum += weight;
                weights.logs += (weight / std::f64::consts::TAU).ln();
            }
        }
        weights
    }
}

fn window(heard: &Traffic, anchors: &[(usize, Band)]) -> Option<Window> {
    let usable = |sighting: &Sighting| {
        let radio = usize::from(sighting.radio.0);
        let rssi_dbm = f64::from(sighting.rssi_dbm?);
        let (_, band) = anchors.get(radio)?;
        let plausible = (-128.0..=20.0).contains(&rssi_dbm) && *band != Band::Uwb;
        plausible.then_some((radio, rssi_dbm))
    };
    let mut readings: Vec<(usize, f64)> = heard.sightings.iter().filter_map(usable).collect();
    readings.sort_by_key(|reading| reading.0);
    readings.dedup_by_key(|reading| reading.0);
    readings.sort_by(|a, b| b.1.total_cmp(&a.1));
    readings.truncate(READINGS_MAX);
    let mut hearing: Vec<usize> = readings
        .iter()
        .map(|(radio, _)| anchors[*radio].0)
        .collect();
    hearing.sort_unstable();
    hearing.dedup();
    (hearing.len() >= 3).then_some(Window {
        client: heard.client,
        readings,
    })
}

/// Places on the allowed area of all floors, at carrying height; at most so many.
fn lattice(site: &Site, places_max: usize) -> Vec<Point3<f64>> {
    let mut step_m = STEP_M;
    loop {
        let places = lattice_of(site, step_m, places_max);
        if let Some(places) = places {
            return places;
        }
        step_m *= 1.4;
    }
}

fn lattice_of(site: &Site, step_m: f64, places_max: usize) -> Option<Vec<Point3<f64>>> {
    let mut places = Vec::new();
    for floor in &site.floors {
        let (low, high) = bounds(&floor.outline.corners);
        let (columns, rows) = (
            ((high.x - low.x) / step_m).ceil().max(1.0) as usize,
            ((high.y - low.y) / step_m).ceil().max(1.0) as usize,
        );
        for index in 0..columns * rows {
            let (column, row) = ((index % columns) as f64, (index / columns) as f64);
            let place = Point2::new(
                low.x + (column + 0.5) * step_m,
                low.y + (row + 0.5) * step_m,
            );
            let allowed = floor.allowed.iter().any(|area| area.contains(place))
                && !floor.blocked.iter().any(|area| area.contains(place));
            if allowed {
                places.push(Point3::new(
                    place.x,
                    place.y,
                    floor.elevation_m + CARRYING_M,
                ));
            }
            if places.len() > places_max.max(site.floors.len()) {
                return None;
            }
        }
    }
    Some(places)
}

fn bounds(corners: &[Point2<f64>]) -> (Point2<f64>, Point2<f64>) {
    let first = corners.first().copied().unwrap_or_default();
    corners.iter().fold((first, first), |(low, high), corner| {
        (low.inf(corner), high.sup(corner))
    })
}
