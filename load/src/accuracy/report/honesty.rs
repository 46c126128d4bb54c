//! Whether stated errors are true, floors are right, and what a fix costs.

use super::super::baselines::Baselines;
use super::super::mode::Mode;
use super::super::row::Row;
use super::markdown::{percent, table};
use super::{Area, Found, Memory, Scoring, Tally};

/// Shares of epochs whose truth the regions of 50 % and 90 % are to hold.
const COVERAGE50: [f64; 2] = [0.45, 0.55];
const COVERAGE90: [f64; 2] = [0.86, 0.94];

/// Share of epochs on the right floor, and the set with floors for which it is asked.
const FLOOR_SET: &str = "sod-cetc331";
const FLOOR_MIN: f64 = 0.99;

pub(super) fn section(found: &Found<'_>, baselines: &Baselines, tally: &mut Tally) -> String {
    let mut rows = Vec::new();
    for scoring in [Scoring::Calibrated, Scoring::Blind] {
        for (area, memory) in [
            (Area::Open, Memory::Epoch),
            (Area::Open, Memory::Track),
            (Area::Mask, Memory::Epoch),
            (Area::Mask, Memory::Track),
        ] {
            let pool = Pool::of(found.0.iter().filter(|row| {
                row.mode != Mode::Both
                    && (row.scoring, row.area, row.memory) == (scoring, area, memory)
            }));
            let what = format!("regions, {scoring}, {area}, {memory}");
            rows.push(vec![
                scoring.to_string(),
                area.to_string(),
                memory.to_string(),
                pool.cell(Some(Mode::Rssi)),
                pool.cell(Some(Mode::Range)),
                pool.cell(None),
                pool.cell_of_sets(),
                tally.within(&format!("{what}, 50 %"), pool.share(None, 0), COVERAGE50),
                tally.within(&format!("{what}, 90 %"), pool.share(None, 1), COVERAGE90),
            ]);
        }
    }
    let head = [
        "scoring",
        "area",
        "memory",
        "rssi",
        "range",
        "all epochs",
        "all sets alike",
        "50 % met",
        "90 % met",
    ];
    let text = "## Errors that mean what they say\n\n\
        Share of epochs, in per cent, whose truth lies within the stated radii of 50 % and of 90 \
        %, pooled over the sets. The goal, 45 to 55 \
        and 86 to 94, is for all epochs; the column beside it counts each set and mode alike.\n\n";
    format!(
        "{text}{}\nBy set, calibrated:\n\n{}",
        table(&head, &rows),
        by_set(found, baselines)
    )
}

fn by_set(found: &Found<'_>, baselines: &Baselines) -> String {
    let rows: Vec<Vec<String>> = found
        .scored(baselines)
        .iter()
        .map(|(set, mode)| {
            let cell = |area, memory| {
                let row = found.calibrated(set, mode.as_str(), area, memory);
                let [of50, of90] = [
                    row.and_then(|r| r.coverage50),
                    row.and_then(|r| r.coverage90),
                ];
                format!("{} / {}", percent(of50), percent(of90))
            };
            vec![
                set.clone(),
                mode.to_string(),
                cell(Area::Open, Memory::Epoch),
                cell(Area::Open, Memory::Track),
                cell(Area::Mask, Memory::Epoch),
                cell(Area::Mask, Memory::Track),
            ]
        })
        .collect();
    let head = [
        "set",
        "scored on",
        "open, one epoch",
        "open, track",
        "mask, one epoch",
        "mask, track",
    ];
    table(&head, &rows)
}

/// Coverages of several sets: mode, epochs, shares.
struct Pool(Vec<(Mode, f64, [f64; 2])>);

impl Pool {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let one = |row: &Row| {
            let fixes = row.epochs as f64 * row.fix_rate;
            Some((row.mode, fixes, [row.coverage50?, row.coverage90?]))
        };
        Self(rows.filter_map(one).collect())
    }

    /// Share of all epochs; of one mode or of all.
    fn share(&self, mode: Option<Mode>, number: usize) -> f64 {
        let of_mode = || {
            self.0
                .iter()
                .filter(|of| mode.is_none_or(|mode| of.0 == mode))
        };
        let fixes: f64 = of_mode().map(|of| of.1).sum();
        of_mode().map(|of| of.1 * of.2[number]).sum::<f64>() / fixes
    }

    fn cell(&self, mode: Option<Mode>) -> String {
        told(self.share(mode, 0), self.share(mode, 1))
    }

    fn cell_of_sets(&self) -> String {
        let mean =
            |number: usize| self.0.iter().map(|of| of.2[number]).sum::<f64>() / self.0.len() as f64;
        told(mean(0), mean(1))
    }
}

fn told(of50: f64, of90: f64) -> String {
    let finite = |share: f64| Some(share).filter(|share| share.is_finite());
    format!("{} / {}", percent(finite(of50)), percent(finite(of90)))
}

/// Floors of the sets that have several.
pub(super) fn floors(found: &Found<'_>, tally: &mut Tally) -> String {
    let mut rows = Vec::new();
    for row in found.0.iter().filter(|row| row.set == FLOOR_SET) {
        let Row {
            set,
            mode,
            scoring,
            area,
            memory,
            ..
        } = row;
        let what = format!("{set}, {mode}, {scoring}, {area}, {memory}, right floor");
        let met = match scoring {
            Scoring::Calibrated => tally.at_least(&what, row.floor_accuracy, FLOOR_MIN),
            Scoring::Blind => String::new(),
        };
        rows.push(vec![
            set.clone(),
            scoring.to_string(),
            area.to_string(),
            memory.to_string(),
            percent(row.floor_accuracy),
            met,
        ]);
    }
    let head = [
        "set",
        "scoring",
        "area",
        "memory",
        "right floor, %",
        "at least 99 %",
    ];
    format!(
        "## Floors\n\nShare of fixes on the right one of three floors, whose heights nobody \
            published.\n\n{}",
        table(&head, &rows)
    )
}

/// CPU time per fix.
pub(super) fn cost(found: &Found<'_>, baselines: &Baselines) -> String {
    let rows: Vec<Vec<String>> = found
        .scored(baselines)
        .iter()
        .map(|(set, mode)| {
            let cell = |area, memory| {
                let row = found.calibrated(set, mode.as_str(), area, memory);
                row.map_or_else(|| "-".into(), |row| format!("{:.1}", row.us_per_fix))
            };
            vec![
                set.clone(),
                mode.to_string(),
                cell(Area::Open, Memory::Epoch),
                cell(Area::Mask, Memory::Epoch),
                cell(Area::Mask, Memory::Track),
            ]
        })
        .collect();
    let head = [
        "set",
        "scored on",
        "open, one epoch",
        "mask, one epoch",
        "mask, track",
    ];
    format!(
        "## Cost\n\nCPU time in the estimator per fix, in microseconds, on one core of the \
            machine that made this file.\n\n{}",
        table(&head, &rows)
    )
}
