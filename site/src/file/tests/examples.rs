//! The example sites that come with the project.

use std::collections::HashSet;

use nalgebra::{Point2, Point3};

use crate::building::{Band, Floor, FloorIndex, Site};
use crate::material::Material;

pub(super) const OFFICE: &str = include_str!("../../../../sites/office.toml");
pub(super) const HALL: &str = include_str!("../../../../sites/hall.toml");
pub(super) const WAREHOUSE: &str = include_str!("../../../../sites/warehouse.toml");

fn site(text: &str) -> Site {
    Site::parse(text).unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems
                .iter()
                .map(|problem| format!("{problem}\n"))
                .collect::<String>()
        )
    })
}

#[test]
fn the_office_has_three_furnished_storeys() {
    let office = site(OFFICE);
    assert_eq!(office.id, "office");
    assert_eq!(office.bounds(), (Point2::origin(), Point2::new(40.0, 25.0)));
    assert_eq!((office.floors.len(), office.stairs.len()), (3, 2));
    for (floor, index) in office.floors.iter().zip(0..) {
        assert_eq!(floor.outline.area_m2(), 1000.0);
        assert_eq!(floor.zones.len(), 12);
        let materials: HashSet<Material> = floor.walls.iter().map(|wall| wall.material).collect();
        assert!(materials.len() >= 4, "{materials:?}");
        let anchors: Vec<_> = office
            .anchors
            .iter()
            .filter(|anchor| anchor.floor == FloorIndex(index))
            .collect();
        assert_eq!(anchors.len(), 8);
        assert!(
            anchors
                .iter()
                .all(|anchor| office.floor_at(anchor.position.z) == anchor.floor)
        );
    }
    for (anchor, radio) in office.radios() {
        assert!(
            matches!(radio.band, Band::Ghz2 | Band::Ghz5),
            "{}",
            anchor.id
        );
        assert_eq!(anchor.radios.len(), 2);
    }
    assert_eq!(office.anchors[0].id, "ap-101");
    assert_eq!(office.anchors[23].id, "ap-308");
}

#[test]
fn the_hall_is_open() {
    let hall = site(HALL);
    assert_eq!(
        (hall.id.as_str(), hall.floors.len(), hall.anchors.len()),
        ("hall", 1, 10)
    );
    let (one, other) = (Point3::new(1.0, 1.0, 1.0), Point3::new(59.0, 39.0, 4.0));
    assert_eq!(hall.crossings(one, other).walls, []);
    assert_eq!(hall.bounds().1, Point2::new(60.0, 40.0));
}

#[test]
fn the_warehouse_measures_ranges_at_many_heights() {
    let warehouse = site(WAREHOUSE);
    assert_eq!(
        (warehouse.id.as_str(), warehouse.floors.len()),
        ("warehouse", 1)
    );
    assert_eq!(warehouse.floors[0].blocked.len(), 12);
    let heights: Vec<f64> = warehouse
        .radios()
        .filter(|(_, radio)| radio.band == Band::Uwb)
        .map(|(anchor, _)| anchor.position.z)
        .collect();
    assert_eq!(heights.len(), 21);
    for level in [2.2, 5.0, 8.5] {
        assert_eq!(
            heights
                .iter()
                .filter(|height_m| **height_m == level)
                .count(),
            7
        );
    }
}

#[test]
fn every_place_of_an_example_can_be_walked_to() {
    for text in [OFFICE, HALL, WAREHOUSE] {
        let site = site(text);
        for (floor, index) in site.floors.iter().zip(0..) {
            let (allowed, reached) = walked(&site, floor, FloorIndex(index));
            assert_eq!(
                reached, allowed,
                "cells of floor {:?} of {}",
                floor.id, site.id
            );
        }
    }
}

/// How many cells of the allowed ground there are, and how many can be walked to from the first.
fn walked(site: &Site, floor: &Floor, index: FloorIndex) -> (usize, usize) {
    const STEP_M: f64 = 0.45; // half of the narrowest door
    let (_, max) = floor.outline.bounds();
    let at = |(column, row): (i32, i32)| {
        Point2::new(
            0.2 + STEP_M * f64::from(column),
            0.2 + STEP_M * f64::from(row),
        )
    };
    let cells = (0..(max.x / STEP_M) as i32)
        .flat_map(|column| (0..(max.y / STEP_M) as i32).map(move |row| (column, row)));
    let allowed: HashSet<(i32, i32)> = cells.filter(|cell| floor.is_allowed(at(*cell))).collect();
    let mut reached = HashSet::new();
    let mut open: Vec<_> = allowed.iter().min().copied().into_iter().collect();
    while let Some(cell) = open.pop() {
        if !reached.insert(cell) {
            continue;
        }
        let height_m = floor.elevation_m + 1.0;
        let raised = |cell| Point3::new(at(cell).x, at(cell).y, height_m);
        for step in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
            let next = (cell.0 + step.0, cell.1 + step.1);
            let crossings = site.crossings(raised(cell), raised(next));
            assert!(
                crossings
                    .walls
                    .iter()
                    .all(|crossing| crossing.floor == index)
            );
            if allowed.contains(&next) && crossings.walls.is_empty() {
                open.push(next);
            }
        }
    }
    (allowed.len(), reached.len())
}
