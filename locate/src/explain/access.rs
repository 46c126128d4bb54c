//! What an explanation reads of the estimator: the only file here that knows its insides.

use nalgebra::{Matrix2, Point2, Point3};
use site::{Band, FloorIndex, RadioIndex};

use crate::evidence::{Evidence, Offset};
use crate::fix::Sighting;
use crate::lanes::LANES;
use crate::model::Model;
use crate::posterior::{Question, Scratch};
use crate::track::Track;

/// Bounds of an exponent that is read off the radio map: a wall on one side must not make it absurd.
const EXPONENT_MIN: f64 = 1.5;
const EXPONENT_MAX: f64 = 6.0;

/// Cells along one side of a tile.
const TILE_SIDE: f64 = 4.0;

/// Log-probability of a floor that shall not be looked at.
const SHUT_OUT_NATS: f32 = -1.0e4;

impl Model {
    /// Radios of the site that the model was made of.
    pub fn radios_len(&self) -> usize {
        self.radios.len()
    }

    /// Its floors.
    pub fn floors_len(&self) -> usize {
        self.storeys.len()
    }

    /// What a radio would hear of a nominal client at a place, in dBm: the radio map's value at the
    /// allowed cell nearest to it. `None` for a radio or floor that the site does not have.
    pub fn expected_dbm(
        &self,
        radio: RadioIndex,
        floor: FloorIndex,
        place_in_site: Point2<f64>,
    ) -> Option<f64> {
        if usize::from(radio.0) >= self.radios.len() {
            return None;
        }
        Some(Surroundings::new(self, floor, place_in_site, 0.0)?.expected_dbm(self, radio))
    }

    /// Standard deviation of one radio's signal strength about its expectation, in dB, for so many
    /// packets of that age; `None` where the estimator does not use signal strength.
    pub(crate) fn rssi_deviation_db(
        &self,
        radio: RadioIndex,
        count: u16,
        age_s: f32,
    ) -> Option<f64> {
        let heard = Sighting {
            radio,
            rssi_dbm: Some(-60.0),
            count: count.max(1),
            age_s,
            range: None,
        };
        let evidence = alone(self, &heard);
        let term = evidence.rssi.first()?;
        Some(f64::from(term.weight).sqrt().recip())
    }

    /// A range as the estimator understands it.
    pub(crate) fn range_part(&self, sighting: &Sighting) -> Option<RangeUse> {
        let ranged = Sighting {
            rssi_dbm: None,
            ..*sighting
        };
        let evidence = alone(self, &ranged);
        let term = evidence.ranges.first()?;
        Some(RangeUse {
            corrected_m: f64::from(term.distance_m / term.slope),
            deviation_m: f64::from(term.deviation_m / term.slope),
            slope: f64::from(term.slope),
        })
    }

    /// Scale of the error of a range to this radio, in metres.
    pub(crate) fn range_deviation_m(&self, radio: RadioIndex) -> Option<f64> {
        Some(self.radios.get(usize::from(radio.0))?.range.deviation_m)
    }

    /// Prior covariance of the offsets of a client of whom nothing is known, in dB^2.
    pub(crate) fn population_offsets_db2(&self) -> Matrix2<f64> {
        Offset::unknown(self.client_offset_deviation_db).covariance_db2
    }

    /// Whether a survey went into the map's signal strengths.
    pub(crate) fn is_surveyed(&self) -> bool {
        self.map.rssi_variance_left().is_some()
    }

    pub(crate) fn anchor_of(&self, radio: RadioIndex) -> Option<u16> {
        Some(self.radios.get(usize::from(radio.0))?.anchor)
    }

    pub(crate) fn band_of(&self, radio: RadioIndex) -> Option<Band> {
        Some(self.radios.get(usize::from(radio.0))?.band)
    }
}

/// A range with bias and slope taken off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeUse {
    pub(crate) corrected_m: f64,
    pub(crate) deviation_m: f64,
    /// Metres measured per metre of distance.
    pub(crate) slope: f64,
}

/// Which of a client's two offsets applies: 0 at 2.4 GHz, 1 above.
pub(crate) fn offset_number(band: Band) -> usize {
    match band {
        Band::Ghz2 | Band::Ble => 0,
        Band::Ghz5 | Band::Ghz6 | Band::Uwb => 1,
    }
}

/// Radios whose signal strength and whose range the estimator takes from these sightings.
pub(crate) fn radios_taken(model: &Model, sightings: &[Sighting]) -> Taken {
    let mut evidence = Evidence::new();
    let offset = Offset::unknown(model.client_offset_deviation_db);
    evidence.gather(model, sightings, &offset);
    Taken {
        rssi: evidence.rssi.iter().map(|term| term.radio).collect(),
        radios: evidence.radios,
        rssi_share: f64::from(evidence.rssi_temper),
    }
}

/// What the estimator took.
pub(crate) struct Taken {
    pub(crate) rssi: Vec<RadioIndex>,
    pub(crate) radios: u16,
    /// Exponent of the likelihood of signal strengths.
    pub(crate) rssi_share: f64,
}

/// Whether the estimator would use a sighting if there were no other.
pub(crate) fn is_usable(model: &Model, sighting: &Sighting) -> bool {
    alone(model, sighting).radios > 0
}

fn alone(model: &Model, sighting: &Sighting) -> Evidence {
    let mut evidence = Evidence::new();
    let offset = Offset::unknown(model.client_offset_deviation_db);
    evidence.gather(model, std::slice::from_ref(sighting), &offset);
    evidence
}

/// What a track knew when a fix was made.
pub(crate) struct Memory {
    /// Information about the place, in 1/m^2.
    pub(crate) information: Matrix2<f64>,
    /// Share of the likelihood that counted as news.
    pub(crate) temper: f64,
}

/// What a track knew of the place; `None` for one that had nothing to continue.
pub(crate) fn memory(track_before: &Track, at_s: f64) -> Option<Memory> {
    let mut track = *track_before;
    let passed_s = track.advance(at_s)?;
    let information = track.place()?.covariance_m2.try_inverse()?;
    Some(Memory {
        information,
        temper: track.temper(passed_s),
    })
}

/// Probability of every floor, in the site's order: the grid's posterior with the track's memory.
///
/// The posterior names its best floor and one rival, so each other floor is asked against the best.
pub(crate) fn floor_probabilities(
    model: &Model,
    sightings: &[Sighting],
    track_before: &Track,
    at_s: f64,
) -> Vec<f64> {
    let floors = model.floors_len();
    let mut track = *track_before;
    let passed_s = track.advance(at_s);
    let offset = track.offset(model.client_offset_deviation_db);
    let mut evidence = Evidence::new();
    if floors == 1 || !evidence.gather(model, sightings, &offset) {
        return vec![1.0 / floors as f64; floors];
    }
    let mut known_log = vec![0.0; floors];
    track.floors_log(&mut known_log);
    let mut scratch = Scratch::new(model);
    let mut best_two = |floors_log: &[f32]| {
        let question = Question {
            evidence: &evidence,
            place: track.place(),
            floors_log,
            temper: passed_s.map_or(1.0, |passed_s| track.temper(passed_s)) as f32,
        };
        let posterior = scratch.solve(model, &question);
        let best = (usize::from(posterior.floor.0), posterior.floor_probability);
        let rival = (
            usize::from(posterior.rival_floor.0),
            posterior.rival_probability,
        );
        (best, rival)
    };
    let ((best, best_probability), (rival, rival_probability)) = best_two(&known_log);
    let mut masses = vec![0.0; floors];
    masses[best] = 1.0;
    masses[rival] = rival_probability / best_probability;
    for floor in (0..floors).filter(|&floor| floor != best && floor != rival) {
        let two: Vec<f32> = (0..floors)
            .map(|other| match other == floor || other == best {
                true => known_log[other],
                false => SHUT_OUT_NATS,
            })
            .collect();
        let ((first, first_probability), (second, second_probability)) = best_two(&two);
        if (first, second) == (best, floor) {
            masses[floor] = second_probability / first_probability;
        }
    }
    let total: f64 = masses.iter().sum();
    masses.iter().map(|mass| mass / total).collect()
}

/// The cells about a place: what the radio map says there.
pub(crate) struct Surroundings {
    /// Tile, cell in it, and its middle at carrying height.
    cells: Vec<(usize, usize, Point3<f64>)>,
    nearest: (usize, usize),
}

impl Surroundings {
    /// The allowed cells within `reach_m` of a place, and the nearest one however far it is; `None`
    /// for a floor that the site does not have.
    pub(crate) fn new(
        model: &Model,
        floor: FloorIndex,
        place_in_site: Point2<f64>,
        reach_m: f64,
    ) -> Option<Self> {
        let grid = &model.map.grid;
        let blocks = grid.floors.get(usize::from(floor.0))?;
        let z_m = model.carrying_z_m(floor);
        let mut cells = Vec::new();
        let mut nearest = (f64::INFINITY, (0, 0));
        let place = grid.local(place_in_site);
        let side_m = (TILE_SIDE * grid.cell_m) as f32;
        for tile in blocks.start * LANES..blocks.end * LANES {
            let corner_m = grid.tiles[tile].corner_m;
            let beyond_m = |axis: usize| {
                let from_corner_m = place[axis] - corner_m[axis];
                (from_corner_m - from_corner_m.clamp(0.0, side_m)).abs()
            };
            let away_m = f64::from(beyond_m(0).hypot(beyond_m(1)));
            if away_m > reach_m && away_m > nearest.0 {
                continue;
            }
            for (cell, middle) in grid.cells(grid.tiles[tile]) {
                let away_m = (middle - place_in_site).norm();
                if away_m < nearest.0 {
                    nearest = (away_m, (tile, cell));
                }
                if away_m <= reach_m {
                    cells.push((tile, cell, Point3::new(middle.x, middle.y, z_m)));
                }
            }
        }
        nearest.0.is_finite().then_some(Self {
            cells,
            nearest: nearest.1,
        })
    }

    /// What a radio would hear of a nominal client at the place, in dBm.
    pub(crate) fn expected_dbm(&self, model: &Model, radio: RadioIndex) -> f64 {
        let (tile, cell) = self.nearest;
        f64::from(model.map.fine(radio, tile)[cell])
    }

    /// Share of the standard deviation of signal strengths that a survey leaves there; 1 without.
    pub(crate) fn rssi_deviation_left(&self, model: &Model) -> f64 {
        let (tile, cell) = self.nearest;
        let plane = model.map.rssi_variance_left();
        plane.map_or(1.0, |plane| f64::from(plane.fine(0, tile)[cell]).sqrt())
    }

    /// The same for ranges.
    pub(crate) fn range_deviation_left(&self, model: &Model) -> f64 {
        let (tile, cell) = self.nearest;
        let planes = model.map.ranges();
        planes.map_or(1.0, |planes| {
            f64::from(planes.variance_left.fine(0, tile)[cell]).sqrt()
        })
    }

    /// By how much more than its constants say a radio measures there, in metres.
    pub(crate) fn range_residual_m(&self, model: &Model, radio: RadioIndex) -> f64 {
        let (tile, cell) = self.nearest;
        let planes = model.map.ranges();
        planes.map_or(0.0, |planes| {
            f64::from(planes.residuals.fine(usize::from(radio.0), tile)[cell])
        })
    }

    /// The exponent with which a radio's signal falls about the place, walls and shadows included:
    /// the line through the radio map's values there over the logarithm of distance.
    pub(crate) fn exponent(&self, model: &Model, radio: RadioIndex) -> f64 {
        let anchor_in_site = model.radios[usize::from(radio.0)].position_in_site;
        let points = self.cells.iter().map(|&(tile, cell, middle)| {
            let decades = (middle - anchor_in_site).norm().max(0.5).log10();
            (decades, f64::from(model.map.fine(radio, tile)[cell]))
        });
        let count = self.cells.len().max(1) as f64;
        let sum = |of: fn((f64, f64)) -> f64| points.clone().map(of).sum::<f64>() / count;
        let (decades, level_dbm) = (sum(|(x, _)| x), sum(|(_, y)| y));
        let squares = sum(|(x, _)| x * x) - decades * decades;
        let products = sum(|(x, y)| x * y) - decades * level_dbm;
        if squares < f64::EPSILON {
            return EXPONENT_MIN;
        }
        (products / squares / -10.0).clamp(EXPONENT_MIN, EXPONENT_MAX)
    }
}
