//! Level and exponent of every radio, and the offsets of the survey's clients.

use std::collections::BTreeMap;

use site::Site;

use super::Survey;
use super::line::{Leash, Line, Point};
use crate::path_loss::{PathLoss, obstruction};

/// How far a radio may stray from its band: level in dB, exponent.
const RADIO_LEASH: Leash = Leash {
    level: 8.0,
    slope: 0.7,
};

/// How far a band may stray from the physics of the site or the blind constants.
const BAND_LEASH: Leash = Leash {
    level: 15.0,
    slope: 0.8,
};

/// Standard deviation of clients' offsets before the fit, in dB.
const CLIENT_LEASH_DB: f64 = 6.0;

/// Smallest spread of known clients, in dB: hands and pockets.
const CLIENT_DEVIATION_MIN_DB: f64 = 1.0;

/// Readings within this distance count as one place: their errors are the same shadows.
const PLACE_M: f64 = 1.0;

/// Places as many as the band's deviation counts in a radio's own.
const DEVIATION_PRIOR_PLACES: f64 = 4.0;

/// Exponents that a path can have.
const EXPONENT_RANGE: std::ops::RangeInclusive<f64> = 1.0..=6.0;

const ROUNDS: usize = 8;

/// What came out.
pub(super) struct Levels {
    /// Per radio; `None` where it was not heard.
    pub(super) radios: Vec<Option<PathLoss>>,
    pub(super) client_offset_deviation_db: f64,
    /// Offsets of the survey's clients, in dB.
    pub(super) offsets_db: BTreeMap<u32, f64>,
}

/// All readings of one client by one radio at one place.
struct Sample {
    decades: f64,
    obstruction_db: f64,
    client: u32,
    count: f64,
    sum_dbm: f64,
    sum_squares: f64,
}

impl Sample {
    fn mean_dbm(&self) -> f64 {
        self.sum_dbm / self.count
    }
}

pub(super) fn fit(site: &Site, survey: &Survey) -> Levels {
    let samples = samples(site, survey);
    let mut models: Vec<PathLoss> = site
        .radios()
        .map(|(_, radio)| PathLoss::unlearned(site, radio.band, radio.freq_mhz))
        .collect();
    let mut offsets: BTreeMap<u32, f64> = BTreeMap::new();
    for _ in 0..ROUNDS {
        fit_radios(site, &samples, &offsets, &mut models);
        offsets = client_offsets(&samples, &models);
    }
    let spread = offsets.values().map(|offset| offset * offset).sum::<f64>();
    let degrees = offsets.len().saturating_sub(1).max(1) as f64;
    Levels {
        radios: models
            .into_iter()
            .zip(&samples)
            .map(|(model, samples)| (!samples.is_empty()).then_some(model))
            .collect(),
        client_offset_deviation_db: (spread / degrees).sqrt().max(CLIENT_DEVIATION_MIN_DB),
        offsets_db: offsets,
    }
}

/// Per radio, what was heard at each place, by client.
fn samples(site: &Site, survey: &Survey) -> Vec<Vec<Sample>> {
    let radios: Vec<_> = site.radios().collect();
    let mut samples: Vec<BTreeMap<_, Sample>> = radios.iter().map(|_| BTreeMap::new()).collect();
    for epoch in &survey.epochs {
        let place = epoch
            .position_in_site
            .coords
            .map(|value| (value / PLACE_M).round() as i64);
        for sighting in &epoch.sightings {
            let index = usize::from(sighting.radio.0);
            let Some((anchor, radio)) = radios.get(index) else {
                continue;
            };
            let Some(rssi_dbm) = sighting.rssi_dbm.map(f64::from) else {
                continue;
            };
            if !(-128.0..=20.0).contains(&rssi_dbm)
                || !epoch.position_in_site.iter().all(|v| v.is_finite())
            {
                continue;
            }
            let key = (place.x, place.y, place.z, epoch.client);
            let sample = samples[index].entry(key).or_insert_with(|| {
                let away = epoch.position_in_site - anchor.position;
                Sample {
                    decades: away.norm().max(0.5).log10(),
                    obstruction_db: obstruction(site, anchor.position, epoch.position_in_site)
                        .at(radio.band),
                    client: epoch.client,
                    count: 0.0,
                    sum_dbm: 0.0,
                    sum_squares: 0.0,
                }
            });
            sample.count += 1.0;
            sample.sum_dbm += rssi_dbm;
            sample.sum_squares += rssi_dbm * rssi_dbm;
        }
    }
    samples
        .into_iter()
        .map(|by_place| by_place.into_values().collect())
        .collect()
}

/// One round: each band as a whole, then each of its radios.
fn fit_radios(
    site: &Site,
    samples: &[Vec<Sample>],
    offsets: &BTreeMap<u32, f64>,
    models: &mut [PathLoss],
) {
    let mut bands: Vec<_> = site.radios().map(|(_, radio)| radio.band).collect();
    let radio_bands = bands.clone();
    bands.sort_unstable();
    bands.dedup();
    for band in bands {
        let members: Vec<usize> = (0..models.len())
            .filter(|&index| radio_bands[index] == band)
            .collect();
        let Some(&first) = members.first() else {
            continue;
        };
        let (_, radio) = site
            .radios()
            .nth(first)
            .expect("the index comes from the same list");
        let unlearned = PathLoss::unlearned(site, radio.band, radio.freq_mhz);
        let deviation_db = models[first].deviation_db;
        let points = members
            .iter()
            .flat_map(|&index| linearised(&samples[index], &models[index], offsets, deviation_db));
        let band_line = Line::through(points, line_of(&unlearned), BAND_LEASH);
        let mut pooled = Pooled::default();
        for &index in &members {
            let points = linearised(&samples[index], &models[index], offsets, deviation_db);
            let line = Line::through(points, band_line, RADIO_LEASH);
            models[index].rssi_at_1m_dbm = line.level;
            models[index].exponent =
                (-line.slope / 10.0).clamp(*EXPONENT_RANGE.start(), *EXPONENT_RANGE.end());
            pooled.add(&residuals(&samples[index], &models[index], offsets));
        }
        let band_variance = pooled.variance().unwrap_or(unlearned.deviation_db.powi(2));
        for &index in &members {
            let own = residuals(&samples[index], &models[index], offsets);
            let places = own.places;
            let variance = own.variance().unwrap_or(band_variance);
            models[index].deviation_db = ((variance * places
                + band_variance * DEVIATION_PRIOR_PLACES)
                / (places + DEVIATION_PRIOR_PLACES))
                .sqrt()
                .max(1.0);
        }
    }
}

fn line_of(model: &PathLoss) -> Line {
    Line {
        level: model.rssi_at_1m_dbm,
        slope: -10.0 * model.exponent,
    }
}

/// Signal strength with walls and client's offset taken off, over the decades of distance.
fn linearised<'a>(
    samples: &'a [Sample],
    model: &'a PathLoss,
    offsets: &'a BTreeMap<u32, f64>,
    deviation_db: f64,
) -> impl Iterator<Item = Point> + 'a {
    let model = *model;
    samples.iter().map(move |sample| Point {
        x: sample.decades,
        y: sample.mean_dbm() - offsets.get(&sample.client).copied().unwrap_or(0.0)
            + model.effective_obstruction_db(sample.decades, sample.obstruction_db),
        weight: deviation_db.powi(-2),
    })
}

fn expected_dbm(sample: &Sample, model: &PathLoss) -> f64 {
    model.expected_dbm(10f64.powf(sample.decades), sample.obstruction_db)
}

/// Sum of squared residuals of single readings, averaged by place.
#[derive(Default)]
struct Pooled {
    places: f64,
    squares: f64,
}

impl Pooled {
    fn add(&mut self, other: &Self) {
        self.places += other.places;
        self.squares += other.squares;
    }

    fn variance(&self) -> Option<f64> {
        (self.places > 0.0).then(|| self.squares / self.places)
    }
}

fn residuals(samples: &[Sample], model: &PathLoss, offsets: &BTreeMap<u32, f64>) -> Pooled {
    let mut pooled = Pooled::default();
    for sample in samples {
        let expected =
            expected_dbm(sample, model) + offsets.get(&sample.client).copied().unwrap_or(0.0);
        let mean_square = sample.sum_squares / sample.count - 2.0 * expected * sample.mean_dbm()
            + expected * expected;
        pooled.squares += mean_square.max(0.0);
        pooled.places += 1.0;
    }
    pooled
}

/// Mean residual of each client, drawn towards zero, with the mean over the clients taken off.
fn client_offsets(samples: &[Vec<Sample>], models: &[PathLoss]) -> BTreeMap<u32, f64> {
    let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for (samples, model) in samples.iter().zip(models) {
        let weight = model.deviation_db.powi(-2);
        for sample in samples {
            let (sum, weights) = sums.entry(sample.client).or_default();
            *sum += weight * (sample.mean_dbm() - expected_dbm(sample, model));
            *weights += weight;
        }
    }
    let mut offsets: BTreeMap<u32, f64> = sums
        .into_iter()
        .map(|(client, (sum, weights))| (client, sum / (weights + CLIENT_LEASH_DB.powi(-2))))
        .collect();
    let mean = offsets.values().sum::<f64>() / offsets.len().max(1) as f64;
    offsets.values_mut().for_each(|offset| *offset -= mean);
    offsets
}
