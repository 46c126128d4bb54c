use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::limits::SHORT_ID_PROBES_MAX;

const S: u64 = 1_000_000;

fn granted(ids: u32) -> ShortIds {
    let mut short_ids = ShortIds::new(1_024);
    short_ids.handle_granted(ids, 0);
    short_ids
}

/// A client is heard in a burst of its own.
fn hear(short_ids: &mut ShortIds, client: u64, now_us: u64) -> Option<u32> {
    let mut burst = short_ids.handle_burst(tick(now_us));
    let short_id = burst.handle_heard(ClientId(client));
    burst.end();
    short_id
}

fn hear_thrice(short_ids: &mut ShortIds, clients: std::ops::Range<u64>, now_us: u64) {
    let observations = 3 * (clients.end - clients.start) as usize;
    for client in clients.cycle().take(observations) {
        assert_eq!(hear(short_ids, client, now_us), None);
    }
}

/// Defines all that is wanted; the node takes it in at once. Gives the frames.
fn define_all(short_ids: &mut ShortIds, now_us: u64) -> Vec<(u32, usize)> {
    let mut frames = Vec::new();
    while let Some(define) = short_ids.poll_define(now_us) {
        frames.push((define.first, define.clients.len()));
        short_ids.handle_defined(&Defined {
            first: define.first,
            count: define.clients.len() as u32,
        });
    }
    frames
}

#[test]
fn a_client_goes_by_its_short_id_once_that_is_acknowledged() {
    let mut short_ids = granted(16);
    assert_eq!(hear(&mut short_ids, 7, 0), None);
    assert_eq!(hear(&mut short_ids, 7, 0), None);
    assert_eq!(short_ids.poll_define(0), None, "heard twice only");
    assert_eq!(hear(&mut short_ids, 7, 0), None);
    let define = short_ids.poll_define(0).expect("heard thrice");
    assert_eq!(define.clients, [ClientId(7)]);
    assert_eq!(hear(&mut short_ids, 7, S), None, "on its way");
    assert_eq!(short_ids.poll_define(S), None, "asked for once");
    let defined = Defined { first: 0, count: 1 };
    short_ids.handle_defined(&defined);
    assert_eq!(hear(&mut short_ids, 7, S), Some(0));
    assert_eq!(hear(&mut short_ids, 8, S), None);
}

#[test]
fn nothing_is_granted_nothing_is_defined() {
    for mut short_ids in [granted(0), ShortIds::new(0)] {
        short_ids.handle_granted(0, 0);
        hear_thrice(&mut short_ids, 0..9, 0);
        assert_eq!(short_ids.poll_define(0), None);
    }
    let mut off = ShortIds::new(0);
    off.handle_granted(16, 0);
    hear_thrice(&mut off, 0..9, 0);
    assert!(!off.is_granted() && off.poll_define(0).is_none());
}

#[test]
fn what_was_not_used_for_twenty_seconds_is_defined_again() {
    let mut short_ids = granted(16);
    hear_thrice(&mut short_ids, 7..8, 0);
    define_all(&mut short_ids, 0);
    assert_eq!(hear(&mut short_ids, 7, 18 * S), Some(0));
    assert_eq!(hear(&mut short_ids, 7, 36 * S), Some(0));
    assert_eq!(hear(&mut short_ids, 7, 57 * S), None);
    assert_eq!(define_all(&mut short_ids, 57 * S), [(0, 1)]);
    assert_eq!(hear(&mut short_ids, 7, 57 * S), Some(0));
}

#[test]
fn a_refused_definition_is_repeated_after_twenty_seconds() {
    let mut short_ids = granted(16);
    hear_thrice(&mut short_ids, 7..9, 0);
    assert!(short_ids.poll_define(0).is_some());
    for second in 1..19 {
        assert_eq!(hear(&mut short_ids, 7, second * S), None);
        assert_eq!(short_ids.poll_define(second * S), None);
    }
    assert_eq!(hear(&mut short_ids, 7, 21 * S), None);
    assert_eq!(define_all(&mut short_ids, 21 * S), [(0, 1)]);
    assert_eq!(hear(&mut short_ids, 7, 21 * S), Some(0));
    assert_eq!(
        hear(&mut short_ids, 8, 21 * S),
        None,
        "refused the first time"
    );
}

#[test]
fn what_is_in_use_is_defined_again_before_a_node_that_hears_no_use_forgets_it() {
    let mut short_ids = granted(4);
    hear_thrice(&mut short_ids, 7..8, 0);
    assert_eq!(define_all(&mut short_ids, 0), [(0, 1)]);
    let mut defined_at = 0;
    for second in (18..200).step_by(18) {
        short_ids.handle_burst(tick(second * S));
        assert_eq!(
            hear(&mut short_ids, 7, second * S),
            Some(0),
            "in use meanwhile"
        );
        if !define_all(&mut short_ids, second * S).is_empty() {
            defined_at = second;
        }
        assert!(
            second - defined_at < 50,
            "{second} s: defined at {defined_at} s"
        );
    }
}

#[test]
fn a_refused_repetition_ends_the_use_of_what_it_repeats() {
    let mut short_ids = granted(4);
    hear_thrice(&mut short_ids, 7..8, 0);
    define_all(&mut short_ids, 0);
    assert_eq!(hear(&mut short_ids, 7, 15 * S), Some(0));
    short_ids.handle_burst(tick(22 * S));
    assert!(
        short_ids.poll_define(22 * S).is_some(),
        "and no answer comes"
    );
    for second in [33, 43] {
        short_ids.handle_burst(tick(second * S));
        assert_eq!(hear(&mut short_ids, 7, second * S), Some(0));
        let _ = short_ids.poll_define(second * S);
    }
    short_ids.handle_burst(tick(44 * S));
    hear(&mut short_ids, 7, 44 * S);
    let _ = short_ids.poll_define(44 * S);
    assert_eq!(hear(&mut short_ids, 7, 45 * S), None);
}

#[test]
fn a_full_table_leaves_newcomers_with_full_ids_until_somebody_is_gone() {
    let mut short_ids = granted(2);
    hear_thrice(&mut short_ids, 0..2, 0);
    define_all(&mut short_ids, 0);
    for second in 0..18 {
        assert_eq!(hear(&mut short_ids, 0, second * 2 * S), Some(0));
        assert_eq!(hear(&mut short_ids, 2, second * 2 * S), None);
        let defined = define_all(&mut short_ids, second * 2 * S);
        assert!(defined.iter().all(|run| *run == (0, 1)), "{defined:?}");
    }
    // Client 1 has not been heard for 40 s.
    hear_thrice(&mut short_ids, 2..3, 40 * S);
    assert_eq!(define_all(&mut short_ids, 40 * S), [(1, 1)]);
    assert_eq!(hear(&mut short_ids, 2, 40 * S), Some(1));
    assert_eq!(hear(&mut short_ids, 0, 40 * S), Some(0));
    assert_eq!(hear(&mut short_ids, 1, 40 * S), None);
}

#[test]
fn after_a_reconnect_those_in_use_are_defined_in_bulk() {
    let mut short_ids = granted(512);
    hear_thrice(&mut short_ids, 0..300, 0);
    define_all(&mut short_ids, 0);
    for client in 100..300 {
        assert!(hear(&mut short_ids, client, 15 * S).is_some());
    }
    assert!(hear(&mut short_ids, 299, 25 * S).is_some());
    short_ids.handle_disconnected();
    assert_eq!(hear(&mut short_ids, 299, 31 * S), None);
    // However long it took: those that were there when the link was lost.
    short_ids.handle_granted(512, 90 * S);
    assert_eq!(hear(&mut short_ids, 299, 90 * S), None);
    assert_eq!(define_all(&mut short_ids, 90 * S), [(100, 200)]);
    assert!((100..300).all(|client| hear(&mut short_ids, client, 90 * S) == Some(client as u32)));

    // A node that grants fewer keeps the first ones.
    short_ids.handle_disconnected();
    short_ids.handle_granted(200, 91 * S);
    assert_eq!(define_all(&mut short_ids, 91 * S), [(100, 100)]);
    assert_eq!(hear(&mut short_ids, 150, 91 * S), Some(150));
    assert_eq!(hear(&mut short_ids, 250, 91 * S), None);
}

#[test]
fn definitions_leave_in_few_frames_with_each_burst() {
    let mut short_ids = granted(1_024);
    hear_thrice(&mut short_ids, 0..1_000, 0);
    assert_eq!(define_all(&mut short_ids, 0), [(0, 1_000)]);
    // Every third and then every twentieth comes back: few gaps are bridged, wide ones are not.
    for client in (0..300).step_by(3).chain((300..1_000).step_by(20)) {
        assert_eq!(hear(&mut short_ids, client, 25 * S), None);
    }
    assert_eq!(
        define_all(&mut short_ids, 25 * S),
        [(0, 301), (320, 1), (340, 1), (360, 1)]
    );
    assert!(short_ids.poll_define(25 * S).is_none() && !short_ids.has_defines());
    short_ids.handle_burst(tick(25 * S));
    assert_eq!(define_all(&mut short_ids, 25 * S)[0], (380, 1));
}

#[test]
fn a_node_that_never_answers_is_not_flooded() {
    let mut short_ids = granted(1_024);
    let mut frames = 0;
    for client in 0..500 {
        hear_thrice(&mut short_ids, client..client + 1, 0);
        frames += usize::from(short_ids.poll_define(0).is_some());
    }
    assert_eq!(frames, DEFINES_OUTSTANDING_MAX);
    short_ids.handle_burst(0);
    assert!(short_ids.poll_define(19 * S).is_none());
    assert!(short_ids.poll_define(20 * S).is_some());
}

#[test]
fn ids_chosen_to_collide_go_in_full() {
    // The inverse of the hash's factor: these clients share their place.
    let inverse = 0xf1de_83e1_9937_733d_u64;
    assert_eq!(inverse.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1);
    let mut short_ids = granted(1_024);
    let clients = (0..100_u64).map(|i| inverse.wrapping_mul(i << 12));
    for client in clients.clone().cycle().take(300) {
        hear(&mut short_ids, client, 0);
    }
    define_all(&mut short_ids, 0);
    let known = clients.filter(|client| hear(&mut short_ids, *client, 0).is_some());
    assert_eq!(known.count(), SHORT_ID_PROBES_MAX);
}

/// What a node would have: the meanings it acknowledged, in the order in which it read them.
#[derive(Default)]
struct Node {
    meanings: HashMap<u32, (ClientId, u64)>,
    /// Who used an id last, and when.
    uses: HashMap<u32, (ClientId, u64)>,
    answers: VecDeque<(u64, Defined)>,
}

impl Node {
    fn handle_define(&mut self, define: &Define, takes: usize, now_us: u64, delay_us: u64) {
        let count = define.clients.len().min(takes);
        for (id, client) in (define.first..).zip(&define.clients[..count]) {
            self.meanings.insert(id, (*client, now_us));
        }
        let defined = Defined {
            first: define.first,
            count: count as u32,
        };
        if count > 0 {
            self.answers.push_back((now_us + delay_us, defined));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_short_id_never_means_somebody_else(
        steps in prop::collection::vec((0_u64..70, 0_u64..40, 0_usize..5, any::<bool>()), 1..1_500),
        grant in 1_u32..40,
        delay_us in 0_u64..3_000_000,
    ) {
        let mut short_ids = granted(grant);
        let (mut node, mut now_us, mut grant) = (Node::default(), 0, grant);
        for (client, pause, takes, slow) in steps {
            // Mostly tenths of a second, now and then seconds.
            now_us += if pause > 37 && slow { pause * S / 2 } else { pause * S / 200 };
            if pause == 39 && client < 3 {
                grant = 1 + (grant * 7) % 40;
                short_ids.handle_disconnected();
                short_ids.handle_granted(grant, now_us);
                node = Node::default();
            }
            while node.answers.front().is_some_and(|(at_us, _)| *at_us <= now_us) {
                let (_, defined) = node.answers.pop_front().expect("just seen");
                short_ids.handle_defined(&defined);
            }
            let client = ClientId(client * client);
            if let Some(id) = hear(&mut short_ids, client.0, now_us) {
                prop_assert!(id < grant);
                let (meant, defined_us) = node.meanings[&id];
                prop_assert_eq!(meant, client);
                let used_us = node.uses.get(&id).filter(|(by, _)| *by == client);
                let since_us = used_us.map_or(defined_us, |(_, used_us)| defined_us.max(*used_us));
                prop_assert!(now_us - since_us < 20 * S);
                node.uses.insert(id, (client, now_us));
            }
            while let Some(define) = short_ids.poll_define(now_us) {
                for (id, client) in (define.first..).zip(&define.clients) {
                    if let Some((by, used_us)) = node.uses.get(&id) {
                        prop_assert!(by == client || now_us - used_us > 35 * S);
                    }
                }
                // A frame is refused now and then, or in part.
                node.handle_define(&define, [0, 1, 99, 99, 99][takes], now_us, delay_us);
            }
        }
        let of_entries: HashSet<_> = short_ids
            .entries
            .iter()
            .filter(|entry| entry.state != State::Vacant)
            .map(|entry| entry.client)
            .collect();
        prop_assert!(short_ids.entries.len() <= grant as usize);
        for client in of_entries {
            let found = short_ids.index.find(hash(client), client, &short_ids.entries);
            prop_assert!(found.is_some_and(|id| short_ids.entries[id].client == client));
        }
        let wanted = short_ids.entries.iter().filter(|entry| entry.state == State::Wanted);
        prop_assert_eq!(wanted.count(), short_ids.wanted_count);
    }
}
