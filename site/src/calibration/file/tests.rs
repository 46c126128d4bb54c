use proptest::prelude::*;

use super::*;
use crate::calibration::RegionScale;

fn office() -> Site {
    Site::parse(include_str!("../../../../sites/office.toml")).expect("an example that is tested")
}

fn check(text: &str, expected: &str) {
    let problems = Calibration::parse(text, &office()).expect_err(text);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, [expected], "{text}");
}

const RADIO: &str = r#"
[[radio]]
anchor = "ap-101"
band = "5"
rssi_at_1m_dbm = -47
exponent = 2
deviation_db = 4
"#;

#[test]
fn a_calibration_names_some_radios_and_leaves_the_others() {
    let text = format!("site = \"office\"\nclient_offset_deviation_db = 4.5\n{RADIO}");
    let calibration = Calibration::parse(&text, &office()).unwrap();
    assert_eq!(calibration.radios.len(), 48);
    assert_eq!(calibration.client_offset_deviation_db, Some(4.5));
    assert_eq!(calibration.radio(RadioIndex(0)), None);
    let model = calibration.radio(RadioIndex(1)).unwrap();
    assert_eq!(
        (model.rssi_at_1m_dbm, model.exponent, model.deviation_db),
        (-47.0, 2.0, 4.0)
    );
    assert_eq!(model.range, None);
}

#[test]
fn each_kind_of_mistake_is_told_with_its_line() {
    let with = |radio: &str| format!("site = \"office\"\n{radio}");
    check(
        "",
        "line 1: no site; add a line such as `site = \"my-site\"`",
    );
    check(
        "site = \"hall\"",
        "line 1: the calibration is of site \"hall\", not of \"office\"; use the file made for \
        this site",
    );
    check(
        &with(&RADIO.replace("ap-101", "ap-1O1")),
        "line 4: radio 1: the site has no anchor \"ap-1O1\"; did you mean `ap-101`?",
    );
    check(
        &with(&RADIO.replace("\"5\"", "\"6\"")),
        "line 5: radio 1: anchor \"ap-101\" has no radio of band \"6\"; use one of 2.4, 5",
    );
    check(
        &with(&RADIO.replace("\"5\"", "5")),
        "line 5: radio 1: band is a number, not a text; write band in quotes",
    );
    check(
        &with(&RADIO.replace("exponent = 2", "exponent = nan")),
        "line 7: radio 1: exponent is nan, not a finite number; use 0.5 to 10",
    );
    check(
        &with(&RADIO.replace("deviation_db", "deviaton_db"))
            .replace("= 4\n", "= 4\ndeviation_db = 4\n"),
        "line 8: radio 1: unknown key \"deviaton_db\"; did you mean `deviation_db`?",
    );
    check(
        &with(&format!("{RADIO}{RADIO}")),
        "line 10: radio 2: an earlier table is of the same anchor and band; keep one of them",
    );
    check(
        &with(&format!("{RADIO}range = {{ bias_m = 1, slope = 1 }}")),
        "line 9: radio 1, range: no deviation_m; add a line such as `deviation_m = 0.8`",
    );
}

#[test]
fn an_anchor_like_no_other_gets_no_list_of_all() {
    check(
        &format!("site = \"office\"\n{}", RADIO.replace("ap-101", "roof")),
        "line 4: radio 1: the site has no anchor \"roof\"; remove the table, or use an id of the \
        site file",
    );
}

#[test]
fn what_is_not_finite_was_not_learned() {
    let site = office();
    let model = RadioModel {
        rssi_at_1m_dbm: f64::NAN,
        exponent: 2.0,
        deviation_db: 4.0,
        range: None,
    };
    let calibration = Calibration {
        radios: vec![Some(model)],
        client_offset_deviation_db: Some(f64::INFINITY),
        ..Calibration::default()
    };
    let read = Calibration::parse(&calibration.to_toml(&site), &site).unwrap();
    assert_eq!(
        read,
        Calibration {
            radios: vec![None; 48],
            ..Calibration::default()
        }
    );
}

prop_compose! {
    fn any_model()(
        rssi_at_1m_dbm in -120.0..20.0_f64,
        exponent in 0.5..10.0_f64,
        deviation_db in 0.1..40.0_f64,
        range in proptest::option::of((-1e3..1e3_f64, 0.1..10.0_f64, 0.001..1e3_f64)),
    ) -> RadioModel {
        let range = range.map(|(bias_m, slope, deviation_m)| {
            RangeModel { bias_m, slope, deviation_m }
        });
        RadioModel { rssi_at_1m_dbm, exponent, deviation_db, range }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 32,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_reads_back_the_same(
        radios in proptest::collection::vec(proptest::option::of(any_model()), 48),
        client_offset_deviation_db in proptest::option::of(0.1..40.0_f64),
    ) {
        let site = office();
        let calibration = Calibration {
            radios,
            client_offset_deviation_db,
            ..Calibration::default()
        };
        prop_assert_eq!(Calibration::parse(&calibration.to_toml(&site), &site), Ok(calibration));
    }
}

#[test]
fn shadows_slabs_and_regions_come_back_as_they_were() {
    let site = office();
    let text = format!(
        "site = \"office\"\n[regions]\nrssi = [1.25, 1.5]\n[[slab]]\nfloor = \"2\"\nloss_db = [14, 17.5, \
        19]\n[shadow]\nrssi = {{ length_m = 3.5, deviation = 4.5, noise = 2 }}\nplaces = [[1, 2, 1.2], \
        [3.5, 2, 1.2]]\n{RADIO}shadow_db = [[1, -3.25], [0, 2]]\n"
    );
    let calibration = Calibration::parse(&text, &site).unwrap();
    assert_eq!(
        calibration.regions.rssi,
        RegionScale {
            r50: 1.25,
            r90: 1.5
        }
    );
    let floor = site
        .floors
        .iter()
        .position(|floor| floor.id == "2")
        .unwrap();
    assert_eq!(calibration.slabs[floor].unwrap().ghz5_db, 17.5);
    let shadow = calibration.shadow.as_ref().unwrap();
    assert_eq!(shadow.places.len(), 2);
    assert_eq!(shadow.range, None);
    assert_eq!(shadow.radios[1].rssi_db, [(1, -3.25), (0, 2.0)]);
    let again = Calibration::parse(&calibration.to_toml(&site), &site).unwrap();
    assert_eq!(again, calibration);
}

#[test]
fn residuals_of_unknown_places_and_slabs_of_unknown_floors_are_told() {
    let with = |more: &str| format!("site = \"office\"\n{more}");
    check(
        &with(&format!("{RADIO}shadow_db = [[0, 1]]")),
        "line 3: radio 1: shadow_db without surveyed places; add [shadow] with its places, or remove \
        the line",
    );
    check(
        &with(&format!(
            "[shadow]\nplaces = [[0, 0, 1]]\n{RADIO}shadow_db = [[1, 2.5]]"
        )),
        "line 11: radio 1: shadow_db = 1 is out of range; use 0 to 0",
    );
    check(
        &with("[[slab]]\nfloor = \"cellar\"\nloss_db = [1, 2, 3]"),
        "line 3: slab 1: the site has no floor \"cellar\"; use the id of a floor of the site file",
    );
    check(
        &with("[regions]\nrssi = [1]"),
        "line 3: regions: rssi has 1 numbers; write rssi as a list of 2 numbers",
    );
}
