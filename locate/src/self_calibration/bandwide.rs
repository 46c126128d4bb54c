//! What unlabelled clients may move: a few numbers of the whole site, each on a short leash.

use site::Site;

use super::ground::{Constants, Expected, Ground, Window};

/// Standard deviations within which clients may move the numbers: level in dB, exponent, logarithms
/// of the two spreads.
///
/// Without labels the likelihood alone walks away from the truth (on ten of 18 real sets it did),
/// so that these are a part of what a survey may move.
const LEASH: [f64; 4] = [2.0, 0.2, 0.25, 0.25];

/// First step of the search along each number.
const STEP: [f64; 4] = [1.5, 0.15, 0.15, 0.2];

/// Windows that count as independent at most: clients linger, and shadows are everybody's.
const WINDOWS_WORTH: f64 = 40.0;

const ROUNDS: usize = 3;

/// By how much the site's constants move: level, exponent, logarithms of residual's and clients'
/// spread.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shift([f64; 4]);

impl Shift {
    /// The constants moved by this.
    pub(super) fn of(&self, constants: &Constants) -> Constants {
        let [level_db, exponent, spread, clients] = self.0;
        let mut moved = constants.clone();
        for radio in &mut moved.radios {
            radio.rssi_at_1m_dbm += level_db;
            radio.exponent = (radio.exponent + exponent).clamp(1.0, 6.0);
            radio.deviation_db *= spread.exp();
        }
        moved.offset_deviation_db *= clients.exp();
        moved
    }

    /// The shift under which the windows are likeliest, prior included.
    pub(super) fn fit(ground: &Ground, windows: &[&Window], constants: &Constants) -> Self {
        let worth = |shift: &Self| {
            let expected: Expected = ground.expect(&shift.of(constants));
            let share = (WINDOWS_WORTH / windows.len().max(1) as f64).min(1.0);
            let explained: f64 = windows
                .iter()
                .map(|window| expected.log_density(window))
                .sum();
            let strayed: f64 = (shift.0.iter().zip(LEASH))
                .map(|(by, leash)| (by / leash).powi(2))
                .sum();
            share * explained - 0.5 * strayed
        };
        let mut best = (worth(&Self::default()), Self::default());
        let mut step = STEP;
        for _ in 0..ROUNDS {
            for (number, by) in step.iter().enumerate() {
                for direction in [1.0, -1.0] {
                    let mut next = best.1;
                    next.0[number] += direction * by;
                    let value = worth(&next);
                    if value > best.0 {
                        best = (value, next);
                        break;
                    }
                }
            }
            step = step.map(|step| step * 0.6);
        }
        best.1
    }
}

/// Spread of the offsets of unknown clients where nothing was learned, as the model has it.
pub(super) fn offset_deviation_db(site: &Site) -> f64 {
    crate::model::offset_deviation_db(site, &site::Calibration::default())
}
