//! Sightings in, fixes out: chooses the solver, keeps the track.

use std::sync::Arc;

use nalgebra::Point3;
use site::FloorIndex;

use crate::evidence::{Evidence, Offset};
use crate::fix::{Fix, Flags, Sighting, Source};
use crate::model::Model;
use crate::posterior::{PlacePrior, Posterior, Question, Scratch};
use crate::track::{Estimate, Track, Verdict};
use crate::uncertainty::radii_m;

mod ranging;

use ranging::{RangeAnswer, Ranging};

/// Sightings older than this on the whole make a fix `stale`, in seconds.
const STALE_AFTER_S: f64 = 5.0;

/// Standard deviation in metres, in a direction that the anchors leave open, from which a fix is
/// `degenerate`. Below it a narrow allowed area or a track has settled what the anchors cannot: all
/// of a corridor of 5 m has less.
const OPEN_DEVIATION_M: f64 = 1.5;

/// Makes fixes in one site: a model shared with others, and memory of its own.
#[derive(Debug)]
pub struct Locator {
    model: Arc<Model>,
    evidence: Evidence,
    scratch: Scratch,
    floors_log: Vec<f32>,
}

impl Locator {
    /// A locator for this model; all memory that fixes need is taken here.
    pub fn new(model: Arc<Model>) -> Self {
        Self {
            evidence: Evidence::new(),
            scratch: Scratch::new(&model),
            floors_log: vec![0.0; model.storeys.len()],
            model,
        }
    }

    /// Where the client is, from what was heard of it; `None` when nothing usable was.
    ///
    /// `now_s` is the time of the fix on any clock that does not run back, to which the sightings'
    /// ages count; `track` is the client's, [`Track::default`] for a new one. Never panics: radios
    /// that the site does not have, impossible readings and NaN are passed over. No allocation.
    pub fn locate(&mut self, sightings: &[Sighting], track: &mut Track, now_s: f64) -> Option<Fix> {
        let passed_s = track.advance(now_s);
        let offset = track.offset(self.model.client_offset_deviation_db);
        if !self.evidence.gather(&self.model, sightings, &offset) {
            return None;
        }
        track.floors_log(&mut self.floors_log);
        let temper = passed_s.map_or(1.0, |passed_s| track.temper(passed_s));
        let (mut answer, surprise_nats) = self.answer(track.place(), temper, &offset);
        let mut flags = Flags::default();
        if passed_s.is_some() {
            match track.judge(surprise_nats, temper) {
                Verdict::Plausible => {}
                Verdict::Doubtful => {
                    flags.teleport = true;
                    if let Some(place) = track.place() {
                        answer.hold(place, track.floor());
                    }
                }
                Verdict::Elsewhere => {
                    flags.teleport = true;
                    *track = Track::default();
                    self.floors_log.fill(0.0);
                    answer = self.answer(None, 1.0, &offset).0;
                }
            }
        }
        let echo = passed_s.map_or(1.0, |passed_s| {
            track.echo(&answer.estimate, temper, passed_s)
        });
        track.accept(&answer.estimate, temper, now_s, passed_s);
        answer.estimate.covariance_m2 *= echo;
        Some(self.fix(&answer, flags))
    }

    /// The model in use.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Asks the continuous solver where ranges are finer than the grid, and the grid otherwise.
    fn answer(&mut self, place: Option<PlacePrior>, temper: f64, offset: &Offset) -> (Answer, f32) {
        let ranging = Ranging {
            model: &self.model,
            floors_log: &self.floors_log,
        };
        if let Some(found) = ranging.solve(&self.evidence.ranges, place, temper) {
            return (Answer::of_ranges(&found), found.surprise_nats);
        }
        let question = Question {
            evidence: &self.evidence,
            place,
            floors_log: &self.floors_log,
            temper: temper as f32,
        };
        let posterior = self.scratch.solve(&self.model, &question);
        (
            Answer::of_grid(&self.model, &self.evidence, &posterior, offset),
            posterior.surprise_nats,
        )
    }

    fn fix(&self, answer: &Answer, mut flags: Flags) -> Fix {
        let estimate = &answer.estimate;
        let place = estimate.mean_in_site;
        let (r50_m, r90_m) = radii_m(&estimate.covariance_m2);
        let region = self.region(answer.source);
        flags.degenerate = answer.is_degenerate;
        flags.stale = self.evidence.age_min_s > STALE_AFTER_S;
        flags.outside = self.model.is_outside(estimate.floor, place);
        Fix {
            position_in_site: Point3::new(place.x, place.y, answer.z_m),
            covariance_m2: estimate.covariance_m2 * (region.r50 * region.r90),
            height_deviation_m: answer.height_deviation_m,
            floor: estimate.floor,
            floor_probability: estimate.floor_probability,
            r50_m: r50_m * region.r50,
            r90_m: (r90_m * region.r90).max(r50_m * region.r50),
            radios: self.evidence.radios,
            observations: self.evidence.observations,
            age_s: self.evidence.age_s,
            source: answer.source,
            flags,
        }
    }
}

impl Locator {
    /// How much wider than the posterior the stated regions are, by the kind of evidence.
    fn region(&self, source: Source) -> site::RegionScale {
        let regions = &self.model.regions;
        match (
            source,
            self.evidence.ranges.is_empty(),
            self.evidence.rssi.is_empty(),
        ) {
            (Source::Grid, true, _) => regions.rssi,
            (Source::Grid, false, false) => regions.both,
            (Source::Range, ..) | (Source::Grid, false, true) => regions.range,
        }
    }
}

/// What a solver said, in one shape for both.
struct Answer {
    estimate: Estimate,
    z_m: f64,
    height_deviation_m: f64,
    source: Source,
    is_degenerate: bool,
}

impl Answer {
    fn of_grid(model: &Model, evidence: &Evidence, posterior: &Posterior, offset: &Offset) -> Self {
        let offset = Offset {
            mean_db: offset.mean_db + posterior.offset_shift_db,
            covariance_db2: posterior.offset_covariance_db2,
        };
        Self {
            estimate: Estimate {
                mean_in_site: posterior.mean_in_site,
                covariance_m2: posterior.covariance_m2,
                floor: posterior.floor,
                floor_probability: posterior.floor_probability,
                rival_floor: posterior.rival_floor,
                rival_probability: posterior.rival_probability,
                offset: (!evidence.rssi.is_empty()).then_some(offset),
            },
            z_m: model.carrying_z_m(posterior.floor),
            height_deviation_m: model.options.carrying_height_deviation_m,
            source: Source::Grid,
            is_degenerate: evidence.layout.open_variance_m2(&posterior.covariance_m2)
                > OPEN_DEVIATION_M.powi(2),
        }
    }

    fn of_ranges(found: &RangeAnswer) -> Self {
        let solution = &found.solution;
        Self {
            estimate: Estimate {
                mean_in_site: solution.position.xy(),
                covariance_m2: solution.covariance_m2.fixed_view::<2, 2>(0, 0).into_owned(),
                floor: found.floor,
                floor_probability: found.floor_probability,
                rival_floor: found.floor,
                rival_probability: 0.0,
                offset: None,
            },
            z_m: solution.position.z,
            height_deviation_m: solution.covariance_m2.m33.max(0.0).sqrt(),
            source: Source::Range,
            is_degenerate: solution.is_degenerate(),
        }
    }

    /// Keeps to where the track expects the client instead.
    fn hold(&mut self, place: PlacePrior, (floor, floor_probability): (FloorIndex, f64)) {
        self.estimate.mean_in_site = place.mean_in_site;
        self.estimate.covariance_m2 = place.covariance_m2;
        self.estimate.floor = floor;
        self.estimate.floor_probability = floor_probability.max(f64::MIN_POSITIVE);
        self.estimate.offset = None;
    }
}

#[cfg(test)]
mod tests;
