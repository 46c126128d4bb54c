//! Without a mask: against the best baselines, and against what an exact model would reach.

use super::super::baselines::{Baselines, Kind};
use super::super::mode::Mode;
use super::markdown::{errors, pair, ratio, table};
use super::{Area, Found, Memory, Tally};

/// Errors of the ultra-wideband set that its anchors allow: median and RMSE in metres.
const UWB_SET: &str = "lias-uwb";
const UWB_GOAL_M: [f64; 2] = [0.06, 0.075];

pub(super) fn section(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally) -> String {
    let mut text = "## Calibrated, open area, one epoch\n\n\
        The best baseline is taken for median and RMSE apart, among those that know anchors and \
        path loss; beside it the best of those that store \
        what was heard where (fingerprints, learned maps), for which test places of the `yu` \
        sets are no news. RSSI is to be above the former \
        on no set.\n\n"
        .to_owned();
    text += &against_baselines(found, baselines, tally);
    text += "\nThe RMSE against that of the same baseline estimator on data simulated from its \
    own model, where shadows are independent: a ratio \
        near 1 wastes nothing.\n\n";
    text += &against_exact(found, baselines, tally);
    let row = found.calibrated(UWB_SET, "range", Area::Open, Memory::Epoch);
    if row.is_some() {
        let met = tally.pair("ultra-wideband, open, one epoch", row, UWB_GOAL_M);
        let ([median_m, rmse_m], ours) = (UWB_GOAL_M, errors(row));
        text += &format!(
            "\nUltra-wideband check (`{UWB_SET}`): {ours}, at most {median_m} / {rmse_m}: {met}.\n"
        );
    }
    text
}

fn against_baselines(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally) -> String {
    let mut rows = Vec::new();
    for (set, mode) in found.scored(baselines) {
        let Some(best) = baselines.best(&set, mode.as_str(), Kind::Model) else {
            continue;
        };
        let ours = found.calibrated(&set, mode.as_str(), Area::Open, Memory::Epoch);
        let met = match mode {
            Mode::Rssi => tally.pair(
                &format!("{set}, rssi, open, best baseline"),
                ours,
                best.error_m,
            ),
            Mode::Range | Mode::Both => String::new(),
        };
        let [of_median, of_rmse] = &best.methods;
        let methods = match of_median == of_rmse {
            true => of_median.clone(),
            false => format!("{of_median}; {of_rmse}"),
        };
        let map = baselines.best(&set, mode.as_str(), Kind::Map);
        rows.push(vec![
            set.clone(),
            mode.to_string(),
            pair(best.error_m),
            methods,
            errors(ours),
            met,
            map.map_or_else(|| "-".into(), |map| pair(map.error_m)),
        ]);
    }
    let head = [
        "set",
        "scored on",
        "best baseline",
        "which",
        "ours",
        "not above",
        "best map",
    ];
    table(&head, &rows)
}

fn against_exact(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally) -> String {
    let mut rows = Vec::new();
    for (set, mode) in found.scored(baselines) {
        let areas = match mode {
            Mode::Rssi => vec![Area::Open],
            Mode::Range | Mode::Both => vec![Area::Open, Area::Mask],
        };
        for area in areas {
            let Some(exact) = baselines.exact(&set, mode.as_str(), area.as_str()) else {
                continue;
            };
            let ours = found.calibrated(&set, mode.as_str(), area, Memory::Epoch);
            let of_exact = ours.and_then(|row| Some(row.rmse_m? / exact.exact_m[1]));
            let what = format!("{set}, {mode}, {area}, ratio to an exact model");
            let met = tally.at_most(&what, of_exact, exact.ratio_max);
            rows.push(vec![
                set.clone(),
                mode.to_string(),
                area.to_string(),
                pair(exact.exact_m),
                errors(ours),
                ratio(of_exact),
                ratio(Some(exact.ratio_max)),
                met,
            ]);
        }
    }
    let head = [
        "set",
        "scored on",
        "area",
        "if exact",
        "ours",
        "ratio of RMSE",
        "at most",
        "met",
    ];
    table(&head, &rows)
}
