//! Short ids: what they stand for, how long, and what a lying agent can do with them.

use super::*;
use crate::limits::{SHORT_ID_SILENCE_MAX, SHORT_IDS_PER_SESSION_MAX};

impl Rig {
    fn deliver_short(&mut self, i: usize, rows: &[(Observation, Option<u32>)], now_us: u64) {
        let bytes = self.send_short(i, rows, now_us);
        self.worker.handle_datagram(self.keys[i], &bytes, now_us);
    }

    /// Agent `i` sends these observations, each with a short id or without; returns the datagram.
    fn send_short(
        &mut self,
        i: usize,
        rows: &[(Observation, Option<u32>)],
        now_us: u64,
    ) -> Vec<u8> {
        let counters = &mut self.sent[i];
        let header = Header {
            session: Session(i as u64),
            sequence: counters.datagrams_sent,
            first_observation: counters.observations_sent,
            sent_us: now_us,
            radio: 0,
        };
        let mut bytes = Vec::new();
        let rows = rows
            .iter()
            .map(|(observation, short_id)| (observation, *short_id));
        let packed = BatchWriter::new(1_200).encode_mixed(&header, rows, &mut bytes);
        counters.datagrams_sent += 1;
        counters.observations_sent += packed as u64;
        counters.observations_offered += packed as u64;
        bytes
    }

    fn define(&mut self, i: usize, first: u32, clients: &[u64], now_us: u64) -> bool {
        let clients: Vec<ClientId> = clients.iter().copied().map(ClientId).collect();
        let key = self.keys[i];
        self.worker.handle_define(key, first, &clients, now_us)
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.books().dropped_node[reason].observations
    }

    fn clients(&self) -> usize {
        self.worker.snapshot().clients_by_site[0].1
    }
}

#[test]
fn a_short_id_leads_to_the_line_of_its_client() {
    let mut rig = Rig::live(2);
    rig.tick_through(BEGAN);
    let now = BEGAN + SECOND;
    assert!(rig.define(0, 100, &[8, 7], now));
    rig.deliver_short(
        0,
        &[(heard(9, -70, now), None), (heard(0, -50, now), Some(101))],
        now,
    );
    rig.deliver(1, &[heard(7, -60, now)], now);
    rig.tick_through(now);
    let fixes = rig.take_fixes();
    let fix_of = |client| fixes.iter().find(|sent| sent.client == ClientId(client));
    assert_eq!(fix_of(7).unwrap().fix.radios, 2);
    assert_eq!(fix_of(9).unwrap().fix.radios, 1);
    assert!(fix_of(8).is_none(), "defined and never heard");
    let books = rig.books();
    assert_eq!((books.folded.observations, rig.clients()), (3, 3));
    assert_eq!(books.received.observations, 3);
}

#[test]
fn what_is_not_defined_is_dropped_with_its_reason() {
    let mut rig = Rig::live(2);
    assert!(rig.define(1, 0, &[7], BEGAN));
    let beacon = Observation {
        kind: Kind::Beacon,
        ..heard(0, -50, BEGAN)
    };
    assert!(rig.define(0, 5, &[7], BEGAN));
    let rows = [
        (heard(0, -50, BEGAN), Some(0)),
        (heard(0, -50, BEGAN), Some(wire::batch::SHORT_ID_MAX)),
        (heard(0, 60, BEGAN), Some(5)),
        (beacon, Some(5)),
        (heard(0, -50, BEGAN), Some(5)),
    ];
    rig.deliver_short(0, &rows, BEGAN);
    assert_eq!(
        rig.dropped(DropReason::ShortId),
        2,
        "agent 1's is not agent 0's"
    );
    assert_eq!(rig.dropped(DropReason::Signal), 1);
    assert_eq!(rig.dropped(DropReason::Beacon), 1);
    assert_eq!(rig.books().folded.observations, 1);
}

#[test]
fn a_short_id_ends_after_long_silence_and_can_be_defined_anew() {
    let mut rig = Rig::live(1);
    assert!(rig.define(0, 0, &[7], BEGAN));
    let silence = SHORT_ID_SILENCE_MAX.as_secs() * SECOND;
    let mut now = BEGAN;
    for _ in 0..3 {
        now += silence;
        rig.tick_through(now);
        rig.deliver_short(0, &[(heard(0, -50, now), Some(0))], now);
    }
    assert_eq!((rig.dropped(DropReason::ShortId), rig.clients()), (0, 1));
    now += silence + SECOND;
    rig.deliver_short(0, &[(heard(0, -50, now), Some(0))], now);
    assert_eq!(rig.dropped(DropReason::ShortId), 1);
    assert!(rig.define(0, 0, &[7], now));
    rig.deliver_short(0, &[(heard(0, -50, now), Some(0))], now);
    assert_eq!(rig.dropped(DropReason::ShortId), 1);
}

#[test]
fn an_index_that_another_client_has_got_is_not_mistaken() {
    let mut rig = Rig::live(2);
    assert!(rig.define(0, 0, &[7], BEGAN));
    // Half a minute before the entry ends by itself, the worker has forgotten its client.
    let clients_end = BEGAN + 62 * SECOND;
    rig.deliver_short(0, &[(heard(0, -50, BEGAN), Some(0))], BEGAN);
    for second in 0..=62 {
        rig.tick_through(BEGAN + second * SECOND);
        // Unmeasured, so that the line stays silent though the entry is used.
        let silent = Observation {
            rssi_dbm: None,
            ..heard(0, 0, BEGAN + second * SECOND)
        };
        let ranged = Observation {
            range: Some(wire::Range {
                distance_mm: i32::MAX,
                deviation_mm: None,
            }),
            ..silent
        };
        rig.deliver_short(0, &[(ranged, Some(0))], BEGAN + second * SECOND);
    }
    assert_eq!(rig.clients(), 0);
    rig.deliver(1, &[heard(8, -60, clients_end)], clients_end);
    assert_eq!(rig.clients(), 1);
    rig.take_fixes();
    rig.deliver_short(0, &[(heard(0, -50, clients_end), Some(0))], clients_end);
    rig.tick_through(clients_end + SECOND);
    let fixes = rig.take_fixes();
    assert_eq!(fixes.len(), 1);
    assert_eq!((fixes[0].client, fixes[0].fix.radios), (ClientId(8), 1));
    assert_eq!(rig.dropped(DropReason::ShortId), 1);
}

#[test]
fn ranges_may_belong_to_short_rows() {
    let mut rig = Rig::live(1);
    rig.tick_through(BEGAN);
    assert!(rig.define(0, 3, &[7], BEGAN));
    let ranged = Observation {
        range: Some(wire::Range {
            distance_mm: 4_000,
            deviation_mm: Some(500),
        }),
        ..heard(0, -50, BEGAN)
    };
    rig.deliver_short(0, &[(heard(9, -60, BEGAN), None), (ranged, Some(3))], BEGAN);
    let asked = rig.ask_client(7, BEGAN);
    rig.tick_through(BEGAN + SECOND);
    let window = asked.try_recv().unwrap().unwrap();
    assert!(window.sightings[0].range.is_some(), "{window:?}");
}

#[test]
fn a_client_defined_after_a_restart_of_the_node_outlives_the_sweep() {
    let mut rig = Rig::live(1);
    assert!(rig.define(0, 0, &[7], BEGAN));
    for second in 0..40 {
        rig.tick_through(BEGAN + second * SECOND);
    }
    let now = BEGAN + 41 * SECOND;
    rig.deliver_short(0, &[(heard(0, -50, now), Some(0))], now);
    assert_eq!(rig.books().folded.observations, 1);
}

#[test]
fn definitions_beyond_the_grant_are_not_acknowledged() {
    let mut rig = Rig::live(1);
    assert_eq!(rig.worker.short_ids(rig.keys[0]), SHORT_IDS_PER_SESSION_MAX);
    assert!(rig.define(0, SHORT_IDS_PER_SESSION_MAX - 1, &[7], BEGAN));
    assert!(!rig.define(0, SHORT_IDS_PER_SESSION_MAX - 1, &[7, 8], BEGAN));
    assert!(!rig.define(0, u32::MAX, &[7], BEGAN));
    rig.worker.handle_closed(rig.keys[0], 0, BEGAN);
    assert!(!rig.define(0, 0, &[7], BEGAN), "the session has ended");
}

#[test]
fn a_full_site_acknowledges_no_newcomers() {
    let shard = ShardConfig {
        clients_max: 1,
        ..ShardConfig::default()
    };
    let mut rig = Rig::new(
        1,
        WorkerConfig {
            shard,
            recording_agents: None,
        },
    );
    assert!(rig.define(0, 0, &[7], BEGAN));
    assert!(!rig.define(0, 0, &[7, 8], BEGAN));
    rig.deliver_short(0, &[(heard(0, -50, BEGAN), Some(1))], BEGAN);
    assert_eq!(rig.dropped(DropReason::ShortId), 1);
}

#[test]
fn a_recordings_clock_grants_none() {
    let config = WorkerConfig {
        recording_agents: Some(1),
        ..WorkerConfig::default()
    };
    let mut rig = Rig::new(1, config);
    assert_eq!(rig.worker.short_ids(rig.keys[0]), 0);
    assert!(!rig.define(0, 0, &[7], BEGAN));
    rig.deliver_short(0, &[(heard(0, -50, BEGAN), Some(0))], BEGAN);
    assert_eq!(rig.dropped(DropReason::ShortId), 1);
}

proptest! {
    /// Whatever is defined and sent, in whatever order: all that was received is folded or dropped.
    #[test]
    fn no_definition_unbalances_the_node(
        steps in prop::collection::vec((0u64..40, 0u32..60, any::<bool>(), 0u64..30), 1..60),
    ) {
        let mut rig = Rig::live(1);
        let mut now = BEGAN;
        for (client, short_id, define, seconds) in steps {
            now += seconds * SECOND;
            rig.worker.handle_tick(now);
            if define {
                rig.define(0, short_id, &[client, client + 1], now);
            } else {
                let rows = [(heard(client, -50, now), None), (heard(0, -50, now), Some(short_id))];
                rig.deliver_short(0, &rows, now);
            }
        }
        let books = rig.books();
        let node = books.dropped_node.total().observations + books.folded.observations;
        prop_assert_eq!(books.received.observations, node);
    }
}

#[test]
fn datagrams_of_a_group_are_taken_like_one_after_the_other() {
    let mut rigs = [Rig::live(1), Rig::live(1)];
    for (rig, is_group) in rigs.iter_mut().zip([true, false]) {
        rig.tick_through(BEGAN);
        let now = BEGAN + SECOND;
        assert!(rig.define(0, 0, &[7, 8], now));
        let mut datagrams: Vec<Vec<u8>> = (0..40)
            .map(|i| {
                let row = heard(7 + i % 3, -50, now);
                let short_id = (i % 3 < 2).then_some(i as u32 % 3);
                rig.send_short(0, &[(row, short_id)], now)
            })
            .collect();
        datagrams[5] = b"nonsense".to_vec();
        datagrams[9] = datagrams[8].clone();
        let key = rig.keys[0];
        if is_group {
            rig.worker.handle_datagrams(key, &datagrams, now);
        } else {
            for datagram in &datagrams {
                rig.worker.handle_datagram(key, datagram, now);
            }
        }
        rig.tick_through(now);
    }
    let [group, single] = &mut rigs;
    assert_eq!(group.books(), single.books());
    assert_eq!(group.books().folded.observations, 38);
    assert_eq!(group.take_fixes(), single.take_fixes());
}
