//! The report on made-up scores.

use super::*;

/// The scores of a set that does everything this well.
fn rows(set: &str, mode: Mode, error_m: f64, coverage: [f64; 2]) -> Vec<Row> {
    let mut rows = Vec::new();
    for scoring in [Scoring::Calibrated, Scoring::Blind] {
        for area in [Area::Open, Area::Mask] {
            for memory in [Memory::Epoch, Memory::Track] {
                rows.push(Row {
                    set: set.to_owned(),
                    mode,
                    scoring,
                    area,
                    memory,
                    epochs: 100,
                    fix_rate: 1.0,
                    median_m: Some(error_m),
                    mean_m: Some(error_m),
                    rmse_m: Some(error_m),
                    p90_m: Some(error_m),
                    coverage50: Some(coverage[0]),
                    coverage90: Some(coverage[1]),
                    floor_accuracy: (set == "sod-cetc331").then_some(0.995),
                    us_per_fix: 3.0,
                });
            }
        }
    }
    rows
}

fn report(rows: Vec<Row>) -> (String, Tally) {
    text(&Rows(rows), "Because.").unwrap()
}

fn line_of<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap()
}

#[test]
fn what_meets_every_goal_is_said_to() {
    let mut all = rows("sod-cetc331", Mode::Rssi, 1.0, [0.5, 0.9]);
    all.extend(rows("lias-uwb", Mode::Range, 0.05, [0.5, 0.9]));
    let (text, tally) = report(all);
    assert_eq!(tally.missed_list(), "None.\n");
    let line = line_of(&text, "| sod-cetc331 | rssi | 3.15 / 4.35 (h6)");
    assert!(line.contains("2.63 / 3.76 | 1.000 / 1.000 | yes"), "{line}");
    assert!(
        text.contains("`lias-uwb`): 0.050 / 0.050, at most 0.06 / 0.075: yes"),
        "{text}"
    );
    assert!(text.contains("Because."));
}

#[test]
fn what_is_missed_is_named_with_both_numbers() {
    let (text, tally) = report(rows("sod-cetc331", Mode::Rssi, 2.7, [0.3, 0.9]));
    let line = line_of(&text, "| sod-cetc331 | rssi | 3.15 / 4.35 (h6)");
    assert!(
        line.contains("| 2.700 / 2.700 | **no**: median |"),
        "{line}"
    );
    let missed = tally.missed_list();
    for expected in [
        "- sod-cetc331, rssi, mask, one epoch: median 2.700 over 2.630\n",
        "- sod-cetc331, rssi, mask, track: median 2.700 over 2.180\n",
        "- regions, calibrated, open, epoch, 50 %: 30.0 % instead of 45 to 55 %\n",
    ] {
        assert!(missed.contains(expected), "{missed}");
    }
}

#[test]
fn a_set_that_nobody_knows_has_a_table_without_goals() {
    let (text, _) = report(rows("my-house", Mode::Rssi, 2.0, [0.5, 0.9]));
    let after = text.split_once("Sets without goals:").unwrap().1;
    assert!(
        after.contains("| my-house | rssi | 2.000 / 2.000 |"),
        "{text}"
    );
}

#[test]
fn epochs_weigh_in_the_pool_and_sets_beside_it() {
    let mut all = rows("feng-office", Mode::Range, 1.0, [0.4, 0.8]);
    for row in &mut all {
        row.epochs = 300;
    }
    all.extend(rows("lias-uwb", Mode::Range, 1.0, [0.8, 1.0]));
    let (text, _) = report(all);
    let line = line_of(&text, "| calibrated | open | epoch |");
    assert!(
        line.contains("| - / - | 50.0 / 85.0 | 50.0 / 85.0 | 60.0 / 90.0 | yes | **no** |"),
        "{line}"
    );
}

#[test]
fn what_people_wrote_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accuracy.md");
    let rows = Rows(rows("my-house", Mode::Rssi, 2.0, [0.5, 0.9]));
    let write = || Report::open(&path).unwrap().write(&rows).unwrap();
    let told = write();
    assert!(told.contains("goals are met"), "{told}");
    let first = std::fs::read_to_string(&path).unwrap();
    assert!(first.contains(PLACEHOLDER));
    let mine = "The office has a steel wall.\n\nIt is thick.";
    std::fs::write(&path, first.replace(PLACEHOLDER, mine)).unwrap();
    write();
    let second = std::fs::read_to_string(&path).unwrap();
    assert_eq!(second, first.replace(PLACEHOLDER, mine));
    std::fs::write(&path, second.replace(BY_HAND[1], "")).unwrap();
    let error = format!("{:#}", Report::open(&path).unwrap_err());
    assert!(error.contains("put the lines back"), "{error}");
    let nowhere = folder.path().join("nowhere/accuracy.md");
    let error = format!("{:#}", Report::open(&nowhere).unwrap_err());
    assert!(error.contains("its folder does not exist"), "{error}");
}
