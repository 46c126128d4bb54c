//! Without any position of the site: against fixed constants, and against the calibrated run.

use super::super::baselines::Baselines;
use super::super::mode::Mode;
use super::markdown::{errors, pair, percent, ratio, table};
use super::{Area, Found, Memory, Scoring, Tally};

/// How much larger than the calibrated RMSE the blind one may be, and on which share of sets.
const RATIO_MAX: f64 = 1.2;
const SHARE_MIN: f64 = 0.75;

/// How much worse than fixed constants counts as the same: the cells of two grids.
const SAME: f64 = 1.01;

/// The baseline that needs no survey where ranges are used.
const RAW_RANGES: &str = "nonlinear LS raw";

pub(super) fn section(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally) -> String {
    let mut text = "## Blind\n\n\
        One epoch each. Fixed constants: -42 dBm at 1 m for Wi-Fi, -59 for Bluetooth, exponent \
        2.4, 7 dB, a client offset of 8 dB, posterior mean. \
        For ranges, nonlinear least squares on raw ranges stands beside ours; it has no mask. \
        Signal strength is to be no worse than the constants \
        on any set (up to 1 %, for the cells of the two grids differ), and the RMSE at most 1.2 \
        times the calibrated one on three quarters of the rows.\n"
        .to_owned();
    for area in [Area::Open, Area::Mask] {
        text += &of_area(found, baselines, tally, area);
    }
    text
}

fn of_area(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally, area: Area) -> String {
    let mut rows = Vec::new();
    let mut close = 0;
    for (set, mode) in found.scored(baselines) {
        let row = |scoring| found.row(&set, mode.as_str(), scoring, area, Memory::Epoch);
        let track = found.row(&set, mode.as_str(), Scoring::Blind, area, Memory::Track);
        let (ours, calibrated) = (row(Scoring::Blind), row(Scoring::Calibrated));
        let other = match mode {
            Mode::Rssi => baselines.fixed(&set, area.as_str()),
            Mode::Range | Mode::Both => baselines.method(&set, mode.as_str(), RAW_RANGES),
        };
        let met = match (mode, other) {
            (Mode::Rssi, Some(fixed_m)) => tally.pair(
                &format!("{set}, blind, {area}, fixed constants"),
                ours,
                fixed_m.map(|error_m| error_m * SAME),
            ),
            _ => String::new(),
        };
        let of_calibrated = ours
            .and_then(|row| row.rmse_m)
            .zip(calibrated.and_then(|row| row.rmse_m))
            .map(|(ours_m, calibrated_m)| ours_m / calibrated_m);
        close += usize::from(of_calibrated.is_some_and(|ratio| ratio <= RATIO_MAX));
        rows.push(vec![
            set.clone(),
            mode.to_string(),
            other.map_or_else(|| "-".into(), pair),
            errors(ours),
            met,
            errors(calibrated),
            ratio(of_calibrated),
            errors(track),
        ]);
    }
    let head = [
        "set",
        "scored on",
        "constants, or raw ranges",
        "ours",
        "not worse",
        "ours, calibrated",
        "ratio of RMSE",
        "ours, track",
    ];
    let share = close as f64 / rows.len().max(1) as f64;
    let met = tally.at_least(
        &format!("blind, {area}, share of rows within {RATIO_MAX} of the calibrated RMSE"),
        Some(share),
        SHARE_MIN,
    );
    format!(
        "\n{}:\n\n{}\nWithin {RATIO_MAX} of the calibrated RMSE: {close} of {} rows ({} %): \
            {met}.\n",
        match area {
            Area::Open => "Open area",
            Area::Mask => "Mask",
        },
        table(&head, &rows),
        rows.len(),
        percent(Some(share)),
    )
}
