//! Reads a development set: anchors, truth and observations as its README describes them.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use locate::Sighting;
use nalgebra::{Point2, Point3};
use site::{
    Anchor, Band, BandLoss, Floor, FloorIndex, Material, Polygon, Propagation, Radio, RadioIndex,
    Site, Slab,
};

/// Where clients may be: the box around the anchors and this much more, in metres.
const MARGIN_M: f64 = 4.0;

/// Readings at a known place.
pub(crate) struct Epoch {
    pub(crate) t_s: f64,
    pub(crate) trajectory: String,
    pub(crate) is_test: bool,
    pub(crate) position: Point3<f64>,
    pub(crate) sightings: Vec<Sighting>,
}

/// The folder of a freely licensed set, kept with the tests of `load`.
pub(crate) fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../load/tests/sets")
        .join(set)
}

/// A one-floor set with one radio per anchor.
pub(crate) fn read(folder: &Path) -> (Site, Vec<Epoch>) {
    let anchors_text = std::fs::read_to_string(folder.join("anchors.csv")).unwrap();
    let truth_text = unpacked(&folder.join("truth.csv.gz"));
    let observations_text = unpacked(&folder.join("observations.csv.gz"));
    let anchors: Vec<Anchor> = rows(&anchors_text).zip(0..).map(anchor).collect();
    let radio_of: HashMap<&str, RadioIndex> = anchors
        .iter()
        .map(|anchor| (anchor.id.as_str(), anchor.radios[0].index))
        .collect();
    let mut epoch_of = HashMap::new();
    let mut epochs: Vec<Epoch> = Vec::new();
    for row in rows(&truth_text) {
        epoch_of.insert(row[0], epochs.len());
        epochs.push(Epoch {
            t_s: row[1].parse().unwrap(),
            trajectory: row[3].to_owned(),
            is_test: row[5] == "test",
            position: point(&row[6..9]),
            sightings: Vec::new(),
        });
    }
    let mut levels: BTreeMap<(usize, RadioIndex), (f32, u16)> = BTreeMap::new();
    for row in rows(&observations_text) {
        let (sum_dbm, count) = levels
            .entry((epoch_of[row[0]], radio_of[row[2]]))
            .or_default();
        *sum_dbm += row[3].parse::<f32>().unwrap();
        *count += 1;
    }
    for ((epoch, radio), (sum_dbm, count)) in levels {
        let rssi_dbm = Some(sum_dbm / f32::from(count));
        epochs[epoch].sightings.push(Sighting {
            radio,
            rssi_dbm,
            count,
            age_s: 0.0,
            range: None,
        });
    }
    (site(anchors), epochs)
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

fn point(fields: &[&str]) -> Point3<f64> {
    let number = |index: usize| fields[index].parse().unwrap();
    Point3::new(number(0), number(1), number(2))
}

fn anchor((row, index): (Vec<&str>, u16)) -> Anchor {
    let band = Band::parse(row[5]).unwrap();
    Anchor {
        id: row[0].to_owned(),
        agent: row[0].to_owned(),
        floor: FloorIndex(0),
        position: point(&row[1..4]),
        radios: vec![Radio {
            index: RadioIndex(index),
            band,
            freq_mhz: band.middle_mhz(),
            tx_power_dbm: 0.0,
        }],
        bssids: Vec::new(),
    }
}

fn site(anchors: Vec<Anchor>) -> Site {
    let corners = anchors.iter().map(|anchor| anchor.position.xy());
    let (min, max) = corners
        .map(|corner| (corner, corner))
        .reduce(|(min, max), (corner, _)| (min.inf(&corner), max.sup(&corner)))
        .unwrap();
    let margin = nalgebra::Vector2::repeat(MARGIN_M);
    let (min, max) = (min - margin, max + margin);
    let outline = Polygon {
        corners: vec![
            min,
            Point2::new(max.x, min.y),
            max,
            Point2::new(min.x, max.y),
        ],
    };
    let loss_db = BandLoss {
        ghz2_db: 15.0,
        ghz5_db: 18.0,
        ghz6_db: 20.0,
    };
    Site {
        id: "recording".to_owned(),
        name: "Recording".to_owned(),
        propagation: Propagation {
            diffuse_excess_db: 5.0,
            diffuse_exponent: 4.0,
            direct_exponent: 2.0,
        },
        floors: vec![Floor {
            id: "0".to_owned(),
            name: "0".to_owned(),
            elevation_m: 0.0,
            height_m: 4.0,
            slab: Slab {
                material: Material::Concrete,
                loss_db,
            },
            outline,
            allowed: Vec::new(),
            blocked: Vec::new(),
            walls: Vec::new(),
            zones: Vec::new(),
        }],
        stairs: Vec::new(),
        anchors,
    }
}
