//! What the truth of test epochs may reach, on real sets: the scores and nothing else.

use std::path::Path;

use agent::source::replay::dataset::{Epoch, Reading, Split};

use super::*;

/// Static places with ranges; walks with ranges; walks with measured heights.
const SETS: [&str; 3] = ["feng-lecture", "yu-carpark", "danis-ble"];

fn sets() -> impl Iterator<Item = (Dataset, Mode)> {
    SETS.iter().map(|name| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sets");
        let set = Dataset::load(&folder.join(name)).unwrap();
        let mode = mode::jobs(
            std::slice::from_ref(&set),
            Some(crate::cli::ModeChoice::Auto),
        );
        let mode = mode.unwrap()[0].1;
        (set, mode)
    })
}

/// Everything that could tell of another place than the true one.
fn corrupt_truth(epoch: &mut Epoch) {
    (epoch.x_m, epoch.y_m) = (epoch.y_m + 31.0, -epoch.x_m);
    epoch.z_m = epoch.z_m.map(|z_m| z_m - 40.0);
    epoch.floor = Some(7);
}

fn corrupt_reading(reading: &mut Reading) {
    reading.rssi_dbm = reading.rssi_dbm.map(|dbm| -127.0 - dbm);
    reading.range_m = reading.range_m.map(|range_m| 90.0 - range_m);
    reading.range_std_m = Some(0.01);
}

fn is_of(set: &Dataset, reading: &Reading, split: Split) -> bool {
    set.epochs[reading.epoch].split == split
}

/// Site file and calibration file of a way, to the byte.
fn texts(set: &Dataset, mode: Mode, area: Area, scoring: Scoring) -> (String, String) {
    let parts = split::split(mode.part_of(set));
    let (ground, calibration) = fitted(&parts, area, scoring).unwrap();
    let calibration = calibration.to_toml(&ground.site);
    (ground.text, calibration)
}

/// All fixes of a way, to the bit, and its scores.
fn fixes(set: &Dataset, mode: Mode, area: Area, scoring: Scoring) -> (String, Vec<Row>) {
    let parts = split::split(mode.part_of(set));
    let (ground, mut locator) = prepare(&parts, area, scoring).unwrap();
    let way = row::Way {
        set: &parts.name,
        mode,
        scoring,
        area,
    };
    let alone = pass::epochs(&mut locator, &ground, &parts.test);
    let tracked = pass::tracks(&mut locator, &ground, &parts.test);
    let rows = [(Memory::Epoch, &alone), (Memory::Track, &tracked)]
        .map(|(memory, answers)| Row::new(&way, memory, &ground, &parts.test, answers));
    // The shortest text that reads back as the same number is the number itself.
    (
        format!("{:?} {:?}", alone.fixes, tracked.fixes),
        rows.into(),
    )
}

#[test]
fn nothing_of_the_test_epochs_reaches_site_or_calibration() {
    for (set, mode) in sets() {
        let mut corrupted = set.clone();
        for reading in &mut corrupted.readings {
            if is_of(&set, reading, Split::Test) {
                corrupt_reading(reading);
            }
        }
        let test_epochs = |epoch: &&mut Epoch| epoch.split == Split::Test;
        corrupted
            .epochs
            .iter_mut()
            .filter(test_epochs)
            .for_each(corrupt_truth);
        for area in [Area::Open, Area::Mask] {
            let name = &set.name;
            let clean = texts(&set, mode, area, Scoring::Calibrated);
            let dirty = texts(&corrupted, mode, area, Scoring::Calibrated);
            assert!(clean == dirty, "{name} {area}: test epochs changed the fit");
        }
    }
}

/// The proof above means something only where calibration epochs do change the fit.
#[test]
fn the_calibration_epochs_do_reach_them() {
    for (set, mode) in sets() {
        let mut corrupted = set.clone();
        let of_calibration = |reading: &&mut Reading| is_of(&set, reading, Split::Calibration);
        let one = corrupted.readings.iter_mut().find(of_calibration);
        corrupt_reading(one.unwrap());
        let clean = texts(&set, mode, Area::Open, Scoring::Calibrated);
        let dirty = texts(&corrupted, mode, Area::Open, Scoring::Calibrated);
        assert_eq!(clean.0, dirty.0, "{}", set.name);
        assert_ne!(clean.1, dirty.1, "{}", set.name);
    }
}

#[test]
fn truth_of_the_test_epochs_changes_scores_and_no_fix() {
    for (set, mode) in sets() {
        let mut corrupted = set.clone();
        let test_epochs = |epoch: &&mut Epoch| epoch.split == Split::Test;
        corrupted
            .epochs
            .iter_mut()
            .filter(test_epochs)
            .for_each(corrupt_truth);
        for (area, scoring) in [
            (Area::Mask, Scoring::Calibrated),
            (Area::Open, Scoring::Blind),
        ] {
            let (clean, clean_rows) = fixes(&set, mode, area, scoring);
            let (dirty, dirty_rows) = fixes(&corrupted, mode, area, scoring);
            let name = &set.name;
            assert!(clean == dirty, "{name} {area} {scoring}: truth moved a fix");
            for (clean, dirty) in clean_rows.iter().zip(&dirty_rows) {
                assert_ne!(clean.median_m, dirty.median_m, "{name} {area} {scoring}");
            }
        }
    }
}

/// Heights of storeys belong to the plan and stay; all else of the calibration is foreign to it.
#[test]
fn a_blind_run_in_the_open_uses_no_position_and_no_reading_of_the_calibration() {
    for (set, mode) in sets() {
        let mut corrupted = set.clone();
        for epoch in &mut corrupted.epochs {
            if epoch.split == Split::Calibration {
                (epoch.x_m, epoch.y_m) = (epoch.y_m + 31.0, -epoch.x_m);
            }
        }
        for reading in &mut corrupted.readings {
            if is_of(&set, reading, Split::Calibration) {
                corrupt_reading(reading);
            }
        }
        let (clean, _) = fixes(&set, mode, Area::Open, Scoring::Blind);
        let (dirty, _) = fixes(&corrupted, mode, Area::Open, Scoring::Blind);
        assert!(
            clean == dirty,
            "{}: the calibration moved a blind fix",
            set.name
        );
    }
}
