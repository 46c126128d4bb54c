//! Every kind of bad file, with the exact words that its author reads.

use crate::building::Site;
use crate::limits;

pub(super) const GOOD: &str = r#"site = "shed"

[[floor]]
id = "0"
elevation_m = 0
height_m = 3
outline = [[0, 0], [9, 0], [9, 6], [0, 6]]
wall = [{ material = "brick", path = [[4, 0], [4, 5]] }]
zone = [{ id = "east", area = [[4, 0], [9, 0], [9, 6]] }]

[[floor]]
id = "1"
elevation_m = 3
height_m = 3
outline = [[0, 0], [9, 0], [9, 6], [0, 6]]

[[stairs]]
id = "ladder"
position = [1, 1]

[[anchor]]
id = "ap-1"
floor = "0"
position = [2, 2]
radios = ["2.4", "5"]
"#;

fn problems_of(text: &str) -> Vec<String> {
    let problems = Site::parse(text).expect_err(text);
    problems.iter().map(ToString::to_string).collect()
}

/// The good file with one place changed has exactly this problem.
pub(super) fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    assert_eq!(
        problems_of(&GOOD.replacen(from, to, 1)),
        [expected],
        "{from} -> {to}"
    );
}

#[test]
fn the_good_file_is_good() {
    let site = Site::parse(GOOD).unwrap();
    assert_eq!((site.floors.len(), site.anchors.len()), (2, 1));
}

#[test]
fn networks_are_addresses_that_stand_once() {
    let with =
        |bssids: &str| GOOD.replacen("radios = ", &format!("bssids = {bssids}\nradios = "), 1);
    let site = Site::parse(&with("[\"00:00:5E:00:53:aa\", \"02-00-00-00-00-01\"]")).unwrap();
    let octets: Vec<_> = site.anchors[0].bssids.iter().map(|bssid| bssid.0).collect();
    assert_eq!(octets, [[0, 0, 0x5e, 0, 0x53, 0xaa], [2, 0, 0, 0, 0, 1]]);
    for bad in [
        "",
        "00:00:5e:00:53",
        "00:00:5e:00:53:aa:bb",
        "01:00:5e:00:00:01",
        "00:00:5e:00:53:+a",
        "0:0:5e:0:53:aa",
    ] {
        let told = problems_of(&with(&format!("[\"{bad}\"]")));
        assert_eq!(told.len(), 1, "{bad:?}: {told:?}");
        assert!(told[0].contains("no address of a network"), "{told:?}");
    }
    let twice = "[\"00:00:5e:00:53:aa\", \"00:00:5e:00:53:AA\"]";
    assert!(problems_of(&with(twice))[0].contains("an earlier network of the file has the same"));
    let many: Vec<_> = (0..=limits::BSSIDS_MAX)
        .map(|n| format!("\"02:00:00:00:00:{n:02x}\""))
        .collect();
    let told = problems_of(&with(&format!("[{}]", many.join(", "))));
    assert!(told[0].contains("bssids has 65 items"), "{told:?}");
}

#[test]
fn an_empty_file_is_told_how_to_begin() {
    let told = "line 1: the file is empty; begin with `site = \"my-site\"`, then add [[floor]] and \
                [[anchor]] tables";
    assert_eq!(problems_of(""), [told]);
    assert_eq!(problems_of("# only a comment\n"), [told]);
    assert_eq!(
        problems_of("site = \"x\""),
        [
            "line 1: no floors; add a [[floor]] table",
            "line 1: no anchors; add an [[anchor]] table",
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let problems =
        Site::parse(&GOOD.replace("height_m = 3\noutline", "height_m = \noutline")).unwrap_err();
    assert_eq!(problems[0].line, 6);
    assert!(
        problems[0].what.starts_with("not valid TOML: "),
        "{}",
        problems[0].what
    );
    let twice = Site::parse(&GOOD.replacen("id = \"0\"", "id = \"0\"\nid = \"2\"", 1)).unwrap_err();
    assert_eq!(
        (twice[0].line, twice[0].what.as_str()),
        (5, "not valid TOML: duplicate key")
    );
}

#[test]
fn ids_are_checked() {
    check(
        "\"shed\"",
        "\"my shed\"",
        "line 1: site: the id \"my shed\" has a character that no id may have; \
         use 1 to 63 of a-z, A-Z, 0-9, '-', '_', '.'",
    );
    check(
        "\"ap-1\"",
        "\"\"",
        "line 22: anchor 1: id: the id is empty; use 1 to 63 of a-z, A-Z, 0-9, '-', '_', '.'",
    );
    check(
        "id = \"1\"",
        "id = \"0\"",
        "line 12: floor \"0\": an earlier one has the same id; give each an id of its own",
    );
    check(
        "id = \"1\"\n",
        "",
        "line 11: floor 2: no id; add a line such as `id = \"1\"`",
    );
}

#[test]
fn a_second_use_of_an_id_is_told() {
    let check_added = |from: &str, added: &str, expected: &str| {
        check(from, &format!("{from}{added}"), expected);
    };
    check_added(
        "radios = [\"2.4\", \"5\"]\n",
        "[[anchor]]\nid = \"ap-1\"\nfloor = \"0\"\nposition = [1, 1]\nradios = [\"5\"]\n",
        "line 27: anchor \"ap-1\": an earlier one has the same id; give each an id of its own",
    );
    check_added(
        "position = [1, 1]\n",
        "[[stairs]]\nid = \"ladder\"\nposition = [2, 2]\n",
        "line 21: stairs \"ladder\": an earlier one has the same id; give each an id of its own",
    );
    check_added(
        "id = \"1\"\n",
        "zone = [{ id = \"east\", area = [[4, 0], [9, 0], [9, 6]] }]\n",
        "line 13: floor \"1\", zone \"east\": an earlier one has the same id; give each an id of \
        its own",
    );
}

#[test]
fn unknown_keys_are_told_with_the_nearest_known_one() {
    check(
        "site =",
        "name = \"a\"\nsite_id = 3\nsite =",
        "line 2: unknown key \"site_id\"; use one of site, name, propagation, floor, stairs, \
        anchor",
    );
    check(
        "elevation_m = 3",
        "elevation = 1\nelevation_m = 3",
        "line 13: floor \"1\": unknown key \"elevation\"; did you mean `elevation_m`?",
    );
    check(
        "\"brick\",",
        "\"brick\", thicknes_m = 1,",
        "line 8: floor \"0\", wall 1: unknown key \"thicknes_m\"; did you mean `thickness_m`?",
    );
}

#[test]
fn numbers_must_be_finite_and_make_sense() {
    let elevation = |written: &str, told: &str| {
        check(
            "elevation_m = 3",
            &format!("elevation_m = {written}"),
            &format!("line 13: floor \"1\": elevation_m {told}; use -10000 to 10000 m"),
        );
    };
    elevation("nan", "is nan, not a finite number");
    elevation("-inf", "is -inf, not a finite number");
    elevation("1e300", "= 1e300 is out of range");
    elevation("1e999", "= 1e999 is out of range");
    elevation(
        "99999999999999999999999999",
        "= 999999999999999999999999 is out of range",
    );
    check(
        "position = [2, 2]",
        "position = [2, 10001]",
        "line 24: anchor \"ap-1\": y = 10001 is out of range; use -10000 to 10000 m",
    );
    check(
        "position = [2, 2]",
        "position = [nan, 2]",
        "line 24: anchor \"ap-1\": x is nan, not a finite number; use -10000 to 10000 m",
    );
    check(
        "\"brick\",",
        "\"brick\", thickness_m = -0.2,",
        "line 8: floor \"0\", wall 1: thickness_m = -0.2 is out of range; use 0.0005 to 3 m",
    );
    check(
        "elevation_m = 3",
        "elevation_m = true",
        "line 13: floor \"1\": elevation_m is true or false, not a number; write elevation_m as a \
        number such as 2.5",
    );
}

#[test]
fn wrong_kinds_of_values_are_told() {
    check(
        "\"shed\"",
        "7",
        "line 1: site is a number, not a text; write site in quotes",
    );
    check(
        "floor = \"0\"",
        "floor = 0",
        "line 23: anchor \"ap-1\": floor is a number, not a text; write floor in quotes",
    );
    check(
        "position = [2, 2]",
        "position = [2, 2, 2]",
        "line 24: anchor \"ap-1\": position has 3 numbers; write a point as [x, y] in metres",
    );
    check(
        "position = [2, 2]",
        "position = 2",
        "line 24: anchor \"ap-1\": position is a number, not a point; write a point as [x, y] in \
        metres",
    );
    check(
        "[[4, 0], [4, 5]]",
        "4",
        "line 8: floor \"0\", wall 1: path is a number, not a list; write path as a list in \
        brackets",
    );
    check(
        "[{ material = \"brick\", path = [[4, 0], [4, 5]] }]",
        "[4]",
        "line 8: floor \"0\", wall 1: a number instead of a table; write a table with material, \
        thickness_m, loss_db, path",
    );
    check(
        "[[stairs]]",
        "[stairs]",
        "line 17: stairs is a table, not a list; write stairs as a list in brackets",
    );
}

#[test]
fn polygons_must_enclose_an_area() {
    let outline = |corners: &str, told: &str| {
        check(
            "outline = [[0, 0], [9, 0], [9, 6], [0, 6]]\nwall",
            &format!("outline = {corners}\nwall"),
            &format!("line 7: floor \"0\": outline: {told}"),
        );
    };
    let few = "different corners do not close an area; give at least three corners [x, y]; the \
    last joins the first";
    outline("[]", &format!("0 {few}"));
    outline("[[0, 0], [9, 0]]", &format!("2 {few}"));
    outline("[[0, 0], [9, 0], [0, 0]]", &format!("2 {few}"));
    outline(
        "[[0, 0], [9, 6], [9, 0], [0, 6]]",
        "its edges 1 and 3 meet; order the corners along the border",
    );
    outline(
        "[[0, 0], [9, 0], [9, 0], [0, 6]]",
        "corner 3 repeats corner 2; remove one of them",
    );
    outline(
        "[[0, 0], [0.01, 0], [0, 0.01]]",
        "it has no area; give corners that are not on one line",
    );
    check(
        "[9, 0], [9, 6]] }]",
        "[9, 0]] }]",
        &format!("line 9: floor \"0\", zone \"east\": area: 2 {few}"),
    );
    check(
        "[[4, 0], [9, 0], [9, 6]]",
        "[[14, 0], [19, 0], [19, 6]]",
        "line 9: floor \"0\", zone \"east\": area lies outside the floor's outline; move it, or \
        put it on another floor",
    );
    check(
        "zone =",
        "blocked = [[1, 1], [2, 1], [2, 2]]\nzone =",
        "line 9: floor \"0\": blocked is one area, not a list of areas; put one more pair of \
        brackets around blocked",
    );
}

#[test]
fn walls_and_slabs_need_a_known_material() {
    check(
        "\"brick\"",
        "\"brik\"",
        "line 8: floor \"0\", wall 1: unknown material \"brik\"; did you mean `brick`?",
    );
    check(
        "\"brick\"",
        "\"straw\"",
        "line 8: floor \"0\", wall 1: unknown material \"straw\"; use one of glass, drywall, \
        wood, brick, concrete, metal",
    );
    check(
        "material = \"brick\", ",
        "",
        "line 8: floor \"0\", wall 1: no material; add a line such as `material = \"drywall\"`",
    );
    check(
        "height_m = 3\n",
        "height_m = 3\nslab = \"conrete\"\n",
        "line 7: floor \"0\", slab: unknown material \"conrete\"; did you mean `concrete`?",
    );
    check(
        "\"brick\",",
        "\"brick\", loss_db = { \"2.4\" = 3 },",
        "line 8: floor \"0\", wall 1, loss_db: no 5; add a line such as `5 = 4.2`",
    );
    check(
        "[[4, 0], [4, 5]]",
        "[[4, 0]]",
        "line 8: floor \"0\", wall 1: path has 1 points; give at least two points [x, y]",
    );
    check(
        "[[4, 0], [4, 5]]",
        "[[4, 0], [4, 0]]",
        "line 8: floor \"0\", wall 1: path: point 2 repeats point 1; remove one of them",
    );
}

#[test]
fn storeys_ascend_without_overlap() {
    check(
        "elevation_m = 3",
        "elevation_m = -3",
        "line 11: floor \"1\": it is not above floor \"0\", which stands before it; list the \
        floors from the lowest to the highest",
    );
    check(
        "elevation_m = 3",
        "elevation_m = 2",
        "line 11: floor \"1\": at 2 m it begins below the ceiling of floor \"0\"; raise \
        elevation_m to 3 or lower that floor's height_m",
    );
}

#[test]
fn anchors_hang_on_a_floor_and_name_their_radios() {
    check(
        "floor = \"0\"",
        "floor = \"7\"",
        "line 23: anchor \"ap-1\": no floor \"7\"; use one of 0, 1",
    );
    check(
        "position = [2, 2]",
        "position = [2, 7]",
        "line 24: anchor \"ap-1\": its position is outside every floor's outline; move it into \
        the outline of floor \"0\", or widen that",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "radios = [\"2.4\", \"5\", \"5\"]",
        "line 25: anchor \"ap-1\": two radios of band \"5\"; give each band once; make another \
        anchor",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "radios = [\"2.4\", \"5GHz\"]",
        "line 25: anchor \"ap-1\", radio 2: unknown band \"5GHz\"; use one of 2.4, 5, 6, ble, uwb",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "radios = []",
        "line 21: anchor \"ap-1\": it has no radio; name its bands, such as radios = [\"2.4\", \
        \"5\"]",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "",
        "line 21: anchor \"ap-1\": no radios; add a line such as `radios = [\"2.4\", \"5\"]`",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "radios = [\"5\"]\nradio = []",
        "line 21: anchor \"ap-1\": both radios and radio; keep `radios` for the usual, or \
        [[anchor.radio]] tables for details",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "radio = [{ band = \"5\", freq_mhz = 2437 }]",
        "line 25: anchor \"ap-1\", radio 1: freq_mhz = 2437 is out of range; use 5160 to 5895 MHz \
        in this band",
    );
    check(
        "radios = [\"2.4\", \"5\"]",
        "height_m = 3\nradios = [\"5\"]",
        "line 25: anchor \"ap-1\": at 3 m it hangs above the ceiling of floor \"0\"; set \
        height_m, counted from the floor, below 3",
    );
}

#[test]
fn an_anchor_over_another_floors_outline_is_told_which() {
    check(
        "elevation_m = 3\nheight_m = 3\noutline = [[0, 0], [9, 0], [9, 6], [0, 6]]",
        "elevation_m = 3\nheight_m = 3\noutline = [[0, 0], [9, 0], [9, 6], [0, 6]]\n\
         [[anchor]]\nid = \"ap-2\"\n\
         floor = \"1\"\nposition = [5, 9]\nradios = [\"5\"]\n\
         [[floor]]\nid = \"2\"\nelevation_m = 6\nheight_m = 3\n\
         outline = [[0, 0], [9, 0], [9, 10], [0, 10]]",
        "line 19: anchor \"ap-2\": its position is outside the outline of floor \"1\"; move it, \
        or put it on floor \"2\"",
    );
}

#[test]
fn an_anchor_on_an_outer_wall_is_fine() {
    assert!(Site::parse(&GOOD.replace("position = [2, 2]", "position = [9.1, 6]")).is_ok());
}

#[test]
fn stairs_join_floors_on_allowed_ground() {
    check(
        "position = [1, 1]",
        "position = [1, 8]",
        "line 19: stairs \"ladder\": its position is not on allowed ground of floor \"0\"; move \
        it, or leave that floor out of its `floors`",
    );
    check(
        "position = [1, 1]",
        "position = [1, 1]\nfloors = [\"1\"]",
        "line 20: stairs \"ladder\": it joins fewer than two floors; name two floors, or leave \
        `floors` out for all",
    );
    check(
        "position = [1, 1]",
        "position = [1, 1]\nfloors = [\"1\", \"cellar\"]",
        "line 20: stairs \"ladder\": no floor \"cellar\"; use one of 0, 1",
    );
}

#[test]
fn stairs_need_a_second_floor() {
    let second = GOOD.find("[[floor]]\nid = \"1\"").unwrap()..GOOD.find("[[stairs]]").unwrap();
    let text = GOOD.replace(&GOOD[second], "");
    assert_eq!(
        problems_of(&text),
        ["line 11: stairs \"ladder\": the site has one floor only; remove the stairs"]
    );
}

#[test]
fn a_bad_floor_is_no_reason_to_call_it_unknown() {
    // Anchors and stairs of the floor whose height is missing are not complained about.
    check(
        "height_m = 3\n",
        "",
        "line 3: floor \"0\": no height_m; add a line such as `height_m = 3.2`",
    );
}

#[test]
fn all_problems_of_a_file_are_told_in_the_order_of_its_lines() {
    let text = GOOD
        .replacen("\"shed\"", "\"a shed\"", 1)
        .replacen("\"brick\"", "\"brik\"", 1)
        .replacen("[9, 6]] }]", "[9, nan]] }]", 1)
        .replacen("\"5\"]", "\"7\"]", 1);
    let lines: Vec<usize> = Site::parse(&text)
        .unwrap_err()
        .iter()
        .map(|problem| problem.line)
        .collect();
    assert_eq!(lines, [1, 8, 9, 25]);
}

#[test]
fn a_problem_names_its_column() {
    let problems = Site::parse(&GOOD.replace("\"brick\"", "\"brik\"")).unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (8, 22));
}

#[test]
fn more_than_the_limits_allow_is_refused() {
    let floor = |index: usize| {
        format!(
            "[[floor]]\nid = \"f{index}\"\nelevation_m = {}\nheight_m = 3\noutline = [[0, 0], [9, \
            0], [9, 6]]\n",
            9 + 3 * index
        )
    };
    let floors: String = (0..limits::FLOORS_MAX).map(floor).collect();
    check(
        "[[stairs]]",
        &format!("{floors}[[stairs]]"),
        "line 3: floor has 257 items; use at most 255",
    );

    let corners = "[1, 1], ".repeat(limits::CORNERS_MAX + 1);
    check(
        "[[4, 0], [9, 0], [9, 6]]",
        &format!("[{corners}]"),
        "line 9: floor \"0\", zone \"east\": area has 501 items; use at most 500",
    );

    let paths = "{ material = \"wood\", path = [[0, 0], [1, 1], [2, 2], [3, 3]] }, "
        .repeat(limits::FLOOR_WALLS_MAX / 3 + 1);
    check(
        "[{ material = \"brick\", path = [[4, 0], [4, 5]] }]",
        &format!("[{paths}]"),
        "line 8: floor \"0\": more than 20000 walls; leave out what hardly weakens a signal",
    );

    let aps: String = (0..128)
        .map(|index| {
            format!(
                "[[anchor]]\nid = \"x{index}\"\nagent = \"x\"\nfloor = \
        \"0\"\nposition = [1, 1]\nradios = [\"2.4\", \"5\"]\n"
            )
        })
        .collect();
    check(
        "[[anchor]]\nid = \"ap-1\"",
        &format!("{aps}[[anchor]]\nid = \"ap-1\""),
        "line 783: anchor \"x127\": agent \"x\" has more than 255 radios; share its anchors among \
        several agents",
    );

    let spaces = " ".repeat(limits::TEXT_BYTES_MAX);
    let expected = format!(
        "line 1: the file has {} bytes; keep it below {} bytes",
        GOOD.len() + spaces.len(),
        limits::TEXT_BYTES_MAX
    );
    assert_eq!(problems_of(&format!("{GOOD}{spaces}")), [expected]);
}
