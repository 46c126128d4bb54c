//! The core against real stores, without threads: every order of failures, in no time.

mod ended;

use std::collections::{BTreeMap, BTreeSet};

use outbox::{PageQuery, Place, Start, Store, StoreConfig};

use super::*;
use crate::latest::tests::sent;
use crate::presence::facts;
use crate::presence::resources::{self, ApState, VisitState as VisitBody};
use crate::presence::writer::write_round;
use crate::sites::{LoadedSite, prepare};
use crate::testing::over_both_stores;
use ended::{
    who_ended_stays_away_until_the_store_knows,
    who_opted_out_is_not_told_again_before_the_key_rotates,
    who_opts_out_or_is_erased_is_gone_and_told_so,
};

const SECOND: u64 = 1_000_000;
const START: u64 = 1_795_169_700_000_000;

const HALL: &str = r#"
site = "hall"
floor = [{ id = "1", elevation_m = 0, height_m = 3, outline = [[0, 0], [30, 0], [30, 4], [0, 4]],
  zone = [
    { id = "west", area = [[0, -9], [10, -9], [10, 19], [0, 19]], dwell_s = 20, occupancy = [2] },
    { id = "east", area = [[20, -9], [30, -9], [30, 19], [20, 19]] },
  ] }]
anchor = [{ id = "ap-1", floor = "1", position = [1, 1], radios = ["5"] }]
"#;

fn hall(text: &str) -> LoadedSite {
    prepare(site::Site::parse(text).unwrap(), &Default::default())
}

/// A core and a store; the store survives the core.
struct Rig {
    core: Core,
    store: Store,
    names: Arc<Names>,
    now_us: u64,
    cursor: Start,
}

impl Rig {
    fn new(place: &Place) -> Self {
        let config = StoreConfig::new(place.clone());
        let store = Store::open(config, &[crate::presence::COMPONENT]).unwrap();
        let names = Arc::new(Names::default());
        let mut rig = Self {
            core: core(&hall(HALL), KeyId(7), names.clone(), START),
            store,
            names,
            now_us: START,
            cursor: Start::Oldest,
        };
        rig.settle();
        rig
    }

    /// The process dies and starts again, with this site and key.
    fn restart(&mut self, text: &str, key: KeyId) {
        self.names = Arc::new(Names::default());
        self.core = core(&hall(text), key, self.names.clone(), self.now_us);
        self.settle();
    }

    /// The client stands there for some seconds.
    fn stand(&mut self, client: u64, x_m: f64, seconds: u64) {
        self.stand_all(&[(client, x_m)], seconds);
    }

    fn stand_all(&mut self, clients: &[(u64, f64)], seconds: u64) {
        for _ in 0..seconds {
            self.now_us += SECOND;
            let fixes = clients.iter().map(|(client, x_m)| SentFix {
                sent_at_us: self.now_us,
                ..sent(*client, *x_m, 0)
            });
            self.core.handle_fixes(fixes.collect::<Vec<_>>());
            self.core.handle_tick(self.now_us);
        }
        self.settle();
    }

    /// Writes until nothing waits.
    fn settle(&mut self) {
        while self.core.waiting() > 0 {
            self.round(|_| Fate::Done, true);
        }
    }

    /// One round of which the store does what `fate` says; what fails is written or not.
    fn round(&mut self, mut fate: impl FnMut(&Key) -> Fate, write_failed: bool) {
        let round = self.core.take_round();
        let (kept, failed): (Vec<_>, Vec<_>) = round
            .into_iter()
            .partition(|(key, _)| fate(key) == Fate::Done);
        let mut written = write_round(&self.store, kept);
        assert!(written.iter().all(|(.., fate)| *fate == Fate::Done));
        for (key, write, _) in &written {
            if let (Key::Rotate { .. }, Some(name)) = (key, write.site()) {
                let stored = self.store.read(|reading| resources::stored(reading, name));
                if !self.core.sites[0].loaded {
                    self.core.handle_stored(0, stored.unwrap());
                }
            }
        }
        let again = |(key, write)| (key, write, Fate::Again);
        if write_failed {
            let lost = write_round(&self.store, failed);
            written.extend(lost.into_iter().map(|(key, write, _)| again((key, write))));
        } else {
            written.extend(failed.into_iter().map(again));
        }
        self.core.handle_written(written);
    }

    /// What was published since the last look: type and resource below the site.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let query = PageQuery::new(self.cursor);
            let page = self.store.page(&query).unwrap();
            self.cursor = Start::Cursor(page.next);
            told.extend(page.messages.iter().map(|message| {
                let resource = message.resource.as_str();
                let below = resource.trim_start_matches("/api/v1/sites/hall");
                format!("{} {below}", message.kind.as_str())
            }));
            if !page.more {
                return told;
            }
        }
    }

    fn visit(&self, zone: &str, client: &str) -> VisitBody {
        let read =
            |reading: &mut outbox::Reading<'_>| resources::visit(reading, "hall", zone, client);
        self.store.read(read).unwrap().unwrap()
    }

    fn client(&self, client: &str) -> String {
        let read = |reading: &mut outbox::Reading<'_>| resources::client(reading, "hall", client);
        self.store.read(read).unwrap().unwrap().state
    }

    fn occupancy(&self) -> BTreeMap<String, i64> {
        let read = |reading: &mut outbox::Reading<'_>| resources::zones(reading, "hall");
        let zones = self.store.read(read).unwrap();
        zones.into_iter().map(|z| (z.zone, z.occupancy)).collect()
    }

    /// Who is inside by the store, and that the counts of zones say the same.
    fn published(&self) -> BTreeSet<(String, u64)> {
        let mut published = BTreeSet::new();
        for (zone, occupancy) in self.occupancy() {
            let read = |reading: &mut outbox::Reading<'_>| {
                resources::clients_inside(reading, "hall", &zone, None, 10_000)
            };
            let inside = self.store.read(read).unwrap();
            assert_eq!(inside.len() as i64, occupancy, "{zone}");
            let clients = inside.into_iter().map(|visit| {
                let id = visit.client.parse::<ClientId>().unwrap();
                (zone.clone(), id.0)
            });
            published.extend(clients);
        }
        published
    }
}

fn core(loaded: &LoadedSite, key: KeyId, names: Arc<Names>, now_us: u64) -> Core {
    let facts = vec![facts::of(loaded, now_us)];
    Core::new(
        std::slice::from_ref(&loaded.site),
        facts,
        &[key],
        names,
        now_us,
    )
}

fn a_walk_through_zones_is_told_step_by_step(place: &Place) {
    let mut rig = Rig::new(place);
    assert_eq!(rig.told(), [""; 0], "a site that is new has not changed");
    rig.stand(1, 5.0, 4);
    assert_eq!(rig.told(), [""; 0]);
    rig.stand(1, 5.0, 2);
    assert_eq!(
        rig.told(),
        ["zone.entered /zones/west/clients/0000000000000001"]
    );
    rig.stand_all(&[(1, 5.0), (2, 5.0)], 6);
    let told = [
        "zone.entered /zones/west/clients/0000000000000002",
        "zone.occupancy /zones/west",
    ];
    assert_eq!(rig.told(), told);
    rig.stand(1, 5.0, 12);
    assert_eq!(
        rig.told(),
        ["zone.dwell /zones/west/clients/0000000000000001"]
    );
    let visit = rig.visit("west", "0000000000000001");
    assert!(visit.inside && visit.dwelt.is_some() && visit.version == 2);
    assert_eq!(visit.since, "2026-11-20T10:15:01.000Z");
    rig.stand_all(&[(1, 25.0), (2, 5.0)], 12);
    let told = [
        "zone.entered /zones/east/clients/0000000000000001",
        "zone.left /zones/west/clients/0000000000000001",
        "zone.occupancy /zones/west",
        "zone.dwell /zones/west/clients/0000000000000002",
    ];
    let mut heard = rig.told();
    heard.sort_by_key(|line| told.iter().position(|told| told == line));
    assert_eq!(heard, told);
    let visit = rig.visit("west", "0000000000000001");
    assert_eq!(
        (visit.inside, visit.reason.as_deref()),
        (false, Some("elsewhere"))
    );
    assert_eq!(rig.published(), rig.core.truth(0));
}

fn a_restart_tells_nothing_of_those_who_stay(place: &Place) {
    let mut rig = Rig::new(place);
    rig.stand_all(&[(1, 5.0), (2, 5.0)], 30);
    let before = rig.visit("west", "0000000000000001");
    rig.told();
    rig.restart(HALL, KeyId(7));
    assert_eq!(rig.published().len(), 2);
    rig.stand(1, 5.0, 59);
    assert_eq!(rig.told(), [""; 0]);
    assert_eq!(rig.visit("west", "0000000000000001"), before);
    rig.stand(1, 5.0, 2);
    let told = [
        "zone.left /zones/west/clients/0000000000000002",
        "zone.occupancy /zones/west",
    ];
    assert_eq!(rig.told(), told, "who did not come back has left");
    let visit = rig.visit("west", "0000000000000002");
    assert_eq!(visit.reason.as_deref(), Some("silent"));
}

fn a_rotation_ends_pseudonyms_and_counts_nobody_twice(place: &Place) {
    let mut rig = Rig::new(place);
    let badge = wire::ClientName::new("badge-7").unwrap();
    rig.names.insert(ClientId(70), badge);
    rig.stand_all(&[(1, 5.0), (2, 25.0), (70, 5.0)], 8);
    // Was there and left: consumers know it all the same.
    rig.stand_all(&[(3, 5.0), (70, 5.0), (1, 5.0), (2, 25.0)], 8);
    rig.stand_all(&[(3, 15.0), (70, 5.0), (1, 5.0), (2, 25.0)], 12);
    rig.told();
    assert_eq!(rig.occupancy()["west"], 2);

    rig.core.handle_rotation(0, KeyId(9));
    // The new pseudonyms of the same devices, and late fixes of the old ones.
    rig.stand_all(&[(11, 5.0), (12, 25.0), (1, 5.0), (70, 5.0)], 8);
    let mut heard = rig.told();
    heard.sort();
    let told = [
        "client.identity /clients/0000000000000001",
        "client.identity /clients/0000000000000002",
        "client.identity /clients/0000000000000003",
        "zone.entered /zones/east/clients/000000000000000c",
        "zone.entered /zones/west/clients/000000000000000b",
        "zone.left /zones/east/clients/0000000000000002",
        "zone.left /zones/west/clients/0000000000000001",
        "zone.occupancy /zones/west",
        "zone.occupancy /zones/west",
    ];
    assert_eq!(heard, told);
    assert_eq!(rig.occupancy()["west"], 2, "the badge and one device");
    assert_eq!(rig.client("0000000000000003"), "rotated");
    assert_eq!(rig.client("badge-7"), "here");
    let visit = rig.visit("east", "0000000000000002");
    assert_eq!(visit.reason.as_deref(), Some("rotated"));
}

fn keys_that_did_not_survive_a_restart_end_all_pseudonyms(place: &Place) {
    let mut rig = Rig::new(place);
    let badge = wire::ClientName::new("badge-7").unwrap();
    let badge_id = wire::named_client_id(&badge);
    rig.names.insert(badge_id, badge);
    rig.stand_all(&[(1, 5.0), (badge_id.0, 5.0)], 8);
    rig.told();
    rig.restart(HALL, KeyId(9));
    let told = [
        "zone.left /zones/west/clients/0000000000000001",
        "zone.occupancy /zones/west",
        "client.identity /clients/0000000000000001",
    ];
    assert_eq!(rig.told(), told);
    // No agent has told the name yet; it is known all the same.
    rig.stand(badge_id.0, 15.0, 12);
    assert_eq!(rig.told(), ["zone.left /zones/west/clients/badge-7"]);
}

fn changes_of_the_site_are_told_once(place: &Place) {
    let mut rig = Rig::new(place);
    rig.stand(1, 25.0, 8);
    rig.told();
    let without_east = HALL.replace("id = \"east\"", "id = \"annex\"");
    rig.restart(&without_east, KeyId(7));
    let told = [
        "zone.changed ",
        "zone.left /zones/east/clients/0000000000000001",
    ];
    assert_eq!(rig.told(), told);
    assert_eq!(
        rig.occupancy(),
        [("annex", 0), ("west", 0)]
            .map(|(z, n)| (z.into(), n))
            .into()
    );
    let moved = without_east.replace("position = [1, 1]", "position = [2, 1]");
    rig.restart(&moved, KeyId(7));
    assert_eq!(rig.told(), ["floorplan.changed "]);
    rig.restart(&format!("# a comment\n{moved}"), KeyId(7));
    assert_eq!(rig.told(), [""; 0]);
    for hash in ["a", "a", "b"] {
        rig.core.handle_calibration(0, hash.into());
        rig.settle();
    }
    assert_eq!(rig.told(), ["calibration.changed ", "calibration.changed "]);
    // The numbers that a zone tells of may change under it.
    rig.stand(1, 5.0, 8);
    rig.told();
    rig.restart(
        &moved.replace("occupancy = [2]", "occupancy = [1]"),
        KeyId(7),
    );
    assert_eq!(
        rig.told(),
        [
            "zone.changed ",
            "calibration.changed ",
            "zone.occupancy /zones/west"
        ]
    );
}

fn access_points_go_and_come_back(place: &Place) {
    let mut rig = Rig::new(place);
    let ap = |rig: &Rig| -> Vec<ApState> {
        let read = |reading: &mut outbox::Reading<'_>| resources::aps(reading, "hall");
        rig.store.read(read).unwrap()
    };
    let (here, gone) = (HashSet::from(["ap-1"]), HashSet::new());
    rig.core.handle_sessions(0, &here, START);
    rig.settle();
    rig.core.handle_sessions(0, &gone, START + SECOND);
    rig.core.handle_sessions(0, &here, START + 15 * SECOND);
    rig.settle();
    assert_eq!(rig.told(), ["ap.online /aps/ap-1"]);
    rig.core.handle_sessions(0, &gone, START + 16 * SECOND);
    rig.core.handle_sessions(0, &gone, START + 40 * SECOND);
    rig.settle();
    assert_eq!(rig.told(), ["ap.offline /aps/ap-1"]);
    let state = &ap(&rig)[0];
    assert_eq!((state.state, state.version), ("offline", 2));
    assert_eq!(state.since, "2026-11-20T10:15:16.000Z");
    rig.core.handle_sessions(0, &here, START + 50 * SECOND);
    rig.settle();
    rig.restart(&HALL.replace("ap-1", "ap-2"), KeyId(7));
    let told = [
        "ap.online /aps/ap-1",
        "floorplan.changed ",
        "ap.offline /aps/ap-1",
    ];
    assert_eq!(rig.told(), told);
    assert_eq!(ap(&rig)[0].reason.as_deref(), Some("removed"));
}

fn what_ended_is_purged_after_its_age_and_what_lives_is_not(place: &Place) {
    let mut rig = Rig::new(place);
    rig.stand_all(&[(1, 5.0), (2, 5.0)], 8);
    rig.stand_all(&[(1, 15.0), (2, 5.0)], 12);
    rig.core.handle_end(0, 3, EndReason::OptedOut);
    rig.core.handle_purge(START);
    rig.settle();
    assert_eq!(
        rig.visit("west", "0000000000000001").reason.as_deref(),
        Some("elsewhere")
    );
    rig.core.handle_purge(rig.now_us + SECOND);
    rig.settle();
    let read = |client: &'static str| {
        rig.store
            .read(|reading| resources::visit(reading, "hall", "west", client))
            .unwrap()
    };
    assert_eq!(read("0000000000000001"), None);
    assert!(read("0000000000000002").is_some_and(|visit| visit.inside));
    let opted_out =
        |reading: &mut outbox::Reading<'_>| resources::client(reading, "hall", "0000000000000003");
    assert_eq!(rig.store.read(opted_out).unwrap(), None);
}

fn a_token_that_goes_is_told_once_also_when_the_node_was_away(place: &Place) {
    let mut rig = Rig::new(place);
    rig.told();
    let tell = |rig: &mut Rig, tokens: &[(&str, &str)]| {
        let tokens = tokens
            .iter()
            .map(|(name, mark)| (name.to_string(), mark.to_string()));
        rig.core.handle_tokens(tokens.collect(), rig.now_us);
        rig.settle();
        rig.told()
    };
    let state = |rig: &Rig, name: &str| {
        let read = |reading: &mut outbox::Reading<'_>| resources::consumer(reading, name);
        let found = rig.store.read(read).unwrap();
        found.map(|found| (found.state, found.version))
    };
    let (one, two) = (("wms", "1"), ("map", "2"));
    assert!(tell(&mut rig, &[one, two]).is_empty());
    assert_eq!(state(&rig, "wms"), Some(("valid".to_owned(), 1)));
    let gone = ["token.revoked /api/v1/consumers/wms"];
    assert_eq!(tell(&mut rig, &[two]), gone);
    assert!(tell(&mut rig, &[two]).is_empty());
    assert_eq!(state(&rig, "wms"), Some(("revoked".to_owned(), 2)));
    // Made anew, and replaced while the node was away.
    assert!(tell(&mut rig, &[("wms", "3"), two]).is_empty());
    rig.restart(HALL, KeyId(7));
    assert_eq!(tell(&mut rig, &[("wms", "4"), two]), gone);
    assert_eq!(state(&rig, "wms"), Some(("valid".to_owned(), 5)));
    assert_eq!(tell(&mut rig, &[]).len(), 2);
    rig.core.handle_purge(rig.now_us + 1);
    rig.settle();
    assert_eq!(state(&rig, "wms"), None);
}

fn whatever_fails_the_store_ends_with_the_truth(place: &Place) {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let pseudonym = |key: i64, device: u64| 100 * key.cast_unsigned() + device;
    let mut rig = Rig::new(place);
    let (mut key, mut outages) = (7_i64, 0);
    for _ in 0..40 {
        for _ in 0..random(30) {
            rig.now_us += SECOND;
            let mut fixes = Vec::new();
            for client in 0..20 {
                // Most stand still for a while, some are silent for a while.
                let turn = rig.now_us / (20 * SECOND) + client;
                let place = (random(20) + client + turn) as usize / 19 % 3;
                if !turn.is_multiple_of(3) || random(9) == 0 {
                    fixes.push(SentFix {
                        sent_at_us: rig.now_us,
                        ..sent(pseudonym(key, client), [5.0, 15.0, 25.0][place], 0)
                    });
                }
            }
            rig.core.handle_fixes(fixes);
            rig.core.handle_tick(rig.now_us);
            if random(4) == 0 {
                // Some are lost, some are done but nobody knows.
                let (trouble, write_failed) = (random(3), random(2) == 0);
                outages += trouble;
                rig.round(
                    |_| {
                        if random(3) < trouble {
                            Fate::Again
                        } else {
                            Fate::Done
                        }
                    },
                    write_failed,
                );
            }
        }
        match random(6) {
            0 => {
                key += 2;
                rig.core.handle_rotation(0, KeyId(key));
            }
            1 => drop(
                rig.core
                    .handle_end(0, pseudonym(key, random(20)), EndReason::Erased),
            ),
            2 => rig.restart(HALL, KeyId(key)),
            _ => {}
        }
        if random(3) == 0 {
            rig.settle();
            assert_eq!(rig.published(), rig.core.truth(0));
        }
    }
    rig.settle();
    assert_eq!(rig.published(), rig.core.truth(0));
    assert!(outages > 20, "{outages}");
    // Each visit begins before it ends.
    let mut inside = HashSet::new();
    for told in rig.told() {
        match told.split_once(' ').unwrap() {
            ("zone.entered", visit) => drop(inside.insert(visit.to_owned())),
            ("zone.left", visit) => assert!(inside.remove(visit), "{told}"),
            _ => {}
        }
    }
    assert_eq!(inside.len(), rig.published().len());
}

#[test]
fn types_of_messages_are_types() {
    for source in [
        include_str!("../tables/visit.rs"),
        include_str!("../tables/end.rs"),
        include_str!("../tables/site.rs"),
        include_str!("../tables/token.rs"),
    ] {
        for text in source.split('"').skip(1).step_by(2) {
            let is_kind = [
                "zone.",
                "ap.",
                "client.",
                "floorplan.",
                "calibration.",
                "token.",
            ]
            .iter()
            .any(|prefix| text.starts_with(prefix));
            if is_kind && !text.contains(' ') {
                assert!(text.parse::<outbox::Kind>().is_ok(), "{text}");
            }
        }
    }
}

over_both_stores!(
    a_walk_through_zones_is_told_step_by_step,
    a_restart_tells_nothing_of_those_who_stay,
    a_rotation_ends_pseudonyms_and_counts_nobody_twice,
    keys_that_did_not_survive_a_restart_end_all_pseudonyms,
    changes_of_the_site_are_told_once,
    access_points_go_and_come_back,
    what_ended_is_purged_after_its_age_and_what_lives_is_not,
    a_token_that_goes_is_told_once_also_when_the_node_was_away,
    whatever_fails_the_store_ends_with_the_truth,
    who_opts_out_or_is_erased_is_gone_and_told_so,
    who_opted_out_is_not_told_again_before_the_key_rotates,
    who_ended_stays_away_until_the_store_knows,
);
