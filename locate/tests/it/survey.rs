//! What a survey is worth at places that it did not see.

use std::f64::consts::TAU;

use locate::fit::{Population, Survey, SurveyEpoch, fit};
use locate::{Fix, Sighting};
use nalgebra::{Point2, Point3};
use rand::{Rng, RngExt};
use site::{Calibration, Site};

use crate::plan::{CLIENT_Z_M, Plan, fresh, is_sound, locator, normal, seeded};

/// A wave of the residual of one radio.
struct Wave {
    phase: f64,
    per_m: (f64, f64),
}

/// A hall in which radios are heard otherwise than their constants say.
struct World {
    plan: Plan,
    /// Per radio, the waves whose sum is its residual.
    waves: Vec<Vec<Wave>>,
    /// Standard deviation of what follows the place, and of what does not, in dB.
    field_db: f64,
    noise_db: f64,
}

const WIDTH_M: f64 = 30.0;
const DEPTH_M: f64 = 20.0;
const WAVES: usize = 12;

impl World {
    fn new(field_db: f64, noise_db: f64, seed: u64) -> Self {
        let anchors = [
            (1.0, 1.0),
            (15.0, 1.5),
            (29.0, 1.0),
            (28.5, 19.0),
            (16.0, 18.5),
            (1.5, 19.0),
            (8.0, 10.0),
            (23.0, 9.0),
        ];
        let mut random = seeded(seed);
        let mut wave = || {
            let (length_m, angle) = (
                4.0 * 6f64.powf(random.random_range(0.0..1.0)),
                random.random_range(0.0..TAU),
            );
            Wave {
                phase: random.random_range(0.0..TAU),
                per_m: (
                    TAU / length_m * f64::cos(angle),
                    TAU / length_m * f64::sin(angle),
                ),
            }
        };
        Self {
            plan: Plan::hall(WIDTH_M, DEPTH_M, &anchors),
            waves: anchors
                .iter()
                .map(|_| (0..WAVES).map(|_| wave()).collect())
                .collect(),
            field_db,
            noise_db,
        }
    }

    /// What is heard there: constants without noise, the field, and noise.
    fn heard(&self, place: Point2<f64>, random: &mut impl Rng) -> Vec<Sighting> {
        let scale_db = self.field_db * (2.0 / WAVES as f64).sqrt();
        let mut sightings = self.plan.expected(place);
        for (sighting, waves) in sightings.iter_mut().zip(&self.waves) {
            let crests = waves
                .iter()
                .map(|wave| (wave.phase + wave.per_m.0 * place.x + wave.per_m.1 * place.y).cos());
            let more_db = scale_db * crests.sum::<f64>() + self.noise_db * normal(random);
            sighting.rssi_dbm = sighting.rssi_dbm.map(|rssi_dbm| rssi_dbm + more_db as f32);
        }
        sightings
    }

    /// A survey at a raster of so many metres, twice at each place.
    fn surveyed(&self, raster_m: f64, random: &mut impl Rng) -> Survey {
        let steps = |length_m: f64| {
            (0..(length_m / raster_m) as u32).map(move |n| (f64::from(n) + 0.5) * raster_m)
        };
        let places = steps(WIDTH_M).flat_map(|x| steps(DEPTH_M).map(move |y| Point2::new(x, y)));
        let epochs = places
            .flat_map(|place| [place, place])
            .map(|place| epoch(place, self.heard(place, random)));
        Survey {
            epochs: epochs.collect(),
        }
    }
}

fn epoch(place: Point2<f64>, sightings: Vec<Sighting>) -> SurveyEpoch {
    SurveyEpoch {
        position_in_site: Point3::new(place.x, place.y, CLIENT_Z_M),
        client: 0,
        sightings,
    }
}

/// How fixes at new places are.
#[derive(Debug)]
struct Score {
    mean_m: f64,
    in_r50: f64,
    in_r90: f64,
}

/// Fixes at new places, on days on which each radio's level is off by `drift_db`.
fn score(world: &World, site: &Site, calibration: &Calibration, drift_db: f64) -> Score {
    let mut locator = locator(site, calibration);
    let mut random = seeded(1234);
    let rounds = 600;
    let mut score = Score {
        mean_m: 0.0,
        in_r50: 0.0,
        in_r90: 0.0,
    };
    let share = 1.0 / f64::from(rounds);
    for _ in 0..rounds {
        let place = Point2::new(
            random.random_range(0.0..WIDTH_M),
            random.random_range(0.0..DEPTH_M),
        );
        let mut sightings = world.heard(place, &mut random);
        for rssi_dbm in sightings.iter_mut().filter_map(|one| one.rssi_dbm.as_mut()) {
            *rssi_dbm += (drift_db * normal(&mut random)) as f32;
        }
        let fix = fresh(&mut locator, &sightings).unwrap();
        let error_m = (fix.position_in_site.xy() - place).norm();
        score.mean_m += share * error_m;
        score.in_r50 += share * f64::from(u8::from(error_m <= fix.r50_m));
        score.in_r90 += share * f64::from(u8::from(error_m <= fix.r90_m));
    }
    score
}

/// Drift of a radio's level between the survey and the fix that every survey's model allows for, in
/// dB.
const DRIFT_DB: f64 = 3.0;

/// Surveys at a raster of 2.5 m of worlds like this one.
const SURVEYS: u32 = 4;

/// Scores of a survey's calibration and of its constants alone on the day of the survey, and of the
/// calibration later.
struct Fitted {
    calibration: Calibration,
    same_day: Score,
    constants: Score,
    later: Score,
}

fn fitted(field_db: f64, noise_db: f64) -> Vec<Fitted> {
    let of_seed = |seed| {
        let world = World::new(field_db, noise_db, seed);
        let site = world.plan.site();
        let survey = world.surveyed(2.5, &mut seeded(seed));
        let calibration = fit(&site, &survey, Population::Surveyed);
        let constants = Calibration {
            shadow: None,
            ..calibration.clone()
        };
        Fitted {
            same_day: score(&world, &site, &calibration, 0.0),
            constants: score(&world, &site, &constants, 0.0),
            later: score(&world, &site, &calibration, DRIFT_DB),
            calibration,
        }
    };
    (0..SURVEYS.into()).map(of_seed).collect()
}

/// Shares of fixes within the stated radii, over all surveys.
fn coverage(fitted: &[Fitted], of: fn(&Fitted) -> &Score) -> (f64, f64) {
    let mean = |share: fn(&Score) -> f64| {
        fitted.iter().map(of).map(share).sum::<f64>() / fitted.len() as f64
    };
    (mean(|score| score.in_r50), mean(|score| score.in_r90))
}

#[test]
fn what_follows_the_place_is_learned_for_places_in_between() {
    let surveys = fitted(6.0, 2.0);
    for survey in &surveys {
        let shadow = survey.calibration.shadow.as_ref();
        assert!(shadow.is_some_and(|shadow| shadow.rssi.is_some()));
        let (with, without) = (&survey.same_day, &survey.constants);
        assert!(with.mean_m < 0.75 * without.mean_m, "{with:?} {without:?}");
    }
    let (in_r50, in_r90) = coverage(&surveys, |survey| &survey.later);
    assert!((0.4..=0.6).contains(&in_r50), "{in_r50}");
    assert!((0.82..=0.97).contains(&in_r90), "{in_r90}");
    // What the model keeps for the drift makes the day of the survey look worse than it is.
    let (in_r50, in_r90) = coverage(&surveys, |survey| &survey.same_day);
    assert!((0.4..=0.8).contains(&in_r50), "{in_r50}");
    assert!((0.82..=0.99).contains(&in_r90), "{in_r90}");
}

#[test]
fn what_does_not_follow_the_place_does_no_harm() {
    let surveys = fitted(0.0, 5.0);
    for survey in &surveys {
        let (with, without) = (&survey.same_day, &survey.constants);
        assert!(with.mean_m <= 1.03 * without.mean_m, "{with:?} {without:?}");
    }
    let (in_r50, in_r90) = coverage(&surveys, |survey| &survey.same_day);
    assert!((0.4..=0.6).contains(&in_r50), "{in_r50}");
    assert!((0.82..=0.97).contains(&in_r90), "{in_r90}");
}

#[test]
fn a_calibration_from_its_file_gives_the_same_fixes_to_the_last_bit() {
    let world = World::new(6.0, 2.0, 7);
    let site = world.plan.site();
    let calibration = fit(
        &site,
        &world.surveyed(2.5, &mut seeded(7)),
        Population::Surveyed,
    );
    let text = calibration.to_toml(&site);
    let read = Calibration::parse(&text, &site).unwrap();
    let (mut own, mut other) = (locator(&site, &calibration), locator(&site, &read));
    let mut random = seeded(8);
    for _ in 0..50 {
        let place = Point2::new(
            random.random_range(0.0..WIDTH_M),
            random.random_range(0.0..DEPTH_M),
        );
        let sightings = world.heard(place, &mut random);
        assert_eq!(fresh(&mut own, &sightings), fresh(&mut other, &sightings));
    }
    assert_eq!(read.to_toml(&site), text);
}

/// Fits to a survey, locates with it, and reads its file.
fn survives(epochs: Vec<SurveyEpoch>, what: &str) -> Option<Fix> {
    let world = World::new(4.0, 2.0, 5);
    let site = world.plan.site();
    let survey = Survey { epochs };
    let sightings = world.heard(Point2::new(12.0, 8.0), &mut seeded(9));
    let mut last = None;
    for population in [Population::Unknown, Population::Surveyed] {
        let calibration = fit(&site, &survey, population);
        let fix = fresh(&mut locator(&site, &calibration), &sightings);
        assert!(fix.as_ref().is_some_and(is_sound), "{what}: {fix:?}");
        assert!(
            Calibration::parse(&calibration.to_toml(&site), &site).is_ok(),
            "{what}"
        );
        last = fix;
    }
    last
}

#[test]
fn no_survey_is_too_odd() {
    let world = World::new(4.0, 2.0, 5);
    let mut random = seeded(6);
    let mut heard = |x: f64, y: f64| {
        epoch(
            Point2::new(x, y),
            world.heard(Point2::new(x, y), &mut random),
        )
    };
    let good: Vec<SurveyEpoch> = (0u8..40)
        .map(|n| heard(f64::from(n) * 0.7, f64::from(n % 9) * 2.0))
        .collect();
    let with = |position_in_site: Point3<f64>| {
        let mut epochs = good.clone();
        epochs.push(SurveyEpoch {
            position_in_site,
            ..good[0].clone()
        });
        epochs
    };
    let clean = survives(good.clone(), "good");
    let not_a_number = Point3::new(f64::NAN, 1.0, f64::INFINITY);
    assert_eq!(
        survives(with(not_a_number), "a place that is no number"),
        clean
    );
    survives(Vec::new(), "none");
    survives(good[..1].to_vec(), "one epoch");
    survives((0..60).map(|_| heard(7.0, 7.0)).collect(), "one place");
    survives(
        (0u8..60).map(|n| heard(f64::from(n) * 0.01, 7.0)).collect(),
        "nearly one place",
    );
    survives(
        vec![
            SurveyEpoch {
                position_in_site: not_a_number,
                ..good[0].clone()
            };
            60
        ],
        "no places",
    );
    survives(
        vec![
            SurveyEpoch {
                sightings: Vec::new(),
                ..good[0].clone()
            };
            60
        ],
        "nothing heard",
    );
    survives(
        with(Point3::new(1e300, -1e300, 0.0)),
        "a place beyond the world",
    );
    survives(
        with(Point3::new(f64::MAX, f64::MAX, f64::MAX)),
        "the farthest place",
    );
    // On the very spot of an anchor.
    survives(vec![heard(1.0, 1.0); 30], "an anchor's place");
}
