//! The whole way against simulated buildings that are not what their site files say.

use std::collections::BTreeMap;
use std::time::Duration;

use locate::Sighting;
use locate::fit::SurveyEpoch;
use locate::self_calibration::{Beacon, Traffic};
use sim::{Hearing, Transmitter, World, WorldConfig};
use site::{Band, BandLoss, RadioIndex, Site};

use super::cancel::Cancel;
use super::held_back::{self, Placed};
use super::learn::{by_self, by_survey};

/// Three storeys of 30 m by 18 m: rooms on both sides of a corridor, six anchors on each storey.
pub(crate) fn house() -> Site {
    let mut text = String::from("site = \"house\"\n");
    for storey in 0..3 {
        text.push_str(&format!(
            r#"
            [[floor]]
            id = "{storey}"
            elevation_m = {}
            height_m = 3.5
            slab = "concrete"
            outline = [[0, 0], [30, 0], [30, 18], [0, 18]]
            wall = [
              {{ material = "brick", path = [[0, 7], [12, 7]] }},
              {{ material = "brick", path = [[14, 7], [30, 7]] }},
              {{ material = "brick", path = [[0, 11], [16, 11]] }},
              {{ material = "brick", path = [[18, 11], [30, 11]] }},
              {{ material = "drywall", path = [[10, 0], [10, 6]] }},
              {{ material = "drywall", path = [[20, 0], [20, 6]] }},
              {{ material = "concrete", path = [[15, 12], [15, 18]] }},
            ]
            "#,
            3.5 * f64::from(storey)
        ));
    }
    text.push_str("[[stairs]]\nid = \"stairs\"\nposition = [1, 9]\n");
    for storey in 0..3 {
        let places = [(4, 3), (15, 4), (26, 3), (5, 15), (19, 14), (27, 15)];
        for (number, (x, y)) in places.iter().enumerate() {
            text.push_str(&format!(
                "[[anchor]]\nid = \"ap-{storey}-{number}\"\nfloor = \"{storey}\"\n\
                 position = [{}, {y}]\nheight_m = 2.8\nradios = [\"2.4\", \"5\"]\n",
                x + storey
            ));
        }
    }
    Site::parse(&text).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

/// The house with slabs of wood, where the file has concrete.
fn as_it_is(ghz2_db: f64, ghz5_db: f64) -> Site {
    let mut site = house();
    for floor in &mut site.floors {
        floor.slab.loss_db = BandLoss::from_two(ghz2_db, ghz5_db);
        floor.slab.material = site::Material::Wood;
    }
    site
}

/// What was heard in a world: means of beacons, and windows of a second with the true places.
struct Heard {
    beacons: Vec<Beacon>,
    windows: Vec<Placed>,
}

fn listen(site: &Site, seed: u64, clients: usize, seconds: u64) -> Heard {
    let config = WorldConfig {
        seed,
        clients,
        pause_mean: Duration::from_secs(4),
        beacon_every: Some(Duration::from_secs(2)),
        ..WorldConfig::default()
    };
    let mut world = World::new(site.clone(), config);
    let mut beacons: BTreeMap<(RadioIndex, RadioIndex), (f64, u32)> = BTreeMap::new();
    let mut windows = Vec::new();
    let mut heard = Vec::new();
    for second in 0..seconds {
        world.advance(Duration::from_secs(1));
        heard.clear();
        world.hear(&mut heard);
        let mut by_client: BTreeMap<usize, BTreeMap<RadioIndex, (f64, u16)>> = BTreeMap::new();
        for hearing in &heard {
            match hearing.from {
                Transmitter::Anchor(anchor) => {
                    if let Some((ends, rssi_dbm)) = link(site, anchor, hearing) {
                        let (sum, count) = beacons.entry(ends).or_default();
                        *sum += rssi_dbm;
                        *count += 1;
                    }
                }
                Transmitter::Client(client) => {
                    let radios = by_client.entry(client).or_default();
                    let (sum, count) = radios.entry(hearing.radio).or_default();
                    *sum += f64::from(hearing.rssi_dbm.unwrap_or_default());
                    *count += 1;
                }
            }
        }
        // Every fifth second: windows that follow closely say the same.
        if second % 5 != 4 {
            continue;
        }
        let middle = world.now() - Duration::from_millis(500);
        for (client, radios) in by_client {
            let (position_in_site, floor) = world.truth_at(client, middle).unwrap();
            let sightings = radios.into_iter().map(|(radio, (sum, count))| Sighting {
                radio,
                rssi_dbm: Some((sum / f64::from(count)) as f32),
                count,
                age_s: 0.3,
                range: None,
            });
            windows.push(Placed {
                floor,
                epoch: SurveyEpoch {
                    position_in_site,
                    client: client as u32,
                    sightings: sightings.collect(),
                },
            });
        }
    }
    let beacons = beacons
        .into_iter()
        .map(|((receiver, transmitter), (sum, count))| Beacon {
            receiver,
            transmitter,
            mean_dbm: (sum / f64::from(count)) as f32,
            count,
        });
    Heard {
        beacons: beacons.collect(),
        windows,
    }
}

/// Receiving and sending radio of a beacon, with its strength.
fn link(site: &Site, anchor: usize, hearing: &Hearing) -> Option<((RadioIndex, RadioIndex), f64)> {
    let (_, receiver) = site.radios().nth(usize::from(hearing.radio.0))?;
    let sender = site.anchors[anchor]
        .radios
        .iter()
        .find(|radio| radio.band == receiver.band)?;
    Some(((receiver.index, sender.index), f64::from(hearing.rssi_dbm?)))
}

/// Nobody calls these off.
fn never() -> Cancel {
    Cancel::default()
}

fn traffic(windows: &[Placed]) -> Vec<Traffic> {
    let windows = windows.iter().map(|placed| Traffic {
        client: u64::from(placed.epoch.client),
        sightings: placed.epoch.sightings.clone(),
    });
    windows.collect()
}

/// The file says concrete, 15 and 18 dB; the building has 4 and 6 dB.
#[test]
fn slabs_of_another_building_are_found_and_floors_told_apart_better() {
    let heard = listen(&as_it_is(4.0, 6.0), 3, 60, 60);
    let site = house();
    let learned = by_self(
        &site,
        &heard.beacons,
        &traffic(&heard.windows),
        &[],
        &never(),
    )
    .unwrap();
    let calibration = learned.calibration.expect(&learned.told);
    for (floor, slab) in site.floors.iter().zip(&calibration.slabs).skip(1) {
        let slab = slab.expect("anchors hear each other through it");
        for (band, true_db) in [(Band::Ghz2, 4.0), (Band::Ghz5, 6.0)] {
            let filed_db = floor.slab.loss_db.at(band);
            let off_db = (slab.at(band) - true_db).abs();
            assert!(
                off_db < 0.5 * (filed_db - true_db),
                "floor {}: {slab:?}",
                floor.id
            );
        }
    }
    // Other people, met later: what was learned is of the building.
    let later = listen(&as_it_is(4.0, 6.0), 3, 90, 40).windows;
    let errors = held_back::compare(&site, &later, &calibration).unwrap();
    println!("{} {errors:?}", learned.told);
    assert!(
        errors.after.floor_share > errors.before.floor_share + 0.02,
        "{errors:?}"
    );
    assert!(errors.after.rmse_m < errors.before.rmse_m, "{errors:?}");
}

/// Where the site file is right, nothing that is learned may make it worse.
#[test]
fn a_site_file_that_is_right_is_not_made_worse() {
    for seed in [1, 2] {
        let heard = listen(&house(), seed, 60, 60);
        let site = house();
        let learned = by_self(
            &site,
            &heard.beacons,
            &traffic(&heard.windows),
            &[],
            &never(),
        )
        .unwrap();
        println!("{}", learned.told);
        // What is learned of one seed may be refused; these two are kept, so there is something to harm.
        let calibration = learned.calibration.expect(&learned.told);
        let later = listen(&house(), seed, 90, 40).windows;
        let errors = held_back::compare(&site, &later, &calibration).unwrap();
        println!("{errors:?}");
        assert!(
            errors.after.rmse_m < 1.05 * errors.before.rmse_m,
            "{errors:?}"
        );
        assert!(
            errors.after.floor_share > errors.before.floor_share - 0.005,
            "{errors:?}"
        );
    }
}

#[test]
fn a_walked_survey_is_checked_and_kept_where_it_helps() {
    let heard = listen(&as_it_is(4.0, 6.0), 3, 2, 60);
    let learned = by_survey(&house(), &heard.windows, &never()).unwrap();
    println!("{}", learned.told);
    assert!(learned.calibration.is_some(), "{}", learned.told);
    let held_back = learned.origin.held_back.unwrap();
    assert!(held_back.after.rmse_m < held_back.before.rmse_m);
    let few = by_survey(&house(), &heard.windows[..2], &never()).unwrap();
    assert!(
        few.calibration.is_none() && few.told.contains("too few"),
        "{}",
        few.told
    );
}

#[test]
fn a_calibration_that_is_called_off_learns_nothing() {
    let heard = listen(&house(), 3, 2, 20);
    let off = Cancel::default();
    off.set();
    assert!(by_survey(&house(), &heard.windows, &off).is_err());
    assert!(
        by_self(
            &house(),
            &heard.beacons,
            &traffic(&heard.windows),
            &[],
            &off
        )
        .is_err()
    );
}
