//! Walks with a Bluetooth beacon among twelve sensors: danis-ble (CC0), Danis et al., Pervasive and
//! Mobile Computing 81 (2022).

use std::collections::HashMap;
use std::sync::Arc;

use locate::fit::{Population, Survey, SurveyEpoch, fit};
use locate::{Locator, Model, ModelOptions, Track};
use site::Calibration;

use crate::recording::{Epoch, folder, read};

/// Root mean squares of horizontal errors in metres: of single epochs, and along tracks.
fn errors_m(locator: &mut Locator, epochs: &[Epoch]) -> (f64, f64) {
    let mut tracks: HashMap<&str, Track> = HashMap::new();
    let (mut single, mut tracked, mut count) = (0.0, 0.0, 0.0);
    for epoch in epochs.iter().filter(|epoch| epoch.is_test) {
        let mut squared_m2 = |track: &mut Track| {
            let fix = locator.locate(&epoch.sightings, track, epoch.t_s).unwrap();
            (fix.position_in_site - epoch.position).xy().norm_squared()
        };
        single += squared_m2(&mut Track::default());
        tracked += squared_m2(tracks.entry(&epoch.trajectory).or_default());
        count += 1.0;
    }
    (f64::sqrt(single / count), f64::sqrt(tracked / count))
}

#[test]
fn errors_stay_below_the_published_baselines() {
    let (site, epochs) = read(&folder("danis-ble"));
    let surveyed = epochs.iter().filter(|epoch| !epoch.is_test);
    let survey = Survey {
        epochs: surveyed
            .map(|epoch| SurveyEpoch {
                position_in_site: epoch.position,
                client: 0,
                sightings: epoch.sightings.clone(),
            })
            .collect(),
    };
    let check = |calibration: &Calibration, single_max_m: f64, tracked_max_m: f64| {
        let model = Model::new(&site, calibration, &ModelOptions::default());
        let (single_m, tracked_m) = errors_m(&mut Locator::new(Arc::new(model)), &epochs);
        println!("single epochs {single_m:.2} m, tracks {tracked_m:.2} m");
        assert!(
            single_m < single_max_m && tracked_m < tracked_max_m,
            "{single_m} {tracked_m}"
        );
    };
    check(&fit(&site, &survey, Population::Surveyed), 3.3, 2.6);
    check(&Calibration::default(), 4.6, 4.0);
}
