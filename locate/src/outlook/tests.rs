//! Outlooks whose truth is known: worlds drawn from the model.

use nalgebra::Point3;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use site::{Band, Calibration, FloorIndex, RadioModel};

use super::*;
use crate::example;
use crate::model::ModelOptions;

const DEVIATION_DB: f64 = 4.0;

fn hall() -> Site {
    let mut places = Vec::new();
    for column in 0..4 {
        for row in 0..3 {
            let (x, y) = (5.0 + 10.0 * f64::from(column), 5.0 + 10.0 * f64::from(row));
            places.push(Point3::new(x, y, 2.7));
        }
    }
    example::site(40.0, 30.0, 1, &places, &[Band::Ghz5])
}

fn model(site: &Site) -> Arc<Model> {
    let radio = RadioModel {
        rssi_at_1m_dbm: -40.0,
        exponent: 2.5,
        deviation_db: DEVIATION_DB,
        range: None,
    };
    let calibration = Calibration {
        radios: site.radios().map(|_| Some(radio)).collect(),
        client_offset_deviation_db: Some(4.0),
        ..Calibration::default()
    };
    Arc::new(Model::new(site, &calibration, &ModelOptions::default()))
}

fn normal(random: &mut impl Rng) -> f64 {
    (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

/// What some radios hear at a place.
fn heard(
    model: &Model,
    (x, y): (f64, f64),
    radios: impl IntoIterator<Item = u16>,
    mut error_db: impl FnMut() -> f64,
) -> Vec<Sighting> {
    let place = nalgebra::Point2::new(x, y);
    let sighting = |radio| {
        let expected = model.expected_dbm(RadioIndex(radio), FloorIndex(0), place);
        Sighting {
            radio: RadioIndex(radio),
            rssi_dbm: Some((expected.unwrap() + error_db()) as f32),
            count: 1,
            age_s: 0.0,
            range: None,
        }
    };
    radios.into_iter().map(sighting).collect()
}

/// Links between all anchors of a hall, as the model has them.
fn links(model: &Model, site: &Site, error_db: impl Fn(usize, usize) -> f64) -> Vec<AnchorLink> {
    let count = site.anchors.len();
    let pairs = (0..count).flat_map(|sender| (0..count).map(move |hearer| (sender, hearer)));
    pairs
        .filter(|(sender, hearer)| sender != hearer)
        .map(|(sender, hearer)| {
            let sender_place = site.anchors[sender].position.xy();
            let receiver = RadioIndex(hearer as u16);
            let expected = model.expected_dbm(receiver, FloorIndex(0), sender_place);
            let above_nominal_db = site.anchors[sender].radios[0].tx_power_dbm - 15.0;
            let dbm = expected.unwrap() + above_nominal_db + error_db(sender, hearer);
            AnchorLink {
                receiver,
                transmitter: RadioIndex(sender as u16),
                mean_dbm: Some(dbm as f32),
                count: 100,
                range: None,
            }
        })
        .collect()
}

#[test]
fn anchors_that_are_where_the_site_says_have_small_errors() {
    let site = hall();
    let model = model(&site);
    let check = check_anchors(&model, &site, &links(&model, &site, |_, _| 0.0));
    assert_eq!(check.anchors.len(), 12);
    assert!(
        check
            .anchors
            .iter()
            .all(|a| a.heard_by == 11 && a.floor_is_right)
    );
    // Anchors in the corners are drawn towards the middle by the posterior's mean.
    assert!(check.median_m.unwrap() < 1.5, "{check:?}");
    assert!(check.p90_m.unwrap() >= check.median_m.unwrap());
    let residuals = check.residuals.unwrap();
    assert_eq!(residuals.links, 12 * 11);
    assert!(residuals.rms_db < 0.01 && residuals.expected_db > 3.0);
}

#[test]
fn an_anchor_that_is_not_where_the_site_says_stands_out() {
    let site = hall();
    let model = model(&site);
    let mut moved = site.clone();
    moved.anchors[5].position.x += 15.0;
    let check = check_anchors(&model, &moved, &links(&model, &site, |_, _| 0.0));
    let worst = check
        .anchors
        .iter()
        .max_by(|a, b| a.error_m.total_cmp(&b.error_m));
    let worst = worst.unwrap();
    assert!(worst.anchor == 5 && worst.error_m > 10.0, "{worst:?}");
    assert!(check.median_m.unwrap() < 3.0);
}

#[test]
fn an_anchor_that_few_hear_is_not_located() {
    let site = hall();
    let model = model(&site);
    let mut few = links(&model, &site, |_, _| 0.0);
    few.retain(|link| link.transmitter.0 != 3 || link.receiver.0 < 2);
    let check = check_anchors(&model, &site, &few);
    assert!(check.anchors.iter().all(|anchor| anchor.anchor != 3));
    let nothing = check_anchors(&model, &site, &[]);
    assert_eq!((nothing.median_m, nothing.residuals), (None, None));
}

/// Errors that alternate by 6 dB: `6 / sqrt(1 - 1/11)` or so once each sender's level is off.
#[test]
fn scatter_between_anchors_shows_in_the_residuals() {
    let site = hall();
    let model = model(&site);
    let scatter = |sender: usize, hearer: usize| {
        if (sender + hearer).is_multiple_of(2) {
            6.0
        } else {
            -6.0
        }
    };
    let residuals = check_anchors(&model, &site, &links(&model, &site, scatter)).residuals;
    let rms_db = residuals.unwrap().rms_db;
    assert!((5.5..7.0).contains(&rms_db), "{rms_db}");
}

#[test]
fn the_loss_of_the_anchor_that_dominates_costs_most() {
    let site = hall();
    let model = model(&site);
    let mut leave_out = LeaveOut::new(model.clone(), &site);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    // Everybody stands by anchor 4, which 3 others and itself hear.
    for _ in 0..20 {
        let place = (15.0 + normal(&mut random), 15.0 + normal(&mut random));
        leave_out.add(&heard(&model, place, [0, 2, 4, 8], || 0.0));
    }
    let outlook = leave_out.outlook();
    assert_eq!(outlook.clients, 20);
    let anchors: Vec<usize> = outlook.anchors.iter().map(|cost| cost.anchor).collect();
    assert_eq!(anchors, [0, 2, 4, 8]);
    let dearest = outlook
        .anchors
        .iter()
        .max_by(|a, b| a.r50_ratio_median.partial_cmp(&b.r50_ratio_median).unwrap())
        .unwrap();
    assert_eq!(dearest.anchor, 4);
    assert!(dearest.r50_ratio_median.unwrap() > 1.2, "{dearest:?}");
    assert_eq!((dearest.clients, dearest.without_fix), (20, 0));
}

#[test]
fn a_client_that_one_anchor_alone_hears_has_no_fix_without_it() {
    let site = hall();
    let model = model(&site);
    let mut leave_out = LeaveOut::new(model.clone(), &site);
    leave_out.add(&heard(&model, (15.0, 15.0), [4], || 0.0));
    let cost = leave_out.outlook().anchors[0];
    assert_eq!((cost.anchor, cost.clients, cost.without_fix), (4, 1, 1));
    assert_eq!((cost.shift_median_m, cost.r50_ratio_median), (None, None));
}

fn honesty(true_deviation_db: f64) -> (f64, f64) {
    let site = hall();
    let model = model(&site);
    let mut leave_out = LeaveOut::new(model.clone(), &site);
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..80 {
        let place = (
            random.random_range(3.0..37.0),
            random.random_range(3.0..27.0),
        );
        let offset_db = 4.0 * normal(&mut random);
        let sightings = heard(&model, place, 0..12, || {
            offset_db + true_deviation_db * normal(&mut random)
        });
        leave_out.add(&sightings);
    }
    let honesty = leave_out.outlook().honesty;
    assert_eq!(honesty.readings, 80 * 12);
    let share = |within: usize| within as f64 / honesty.readings as f64;
    (share(honesty.within_50), share(honesty.within_90))
}

#[test]
fn left_out_readings_lie_where_an_honest_model_says() {
    let (within_50, within_90) = honesty(DEVIATION_DB);
    assert!((0.43..0.57).contains(&within_50), "{within_50}");
    assert!((0.85..0.95).contains(&within_90), "{within_90}");
    let (within_50, within_90) = honesty(3.0 * DEVIATION_DB);
    assert!(
        within_50 < 0.35 && within_90 < 0.7,
        "{within_50} {within_90}"
    );
}

#[test]
fn quantiles_are_nearest_ranks() {
    let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
    assert_eq!(quantile(&mut values, 0.5), Some(3.0));
    assert_eq!(quantile(&mut values, 0.9), Some(5.0));
    assert_eq!(quantile(&mut [], 0.5), None);
}
