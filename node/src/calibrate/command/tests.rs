//! What the command says, above all when it cannot do what it is asked.

use std::fs;
use std::path::Path;

use clap::Parser as _;
use serde_json::Value;
use site::Site;

use super::run;
use crate::calibrate::points::{Point, PointSighting};
use crate::calibrate::survey_file;
use crate::cli::{Cli, Command};

const HALL: &str = r#"
site = "hall"
floor = [{ id = "1", elevation_m = 0, height_m = 4, outline = [[0, 0], [30, 0], [30, 20], [0, 20]] }]
anchor = [
  { id = "a", floor = "1", position = [1, 1], radios = ["5"] },
  { id = "b", floor = "1", position = [29, 1], radios = ["5"] },
  { id = "c", floor = "1", position = [29, 19], radios = ["5"] },
  { id = "d", floor = "1", position = [1, 19], radios = ["5"] },
]
"#;

/// A folder with the hall in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hall.toml"), HALL).unwrap();
    folder
}

/// What `trilobite calibrate` answers, with `@` for the folder.
fn calibrate(folder: &Path, words: &str) -> Result<String, String> {
    let words = words.replace('@', &folder.display().to_string());
    let words = ["trilobite", "calibrate"]
        .into_iter()
        .chain(words.split(' '));
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    let Command::Calibrate(args) = cli.command else {
        unreachable!("the words say calibrate")
    };
    run(&args).map_err(|error| format!("{error:#}"))
}

/// Points on a lattice, heard by radios that read up to 20 dB apart.
fn write_survey(folder: &Path) {
    let site = Site::parse(HALL).unwrap();
    for number in 0..15u32 {
        let (x_m, y_m) = (
            3.0 + 6.0 * f64::from(number % 5),
            3.0 + 6.0 * f64::from(number / 5),
        );
        let sightings =
            site.anchors
                .iter()
                .zip([-10.0, 10.0, 0.0, -6.0])
                .map(|(anchor, off_db)| {
                    let away_m = (anchor.position - nalgebra::Point3::new(x_m, y_m, 1.2)).norm();
                    PointSighting {
                        anchor: anchor.id.clone(),
                        band: "5".into(),
                        rssi_dbm: Some((-45.0 - 25.0 * away_m.log10() + off_db) as f32),
                        count: 8,
                        range_m: None,
                        range_std_m: None,
                    }
                });
        let point = Point {
            id: 0,
            time: "2026-11-20T10:15:00.000Z".into(),
            client: "surveyor".into(),
            floor: "1".into(),
            x_m,
            y_m,
            height_m: None,
            seconds: 5.0,
            sightings: sightings.collect(),
        };
        survey_file::add(&folder.join("hall.survey.ndjson"), point).unwrap();
    }
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let folder = folder();
    let here = folder.path();
    fs::write(here.join("odd.survey.ndjson"), "{\"id\":1}\n").unwrap();
    let check = |words: &str, told: &str| {
        let error = calibrate(here, words).unwrap_err();
        assert!(error.contains(told), "{words}: {error}");
    };
    check("--site @/hall.toml", "--none|--self|--survey [<FILE>]");
    check("--none --self --site @/hall.toml", "cannot be used with");
    check("--none", "which site? add --site FILE, or --node URL");
    check("--none --site @/no.toml", "cannot read");
    check(
        "--self --site @/hall.toml",
        "anchors hear each other on a running node only: add --node URL",
    );
    check(
        "--survey --site @/hall.toml",
        "there is no such file or folder; name one with --survey",
    );
    check(
        "--survey @/odd.survey.ndjson --site @/hall.toml",
        "odd.survey.ndjson:1: not a survey point: missing field",
    );
    check(
        "--survey @ --site @/hall.toml",
        "anchors.csv: cannot be opened",
    );
    check(
        "--survey @/x --node http://127.0.0.1:1",
        "leave the file away",
    );
    check(
        "--self --node http://127.0.0.1:1",
        "name the node's HTTP address with --node",
    );
}

#[test]
fn a_data_set_of_another_site_is_refused() {
    let folder = folder();
    let set = folder.path().join("set");
    fs::create_dir(&set).unwrap();
    fs::write(
        set.join("anchors.csv"),
        "anchor_id,x_m,y_m,z_m,floor,band,freq_mhz\nA07-5,1,1,,,5,\n",
    )
    .unwrap();
    fs::write(
        set.join("truth.csv"),
        "epoch_id,t_s,client_id,traj_id,loc_id,split,x_m,y_m,z_m,floor,los\n",
    )
    .unwrap();
    fs::write(
        set.join("observations.csv"),
        "epoch_id,t_s,anchor_id,rssi_dbm,range_m,range_std_m\n",
    )
    .unwrap();
    let error = calibrate(folder.path(), "--survey @/set --site @/hall.toml").unwrap_err();
    assert!(
        error.contains("none of its radios is in site \"hall\""),
        "{error}"
    );
    assert!(
        error.contains("\"A07\"") && error.contains("use the same ids and bands"),
        "{error}"
    );
}

#[test]
fn a_survey_is_checked_stored_and_set_aside_again() {
    let folder = folder();
    let here = folder.path();
    write_survey(here);
    let told = calibrate(here, "--survey --site @/hall.toml").unwrap();
    assert!(
        told.contains("no calibration") && told.contains("\nkept: at 15 held-back places"),
        "{told}"
    );
    let stored = here.join("hall.calibration.toml");
    assert!(fs::read_to_string(&stored).unwrap().contains("way: survey"));

    let again = calibrate(here, "--survey --site @/hall.toml --json").unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["kept"], true);
    let held_back = &again["origin"]["held_back"];
    assert!(held_back["after"]["rmse_m"].as_f64() < held_back["before"]["rmse_m"].as_f64());

    let none = calibrate(here, "--none --site @/hall.toml").unwrap();
    assert!(
        none.contains("follows its site file again; the calibration is kept as"),
        "{none}"
    );
    assert!(!stored.exists());
    let still = calibrate(here, "--none --site @/hall.toml").unwrap();
    assert!(still.contains("follows its site file already"), "{still}");
    assert!(still.contains("name that one with --out"), "{still}");
}
