//! Accuracy is guarded: the numbers of seven real sets against those that were last agreed on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use load::accuracy::{self, Row};
use load::cli::AccuracyArgs;
use load::interrupt::Interrupt;

/// How to say that new numbers are meant.
const REWRITE: &str = "TRILOBITE_REWRITE=1 cargo test -p trilobite-load --test it tracked";

/// Drift of an error in metres that fails, as a share of the agreed one.
const DRIFT_MAX: f64 = 0.05;

/// Drift of a coverage that fails.
const COVERAGE_DRIFT_MAX: f64 = 0.05;

/// Drift of a share that fails, where it is of fixes that should all be.
const SHARE_DRIFT_MAX: f64 = 0.01;

/// Errors below this, in metres, are compared as if they were so large: the last digit of the
/// sets' own positions.
const ERROR_MIN_M: f64 = 0.01;

const NUMBERS: [&str; 9] = [
    "epochs",
    "fix_rate",
    "median_m",
    "mean_m",
    "rmse_m",
    "p90_m",
    "coverage50",
    "coverage90",
    "floor",
];

/// By way, then by number; `None` stands for none.
type Table = BTreeMap<String, BTreeMap<String, Option<f64>>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn present() -> Table {
    let args = |blind| AccuracyArgs {
        folders: vec![folder().join("sets")],
        blind,
        ..AccuracyArgs::default()
    };
    [false, true]
        .into_iter()
        .flat_map(|blind| {
            accuracy::score_all(&args(blind), &Interrupt::default())
                .unwrap()
                .0
        })
        .map(|row| (way(&row), numbers(&row)))
        .collect()
}

fn way(row: &Row) -> String {
    let Row {
        set,
        mode,
        scoring,
        area,
        memory,
        ..
    } = row;
    format!("{set} {mode} {scoring} {area} {memory}")
}

fn numbers(row: &Row) -> BTreeMap<String, Option<f64>> {
    let values = [
        Some(row.epochs as f64),
        Some(row.fix_rate),
        row.median_m,
        row.mean_m,
        row.rmse_m,
        row.p90_m,
        row.coverage50,
        row.coverage90,
        row.floor_accuracy,
    ];
    NUMBERS.map(str::to_owned).into_iter().zip(values).collect()
}

fn written(table: &Table) -> String {
    let mut text = format!(
        "# Agreed accuracy; made by: {REWRITE}\nway\t{}\n",
        NUMBERS.join("\t")
    );
    for (way, numbers) in table {
        text.push_str(way);
        for name in NUMBERS {
            match numbers[name] {
                Some(number) => write!(text, "\t{number}").unwrap(),
                None => text.push_str("\t-"),
            }
        }
        text.push('\n');
    }
    text
}

fn read(text: &str) -> Table {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap_or("").split('\t').skip(1).collect();
    let row = |line: &str| {
        let mut cells = line.split('\t');
        let way = cells.next().unwrap_or_default().to_owned();
        let numbers = names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(cells.map(|cell| cell.parse().ok()));
        (way, numbers.collect())
    };
    lines.map(row).collect()
}

/// How far a number may move from the agreed one.
fn drift_max(name: &str, agreed: f64) -> f64 {
    match name {
        "epochs" => 0.0,
        "fix_rate" | "floor" => SHARE_DRIFT_MAX,
        "coverage50" | "coverage90" => COVERAGE_DRIFT_MAX,
        _ => DRIFT_MAX * agreed.max(ERROR_MIN_M),
    }
}

/// Every number that moved, one line each.
fn drifts(agreed: &Table, now: &Table) -> Vec<String> {
    let mut told = Vec::new();
    let ways: std::collections::BTreeSet<&String> = agreed.keys().chain(now.keys()).collect();
    for way in ways {
        let (Some(old), Some(new)) = (agreed.get(way), now.get(way)) else {
            let what = match now.contains_key(way) {
                true => "is new",
                false => "is gone",
            };
            told.push(format!("{way}: {what}"));
            continue;
        };
        for name in NUMBERS {
            let (old, new) = (old.get(name).copied().flatten(), new[name]);
            let moved = match (old, new) {
                (Some(old), Some(new)) => (new - old).abs() > drift_max(name, old) + 1e-9,
                (None, None) => false,
                _ => true,
            };
            if moved {
                let shown = |value: Option<f64>| value.map_or("-".to_owned(), |v| v.to_string());
                told.push(format!(
                    "{way}: {name} was {}, is {}",
                    shown(old),
                    shown(new)
                ));
            }
        }
    }
    told
}

#[test]
fn no_tracked_number_drifts() {
    let path = folder().join("tracked.tsv");
    let now = present();
    if std::env::var_os("TRILOBITE_REWRITE").is_some() {
        std::fs::write(&path, written(&now)).unwrap();
        return;
    }
    let agreed = read(&std::fs::read_to_string(&path).unwrap());
    let drifts = drifts(&agreed, &now);
    assert!(
        drifts.is_empty(),
        "{} numbers drifted; if the new ones are meant, say so with\n  {REWRITE}\n{}",
        drifts.len(),
        drifts.join("\n")
    );
}

#[test]
fn every_set_here_is_tracked_and_attributed() {
    let agreed = read(&std::fs::read_to_string(folder().join("tracked.tsv")).unwrap());
    let attribution = std::fs::read_to_string(folder().join("sets/ATTRIBUTION.md")).unwrap();
    let mut sets = 0;
    for entry in std::fs::read_dir(folder().join("sets")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                agreed
                    .keys()
                    .any(|way| way.starts_with(&format!("{name} "))),
                "{name}"
            );
            assert!(
                attribution.contains(&format!("`{name}`")),
                "{name} has no attribution"
            );
            sets += 1;
        }
    }
    assert_eq!(sets, 7);
}

#[test]
fn a_drift_either_way_is_told_with_both_numbers() {
    let table = |rmse_m: f64, coverage90: f64, floor: &str| {
        let head = format!("way\t{}", NUMBERS.join("\t"));
        let row = format!("s\t9\t1\t1\t1\t{rmse_m}\t2\t0.5\t{coverage90}\t{floor}");
        read(&format!("# note\n{head}\n{row}\n"))
    };
    let agreed = table(2.0, 0.9, "-");
    let check = |now: &Table, expected: &[&str]| assert_eq!(drifts(&agreed, now), expected);
    check(&agreed, &[]);
    check(&table(2.09, 0.94, "-"), &[]);
    check(&table(2.11, 0.9, "-"), &["s: rmse_m was 2, is 2.11"]);
    check(&table(1.89, 0.9, "-"), &["s: rmse_m was 2, is 1.89"]);
    check(&table(2.0, 0.84, "-"), &["s: coverage90 was 0.9, is 0.84"]);
    check(&table(2.0, 0.9, "0.5"), &["s: floor was -, is 0.5"]);
    check(&Table::new(), &["s: is gone"]);
    assert_eq!(drifts(&Table::new(), &agreed), ["s: is new"]);
    assert_eq!(read(&written(&agreed)), agreed);
}
