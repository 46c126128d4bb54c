//! Rules of zones that contradict themselves, with the exact words that their author reads.

use super::bad_files::{GOOD, check};
use crate::building::Site;

#[test]
fn rules_of_zones_make_sense() {
    let bad = |rules: &str, expected: &str| {
        check(
            "zone = [{ id = \"east\",",
            &format!("zone = [{{ id = \"east\", {rules},"),
            &format!("line 9: floor \"0\", zone \"east\": {expected}"),
        );
    };
    bad(
        "enter_probability = 1",
        "enter_probability = 1 is out of range; use 0.01 to 0.99",
    );
    bad(
        "enter_probability = 0.5, leave_probability = 0.5",
        "leave_probability = 0.5 is not below enter_probability = 0.5; leave a gap, such as 0.3 \
        and 0.6, or clients at the border flap",
    );
    bad(
        "leave_after_s = -1",
        "leave_after_s = -1 is out of range; use 0 to 86400 s",
    );
    bad(
        "silent_after_s = 1",
        "silent_after_s = 1 is out of range; use 5 to 86400 s",
    );
    bad(
        "dwell_s = nan",
        "dwell_s is nan, not a finite number; use 0 to 86400 s",
    );
    let ascending = "occupancy is no list of ascending whole numbers; write it like occupancy = \
                     [10, 50]";
    for occupancy in ["[5, 5]", "[9, 3]", "[1.5]"] {
        bad(&format!("occupancy = {occupancy}"), ascending);
    }
    bad(
        "occupancy = [0]",
        "occupancy = 0 is out of range; use 1 to 4000000 clients",
    );
    bad(
        "occupancy = 9",
        "occupancy is a number, not a list; write occupancy as a list in brackets",
    );
}

#[test]
fn a_zone_that_is_easy_to_enter_is_not_left_at_once() {
    let text = GOOD.replace("id = \"east\",", "id = \"east\", enter_probability = 0.2,");
    let site = Site::parse(&text).unwrap();
    assert_eq!(site.floors[0].zones[0].rules.leave_probability, 0.1);
}
