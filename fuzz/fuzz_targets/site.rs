//! Any text is a site, or the calibration of one, or refused; what was learned survives another trip.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use site::{Calibration, Site};

static HALL: LazyLock<Site> = LazyLock::new(|| {
    Site::parse(include_str!("../../sites/hall.toml")).expect("a site that ships")
});

fuzz_target!(|text: &str| {
    if let Err(problems) = Site::parse(text) {
        assert!(!problems.is_empty() && problems.len() <= 101);
        let lines = text.lines().count() + 1;
        assert!(problems.iter().all(|problem| problem.line <= lines));
    }
    match Calibration::parse(text, &HALL) {
        Ok(calibration) => {
            let again = calibration.to_toml(&HALL);
            assert_eq!(Calibration::parse(&again, &HALL), Ok(calibration));
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
});
