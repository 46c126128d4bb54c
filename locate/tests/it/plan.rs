//! Small sites written as site files, and what their radios hear.

use std::fmt::Write as _;
use std::sync::Arc;

use locate::{Fix, Locator, Model, ModelOptions, RangeReading, Sighting, Track};
use nalgebra::{Isometry2, Point2, Point3, Vector2};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use site::{Calibration, RadioModel, RangeModel, Site};

/// Constants of every radio.
pub(crate) const LEVEL_DBM: f64 = -40.0;
pub(crate) const EXPONENT: f64 = 2.5;
pub(crate) const DEVIATION_DB: f64 = 4.0;

/// Height of clients.
pub(crate) const CLIENT_Z_M: f64 = 1.2;

/// One storey without walls.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) outline: Vec<Point2<f64>>,
    /// Each anchor has one radio, in this order.
    pub(crate) anchors: Vec<Point2<f64>>,
    pub(crate) band: &'static str,
}

/// A movement of the plane, with or without a mirror at the y axis before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Movement {
    pub(crate) is_mirrored: bool,
    pub(crate) isometry: Isometry2<f64>,
}

impl Plan {
    /// A hall with anchors inside.
    pub(crate) fn hall(width_m: f64, depth_m: f64, anchors: &[(f64, f64)]) -> Self {
        let corners = [
            (0.0, 0.0),
            (width_m, 0.0),
            (width_m, depth_m),
            (0.0, depth_m),
        ];
        Self {
            outline: corners.map(|(x, y)| Point2::new(x, y)).to_vec(),
            anchors: anchors.iter().map(|&(x, y)| Point2::new(x, y)).collect(),
            band: "5",
        }
    }

    /// An angled hall of 30 by 24 m with seven anchors.
    pub(crate) fn angled() -> Self {
        let outline = [
            (0.0, 0.0),
            (30.0, 0.0),
            (30.0, 14.0),
            (16.0, 14.0),
            (16.0, 24.0),
            (0.0, 24.0),
        ];
        let anchors = [
            (1.0, 1.5),
            (15.0, 2.0),
            (29.0, 1.0),
            (28.0, 12.5),
            (14.5, 13.0),
            (2.0, 12.0),
            (8.0, 22.5),
        ];
        Self {
            outline: outline.map(|(x, y)| Point2::new(x, y)).to_vec(),
            ..Self::hall(30.0, 24.0, &anchors)
        }
    }

    /// The same plan elsewhere.
    pub(crate) fn moved(&self, movement: &Movement) -> Self {
        let moved =
            |places: &[Point2<f64>]| places.iter().map(|&place| movement.apply(place)).collect();
        Self {
            outline: moved(&self.outline),
            anchors: moved(&self.anchors),
            band: self.band,
        }
    }

    /// The site, by way of its file.
    pub(crate) fn site(&self) -> Site {
        let corners: Vec<String> = self
            .outline
            .iter()
            .map(|p| format!("[{}, {}]", p.x, p.y))
            .collect();
        let mut text = format!(
            "site = \"plan\"\nname = \"Plan\"\n[[floor]]\nid = \"0\"\nname = \"0\"\nelevation_m = 0\n\
             height_m = 3\noutline = [{}]\n",
            corners.join(", ")
        );
        for (number, anchor) in self.anchors.iter().enumerate() {
            let (x, y, band) = (anchor.x, anchor.y, self.band);
            write!(
                text,
                "[[anchor]]\nid = \"ap{number}\"\nfloor = \"0\"\nposition = [{x}, {y}]\nradios = [\"{band}\"]\n"
            )
            .unwrap();
        }
        Site::parse(&text).unwrap()
    }

    /// What all radios hear of a client there, drawn from the constants.
    pub(crate) fn heard(&self, place: Point2<f64>, random: &mut impl Rng) -> Vec<Sighting> {
        let mut sightings = self.expected(place);
        for rssi_dbm in sightings.iter_mut().filter_map(|one| one.rssi_dbm.as_mut()) {
            *rssi_dbm += (DEVIATION_DB * normal(random)) as f32;
        }
        sightings
    }

    /// What all radios should hear of a client there.
    pub(crate) fn expected(&self, place: Point2<f64>) -> Vec<Sighting> {
        let place = Point3::new(place.x, place.y, CLIENT_Z_M);
        let of_radio = |(anchor, radio): (&site::Anchor, &site::Radio)| {
            let away_m = (place - anchor.position).norm();
            Sighting {
                radio: radio.index,
                rssi_dbm: Some((LEVEL_DBM - 10.0 * EXPONENT * away_m.log10()) as f32),
                count: 2,
                age_s: 0.2,
                range: None,
            }
        };
        self.site().radios().map(of_radio).collect()
    }

    /// What all radios measure of a client there, with this standard deviation.
    pub(crate) fn ranged(
        &self,
        place: Point2<f64>,
        deviation_m: f64,
        random: &mut impl Rng,
    ) -> Vec<Sighting> {
        let place = Point3::new(place.x, place.y, CLIENT_Z_M);
        self.site()
            .radios()
            .map(|(anchor, radio)| {
                let distance_m = (place - anchor.position).norm() + deviation_m * normal(random);
                Sighting {
                    radio: radio.index,
                    rssi_dbm: None,
                    count: 1,
                    age_s: 0.0,
                    range: Some(RangeReading {
                        distance_m: distance_m as f32,
                        deviation_m: None,
                    }),
                }
            })
            .collect()
    }
}

impl Movement {
    pub(crate) fn new(is_mirrored: bool, shift_m: (f64, f64), angle_rad: f64) -> Self {
        Self {
            is_mirrored,
            isometry: Isometry2::new(Vector2::new(shift_m.0, shift_m.1), angle_rad),
        }
    }

    pub(crate) fn apply(&self, place: Point2<f64>) -> Point2<f64> {
        let x = if self.is_mirrored { -place.x } else { place.x };
        self.isometry * Point2::new(x, place.y)
    }
}

/// Constants of every radio, and of its ranges.
pub(crate) fn calibrated(site: &Site, range_deviation_m: f64) -> Calibration {
    let radio = RadioModel {
        rssi_at_1m_dbm: LEVEL_DBM,
        exponent: EXPONENT,
        deviation_db: DEVIATION_DB,
        range: Some(RangeModel {
            bias_m: 0.0,
            slope: 1.0,
            deviation_m: range_deviation_m,
        }),
    };
    Calibration {
        radios: site.radios().map(|_| Some(radio)).collect(),
        client_offset_deviation_db: Some(4.0),
        ..Calibration::default()
    }
}

/// A locator of this site with these constants.
pub(crate) fn locator(site: &Site, calibration: &Calibration) -> Locator {
    let model = Model::new(site, calibration, &ModelOptions::default());
    Locator::new(Arc::new(model))
}

/// A locator of this plan with the true constants and ranges of a metre.
pub(crate) fn locator_of(plan: &Plan) -> Locator {
    let site = plan.site();
    locator(&site, &calibrated(&site, 1.0))
}

/// A fix of a client that was never seen before.
pub(crate) fn fresh(locator: &mut Locator, sightings: &[Sighting]) -> Option<Fix> {
    locator.locate(sightings, &mut Track::default(), 0.0)
}

pub(crate) fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Nearly standard normal.
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

/// Everything that any fix must be.
pub(crate) fn is_sound(fix: &Fix) -> bool {
    let numbers = [fix.height_deviation_m, fix.age_s, fix.r50_m, fix.r90_m];
    fix.position_in_site.iter().all(|value| value.is_finite())
        && numbers
            .iter()
            .all(|value| value.is_finite() && *value >= 0.0)
        && fix.covariance_m2.iter().all(|value| value.is_finite())
        && fix.covariance_m2.cholesky().is_some()
        && 0.0 < fix.r50_m
        && fix.r50_m <= fix.r90_m
        && 0.0 < fix.floor_probability
        && fix.floor_probability <= 1.0
        && fix.radios >= 1
        && fix.observations >= 1
}
