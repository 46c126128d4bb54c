//! One `[[floor]]` table: the storey, its slab, its ground and its zones.

use toml::Spanned;

use crate::building::{Floor, Slab};
use crate::file::{polygon, wall, zone};
use crate::geometry::Polygon;
use crate::limits;
use crate::material::Material;
use crate::reader::Value;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::{self, Table};
use crate::reader::word::{self, Ids};

const FLOOR_KEYS: [&str; 10] = [
    "id",
    "name",
    "elevation_m",
    "height_m",
    "slab",
    "outline",
    "allowed",
    "blocked",
    "wall",
    "zone",
];
const SLAB_KEYS: [&str; 2] = ["material", "loss_db"];

/// The id in a table, if it can be one: problems name the table by it.
pub(crate) fn declared_id<'t>(value: &'t Value<'t>) -> Option<&'t str> {
    let id = value.get_ref().as_table()?.get("id")?.get_ref().as_str()?;
    word::id_fault(id).is_none().then_some(id)
}

pub(crate) fn read<'t>(
    value: &'t Value<'t>,
    place: &Place<'_>,
    ids: &mut Ids<'t>,
    zone_ids: &mut Ids<'t>,
    problems: &mut Problems,
) -> Option<Floor> {
    let table = Table::open(value, place, &FLOOR_KEYS, problems)?;
    let id = noted_id(table, "\"1\"", ids, problems);
    let name = table.name_or(id.unwrap_or_default(), problems);
    let elevation_m = table.required_number("elevation_m", "0", limits::ELEVATION, problems);
    let height_m = table.required_number("height_m", "3.2", limits::STOREY_HEIGHT, problems);
    let slab = slab(table, problems);
    let outline = outline(table, problems);
    let allowed = areas(table, "allowed", outline.as_ref(), problems);
    let blocked = areas(table, "blocked", outline.as_ref(), problems);
    let walls = wall::read(table, problems);
    let zones = zone::read(table, outline.as_ref(), zone_ids, problems);
    let (outline, mut allowed) = (outline?, allowed?);
    if allowed.is_empty() {
        allowed.push(outline.clone());
    }
    Some(Floor {
        id: id?.to_owned(),
        name: name?,
        elevation_m: elevation_m?,
        height_m: height_m?,
        slab: slab?,
        outline,
        allowed,
        blocked: blocked?,
        walls: walls?,
        zones: zones?,
    })
}

/// The id of a table, noted among those of its kind.
pub(crate) fn noted_id<'t>(
    table: Table<'t, '_>,
    example: &str,
    ids: &mut Ids<'t>,
    problems: &mut Problems,
) -> Option<&'t str> {
    let id = table.required_id("id", example, problems)?;
    let text = *id.get_ref();
    ids.note(id, table.place, problems);
    Some(text)
}

/// `slab = "concrete"`, or a table with a loss of its own; concrete when absent.
fn slab(floor: Table<'_, '_>, problems: &mut Problems) -> Option<Slab> {
    let of = |material: Material| Slab {
        material,
        loss_db: material.slab_loss(),
    };
    let Some(value) = floor.value("slab") else {
        return Some(of(Material::Concrete));
    };
    if let Some(text) = value.get_ref().as_str() {
        let named = Spanned::new(value.span(), text);
        return wall::material(&named, &floor.place.part("slab"), problems).map(of);
    }
    let place = floor.place.part("slab");
    let table = Table::open(value, &place, &SLAB_KEYS, problems)?;
    let material = wall::required_material(table, problems);
    let own_loss_db = wall::own_loss_db(table, problems)?;
    let slab = of(material?);
    Some(Slab {
        loss_db: own_loss_db.unwrap_or(slab.loss_db),
        ..slab
    })
}

fn outline(floor: Table<'_, '_>, problems: &mut Problems) -> Option<Polygon> {
    let example = "[[0, 0], [40, 0], [40, 25], [0, 25]]";
    let value = floor.required("outline", example, problems)?;
    polygon::read(value, "outline", floor.place, problems)
}

/// A list of polygons, each of which touches the outline; empty when the key is absent.
fn areas(
    floor: Table<'_, '_>,
    key: &'static str,
    outline: Option<&Polygon>,
    problems: &mut Problems,
) -> Option<Vec<Polygon>> {
    let Some(value) = floor.value(key) else {
        return Some(Vec::new());
    };
    if polygon::is_single(value) {
        let what = floor
            .place
            .says(format_args!("{key} is one area, not a list of areas"));
        problems.add(
            value.span(),
            what,
            format!("put one more pair of brackets around {key}"),
        );
        return None;
    }
    let values = table::list(value, key, limits::FLOOR_AREAS_MAX, floor.place, problems)?;
    let read = |(index, value): (usize, &Value<'_>)| {
        let place = floor.place.item(key, None, index);
        polygon::read_within(value, "area", outline, &place, problems)
    };
    // Collected in two steps, so that one bad area does not hide the next.
    let areas: Vec<Option<Polygon>> = values.iter().enumerate().map(read).collect();
    areas.into_iter().collect()
}
