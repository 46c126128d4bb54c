use wire::{ApName, Kind};

use super::*;

const FACTORY: Address = Address::new([0x00, 0x1b, 0xc5, 0xd2, 0xe9, 0xa7]);
const RANDOM: Address = Address::new([0x9a, 0x31, 0xf4, 0xc6, 0x5e, 0x0d]);

fn key(period: u32) -> PseudonymKey {
    PseudonymKey {
        period,
        key: [0x42; 32],
    }
}

fn stage(rules: Rules) -> Stage {
    let mut stage = Stage::new(rules);
    stage.set_key(&key(1));
    stage
}

fn heard(address: Address) -> Heard {
    Heard {
        from: Transmitter::Address(address),
        heard_at_us: 1_000,
        radio: 0,
        rssi_dbm: Some(-60),
        noise_dbm: None,
        channel: 6,
        kind: Kind::Probe,
        associated: false,
        range: None,
    }
}

#[test]
fn agents_with_one_key_agree_and_periods_do_not() {
    let [mut a, mut b] = [stage(Rules::default()), stage(Rules::default())];
    let before = a.handle(heard(FACTORY)).unwrap();
    assert_eq!(Some(before), b.handle(heard(FACTORY)));
    a.set_key(&key(2));
    assert_ne!(before.client, a.handle(heard(FACTORY)).unwrap().client);
}

#[test]
fn the_node_hears_of_opt_outs_that_it_may_have_been_told_of() {
    let opted_out = |devices: &[Address]| Rules {
        opted_out: devices.to_vec(),
        ..Rules::default()
    };
    let pseudonym = |period, address| Pseudonymiser::new(&key(period)).client_id(&address);
    let mut stage = Stage::new(opted_out(&[FACTORY]));
    assert_eq!(stage.opt_outs(), [], "without a key nobody was told");
    // The process before this one may have told it under the same key.
    stage.set_key(&key(1));
    assert_eq!(stage.opt_outs(), [pseudonym(1, FACTORY)]);
    stage.set_rules(opted_out(&[FACTORY, RANDOM]));
    let mut both = [pseudonym(1, FACTORY), pseudonym(1, RANDOM)];
    both.sort_unstable();
    assert_eq!(stage.opt_outs(), both);
    stage.set_key(&key(1));
    assert_eq!(stage.opt_outs(), both, "a new session of the same key");
    stage.set_key(&key(2));
    assert_eq!(stage.opt_outs(), [], "nobody on the list is told under it");
    stage.set_rules(opted_out(&[FACTORY]));
    stage.set_rules(opted_out(&[FACTORY, RANDOM]));
    assert_eq!(stage.opt_outs(), [pseudonym(2, RANDOM)], "was off the list");
}

#[test]
fn who_is_named_opts_out_under_the_name() {
    let badge = ClientName::new("badge-7").unwrap();
    let stage = stage(Rules {
        opted_out: vec![FACTORY],
        named: vec![(FACTORY, badge.clone())],
        ..Rules::default()
    });
    assert_eq!(stage.opt_outs(), [named_client_id(&badge)]);
}

#[test]
fn a_randomised_client_is_only_counted_unless_it_is_associated() {
    let mut stage = stage(Rules::default());
    assert_eq!(stage.handle(heard(RANDOM)), None);
    assert_eq!(stage.handle(heard(RANDOM)), None);
    assert_eq!(stage.counted(59_000_000), None, "the minute is not over");
    let counted = stage.counted(60_001_000).unwrap();
    assert_eq!(
        (counted.devices, counted.frames),
        ([0, 1, 0, 0], [0, 2, 0, 0])
    );
    let observation = stage
        .handle(Heard {
            associated: true,
            ..heard(RANDOM)
        })
        .unwrap();
    assert!(observation.randomised && observation.associated);
    assert_eq!(
        stage.counters(),
        Counters {
            passed: 1,
            randomised: 2,
            ..Counters::default()
        }
    );
}

#[test]
fn the_policies_off_and_on() {
    let mut off = stage(Rules {
        randomised: Randomised::Off,
        ..Rules::default()
    });
    assert_eq!(off.handle(heard(RANDOM)), None);
    off.close_counted(9_000_000);
    assert_eq!(off.counted(99_000_000), None);
    assert_eq!(off.counters().randomised, 1, "dropped, never silently");
    let mut on = stage(Rules {
        randomised: Randomised::On,
        ..Rules::default()
    });
    assert!(on.handle(heard(RANDOM)).unwrap().randomised);
    assert!("maybe".parse::<Randomised>().is_err());
}

#[test]
fn lists_of_addresses_and_prefixes() {
    let prefix = |text: &str| text.parse().unwrap();
    let name = ClientName::new("forklift-3").unwrap();
    let mut stage = stage(Rules {
        allow: vec![prefix("00:1b")],
        deny: vec![prefix("00:1b:c5:00")],
        named: vec![
            (Address::new([0x70, 1, 2, 3, 4, 5]), name.clone()),
            (Address::new([0, 0x1b, 0xc5, 0, 0, 1]), name.clone()),
        ],
        ..Rules::default()
    });
    let mut tell = |octets| stage.handle(heard(Address::new(octets))).map(|o| o.client);
    assert!(tell(*FACTORY.octets()).is_some(), "allowed by its prefix");
    assert_eq!(
        tell([0x70, 1, 2, 3, 4, 5]),
        Some(named_client_id(&name)),
        "named, so allowed"
    );
    assert_eq!(tell([0x70, 1, 2, 3, 4, 6]), None, "not on the allow list");
    assert_eq!(
        tell([0, 0x1b, 0xc5, 0, 0, 1]),
        None,
        "named, and yet denied"
    );
    let expected = Counters {
        passed: 2,
        denied: 1,
        not_allowed: 1,
        ..Counters::default()
    };
    assert_eq!(stage.counters(), expected);
}

#[test]
fn access_points_that_the_node_tells_of_are_told_by_their_beacons_only() {
    let told = |address: Address| AccessPoint {
        ap: "ap-2".parse().unwrap(),
        bssids: vec![wire::Bssid(*address.octets())],
    };
    let beacon = |address| Heard {
        kind: Kind::Beacon,
        ..heard(address)
    };
    let mut stage = stage(Rules {
        opted_out: vec![FACTORY],
        ..Rules::default()
    });
    assert_eq!(stage.handle(beacon(RANDOM)), None, "nobody's as yet");
    let networks = stage.set_told_access_points(&[told(RANDOM), told(FACTORY)]);
    assert_eq!(networks.len(), 2);
    let observation = stage.handle(beacon(RANDOM)).unwrap();
    let id = named_client_id(&ClientName::new("ap-2").unwrap());
    assert_eq!((observation.client, observation.kind), (id, Kind::Beacon));
    assert!(!observation.randomised);
    // A client that a node calls an access point stays what it is.
    assert_eq!(stage.handle(heard(RANDOM)), None);
    assert_eq!(stage.counters().randomised, 1);
    assert_eq!(stage.handle(beacon(FACTORY)), None, "opted out");
    assert_eq!(stage.set_told_access_points(&[]), []);
    assert_eq!(stage.handle(beacon(RANDOM)), None, "forgotten");
}

#[test]
fn the_sites_own_access_points_go_out_under_their_ids() {
    let ap = |name: &str| name.parse::<ApName>().unwrap();
    // A further network of an access point often has a locally administered address.
    let access_points = vec![(FACTORY, ap("ap-2")), (RANDOM, ap("ap-1"))];
    let mut stage = Stage::new(Rules {
        rssi_min_dbm: Some(-50),
        access_points,
        ..Rules::default()
    });
    stage.set_radios(&[RadioHello {
        ap: ap("ap-1"),
        band: "5".to_owned(),
    }]);
    let data = Heard {
        kind: Kind::Data,
        associated: true,
        ..heard(FACTORY)
    };
    let observation = stage.handle(data).unwrap();
    let id = named_client_id(&ClientName::new("ap-2").unwrap());
    assert_eq!((observation.client, observation.kind), (id, Kind::Beacon));
    assert!(!observation.randomised && !observation.associated);
    assert_eq!(stage.handle(heard(RANDOM)), None, "ap-1 hears itself");
    let stranger = Heard {
        kind: Kind::Beacon,
        ..heard(Address::new([0, 1, 2, 3, 4, 5]))
    };
    assert_eq!(stage.handle(stranger), None, "none of the site's");
    let expected = Counters {
        passed: 1,
        access_points: 1,
        other_access_point: 2,
        ..Counters::default()
    };
    assert_eq!(stage.counters(), expected);
}

#[test]
fn ranges_go_out_for_access_points_that_are_named_and_for_nobody_else() {
    let mut stage = stage(Rules {
        access_points: vec![(FACTORY, "ap-2".parse().unwrap())],
        ..Rules::default()
    });
    let ranged = |address| Heard {
        kind: Kind::Ranging,
        rssi_dbm: None,
        range: Some(wire::Range {
            distance_mm: 12_345,
            deviation_mm: None,
        }),
        ..heard(address)
    };
    let observation = stage.handle(ranged(FACTORY)).unwrap();
    let id = named_client_id(&ClientName::new("ap-2").unwrap());
    assert_eq!((observation.client, observation.kind), (id, Kind::Beacon));
    let range = observation.range.unwrap();
    assert_eq!((range.distance_mm, observation.rssi_dbm), (12_345, None));
    for stranger in [Address::new([0, 1, 2, 3, 4, 5]), RANDOM] {
        assert!(stage.handle(ranged(stranger)).is_none());
    }
    let expected = Counters {
        passed: 1,
        access_points: 1,
        other_access_point: 2,
        ..Counters::default()
    };
    assert_eq!(stage.counters(), expected);
    assert_eq!(stage.counted(120_000_000), None, "nor are they a crowd");
}

#[test]
fn new_rules_hold_at_once_and_keep_the_key() {
    let mut stage = stage(Rules::default());
    let before = stage.handle(heard(FACTORY)).unwrap();
    stage.set_rules(Rules {
        opted_out: vec![FACTORY],
        randomised: Randomised::On,
        ..Rules::default()
    });
    assert_eq!(stage.handle(heard(FACTORY)), None);
    assert!(stage.handle(heard(RANDOM)).is_some());
    stage.set_rules(Rules::default());
    assert_eq!(stage.handle(heard(FACTORY)), Some(before));
    assert_eq!(stage.counters().passed, 3);
}

#[test]
fn every_drop_has_its_counter() {
    let mut stage = stage(Rules {
        rssi_min_dbm: Some(-80),
        opted_out: vec![FACTORY],
        ..Rules::default()
    });
    assert_eq!(stage.handle(heard(FACTORY)), None);
    assert_eq!(stage.handle(heard(Address::new([0xff; 6]))), None);
    assert_eq!(
        stage.handle(Heard {
            rssi_dbm: Some(-81),
            ..heard(FACTORY)
        }),
        None
    );
    let expected = Counters {
        opted_out: 1,
        not_a_device: 1,
        weak: 1,
        ..Counters::default()
    };
    assert_eq!(stage.counters(), expected);
}

#[test]
fn named_clients_pass_without_a_key_and_others_do_not() {
    let name = ClientName::new("forklift-3").unwrap();
    let named = vec![(RANDOM, name.clone())];
    let mut stage = Stage::new(Rules {
        named,
        ..Rules::default()
    });
    assert_eq!(
        stage.handle(heard(RANDOM)).unwrap().client,
        named_client_id(&name)
    );
    assert_eq!(stage.names(), [(named_client_id(&name), name)]);
    assert_eq!(stage.handle(heard(FACTORY)), None);
    assert_eq!(stage.counters().without_key, 1);
    let known = Heard {
        from: Transmitter::Client(ClientId(7)),
        ..heard(FACTORY)
    };
    assert_eq!(stage.handle(known).unwrap().client, ClientId(7));
}

#[test]
fn no_address_leaves_in_any_form() {
    let rules = Rules {
        randomised: Randomised::On,
        opted_out: vec![RANDOM],
        ..Rules::default()
    };
    let rules_text = format!("{rules:?}");
    let mut stage = stage(rules);
    let observation = stage.handle(heard(FACTORY)).unwrap();
    let text = format!("{rules_text} {observation:?} {stage:?}").to_lowercase();
    for octets in [FACTORY.octets(), RANDOM.octets()] {
        assert!(
            !crate::testing::forms_of(octets)
                .iter()
                .any(|form| text.contains(form)),
            "{text}"
        );
    }
    let mut bytes = Vec::new();
    let header = wire::batch::Header {
        session: wire::Session(1),
        sequence: 0,
        first_observation: 0,
        sent_us: 1_000,
        radio: 0,
    };
    wire::batch::BatchWriter::new(1_200).encode(&header, &[observation], &mut bytes);
    for octets in [FACTORY.octets(), RANDOM.octets()] {
        // Three bytes in a row, either way round, would give away a vendor or a device.
        let reversed: Vec<u8> = octets.iter().rev().copied().collect();
        for part in octets.windows(3).chain(reversed.windows(3)) {
            assert!(!bytes.windows(3).any(|window| window == part));
        }
    }
}
