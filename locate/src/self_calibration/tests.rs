//! Self-calibration against buildings whose constants are known because the readings were made from
//! them.

use nalgebra::Point3;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use site::{Band, FloorIndex, RadioIndex};

use super::*;
use crate::example;

/// What the file says: 18 dB at 5 GHz, an exponent of 2.4 as there are no walls.
const FILED_SLAB_DB: f64 = 18.0;
const FILED_EXPONENT: f64 = 2.4;

/// A building as it really is.
struct Truth {
    exponent: f64,
    slab_db: f64,
    shadow_db: f64,
    /// Radius around the middle of the plan within which links find an atrium.
    atrium_m: f64,
}

const AS_FILED: Truth = Truth {
    exponent: FILED_EXPONENT,
    slab_db: FILED_SLAB_DB,
    shadow_db: 3.0,
    atrium_m: 0.0,
};

/// Three storeys of 40 m by 24 m, six anchors on each.
fn tower() -> Site {
    let mut places = Vec::new();
    for storey in 0..3 {
        for (x, y) in [
            (4.0, 4.0),
            (20.0, 3.0),
            (36.0, 5.0),
            (5.0, 20.0),
            (21.0, 21.0),
            (35.0, 19.0),
        ] {
            let z = 3.0 * f64::from(storey) + 2.5;
            places.push(Point3::new(x + f64::from(storey), y, z));
        }
    }
    example::site(40.0, 24.0, 3, &places, &[Band::Ghz5])
}

fn normal(random: &mut impl Rng) -> f64 {
    (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

impl Truth {
    fn loss_db(&self, a: Point3<f64>, b: Point3<f64>) -> f64 {
        let slabs = (a.z / 3.0).floor() - (b.z / 3.0).floor();
        let middle = Point3::new(20.0, 12.0, 0.0);
        let is_open = [a, b]
            .iter()
            .all(|end| (end.xy() - middle.xy()).norm() < self.atrium_m);
        let slabs_db = if is_open {
            0.0
        } else {
            slabs.abs() * self.slab_db
        };
        10.0 * self.exponent * (a - b).norm().log10() + slabs_db
    }

    /// What every radio hears of every other anchor, as far as it does.
    fn beacons(&self, site: &Site, seed: u64) -> Vec<Beacon> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let radios: Vec<_> = site.radios().collect();
        let reads: Vec<f64> = radios.iter().map(|_| 1.5 * normal(&mut random)).collect();
        let mut beacons = Vec::new();
        for (i, (one, radio)) in radios.iter().enumerate() {
            for (j, (other, sender)) in radios.iter().enumerate().skip(i + 1) {
                let shadow_db = self.shadow_db * normal(&mut random);
                for (to, from) in [(i, j), (j, i)] {
                    let level_dbm = sender.tx_power_dbm - 57.0 + shadow_db + reads[to]
                        - self.loss_db(one.position, other.position)
                        + 0.5 * normal(&mut random);
                    if level_dbm > -92.0 {
                        let ends = [radio.index, sender.index];
                        beacons.push(Beacon {
                            receiver: ends[usize::from(to != i)],
                            transmitter: ends[usize::from(from != i)],
                            mean_dbm: level_dbm as f32,
                            count: 40,
                        });
                    }
                }
            }
        }
        beacons
    }

    /// Windows of clients at random places.
    fn traffic(&self, site: &Site, count: u64, seed: u64) -> Vec<Traffic> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let offsets: Vec<f64> = (0..20).map(|_| 4.0 * normal(&mut random)).collect();
        let window = |number: u64| {
            let storey = f64::from(random.random_range(0..3u8));
            let place = Point3::new(
                random.random_range(0.0..40.0),
                random.random_range(0.0..24.0),
                3.0 * storey + 1.2,
            );
            let client = number % 20;
            let sightings = site.radios().filter_map(|(anchor, radio)| {
                let level_dbm = -42.0 + offsets[client as usize]
                    - self.loss_db(anchor.position, place)
                    + self.shadow_db * normal(&mut random);
                (level_dbm > -90.0).then_some(Sighting {
                    radio: radio.index,
                    rssi_dbm: Some(level_dbm as f32),
                    count: 3,
                    age_s: 0.2,
                    range: None,
                })
            });
            Traffic {
                client,
                sightings: sightings.collect(),
            }
        };
        (0..count).map(window).collect()
    }
}

fn slab_db(told: &SelfCalibration, floor: u8) -> f64 {
    let calibration = told.calibration.as_ref().expect("it was kept");
    let slab = calibration.slab(FloorIndex(floor));
    slab.expect("links cross the slab").at(Band::Ghz5)
}

#[test]
fn wrong_slabs_and_exponents_are_found() {
    let site = tower();
    for (seed, slab_db_true, exponent) in [(1, 9.0, 3.0), (2, 26.0, 2.0), (3, 5.0, 2.4)] {
        let truth = Truth {
            exponent,
            slab_db: slab_db_true,
            ..AS_FILED
        };
        let told = self_calibrate(&site, &truth.beacons(&site, seed), &[]);
        assert_eq!(told.verdict, Verdict::Kept, "{told:?}");
        for floor in [1, 2] {
            let found = slab_db(&told, floor);
            assert!(
                (found - slab_db_true).abs() < 3.0,
                "seed {seed}, slab {floor}: {found}"
            );
        }
        if exponent != FILED_EXPONENT {
            let calibration = told.calibration.as_ref().unwrap();
            let found = calibration.radio(RadioIndex(0)).unwrap().exponent;
            assert!((found - exponent).abs() < 0.3, "seed {seed}: {found}");
        }
        assert!(told.links.unwrap().gain() > 0.1, "{told:?}");
    }
}

/// Without the second component four open links in a dozen would halve the slab.
#[test]
fn an_atrium_does_not_make_slabs_light() {
    let site = tower();
    let truth = Truth {
        slab_db: 24.0,
        atrium_m: 10.0,
        ..AS_FILED
    };
    let told = self_calibrate(&site, &truth.beacons(&site, 5), &[]);
    assert_eq!(told.verdict, Verdict::Kept, "{told:?}");
    for floor in [1, 2] {
        let found = slab_db(&told, floor);
        assert!((found - 24.0).abs() < 3.5, "slab {floor}: {found}");
    }
}

#[test]
fn few_beacons_and_no_clients_are_too_little() {
    let site = tower();
    let beacons = AS_FILED.beacons(&site, 1);
    let told = self_calibrate(&site, &beacons[..8], &[]);
    assert_eq!(told.verdict, Verdict::TooLittle);
    assert_eq!((told.pairs, told.calibration), (4, None));
    assert_eq!(self_calibrate(&site, &[], &[]).verdict, Verdict::TooLittle);
}

/// Shadows of 15 dB, each direction by itself, around what the file says.
#[test]
fn beacons_that_say_nothing_change_nothing() {
    let site = tower();
    let mut kept = 0;
    for seed in 0..8 {
        let mut random = ChaCha8Rng::seed_from_u64(100 + seed);
        let mut beacons = AS_FILED.beacons(&site, seed);
        for beacon in &mut beacons {
            beacon.mean_dbm += (15.0 * normal(&mut random)) as f32;
        }
        let told = self_calibrate(&site, &beacons, &[]);
        kept += u32::from(told.calibration.is_some());
        if let Some(calibration) = &told.calibration {
            let slab = calibration.slab(FloorIndex(1)).unwrap().at(Band::Ghz5);
            assert!((slab - FILED_SLAB_DB).abs() < 6.0, "{slab}");
        }
    }
    assert!(kept <= 3, "{kept}");
}

#[test]
fn what_is_kept_explains_held_back_data_better() {
    let site = tower();
    let mut kept = 0;
    for seed in 0..12 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let truth = Truth {
            exponent: random.random_range(1.8..3.4),
            slab_db: random.random_range(3.0..30.0),
            shadow_db: random.random_range(1.0..8.0),
            atrium_m: random.random_range(0.0..12.0),
        };
        let beacons = truth.beacons(&site, seed);
        let few = random.random_range(0..beacons.len());
        let told = self_calibrate(&site, &beacons[..few], &truth.traffic(&site, 60, seed));
        if told.calibration.is_some() {
            kept += 1;
            let gains = [told.links, told.traffic].map(|it| it.map_or(0.0, |it| it.gain()));
            assert!(gains.iter().any(|gain| *gain > 0.0), "{told:?}");
            assert!(told.traffic.is_none_or(|it| it.gain() > 0.0), "{told:?}");
        } else {
            assert_ne!(told.verdict, Verdict::Kept);
        }
    }
    assert!(kept >= 6, "{kept}");
}

/// Links say one thing, clients another: anchors hang in a plenum that no client shares.
#[test]
fn clients_can_refuse_what_links_say() {
    let site = tower();
    let odd = Truth {
        slab_db: 1.0,
        exponent: 3.6,
        ..AS_FILED
    };
    let beacons = odd.beacons(&site, 3);
    assert_eq!(self_calibrate(&site, &beacons, &[]).verdict, Verdict::Kept);
    let told = self_calibrate(&site, &beacons, &AS_FILED.traffic(&site, 120, 4));
    assert_ne!(told.scope, Some(Scope::Radios), "{told:?}");
    if let Some(calibration) = &told.calibration {
        let slab = calibration.slab(FloorIndex(1));
        assert!(
            slab.is_none_or(|slab| slab.at(Band::Ghz5) > 9.0),
            "{told:?}"
        );
    }
}

/// However many they are: what they explain better may still be wrong.
#[test]
fn clients_alone_teach_nothing() {
    let site = tower();
    let truth = Truth {
        exponent: 3.2,
        ..AS_FILED
    };
    let told = self_calibrate(&site, &[], &truth.traffic(&site, 200, 8));
    assert_eq!((told.verdict, told.calibration), (Verdict::TooLittle, None));
    assert!(told.windows >= 100, "{}", told.windows);
}

#[test]
fn impossible_beacons_are_passed_over() {
    let site = tower();
    let beacons = AS_FILED.beacons(&site, 1);
    let clean = self_calibrate(&site, &beacons, &[]);
    let mut broken = beacons.clone();
    let bad = |receiver, transmitter, mean_dbm, count| Beacon {
        receiver: RadioIndex(receiver),
        transmitter: RadioIndex(transmitter),
        mean_dbm,
        count,
    };
    broken.extend([
        bad(0, 0, -40.0, 9),
        bad(0, 999, -40.0, 9),
        bad(999, 0, -40.0, 9),
        bad(0, 1, f32::NAN, 9),
        bad(0, 1, f32::INFINITY, 9),
        bad(0, 1, -40.0, 0),
    ]);
    assert_eq!(self_calibrate(&site, &broken, &[]), clean);
}
