//! The `[[anchor]]` tables: surveyed access points.

use nalgebra::{Point2, Point3};

use crate::building::{Anchor, Floor};
use crate::file::bssids::Networks;
use crate::file::floor::{declared_id, noted_id};
use crate::file::numbering::Numbering;
use crate::file::radio;
use crate::file::storeys::Storeys;
use crate::limits;
use crate::reader::Value;
use crate::reader::number;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::Table;
use crate::reader::word::Ids;

const ANCHOR_KEYS: [&str; 8] = [
    "id", "agent", "floor", "position", "height_m", "radios", "radio", "bssids",
];

/// Height of an anchor over its floor where the file names none: under a ceiling, over heads.
const HEIGHT_M_DEFAULT: f64 = 2.5;

pub(crate) fn read<'t>(
    site: Table<'t, '_>,
    storeys: &Storeys<'_>,
    problems: &mut Problems,
) -> Option<Vec<Anchor>> {
    let values = site.list("anchor", limits::RADIOS_MAX, problems)?;
    if values.is_empty() {
        site.add(problems, "no anchors", "add an [[anchor]] table");
        return None;
    }
    let mut ids = Ids::default();
    let mut anchors = Some(Vec::new());
    let mut numbering = Numbering::default();
    let mut networks = Networks::default();
    for (index, value) in values.iter().enumerate() {
        let place = site.place.item("anchor", declared_id(value), index);
        let anchor = read_anchor(value, &place, &mut ids, &mut networks, storeys, problems)
            .and_then(|anchor| numbering.number(anchor, value, &place, problems));
        anchors = anchors.zip(anchor).map(|(mut anchors, anchor)| {
            anchors.push(anchor);
            anchors
        });
        if problems.is_full() {
            break;
        }
    }
    anchors
}

fn read_anchor<'t>(
    value: &'t Value<'t>,
    place: &Place<'_>,
    ids: &mut Ids<'t>,
    networks: &mut Networks,
    storeys: &Storeys<'_>,
    problems: &mut Problems,
) -> Option<Anchor> {
    let table = Table::open(value, place, &ANCHOR_KEYS, problems)?;
    let id = noted_id(table, "\"ap-1\"", ids, problems);
    let agent = match table.value("agent") {
        Some(_) => table.id("agent", problems).map(|agent| *agent.get_ref()),
        None => id,
    };
    let floor = table
        .required_id("floor", "\"1\"", problems)
        .and_then(|floor| storeys.resolve(&floor, place, problems));
    let plan = table
        .required("position", "[12.5, 4]", problems)
        .and_then(|value| number::point(value, "position", place, problems));
    let height_m = table.number_or(
        "height_m",
        HEIGHT_M_DEFAULT,
        limits::ANCHOR_HEIGHT,
        problems,
    );
    let radios = radio::read(table, problems);
    let bssids = networks.read(table, problems);
    let (floor, plan, height_m) = (floor?, plan?, height_m?);
    let storey = storeys.floor(floor)?;
    hangs_on_floor(plan, storey, table, storeys, problems)?;
    hangs_below_ceiling(height_m, storey, table, problems)?;
    Some(Anchor {
        id: id?.to_owned(),
        agent: agent?.to_owned(),
        floor,
        position: Point3::new(plan.x, plan.y, storey.elevation_m + height_m),
        radios: radios?,
        bssids: bssids?,
    })
}

fn hangs_on_floor(
    plan: Point2<f64>,
    storey: &Floor,
    anchor: Table<'_, '_>,
    storeys: &Storeys<'_>,
    problems: &mut Problems,
) -> Option<()> {
    let hangs_on = |floor: &Floor| floor.outline.distance_m(plan) <= limits::ANCHOR_OUTSIDE_M_MAX;
    if hangs_on(storey) {
        return Some(());
    }
    let (what, what_to_do) = match storeys.floors().find(|floor| hangs_on(floor)) {
        Some(other) => (
            format!(
                "its position is outside the outline of floor {:?}",
                storey.id
            ),
            format!("move it, or put it on floor {:?}", other.id),
        ),
        None => (
            "its position is outside every floor's outline".to_owned(),
            format!(
                "move it into the outline of floor {:?}, or widen that",
                storey.id
            ),
        ),
    };
    add_at(anchor, "position", what, what_to_do, problems);
    None
}

fn hangs_below_ceiling(
    height_m: f64,
    storey: &Floor,
    anchor: Table<'_, '_>,
    problems: &mut Problems,
) -> Option<()> {
    if height_m < storey.height_m {
        return Some(());
    }
    let (id, ceiling_m) = (&storey.id, storey.height_m);
    let what = format!("at {height_m} m it hangs above the ceiling of floor {id:?}");
    let what_to_do = format!("set height_m, counted from the floor, below {ceiling_m}");
    add_at(anchor, "height_m", what, what_to_do, problems);
    None
}

/// A problem at the line of a key, or of the table where the key is left out.
fn add_at(
    table: Table<'_, '_>,
    key: &str,
    what: String,
    what_to_do: String,
    problems: &mut Problems,
) {
    match table.value(key) {
        Some(value) => problems.add(value.span(), table.place.says(what), what_to_do),
        None => table.add(problems, what, what_to_do),
    }
}
