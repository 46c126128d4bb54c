//! The `[[stairs]]` tables: places where clients change floors.

use crate::building::{FloorIndex, Stairs};
use crate::file::floor::{declared_id, noted_id};
use crate::file::storeys::Storeys;
use crate::limits;
use crate::reader::Value;
use crate::reader::number;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::{self, Table};
use crate::reader::word::Ids;

const STAIRS_KEYS: [&str; 3] = ["id", "position", "floors"];

pub(crate) fn read<'t>(
    site: Table<'t, '_>,
    storeys: &Storeys<'_>,
    problems: &mut Problems,
) -> Option<Vec<Stairs>> {
    let values = site.list("stairs", limits::STAIRS_MAX, problems)?;
    let mut ids = Ids::default();
    let read = |(index, value): (usize, &'t Value<'t>)| {
        let place = site.place.item("stairs", declared_id(value), index);
        let table = Table::open(value, &place, &STAIRS_KEYS, problems)?;
        let id = noted_id(table, "\"stairs-west\"", &mut ids, problems);
        let position = table
            .required("position", "[12.5, 4]", problems)
            .and_then(|value| number::point(value, "position", &place, problems));
        let floors = joined_floors(table, storeys, problems);
        let stairs = Stairs {
            id: id?.to_owned(),
            position: position?,
            floors: floors?,
        };
        stand_on_ground(&stairs, value, &place, storeys, problems).then_some(stairs)
    };
    let stairs: Vec<Option<Stairs>> = values.iter().enumerate().map(read).collect();
    stairs.into_iter().collect()
}

/// The floors named, ascending; all floors when none is named.
fn joined_floors(
    stairs: Table<'_, '_>,
    storeys: &Storeys<'_>,
    problems: &mut Problems,
) -> Option<Vec<FloorIndex>> {
    let Some(value) = stairs.value("floors") else {
        let floors: Vec<FloorIndex> = storeys.indices().collect();
        if floors.len() == 1 {
            stairs.add(problems, "the site has one floor only", "remove the stairs");
            return None;
        }
        return Some(floors);
    };
    let named = table::list(value, "floors", limits::FLOORS_MAX, stairs.place, problems)?;
    let resolve = |value| {
        let id = table::text(value, "floors", stairs.place, problems)?;
        storeys.resolve(&id, stairs.place, problems)
    };
    let floors: Vec<Option<FloorIndex>> = named.iter().map(resolve).collect();
    let mut floors: Vec<FloorIndex> = floors.into_iter().collect::<Option<_>>()?;
    floors.sort_unstable();
    floors.dedup();
    if floors.len() >= 2 {
        return Some(floors);
    }
    let what = stairs.place.says("it joins fewer than two floors");
    problems.add(
        value.span(),
        what,
        "name two floors, or leave `floors` out for all",
    );
    None
}

/// Who comes up the stairs must be able to step off.
fn stand_on_ground(
    stairs: &Stairs,
    value: &Value<'_>,
    place: &Place<'_>,
    storeys: &Storeys<'_>,
    problems: &mut Problems,
) -> bool {
    let floors = stairs
        .floors
        .iter()
        .filter_map(|index| storeys.floor(*index));
    let Some(floor) = floors
        .into_iter()
        .find(|floor| !floor.is_allowed(stairs.position))
    else {
        return true;
    };
    let what = place.says(format_args!(
        "its position is not on allowed ground of floor {:?}",
        floor.id
    ));
    let span = value
        .get_ref()
        .get("position")
        .map_or(value.span(), |position| position.span());
    problems.add(
        span,
        what,
        "move it, or leave that floor out of its `floors`",
    );
    false
}
