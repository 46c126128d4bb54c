//! Rows in groups lead where rows one by one lead.

use std::sync::Arc;

use locate::{Model, ModelOptions};
use proptest::prelude::*;
use site::Calibration;
use wire::batch::{BatchWriter, Header, decode};
use wire::limits::BATCH_BYTES_MAX;
use wire::{ClientId, Kind, Observation, Session};

use super::*;
use crate::machine::{Plain, Words};
use crate::shard::ShardConfig;
use crate::worker::tests::hall;

const SECOND: u64 = 1_000_000;
const BEGAN: u64 = 1_000 * SECOND;
const CLIENTS: u64 = 40;

/// How a batch is folded.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Row by row.
    Slowly,
    /// As machines with narrow vectors do, in passes.
    Plainly,
    /// In groups on any machine.
    Grouped,
    /// In groups, in the widest vectors of this machine.
    Widely,
}

/// What every machine can do, in groups: so that they are tested where no vectors are wide.
#[derive(Debug, Clone, Copy)]
struct Grouped;

impl Words for Grouped {
    const IS_WIDE: bool = true;

    fn equal(words: &[u32; 16], mask: u32, wanted: u32) -> u32 {
        Plain::equal(words, mask, wanted)
    }

    fn equal_keys(keys: &[u64; 5], wanted: u64) -> u32 {
        Plain::equal_keys(keys, wanted)
    }

    fn differ(words: &[u32; 16]) -> bool {
        Plain::differ(words)
    }

    fn gather(values: &[u64], places: &[u32; 16]) -> Option<[u64; 16]> {
        Plain::gather(values, places)
    }
}

/// A shard, a dictionary and what was dropped.
struct Rig {
    shard: Shard,
    dictionary: Dictionary,
    dropped: Vec<DropReason>,
    folded: u64,
    /// The row to follow of the next batch.
    follow: Option<usize>,
}

impl Rig {
    fn new() -> Self {
        let building = hall();
        let model = Model::new(&building, &Calibration::default(), &ModelOptions::default());
        // Too few places for all.
        let config = ShardConfig {
            clients_max: CLIENTS as usize - 3,
            ..ShardConfig::default()
        };
        let mut shard = Shard::new(0, &building, Arc::new(model), config);
        let mut dictionary = Dictionary::default();
        dictionary.grow(1);
        let now = Moment::from_us(BEGAN);
        for client in 1..CLIENTS / 2 {
            let index = shard.place(client, now).unwrap();
            // Every seventh entry is of a client whose line is another's by now.
            let mark = Line::mark_of(client) ^ u16::from(client.is_multiple_of(7));
            dictionary.define(client as u32, index, mark, seconds(BEGAN));
            // Two short ids of one client.
            dictionary.define(client as u32 + 50, index, mark, seconds(BEGAN));
        }
        Self {
            shard,
            dictionary,
            dropped: Vec::new(),
            folded: 0,
            follow: None,
        }
    }

    fn take_in(&mut self, way: Way, batch: &Batch<'_>, radio: u16, sent_us: u64, now_us: u64) {
        let dropped = &mut self.dropped;
        let mut fold = Fold {
            shard: &mut self.shard,
            dictionary: &mut self.dictionary,
            radio,
            times: Times::new(sent_us, now_us),
            now_us,
            follow: self.follow,
            drop_row: |reason| dropped.push(reason),
        };
        self.folded += match way {
            Way::Slowly => fold.fold_slowly(batch),
            Way::Plainly => {
                let fold = &mut fold;
                Plainly { fold, batch }.work::<Plain>()
            }
            Way::Grouped => {
                let fold = &mut fold;
                Plainly { fold, batch }.work::<Grouped>()
            }
            Way::Widely => fold.fold(batch),
        };
    }

    fn told(&mut self) -> impl PartialEq + std::fmt::Debug + use<> {
        self.dropped.sort_by_key(|reason| reason.as_str());
        let lines: Vec<String> = (0..CLIENTS as u32)
            .map(|index| format!("{:?}", self.shard.line(index)))
            .collect();
        let ids: Vec<Option<u32>> = (0..128).map(|id| self.dictionary.peek(id)).collect();
        (
            self.folded,
            self.dropped.clone(),
            self.shard.clients(),
            self.shard.followed(),
            lines,
            ids,
        )
    }
}

/// A row: the client, whether by a short id, strength, age in milliseconds, kind.
type Told = (u64, bool, Option<i8>, u64, Kind);

fn row() -> impl Strategy<Value = Told> {
    let rssi_dbm = prop_oneof![
        20 => (-100i8..=-30).prop_map(Some),
        1 => any::<i8>().prop_map(Some),
        1 => Just(None)
    ];
    let kind = prop_oneof![30 => Just(Kind::Data), 1 => Just(Kind::Beacon)];
    let age_ms = prop_oneof![20 => 0u64..1_500, 1 => 0u64..40_000];
    (
        0..CLIENTS,
        prop::bool::weighted(0.6),
        rssi_dbm,
        age_ms,
        kind,
    )
}

fn datagram(rows: &[Told], sent_us: u64) -> Vec<u8> {
    let heard: Vec<(Observation, Option<u32>)> = rows
        .iter()
        .map(|&(client, short, rssi_dbm, age_ms, kind)| {
            let observation = Observation {
                client: ClientId(client),
                heard_at_us: sent_us - 1_000 * age_ms,
                radio: 0,
                rssi_dbm,
                noise_dbm: None,
                channel: 6,
                kind,
                randomised: false,
                associated: true,
                range: None,
            };
            // Short ids beyond those of the definitions, and of no place in the dictionary.
            let short_id = if client == 0 {
                5_000
            } else {
                client as u32 + 50 * (age_ms as u32 % 2)
            };
            (observation, short.then_some(short_id))
        })
        .collect();
    let header = Header {
        session: Session(1),
        sequence: 0,
        first_observation: 0,
        sent_us,
        radio: 0,
    };
    let rows = heard.iter().map(|(observation, id)| (observation, *id));
    let mut bytes = Vec::new();
    BatchWriter::new(BATCH_BYTES_MAX).encode_mixed(&header, rows, &mut bytes);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With odd rows of every kind, clients named twice in a group, short groups at the end,
    /// clocks that are behind.
    #[test]
    fn every_way_to_fold_gives_the_same_bits(
        datagrams in prop::collection::vec(
            (prop::collection::vec(row(), 1..150), 0u16..24, 0u64..3 * SECOND, 0u64..31 * SECOND),
            1..12,
        ),
    ) {
        let mut told = Vec::new();
        for way in [Way::Slowly, Way::Plainly, Way::Grouped, Way::Widely] {
            let mut rig = Rig::new();
            let mut now_us = BEGAN;
            for (number, (rows, radio, later_us, late_us)) in (0..).zip(&datagrams) {
                now_us += later_us;
                let late_us = if number % 5 == 4 { *late_us } else { late_us / 100 };
                let bytes = datagram(rows, now_us - late_us);
                let batch = decode(&bytes).unwrap();
                rig.take_in(way, &batch, *radio, now_us - late_us, now_us);
            }
            told.push(rig.told());
        }
        for other in &told[1..] {
            prop_assert_eq!(&told[0], other);
        }
    }

    /// Few clients, so that a row mostly comes after or before others of its client in its group of
    /// sixteen: each is followed by the time at which it was heard itself.
    #[test]
    fn a_row_is_followed_to_its_fix_also_among_others_of_its_client(
        datagrams in prop::collection::vec(
            (
                prop::collection::vec(
                    (1u64..5, any::<bool>(), -90i8..=-40, 0u64..1_500)
                        .prop_map(|(client, short, rssi_dbm, age_ms)| {
                            (client, short, Some(rssi_dbm), age_ms, Kind::Data)
                        }),
                    5..60,
                ),
                any::<prop::sample::Index>(),
            ),
            1..6,
        ),
        fresh in any::<bool>(),
    ) {
        let mut told = Vec::new();
        let mut expected = Vec::new();
        for (number, (rows, follow)) in (0..).zip(&datagrams) {
            let (full, short): (Vec<&Told>, Vec<&Told>) = rows.iter().partition(|row| !row.1);
            let in_order: Vec<_> = full.into_iter().chain(short).collect();
            let (client, _, _, age_ms, _) = *follow.get(&in_order);
            expected.push((*client, BEGAN + number * 1_000 - 1_000 * age_ms));
        }
        expected.sort_unstable();
        for way in [Way::Slowly, Way::Plainly, Way::Grouped, Way::Widely] {
            let mut rig = Rig::new();
            // Short ids that were not used in this second are looked up one by one.
            let later_us = if fresh { 0 } else { 2 * SECOND };
            for (number, (rows, follow)) in (0..).zip(&datagrams) {
                let sent_us = BEGAN + number * 1_000;
                let bytes = datagram(rows, sent_us);
                let batch = decode(&bytes).unwrap();
                rig.follow = Some(follow.index(rows.len()));
                rig.take_in(way, &batch, 3, sent_us, sent_us + later_us);
            }
            prop_assert_eq!(rig.shard.followed(), expected.clone(), "{:?}", way);
            told.push(rig.told());
        }
        for other in &told[1..] {
            prop_assert_eq!(&told[0], other);
        }
    }
}
