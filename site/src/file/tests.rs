use crate::building::{Band, FloorIndex, RadioIndex, Site};
use crate::calibration::Calibration;
use crate::material::{BandLoss, Material};

mod bad_files;
mod examples;
mod mutations;
mod zone_rules;

const FORMAT: &str = include_str!("../../FORMAT.md");

/// The TOML blocks of the format's description.
fn described(index: usize) -> &'static str {
    let block = FORMAT
        .split("```toml\n")
        .nth(index + 1)
        .expect("the description has examples");
    block
        .split("```")
        .next()
        .expect("split gives one piece at least")
}

#[test]
fn the_described_example_means_what_is_said_of_it() {
    let site = Site::parse(described(0)).unwrap();
    assert_eq!(
        (site.id.as_str(), site.name.as_str()),
        ("cabin", "Cabin by the lake")
    );
    assert_eq!(site.propagation, crate::Propagation::default());

    let [ground, loft] = &site.floors[..] else {
        panic!("two floors")
    };
    assert_eq!(
        (ground.name.as_str(), loft.name.as_str()),
        ("Ground floor", "1")
    );
    assert_eq!((ground.walls.len(), loft.walls.len()), (6, 4));
    assert_eq!(ground.walls[4].thickness_m, 0.1);
    assert_eq!(
        ground.slab.loss_db,
        BandLoss {
            ghz2_db: 15.0,
            ghz5_db: 18.0,
            ghz6_db: 21.0
        }
    );
    assert_eq!(loft.slab.material, Material::Wood);
    assert_eq!(loft.slab.loss_db, BandLoss::from_two(6.0, 9.0));
    assert_eq!(
        loft.walls[0].loss_db,
        BandLoss {
            ghz2_db: 8.0,
            ghz5_db: 11.0,
            ghz6_db: 12.0
        }
    );
    assert_eq!(ground.zones[0].name, "Kitchen");
    let rules = crate::ZoneRules {
        dwell_s: Some(600.0),
        occupancy: vec![4],
        ..Default::default()
    };
    assert_eq!(ground.zones[0].rules, rules);
    assert!(ground.is_allowed([0.5, 0.5].into()) && !ground.is_allowed([5.5, 3.5].into()));
    assert!(!loft.is_allowed([0.5, 0.5].into()) && loft.is_allowed([5.5, 3.5].into()));
    assert_eq!(site.stairs[0].floors, [FloorIndex(0), FloorIndex(1)]);

    let [kitchen, loft] = &site.anchors[..] else {
        panic!("two anchors")
    };
    assert_eq!(
        (kitchen.agent.as_str(), loft.agent.as_str()),
        ("ap-kitchen", "ap-kitchen")
    );
    assert_eq!(loft.position, [3.0, 4.0, 5.5].into());
    let radios: Vec<_> = site
        .radios()
        .map(|(_, radio)| (radio.index, radio.band, radio.freq_mhz, radio.tx_power_dbm))
        .collect();
    assert_eq!(
        radios,
        [
            (RadioIndex(0), Band::Ghz2, 2437.0, 20.0),
            (RadioIndex(1), Band::Ghz5, 5250.0, 20.0),
            (RadioIndex(2), Band::Ghz5, 5180.0, 17.0),
            (RadioIndex(3), Band::Uwb, 6490.0, -14.0),
        ]
    );
}

#[test]
fn the_described_calibration_reads_with_the_described_site() {
    let site = Site::parse(described(0)).unwrap();
    let calibration = Calibration::parse(described(1), &site).unwrap();
    assert_eq!(
        calibration
            .radio(RadioIndex(3))
            .unwrap()
            .range
            .unwrap()
            .slope,
        1.01
    );
}

#[test]
fn the_described_losses_are_those_of_the_code() {
    for material in Material::all() {
        let row = FORMAT
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", material.as_str())));
        let cells: Vec<&str> = row.unwrap().split('|').map(str::trim).collect();
        let loss = material.class_loss();
        let expected = format!(
            "{:.1}, {:.1}, {:.1}",
            loss.ghz2_db, loss.ghz5_db, loss.ghz6_db
        );
        assert_eq!(cells[4], expected, "{material:?}");
        assert_eq!(
            cells[3],
            format!("{} m", material.nominal_thickness_m()),
            "{material:?}"
        );
        for alias in cells[2].split(", ").map(|alias| alias.trim_matches('`')) {
            assert_eq!(Material::parse(alias), Some(material), "{alias}");
        }
        if cells[5] != "as a wall" {
            let slab = material.slab_loss();
            let expected = format!("{}, {}, {}", slab.ghz2_db, slab.ghz5_db, slab.ghz6_db);
            assert_eq!(cells[5], expected, "{material:?}");
        }
    }
}

#[test]
fn a_last_corner_that_repeats_the_first_is_dropped() {
    let closed = described(0).replace(
        "[12, 8], [0, 8]]\nblocked",
        "[12, 8], [0, 8], [0, 0]]\nblocked",
    );
    assert_ne!(closed, described(0));
    assert_eq!(Site::parse(&closed), Site::parse(described(0)));
}
