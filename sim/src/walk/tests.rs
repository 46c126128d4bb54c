use super::*;
use crate::fixture;

/// Follows one client in small steps and shows each to `look`.
fn follow(
    terrain: &mut Terrain,
    config: &WorldConfig,
    client: usize,
    seconds: u32,
    mut look: impl FnMut(Whereabouts, Whereabouts),
) {
    let step = Duration::from_millis(200);
    let mut walk = Walk::new(terrain, config, client);
    let mut last = walk.start();
    for number in 1..=seconds * 5 {
        let here = walk.walk_until(terrain, step * number);
        look(last, here);
        last = here;
    }
}

/// Every place is allowed, no step crosses a wall, floors change on stairs only.
fn check_manners(site: &Site, terrain: &mut Terrain, seed: u64, seconds: u32) -> u32 {
    let config = &restless(seed);
    let client = 7;
    let mut floor_changes = 0;
    follow(terrain, config, client, seconds, |last, here| {
        let (from, to) = (last.position_in_site, here.position_in_site);
        let context = || format!("seed {seed}, client {client}, at {to}");
        assert!(
            site.floor(here.floor).is_allowed(to.xy()),
            "outside: {}",
            context()
        );
        assert!(
            (to - from).norm() <= 0.2 * SPEEDS_M_PER_S.end() + 1e-9,
            "a leap: {}",
            context()
        );
        if last.floor != here.floor {
            assert!(
                last.on_stairs && here.on_stairs,
                "floor without stairs: {}",
                context()
            );
            let near = |stairs: &site::Stairs| {
                (stairs.position - to.xy()).norm() < 3.0
                    && [last.floor, here.floor]
                        .iter()
                        .all(|it| stairs.floors.contains(it))
            };
            assert!(
                site.stairs.iter().any(near),
                "far from stairs: {}",
                context()
            );
            floor_changes += 1;
        }
        if last.on_stairs || here.on_stairs {
            return;
        }
        let carried_m = to.z - site.floor(here.floor).elevation_m;
        assert!(
            (carried_m - config.carried_height_m).abs() < 1e-9,
            "height: {}",
            context()
        );
        site.for_each_wall_crossing(from, to, |floor, wall, _| {
            panic!("through wall {wall} of storey {}: {}", floor.0, context());
        });
    });
    floor_changes
}

fn restless(seed: u64) -> WorldConfig {
    WorldConfig {
        seed,
        pause_mean: Duration::from_secs(2),
        floor_change_share: 0.2,
        ..Default::default()
    }
}

#[test]
fn walkers_keep_to_the_ground_for_an_hour() {
    let site = fixture::house();
    let mut terrain = Terrain::new(&site, &restless(0));
    let changes: u32 = (0..4)
        .map(|seed| check_manners(&site, &mut terrain, seed, 3_600))
        .sum();
    assert!(changes > 40, "only {changes} changes of floor");
}

#[test]
fn walkers_pass_the_door_of_two_rooms() {
    let site = fixture::two_rooms();
    let mut passages = 0;
    let mut terrain = Terrain::new(&site, &restless(1));
    assert_eq!(check_manners(&site, &mut terrain, 1, 3_600), 0);
    follow(&mut terrain, &restless(1), 0, 3_600, |last, here| {
        let is_left = |it: Whereabouts| it.position_in_site.x < 4.0;
        passages += u32::from(is_left(last) != is_left(here));
    });
    assert!(passages > 50, "{passages}");
}

#[test]
fn example_sites_can_be_walked() {
    for text in [
        include_str!("../../../sites/office.toml"),
        include_str!("../../../sites/hall.toml"),
        include_str!("../../../sites/warehouse.toml"),
    ] {
        let site = Site::parse(text).unwrap();
        let mut terrain = Terrain::new(&site, &restless(0));
        let changes: u32 = (0..2)
            .map(|seed| check_manners(&site, &mut terrain, seed, 3_600))
            .sum();
        assert_eq!(
            changes > 0,
            site.floors.len() > 1,
            "{}: {changes} changes of floor",
            site.id
        );
        check_coverage(&site, &terrain);
    }
}

/// Most of the allowed ground can be reached, on every storey.
fn check_coverage(site: &Site, terrain: &Terrain) {
    for (floor, index) in site.floors.iter().zip(0..) {
        let (min, max) = floor.outline.bounds();
        let points = (0..2_000).map(|number| {
            let (x, y) = (f64::from(number % 50) + 0.5, f64::from(number / 50) + 0.5);
            min + (max - min).component_mul(&nalgebra::Vector2::new(x / 50.0, y / 40.0))
        });
        let allowed = points.filter(|point| floor.is_allowed(*point)).count() as f64 / 2_000.0;
        let size = max - min;
        let allowed_m2 = allowed * size.x * size.y;
        let reachable = terrain.ground.reachable(FloorIndex(index)).len() as f64;
        let share = reachable * CELL_M * CELL_M / allowed_m2;
        assert!(
            (0.7..1.05).contains(&share),
            "{}, floor {}: {share}",
            site.id,
            floor.id
        );
    }
}

#[test]
fn walkers_get_around_and_rest() {
    let site = fixture::house();
    let config = WorldConfig {
        pause_mean: Duration::from_secs(10),
        ..Default::default()
    };
    let mut terrain = Terrain::new(&site, &config);
    let (mut moving, mut resting) = (0, 0);
    let mut quarters = [0; 4];
    for client in 0..5 {
        follow(&mut terrain, &config, client, 3_600, |last, here| {
            let moved = last.position_in_site != here.position_in_site;
            moving += u32::from(moved);
            resting += u32::from(!moved);
            quarters[(here.position_in_site.x / 5.0) as usize] += 1;
        });
    }
    assert!(moving > 20_000 && resting > 20_000, "{moving} {resting}");
    assert!(quarters.iter().all(|count| *count > 5_000), "{quarters:?}");
}

#[test]
fn speeds_are_those_of_people() {
    let terrain = Terrain::new(&fixture::two_rooms(), &WorldConfig::default());
    let walk = |client| Walk::new(&terrain, &WorldConfig::default(), client);
    let speeds: Vec<f64> = (0..5_000)
        .map(|client| walk(client).speed_m_per_s)
        .collect();
    assert!((crate::chance::statistics::mean(&speeds) - 1.3).abs() < 0.02);
    assert!((crate::chance::statistics::deviation(&speeds) - 0.2).abs() < 0.02);
}

#[test]
#[should_panic(expected = "no place to walk")]
fn a_site_without_ground_is_refused() {
    let mut site = fixture::two_rooms();
    site.floors[0]
        .blocked
        .push(fixture::rectangle([-1.0, -1.0], [9.0, 5.0]));
    Terrain::new(&site, &WorldConfig::default());
}
