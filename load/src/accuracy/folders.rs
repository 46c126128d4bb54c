//! Which of the named folders are data sets.

use std::path::{Path, PathBuf};

use agent::source::replay::dataset::Dataset;
use anyhow::{Context as _, bail};

/// The files of a set, each plain or with `.gz`.
const STEMS: [&str; 3] = ["anchors", "truth", "observations"];

/// Reads the sets; a folder that holds no set itself stands for the sets in it.
///
/// A set that is named twice counts once. Of several paths, those without anything of a set are
/// passed over with a warning, so that a shell may name all that lies in a folder.
pub(super) fn load(paths: &[PathBuf]) -> anyhow::Result<Vec<Dataset>> {
    let mut sets = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in paths {
        let folders = folders_of_sets(path)?;
        if folders.is_empty() {
            let what = what_is_missing(path);
            if paths.len() == 1 {
                bail!(what);
            }
            tracing::warn!("{what}; passed over");
        }
        for folder in folders {
            if !seen.contains(&folder) {
                sets.push(Dataset::load(&folder)?);
                seen.push(folder);
            }
        }
    }
    if sets.is_empty() {
        bail!(
            "none of the paths is a data set; name folders with anchors.csv, truth.csv.gz and \
                observations.csv.gz"
        );
    }
    Ok(sets)
}

fn folders_of_sets(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let told = || format!("data set {}: cannot be read", path.display());
    if !std::fs::metadata(path).with_context(told)?.is_dir() {
        return Ok(Vec::new());
    }
    // A name such as `.` or `sets/..` tells nobody which set it is.
    let path = path.canonicalize().with_context(told)?;
    if has_part_of_set(&path) {
        return Ok(vec![path]);
    }
    let mut inner = Vec::new();
    for entry in std::fs::read_dir(&path).with_context(told)? {
        let entry = entry.with_context(told)?.path();
        if entry.is_dir() && has_part_of_set(&entry) {
            inner.push(entry);
        }
    }
    inner.sort();
    Ok(inner)
}

/// Whether any file of a set is there: what is missing then is an error that names it.
fn has_part_of_set(folder: &Path) -> bool {
    STEMS.iter().any(|stem| {
        [".csv", ".csv.gz"]
            .iter()
            .any(|end| folder.join(format!("{stem}{end}")).exists())
    })
}

fn what_is_missing(path: &Path) -> String {
    let path_told = path.display();
    if path.is_dir() {
        format!(
            "data set {path_told}: the folder holds none; it needs anchors.csv, truth.csv.gz and \
                observations.csv.gz"
        )
    } else {
        format!("data set {path_told}: not a folder; name the folder that holds anchors.csv")
    }
}
