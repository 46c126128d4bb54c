//! Small sites for this crate's tests.

use nalgebra::{Point2, Point3};
use site::{
    Anchor, Band, BandLoss, Floor, FloorIndex, Material, Polygon, Propagation, Radio, RadioIndex,
    Site, Slab,
};

/// One hall without walls, an anchor in each corner and one in the middle, all at 2.5 m.
pub(crate) fn open_site(width_m: f64, depth_m: f64) -> Site {
    let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.5)];
    let places = corners.map(|(x, y)| Point3::new(x * width_m, y * depth_m, 2.5));
    site(width_m, depth_m, 1, &places, &[Band::Ghz5])
}

/// A site of equal storeys, 3 m each, with anchors anywhere; each anchor has these bands.
pub(crate) fn site(
    width_m: f64,
    depth_m: f64,
    storeys: u8,
    anchors: &[Point3<f64>],
    bands: &[Band],
) -> Site {
    let mut index = 0..;
    let anchors = anchors
        .iter()
        .enumerate()
        .map(|(number, &position)| Anchor {
            id: format!("ap{number}"),
            agent: format!("ap{number}"),
            floor: FloorIndex(((position.z / 3.0) as u8).min(storeys - 1)),
            position,
            radios: bands
                .iter()
                .map(|&band| Radio {
                    index: RadioIndex(index.next().unwrap()),
                    band,
                    freq_mhz: band.middle_mhz(),
                    tx_power_dbm: 18.0,
                })
                .collect(),
            bssids: Vec::new(),
        });
    Site {
        id: "example".into(),
        name: "Example".into(),
        propagation: Propagation {
            diffuse_excess_db: 5.0,
            diffuse_exponent: 4.0,
            direct_exponent: 2.0,
        },
        stairs: Vec::new(),
        anchors: anchors.collect(),
        floors: (0..storeys)
            .map(|number| storey(number, width_m, depth_m))
            .collect(),
    }
}

fn storey(number: u8, width_m: f64, depth_m: f64) -> Floor {
    let outline = Polygon {
        corners: [
            (0.0, 0.0),
            (width_m, 0.0),
            (width_m, depth_m),
            (0.0, depth_m),
        ]
        .map(|(x, y)| Point2::new(x, y))
        .to_vec(),
    };
    Floor {
        id: number.to_string(),
        name: number.to_string(),
        elevation_m: 3.0 * f64::from(number),
        height_m: 3.0,
        slab: Slab {
            material: Material::Concrete,
            loss_db: BandLoss {
                ghz2_db: 15.0,
                ghz5_db: 18.0,
                ghz6_db: 20.0,
            },
        },
        outline: outline.clone(),
        allowed: vec![outline],
        blocked: Vec::new(),
        walls: Vec::new(),
        zones: Vec::new(),
    }
}
