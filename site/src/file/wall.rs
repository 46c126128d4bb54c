//! The walls of a floor: polylines with a material, and what their crossing costs.

use std::collections::HashMap;

use toml::Spanned;

use crate::building::Wall;
use crate::file::polygon;
use crate::limits;
use crate::material::{BandLoss, Material};
use crate::reader::Value;
use crate::reader::place::Place;
use crate::reader::problem::Problems;
use crate::reader::table::Table;
use crate::reader::word;
use crate::slab;

const WALL_KEYS: [&str; 4] = ["material", "thickness_m", "loss_db", "path"];
const LOSS_KEYS: [&str; 3] = ["2.4", "5", "6"];

/// Reads `wall`: each item is one path, and each stretch of a path is one straight wall.
pub(crate) fn read(floor: Table<'_, '_>, problems: &mut Problems) -> Option<Vec<Wall>> {
    let values = floor.list("wall", limits::FLOOR_WALLS_MAX, problems)?;
    let mut class_losses = ClassLosses::default();
    let mut walls = Some(Vec::new());
    for (index, value) in values.iter().enumerate() {
        let place = floor.place.item("wall", None, index);
        let read = read_path(value, &place, &mut class_losses, problems);
        walls = walls.zip(read).map(|(mut walls, more)| {
            walls.extend(more);
            walls
        });
        let count = walls.as_ref().map_or(0, Vec::len);
        if count > limits::FLOOR_WALLS_MAX {
            let what = floor
                .place
                .says(format_args!("more than {} walls", limits::FLOOR_WALLS_MAX));
            problems.add(value.span(), what, "leave out what hardly weakens a signal");
            return None;
        }
    }
    walls
}

fn read_path(
    value: &Value<'_>,
    place: &Place<'_>,
    class_losses: &mut ClassLosses,
    problems: &mut Problems,
) -> Option<Vec<Wall>> {
    let table = Table::open(value, place, &WALL_KEYS, problems)?;
    let material = required_material(table, problems);
    let nominal_m = material.map_or(0.0, Material::nominal_thickness_m);
    let thickness_m = table.number_or("thickness_m", nominal_m, limits::THICKNESS, problems);
    let own_loss_db = own_loss_db(table, problems);
    let path = table
        .required("path", "[[0, 0], [10, 0]]", problems)
        .and_then(|value| path(value, place, problems));
    let (path, material, thickness_m, own_loss_db) = (path?, material?, thickness_m?, own_loss_db?);
    let loss_db = own_loss_db.unwrap_or_else(|| class_losses.of(material, thickness_m));
    let wall = |ends: &[_]| Wall {
        from: ends[0],
        to: ends[1],
        material,
        thickness_m,
        loss_db,
    };
    Some(path.windows(2).map(wall).collect())
}

fn path(
    value: &Value<'_>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Vec<nalgebra::Point2<f64>>> {
    let points = polygon::points(value, "path", limits::WALL_POINTS_MAX, place, problems)?;
    let repeated = points.windows(2).position(|ends| ends[0] == ends[1]);
    let (what, what_to_do) = if points.len() < 2 {
        (
            format!("path has {} points", points.len()),
            "give at least two points [x, y]",
        )
    } else if let Some(index) = repeated {
        (
            format!("path: point {} repeats point {}", index + 2, index + 1),
            "remove one of them",
        )
    } else {
        return Some(points);
    };
    problems.add(value.span(), place.says(what), what_to_do);
    None
}

/// The `material` of a wall or slab, which must be there.
pub(crate) fn required_material(table: Table<'_, '_>, problems: &mut Problems) -> Option<Material> {
    table.required("material", "\"drywall\"", problems)?;
    let text = table.text("material", problems)?;
    material(&text, table.place, problems)
}

/// A material by its word; an unknown word is a problem.
pub(crate) fn material(
    text: &Spanned<&str>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<Material> {
    let material = Material::parse(text.get_ref());
    if material.is_none() {
        let known = Material::all().map(Material::as_str);
        let what = place.says(format_args!(
            "unknown material {}",
            word::quoted(text.get_ref())
        ));
        problems.add(text.span(), what, word::hint(text.get_ref(), &known));
    }
    material
}

/// `loss_db = { "2.4" = 3, "5" = 4.2, "6" = 5 }`: `Some(None)` when absent; 6 GHz may be left out.
pub(crate) fn own_loss_db(
    table: Table<'_, '_>,
    problems: &mut Problems,
) -> Option<Option<BandLoss>> {
    let Some(value) = table.value("loss_db") else {
        return Some(None);
    };
    let place = table.place.part("loss_db");
    let table = Table::open(value, &place, &LOSS_KEYS, problems)?;
    let ghz2_db = table.required_number("2.4", "3.0", limits::LOSS, problems);
    let ghz5_db = table.required_number("5", "4.2", limits::LOSS, problems);
    let (ghz2_db, ghz5_db) = (ghz2_db?, ghz5_db?);
    let continued = BandLoss::from_two(ghz2_db, ghz5_db);
    let ghz6_db = table.number_or("6", continued.ghz6_db.max(0.0), limits::LOSS, problems)?;
    Some(Some(BandLoss {
        ghz6_db,
        ..continued
    }))
}

/// Losses already computed: plans have few thicknesses and many walls.
#[derive(Default)]
struct ClassLosses {
    by_thickness: HashMap<(Material, u64), BandLoss>,
}

impl ClassLosses {
    fn of(&mut self, material: Material, thickness_m: f64) -> BandLoss {
        // To the millimetre: finer steps change nothing, and they would be too many.
        let thickness_m = (thickness_m * 1000.0).round().max(1.0) / 1000.0;
        *self
            .by_thickness
            .entry((material, thickness_m.to_bits()))
            .or_insert_with(|| slab::wall_loss(material, thickness_m))
    }
}
