//! Small sites built in code, for the tests of this crate.

use nalgebra::{Point2, Point3};
use site::{
    Anchor, Band, Floor, FloorIndex, Material, Polygon, Propagation, Radio, RadioIndex, Site, Slab,
    Stairs, Wall,
};

pub(crate) fn wall(from: [f64; 2], to: [f64; 2], material: Material) -> Wall {
    let loss_db = material.class_loss();
    Wall {
        from: from.into(),
        to: to.into(),
        material,
        thickness_m: 0.1,
        loss_db,
    }
}

pub(crate) fn rectangle(low: [f64; 2], high: [f64; 2]) -> Polygon {
    Polygon::rectangle(low.into(), high.into())
}

pub(crate) fn floor(index: u8, outline: Polygon, walls: Vec<Wall>) -> Floor {
    let material = Material::Concrete;
    Floor {
        id: index.to_string(),
        name: format!("Floor {index}"),
        elevation_m: 3.0 * f64::from(index),
        height_m: 3.0,
        slab: Slab {
            material,
            loss_db: material.slab_loss(),
        },
        allowed: vec![outline.clone()],
        outline,
        blocked: Vec::new(),
        walls,
        zones: Vec::new(),
    }
}

/// Anchors 2.5 m above their storey, each with the bands given.
pub(crate) fn anchors(places: &[(u8, f64, f64)], bands: &[Band]) -> Vec<Anchor> {
    let mut radio = 0..;
    let anchor = |(number, &(floor, x, y)): (usize, &(u8, f64, f64))| Anchor {
        id: format!("ap-{number}"),
        agent: format!("ap-{number}"),
        floor: FloorIndex(floor),
        position: Point3::new(x, y, 3.0 * f64::from(floor) + 2.5),
        radios: bands
            .iter()
            .zip(&mut radio)
            .map(|(&band, index)| Radio {
                index: RadioIndex(index),
                band,
                freq_mhz: band.middle_mhz(),
                tx_power_dbm: 20.0,
            })
            .collect(),
        bssids: Vec::new(),
    };
    places.iter().enumerate().map(anchor).collect()
}

pub(crate) fn site(floors: Vec<Floor>, stairs: Vec<Stairs>, anchors: Vec<Anchor>) -> Site {
    let propagation = Propagation {
        diffuse_excess_db: 5.0,
        diffuse_exponent: 4.0,
        direct_exponent: 2.0,
    };
    Site {
        id: "test".into(),
        name: "Test".into(),
        propagation,
        floors,
        stairs,
        anchors,
    }
}

/// One storey of 8 m by 4 m; a concrete wall at x = 4 with a door of 0.9 m at y = 0.3 .. 1.2.
pub(crate) fn two_rooms() -> Site {
    let walls = vec![
        wall([4.0, 0.0], [4.0, 0.3], Material::Concrete),
        wall([4.0, 1.2], [4.0, 4.0], Material::Concrete),
    ];
    let floors = vec![floor(0, rectangle([0.0, 0.0], [8.0, 4.0]), walls)];
    site(
        floors,
        Vec::new(),
        anchors(&[(0, 1.0, 2.0)], &[Band::Ghz2, Band::Ghz5]),
    )
}

/// Three storeys of 20 m by 12 m: offices on both sides of a corridor, a shaft, two stairs, one
/// of which ends on the middle storey.
pub(crate) fn house() -> Site {
    let floors = (0..3).map(|index| {
        let mut walls = Vec::new();
        for y in [5.0, 7.0] {
            for x in [0.0, 5.0, 10.0, 15.0] {
                walls.push(wall([x, y], [x + 2.0, y], Material::Drywall));
                walls.push(wall([x + 2.9, y], [x + 5.0, y], Material::Drywall));
            }
        }
        for x in [5.0, 10.0, 15.0] {
            walls.push(wall([x, 0.0], [x, 5.0], Material::Brick));
            walls.push(wall([x, 7.0], [x, 12.0], Material::Brick));
        }
        let mut floor = floor(index, rectangle([0.0, 0.0], [20.0, 12.0]), walls);
        floor.blocked.push(rectangle([9.0, 5.8], [10.0, 6.2]));
        floor.allowed = vec![
            rectangle([0.0, 0.0], [10.0, 12.0]),
            rectangle([10.0, 0.0], [20.0, 12.0]),
        ];
        floor
    });
    let stairs = |id: &str, x: f64, floors: &[u8]| Stairs {
        id: id.into(),
        position: Point2::new(x, 6.0),
        floors: floors.iter().copied().map(FloorIndex).collect(),
    };
    let places: Vec<_> = (0..3)
        .flat_map(|floor| [(floor, 3.0, 3.0), (floor, 10.2, 6.0), (floor, 17.0, 9.0)])
        .collect();
    site(
        floors.collect(),
        vec![
            stairs("west", 1.0, &[0, 1, 2]),
            stairs("east", 19.0, &[0, 1]),
        ],
        anchors(&places, &[Band::Ghz2, Band::Ghz5, Band::Ble, Band::Uwb]),
    )
}
