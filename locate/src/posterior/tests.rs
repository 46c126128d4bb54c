//! The two passes against brute force over all cells in double precision.

use nalgebra::{DMatrix, DVector, Matrix2, Point2, Point3, Vector2};
use site::{Band, Calibration, Kernel, RadioShadow, Shadow, Site};

use super::*;
use crate::evidence::Offset;
use crate::example;
use crate::fix::{RangeReading, Sighting};
use crate::model::ModelOptions;
use crate::path_loss::{PathLoss, obstruction};

const OFFSET_DEVIATION_DB: f64 = 6.0;

fn two_storeys() -> Site {
    let places = [
        (1.0, 1.0, 2.7),
        (14.0, 2.0, 2.7),
        (8.0, 11.0, 2.7),
        (3.0, 9.0, 5.7),
        (13.0, 10.0, 5.7),
    ];
    let places = places.map(|(x, y, z)| Point3::new(x, y, z));
    example::site(16.0, 12.0, 2, &places, &[Band::Ghz2, Band::Ghz5])
}

/// What all radios hear at a place, off by a pattern that no place explains.
fn heard(site: &Site, place: Point3<f64>, ranged: bool) -> Vec<Sighting> {
    site.radios()
        .enumerate()
        .map(|(index, (anchor, radio))| {
            let away_m = (place - anchor.position).norm();
            let in_the_way = obstruction(site, anchor.position, place).at(radio.band);
            let model = PathLoss::unlearned(site, radio.band, radio.freq_mhz);
            let off_db = [3.0, -2.0, 4.0, 1.0, -5.0][index % 5];
            Sighting {
                radio: radio.index,
                rssi_dbm: Some((model.expected_dbm(away_m, in_the_way) + off_db) as f32),
                count: 1,
                age_s: 0.0,
                range: (ranged && index % 3 == 0).then_some(RangeReading {
                    distance_m: away_m as f32 + 0.5,
                    deviation_m: None,
                }),
            }
        })
        .collect()
}

/// Log-likelihood by the full covariance matrix: residuals correlated 0.6 within an anchor, offsets
/// 0.8 between bands.
fn log_likelihood(site: &Site, sightings: &[Sighting], place: Point3<f64>, cell_m: f64) -> f64 {
    let radios: Vec<_> = site.radios().collect();
    let count = sightings.len();
    let model =
        |index: usize| PathLoss::unlearned(site, radios[index].1.band, radios[index].1.freq_mhz);
    let residual = DVector::from_fn(count, |row, _| {
        let (anchor, radio) = radios[row];
        let in_the_way = obstruction(site, anchor.position, place).at(radio.band);
        f64::from(sightings[row].rssi_dbm.unwrap())
            - model(row).expected_dbm((place - anchor.position).norm(), in_the_way)
    });
    let covariance = DMatrix::from_fn(count, count, |row, column| {
        let same_band = radios[row].1.band == radios[column].1.band;
        let offset = OFFSET_DEVIATION_DB.powi(2) * if same_band { 1.0 } else { 0.8 };
        let shared = match (row == column, radios[row].0.id == radios[column].0.id) {
            (true, _) => 1.0,
            (false, true) => 0.6,
            (false, false) => 0.0,
        };
        offset + shared * model(row).deviation_db * model(column).deviation_db
    });
    let square = residual.dot(&(covariance.try_inverse().unwrap() * &residual));
    let mut log = -0.5 * square;
    let mut has_ranges = false;
    for (sighting, (anchor, _)) in sightings.iter().zip(&radios) {
        let Some(range) = sighting.range else {
            continue;
        };
        let off_m = f64::from(range.distance_m) - (place - anchor.position).norm();
        let scale_squared = 1.2f64.powi(2) + cell_m * cell_m / 12.0;
        log -= 2.0 * (off_m * off_m / (3.0 * scale_squared)).ln_1p();
        has_ranges = true;
    }
    if has_ranges { log + 0.25 * square } else { log }
}

struct Brute {
    floors: Vec<f64>,
    mean: Point2<f64>,
    covariance: Matrix2<f64>,
}

fn brute_force(
    site: &Site,
    grid: &Grid,
    sightings: &[Sighting],
    prior: Option<PlacePrior>,
) -> Brute {
    let mut weighted: Vec<(usize, Point2<f64>, f64)> = Vec::new();
    for (floor, blocks) in grid.floors.iter().enumerate() {
        for &tile in &grid.tiles[blocks.start * LANES..blocks.end * LANES] {
            for (_, middle) in grid.cells(tile) {
                let z_m = site.floors[floor].elevation_m + 1.2;
                let place = Point3::new(middle.x, middle.y, z_m);
                let mut log = log_likelihood(site, sightings, place, grid.cell_m);
                if let Some(prior) = prior {
                    let away = middle - prior.mean_in_site;
                    let spread = prior.covariance_m2 + Matrix2::identity() * grid.cell_m.powi(2);
                    log -= 0.5 * away.dot(&(spread.try_inverse().unwrap() * away)).min(12.0);
                }
                weighted.push((floor, middle, log));
            }
        }
    }
    let best = weighted
        .iter()
        .map(|entry| entry.2)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut floors = vec![0.0; site.floors.len()];
    weighted.iter_mut().for_each(|entry| {
        entry.2 = (entry.2 - best).exp();
        floors[entry.0] += entry.2;
    });
    let floor = usize::from(floors[1] > floors[0]);
    let mass = floors[floor];
    let here = weighted.iter().filter(|entry| entry.0 == floor);
    let mean: Vector2<f64> = here
        .clone()
        .map(|entry| entry.1.coords * (entry.2 / mass))
        .sum();
    let covariance = here
        .map(|entry| {
            let away = entry.1.coords - mean;
            away * away.transpose() * (entry.2 / mass)
        })
        .sum();
    let total = mass / floors.iter().sum::<f64>();
    Brute {
        floors: vec![floor as f64, total],
        mean: mean.into(),
        covariance,
    }
}

fn check(ranged: bool, prior: Option<PlacePrior>) {
    let site = two_storeys();
    let model = Model::new(&site, &Calibration::default(), &ModelOptions::default());
    let mut scratch = Scratch::new(&model);
    let mut evidence = Evidence::new();
    for place in [
        Point3::new(5.0, 4.0, 1.2),
        Point3::new(12.0, 9.0, 4.2),
        Point3::new(0.3, 11.8, 1.2),
    ] {
        let sightings = heard(&site, place, ranged);
        assert!(evidence.gather(&model, &sightings, &Offset::unknown(OFFSET_DEVIATION_DB)));
        let question = Question {
            evidence: &evidence,
            place: prior,
            floors_log: &[],
            temper: 1.0,
        };
        let found = scratch.solve(&model, &question);
        let brute = brute_force(&site, &model.map.grid, &sightings, prior);
        assert_eq!(f64::from(found.floor.0), brute.floors[0]);
        assert!(
            (found.floor_probability - brute.floors[1]).abs() < 0.02,
            "{place}"
        );
        let off_m = (found.mean_in_site - brute.mean).norm();
        assert!(off_m < 0.05, "{place}: {off_m}");
        let cell_variance = Matrix2::identity() * model.map.grid.cell_m.powi(2) / 12.0;
        let spread = brute.covariance + cell_variance;
        assert!(
            (found.covariance_m2 - spread).norm() < 0.05 * spread.norm(),
            "{place}"
        );
    }
}

#[test]
fn signal_strength_alone_agrees_with_brute_force() {
    check(false, None);
}

#[test]
fn ranges_beside_signal_strength_agree_with_brute_force() {
    check(true, None);
}

#[test]
fn a_place_known_before_agrees_with_brute_force() {
    let mean_in_site = Point2::new(7.0, 6.0);
    let covariance_m2 = Matrix2::new(4.0, 1.0, 1.0, 3.0);
    check(
        false,
        Some(PlacePrior {
            mean_in_site,
            covariance_m2,
        }),
    );
}

/// A survey of the lower storey: residuals of some radios at some places, none of the last anchor.
fn surveyed() -> Calibration {
    let places: Vec<Point3<f64>> = (0..12)
        .map(|n| {
            Point3::new(
                f64::from(n % 4) * 3.5 + 1.0,
                f64::from(n / 4) * 3.0 + 1.0,
                1.2,
            )
        })
        .collect();
    let radios = (0..8u32).map(|radio| RadioShadow {
        rssi_db: (0..12)
            .map(|place| (place, f64::from((place * 5 + radio * 3) % 11) - 5.0))
            .collect(),
        range_m: Vec::new(),
    });
    Calibration {
        shadow: Some(Shadow {
            places,
            rssi: Some(Kernel {
                length_m: 3.0,
                deviation: 3.0,
                noise: 1.5,
            }),
            range: None,
            radios: radios
                .chain([RadioShadow::default(), RadioShadow::default()])
                .collect(),
        }),
        ..Calibration::default()
    }
}

/// Log-density with the whole covariance, of which the survey leaves a part: `v D + P`, with its
/// determinant, over the map's own expectations.
fn surveyed_log_density(model: &Model, sightings: &[Sighting], tile: usize, cell: usize) -> f64 {
    let left = f64::from(model.map.rssi_variance_left().unwrap().fine(0, tile)[cell]);
    let radio = |index: usize| &model.radios[index];
    let residual = DVector::from_fn(sightings.len(), |row, _| {
        let expected_dbm = model.map.fine(sightings[row].radio, tile)[cell];
        f64::from(sightings[row].rssi_dbm.unwrap() - expected_dbm)
    });
    let covariance = DMatrix::from_fn(sightings.len(), sightings.len(), |row, column| {
        let (a, b) = (radio(row), radio(column));
        let offset = OFFSET_DEVIATION_DB.powi(2) * if a.band == b.band { 1.0 } else { 0.8 };
        let shared = match (row == column, a.anchor == b.anchor) {
            (true, _) => 1.0,
            (false, true) => 0.6,
            (false, false) => 0.0,
        };
        let widening = f64::from(a.rssi_widening * b.rssi_widening).sqrt();
        offset + left * widening * shared * a.deviation_db * b.deviation_db
    });
    let factor = covariance.cholesky().unwrap();
    let log_determinant = factor.ln_determinant();
    -0.5 * (residual.dot(&factor.solve(&residual)) + log_determinant)
}

#[test]
fn a_survey_agrees_with_brute_force() {
    let site = two_storeys();
    let model = Model::new(&site, &surveyed(), &ModelOptions::default());
    assert!(model.radios[9].rssi_widening > 1.0, "not surveyed");
    let mut scratch = Scratch::new(&model);
    let mut evidence = Evidence::new();
    for place in [Point3::new(5.0, 4.0, 1.2), Point3::new(11.0, 2.0, 1.2)] {
        let mut sightings = heard(&site, place, false);
        // A client 12 dB stronger than the nominal one.
        for sighting in &mut sightings {
            sighting.rssi_dbm = sighting.rssi_dbm.map(|rssi_dbm| rssi_dbm + 12.0);
        }
        assert!(evidence.gather(&model, &sightings, &Offset::unknown(OFFSET_DEVIATION_DB)));
        let question = Question {
            evidence: &evidence,
            place: None,
            floors_log: &[],
            temper: 1.0,
        };
        let found = scratch.solve(&model, &question);
        let grid = &model.map.grid;
        let lower = grid.floors[0].start * LANES..grid.floors[0].end * LANES;
        let weighted: Vec<(Vector2<f64>, f64)> = lower
            .flat_map(|tile| {
                let model = &model;
                let sightings = &sightings;
                grid.cells(grid.tiles[tile]).map(move |(cell, middle)| {
                    let log = surveyed_log_density(model, sightings, tile, cell);
                    (middle.coords, log)
                })
            })
            .collect();
        let best = weighted
            .iter()
            .fold(f64::NEG_INFINITY, |best, (_, log)| best.max(*log));
        let mass: f64 = weighted.iter().map(|(_, log)| (log - best).exp()).sum();
        let mean: Vector2<f64> = weighted
            .iter()
            .map(|(middle, log)| middle * ((log - best).exp() / mass))
            .sum();
        assert_eq!(found.floor.0, 0);
        let off_m = (found.mean_in_site.coords - mean).norm();
        assert!(off_m < 0.05, "{place}: {off_m}");
    }
}
