//! What a person reads who names a wrong folder.

use std::fs;
use std::path::{Path, PathBuf};

use load::accuracy;
use load::cli::{AccuracyArgs, ModeChoice};
use load::interrupt::Interrupt;

fn sets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sets")
}

/// The error of a run over these folders.
fn told(folders: &[&Path], mode: Option<ModeChoice>) -> String {
    let args = AccuracyArgs {
        folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
        mode,
        open_area: true,
        ..AccuracyArgs::default()
    };
    let error = accuracy::score_all(&args, &Interrupt::default()).unwrap_err();
    format!("{error:#}")
}

/// A set of one anchor; `truth` and `observations` come after their headers.
fn small_set(truth: &str, observations: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write(
        "anchors.csv",
        "anchor_id,x_m,y_m,z_m,floor,band,freq_mhz\nA,0,0,,,5,\n".into(),
    );
    let head = "epoch_id,t_s,client_id,traj_id,loc_id,split,x_m,y_m,z_m,floor,los";
    write("truth.csv", format!("{head}\n{truth}"));
    let head = "epoch_id,t_s,anchor_id,rssi_dbm,range_m,range_std_m";
    write("observations.csv", format!("{head}\n{observations}"));
    folder
}

#[test]
fn folders_without_a_set_are_named() {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = empty.path().join("nowhere");
    let check = |folders: &[&Path], expected: &str| {
        let told = told(folders, None);
        assert!(told.contains(expected), "{told}");
    };
    check(&[&nowhere], "nowhere: cannot be read: No such file");
    check(
        &[empty.path()],
        "the folder holds none; it needs anchors.csv",
    );
    check(
        &[empty.path(), empty.path()],
        "none of the paths is a data set",
    );
    check(&[&sets().join("ATTRIBUTION.md")], "not a folder");
    // A typo must not pass as a set that has nothing.
    check(
        &[&sets().join("lias-uwb"), &nowhere],
        "nowhere: cannot be read",
    );
}

#[test]
fn a_set_with_a_broken_file_is_no_set_that_is_passed_over() {
    let broken = small_set("0,0,p,,a,test,1,1,,,\n", "0,0,A,-50,,\n");
    fs::remove_file(broken.path().join("truth.csv")).unwrap();
    let good = sets().join("lias-uwb");
    let missing = told(&[&good, broken.path()], None);
    assert!(missing.contains("truth.csv: cannot be opened"), "{missing}");
    fs::write(broken.path().join("truth.csv.gz"), "no gzip").unwrap();
    let garbage = told(&[broken.path()], None);
    assert!(garbage.contains("truth.csv.gz, line 1:"), "{garbage}");
}

#[test]
fn what_a_set_lacks_is_told() {
    let check = |truth: &str, observations: &str, mode, expected: &str| {
        let told = told(&[small_set(truth, observations).path()], mode);
        assert!(told.contains(expected), "{told}");
    };
    let (cal, test) = ("0,0,p,,a,cal,1,1,,,\n", "0,0,p,,a,test,1,1,,,\n");
    let heard = "0,0,A,-50,,\n";
    check(
        cal,
        heard,
        None,
        "no epoch to score; its split column needs test",
    );
    check(
        test,
        heard,
        None,
        "no epoch to fit on; its split column needs cal, or add --blind",
    );
    check(
        test,
        heard,
        Some(ModeChoice::Range),
        "no ranges in it; use --mode rssi",
    );
    check(
        test,
        "0,0,A,,4,\n",
        Some(ModeChoice::Both),
        "no signal strengths in it; use --mode range",
    );
    check(test, "", None, "observations.csv has no readings");
    check(
        test,
        "0,0,B,-50,,\n",
        None,
        "line 2: anchor_id \"B\" is not in anchors.csv",
    );
}

#[test]
fn a_set_that_lacks_the_mode_does_not_stop_the_others() {
    let args = AccuracyArgs {
        folders: vec![sets().join("danis-ble"), sets().join("lias-uwb")],
        mode: Some(ModeChoice::Range),
        open_area: true,
        blind: true,
        ..AccuracyArgs::default()
    };
    let rows = accuracy::score_all(&args, &Interrupt::default()).unwrap().0;
    let sets: Vec<&str> = rows.iter().map(|row| row.set.as_str()).collect();
    assert_eq!(sets, ["lias-uwb", "lias-uwb"]);
}

#[test]
fn epochs_that_heard_nothing_have_no_fix_and_a_blind_run_needs_no_calibration() {
    let test = "0,0,p,,a,test,1,1,,,\n1,1,p,,b,test,2,1,,,\n";
    let folder = small_set(test, "0,0,A,-50,,\n");
    let args = AccuracyArgs {
        folders: vec![folder.path().to_owned()],
        blind: true,
        ..AccuracyArgs::default()
    };
    let rows = accuracy::score_all(&args, &Interrupt::default()).unwrap().0;
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(
            (row.epochs, row.fix_rate, row.floor_accuracy),
            (2, 0.5, None)
        );
        assert!(row.rmse_m.unwrap() < 10.0);
    }
}
