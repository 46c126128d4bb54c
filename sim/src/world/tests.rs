use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;
use crate::chance::statistics::{correlation, mean};
use crate::fixture;
use crate::radio::Transmitter;

fn config(clients: usize) -> WorldConfig {
    WorldConfig {
        clients,
        ftm_share: 0.5,
        beacon_every: Some(Duration::from_secs(10)),
        ..Default::default()
    }
}

/// All that is heard in `steps` steps of time.
fn hear(world: &mut World, step: Duration, steps: u32) -> Vec<Hearing> {
    let mut heard = Vec::new();
    for _ in 0..steps {
        world.advance(step);
        world.hear(&mut heard);
    }
    heard
}

/// A digest of every bit of what was heard.
fn digest(heard: &[Hearing]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for hearing in heard {
        (hearing.from, hearing.radio, hearing.heard_at).hash(&mut hasher);
        (hearing.rssi_dbm, hearing.noise_dbm, hearing.channel).hash(&mut hasher);
        hearing
            .range
            .map(|range| range.distance_m.to_bits())
            .hash(&mut hasher);
    }
    hasher.finish()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn equal_seeds_give_equal_worlds_whatever_the_step() {
    let world = |seed| World::new(fixture::house(), WorldConfig { seed, ..config(20) });
    let one = hear(&mut world(1), SECOND, 60);
    assert!(one.len() > 5_000, "{}", one.len());
    assert_eq!(digest(&one), digest(&hear(&mut world(1), SECOND, 60)));
    assert_eq!(
        digest(&one),
        digest(&hear(&mut world(1), SECOND / 20, 1_200))
    );
    assert_ne!(digest(&one), digest(&hear(&mut world(2), SECOND, 60)));
}

#[test]
fn hearings_come_in_order_and_name_what_is_there() {
    let site = fixture::house();
    let radios: Vec<_> = site.radios().map(|(_, radio)| *radio).collect();
    let mut world = World::new(site, config(20));
    let heard = hear(&mut world, SECOND, 30);
    assert!(heard.is_sorted_by_key(|hearing| hearing.heard_at));
    for hearing in &heard {
        let radio = radios[usize::from(hearing.radio.0)];
        let is_uwb = radio.band == Band::Uwb;
        assert_eq!(hearing.rssi_dbm.is_none(), is_uwb);
        assert!(!is_uwb || hearing.range.is_some());
        assert!(radio.band != Band::Ble || hearing.range.is_none());
        assert!(hearing.rssi_dbm.is_none_or(|dbm| (-95..0).contains(&dbm)));
    }
    let ranged_by_wifi = heard
        .iter()
        .filter(|it| it.range.is_some() && radios[usize::from(it.radio.0)].band == Band::Ghz5);
    assert!(ranged_by_wifi.count() > 20);
    let noisy = heard
        .iter()
        .filter(|hearing| hearing.noise_dbm.is_some())
        .count() as f64;
    let strong = heard
        .iter()
        .filter(|hearing| hearing.rssi_dbm.is_some())
        .count() as f64;
    assert!((noisy / strong - 0.3).abs() < 0.03);
}

#[test]
fn clients_transmit_at_their_rate_on_all_bands() {
    let mut world = World::new(
        fixture::two_rooms(),
        WorldConfig {
            clients: 50,
            ..Default::default()
        },
    );
    let heard = hear(&mut world, SECOND, 60);
    // One anchor with two bands hears everything in two rooms: 50 x 2.5 x 60.
    assert!(
        (heard.len() as f64 / 7_500.0 - 1.0).abs() < 0.02,
        "{}",
        heard.len()
    );
    let low = heard.iter().filter(|hearing| hearing.radio.0 == 0).count() as f64;
    assert!((low / heard.len() as f64 - 0.5).abs() < 0.02);
}

#[test]
fn anchors_hear_each_other_but_not_themselves() {
    let site = fixture::house();
    let owners: Vec<usize> = site
        .anchors
        .iter()
        .enumerate()
        .flat_map(|(anchor, it)| it.radios.iter().map(move |_| anchor))
        .collect();
    let mut world = World::new(site, config(0));
    let heard = hear(&mut world, SECOND, 600);
    // 9 anchors on 3 bands, every 10 s: 1,620 beacons, each heard by some of 8 others.
    assert!((4_000..12_960).contains(&heard.len()), "{}", heard.len());
    for hearing in &heard {
        let Transmitter::Anchor(from) = hearing.from else {
            panic!("a client in an empty world")
        };
        assert_ne!(owners[usize::from(hearing.radio.0)], from);
    }
    let mut silent = World::new(
        fixture::house(),
        WorldConfig {
            beacon_every: None,
            ..config(0)
        },
    );
    assert!(hear(&mut silent, SECOND, 600).is_empty());
}

#[test]
fn truth_is_remembered_for_its_time_only() {
    let mut world = World::new(fixture::house(), config(10));
    let mut seen = Vec::new();
    for _ in 0..300 {
        world.advance(SECOND / 2);
        let client = &world.clients()[3];
        seen.push((world.now(), client.position_in_site, client.floor));
        for &(time, position, floor) in seen.iter().rev().take(21) {
            assert_eq!(world.truth_at(3, time), Some((position, floor)));
        }
    }
    assert_eq!(world.truth_at(3, world.now() + SECOND), None);
    assert_eq!(world.truth_at(3, world.now() - 11 * SECOND), None);
    assert_eq!(world.truth_at(10, world.now()), None);
}

#[test]
fn strength_tells_who_is_near() {
    let site = fixture::house();
    let radios: Vec<_> = site
        .radios()
        .map(|(anchor, it)| (anchor.position, it.band))
        .collect();
    let mut world = World::new(
        site,
        WorldConfig {
            clients: 30,
            ..Default::default()
        },
    );
    let (mut strengths, mut decades) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        for hearing in hear(&mut world, SECOND, 1) {
            let Transmitter::Client(client) = hearing.from else {
                continue;
            };
            let (anchor, band) = radios[usize::from(hearing.radio.0)];
            let Some(rssi_dbm) = hearing.rssi_dbm.filter(|_| band == Band::Ghz2) else {
                continue;
            };
            let (position, _) = world.truth_at(client, hearing.heard_at).unwrap();
            let distance_m = (position - anchor).norm();
            strengths.push(f64::from(rssi_dbm));
            decades.push(distance_m.log10());
        }
    }
    assert!(
        correlation(&strengths, &decades) < -0.6,
        "{}",
        correlation(&strengths, &decades)
    );
    assert!(
        (-85.0..-55.0).contains(&mean(&strengths)),
        "{}",
        mean(&strengths)
    );
}

#[test]
fn what_nobody_takes_is_dropped_and_counted() {
    let mut world = World::new(fixture::two_rooms(), config(20));
    world.advance(SECOND);
    let any = world.waiting[0];
    world.waiting.resize(HEARINGS_WAITING_MAX, any);
    world.advance(SECOND);
    // One anchor hears each of 20 x 2.5 transmissions.
    assert!(
        (40..60).contains(&world.hearings_dropped()),
        "{}",
        world.hearings_dropped()
    );
    let mut heard = Vec::new();
    world.hear(&mut heard);
    assert_eq!(heard.len(), HEARINGS_WAITING_MAX);
}

#[test]
fn a_world_without_radios_is_silent() {
    let mut site = fixture::two_rooms();
    site.anchors.clear();
    assert!(hear(&mut World::new(site, config(5)), SECOND, 10).is_empty());
}
