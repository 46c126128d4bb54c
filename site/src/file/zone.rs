//! The zones of a floor: areas, and when a client counts as inside.

use crate::building::{Zone, ZoneRules};
use crate::file::floor::{declared_id, noted_id};
use crate::file::polygon;
use crate::geometry::Polygon;
use crate::limits;
use crate::reader::problem::Problems;
use crate::reader::table::{self, Table};
use crate::reader::word::Ids;
use crate::reader::{Value, number};

const ZONE_KEYS: [&str; 10] = [
    "id",
    "name",
    "area",
    "enter_probability",
    "enter_after_s",
    "leave_probability",
    "leave_after_s",
    "silent_after_s",
    "dwell_s",
    "occupancy",
];

/// All zones of a floor.
pub(super) fn read<'t>(
    floor: Table<'t, '_>,
    outline: Option<&Polygon>,
    ids: &mut Ids<'t>,
    problems: &mut Problems,
) -> Option<Vec<Zone>> {
    let values = floor.list("zone", limits::FLOOR_AREAS_MAX, problems)?;
    let read = |(index, value): (usize, &'t Value<'t>)| {
        let place = floor.place.item("zone", declared_id(value), index);
        let table = Table::open(value, &place, &ZONE_KEYS, problems)?;
        let id = noted_id(table, "\"kitchen\"", ids, problems);
        let name = table.name_or(id.unwrap_or_default(), problems);
        let area = table
            .required("area", "[[0, 0], [4, 0], [4, 3], [0, 3]]", problems)
            .and_then(|value| polygon::read_within(value, "area", outline, &place, problems));
        let rules = rules(table, problems);
        Some(Zone {
            id: id?.to_owned(),
            name: name?,
            area: area?,
            rules: rules?,
        })
    };
    let zones: Vec<Option<Zone>> = values.iter().enumerate().map(read).collect();
    zones.into_iter().collect()
}

fn rules(zone: Table<'_, '_>, problems: &mut Problems) -> Option<ZoneRules> {
    let default = ZoneRules::default();
    let mut number = |key, default, interval| zone.number_or(key, default, interval, problems);
    let enter_probability = number(
        "enter_probability",
        default.enter_probability,
        limits::ZONE_PROBABILITY,
    );
    let enter_after_s = number("enter_after_s", default.enter_after_s, limits::ZONE_TIME);
    let leave_probability = number(
        "leave_probability",
        // A zone that is easy to enter is not left at once.
        enter_probability.map_or(default.leave_probability, |enter| {
            default.leave_probability.min(enter / 2.0)
        }),
        limits::ZONE_PROBABILITY,
    );
    let leave_after_s = number("leave_after_s", default.leave_after_s, limits::ZONE_TIME);
    let silent_after_s = number(
        "silent_after_s",
        default.silent_after_s,
        limits::ZONE_SILENCE,
    );
    let dwell_s = match zone.value("dwell_s") {
        None => Some(None),
        Some(_) => number("dwell_s", 0.0, limits::ZONE_TIME).map(Some),
    };
    let occupancy = occupancy(zone, problems);
    let rules = ZoneRules {
        enter_probability: enter_probability?,
        enter_after_s: enter_after_s?,
        leave_probability: leave_probability?,
        leave_after_s: leave_after_s?,
        silent_after_s: silent_after_s?,
        dwell_s: dwell_s?,
        occupancy: occupancy?,
    };
    if rules.leave_probability >= rules.enter_probability {
        let what = format!(
            "leave_probability = {} is not below enter_probability = {}",
            rules.leave_probability, rules.enter_probability
        );
        let what_to_do = "leave a gap, such as 0.3 and 0.6, or clients at the border flap";
        zone.add(problems, what, what_to_do);
        return None;
    }
    Some(rules)
}

/// Whole numbers in ascending order.
fn occupancy(zone: Table<'_, '_>, problems: &mut Problems) -> Option<Vec<u32>> {
    let Some(value) = zone.value("occupancy") else {
        return Some(Vec::new());
    };
    let (key, place) = ("occupancy", zone.place);
    let values = table::list(value, key, limits::ZONE_OCCUPANCY_MAX, place, problems)?;
    let mut counts: Vec<u32> = Vec::with_capacity(values.len());
    for value in values {
        let count = number::number(value, key, limits::ZONE_OCCUPANCY, place, problems)?;
        if count.fract() != 0.0 || counts.last().is_some_and(|last| f64::from(*last) >= count) {
            let what = place.says("occupancy is no list of ascending whole numbers");
            problems.add(value.span(), what, "write it like occupancy = [10, 50]");
            return None;
        }
        counts.push(count as u32);
    }
    Some(counts)
}
