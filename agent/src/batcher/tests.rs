mod properties;

use std::collections::HashMap;
use std::time::Duration;

use wire::batch::{self, Header, rows_max};
use wire::{ClientId, Kind, Range};

use super::*;

const START_US: u64 = 10_000_000;

fn heard(client: u64, heard_at_us: u64) -> Observation {
    Observation {
        client: ClientId(client),
        heard_at_us,
        radio: 0,
        rssi_dbm: Some(-60),
        noise_dbm: None,
        channel: 36,
        kind: Kind::Data,
        randomised: false,
        associated: true,
        range: None,
    }
}

fn connected(limits: BatcherLimits) -> Batcher {
    let mut batcher = Batcher::new(limits);
    batcher.handle_connected(Session(7), START_US);
    batcher
}

/// Everything that is due now, decoded.
fn poll_all(batcher: &mut Batcher, now_us: u64) -> Vec<(Header, Vec<Observation>)> {
    let mut batches = Vec::new();
    let mut datagram = Vec::new();
    while let Some(rows) = batcher.poll_batch(now_us, &mut datagram) {
        let batch = batch::decode(&datagram).expect("our own batch");
        assert_eq!(batch.observations().len(), rows);
        batches.push((batch.header, batch.observations().collect()));
    }
    batches
}

/// What a node knows of short ids, and what came by them.
#[derive(Default)]
struct Known {
    clients: HashMap<u32, ClientId>,
    short: usize,
}

impl Known {
    /// Takes in the definitions that wait, but for every `refuse_every`-th frame.
    fn define(&mut self, batcher: &mut Batcher, now_us: u64, refuse_every: usize) {
        let mut frames = 0;
        while let Some(define) = batcher.poll_define(now_us) {
            frames += 1;
            if frames % refuse_every == 0 {
                continue;
            }
            let (first, count) = (define.first, define.clients.len() as u32);
            self.clients.extend((first..).zip(define.clients));
            batcher.handle_defined(&Defined { first, count });
        }
    }

    /// Everything that is due now: the observations by full ids, and those by short ids.
    fn poll_all(
        &mut self,
        batcher: &mut Batcher,
        now_us: u64,
    ) -> Vec<(Header, [Vec<Observation>; 2])> {
        let mut batches = Vec::new();
        let mut datagram = Vec::new();
        while let Some(rows) = batcher.poll_batch(now_us, &mut datagram) {
            let batch = batch::decode(&datagram).expect("our own batch");
            let client = |id| Some(self.clients[&id]);
            let mut full: Vec<_> = batch.resolved(client).collect();
            assert_eq!((full.len(), batch.len()), (rows, rows));
            let short = full.split_off(batch.rows.len());
            self.short += short.len();
            batches.push((batch.header, [full, short]));
        }
        batches
    }
}

/// A batcher whose node knows all of these clients.
fn acquainted(limits: BatcherLimits, clients: std::ops::Range<u64>) -> (Batcher, Known) {
    let mut batcher = connected(limits);
    batcher.handle_short_ids(limits::SHORT_IDS_MAX as u32, START_US);
    let mut known = Known::default();
    for _ in 0..3 {
        for client in clients.clone() {
            batcher.handle_observation(heard(client, START_US));
        }
        batcher.handle_flush();
        known.poll_all(&mut batcher, START_US);
    }
    known.define(&mut batcher, START_US, usize::MAX);
    assert_eq!(known.clients.len() as u64, clients.end - clients.start);
    (batcher, known)
}

fn neighbours(observations: &[Observation]) -> usize {
    observations
        .windows(2)
        .filter(|pair| pair[0].client == pair[1].client)
        .count()
}

fn count_by_client(observations: &[Observation]) -> HashMap<ClientId, usize> {
    let mut counts = HashMap::new();
    for observation in observations {
        *counts.entry(observation.client).or_default() += 1;
    }
    counts
}

fn assert_books_close(batcher: &Batcher) {
    let books = batcher.counters();
    assert_eq!(
        books.observations_offered + books.dropped.unsent,
        books.dropped.total() + books.observations_sent + batcher.waiting() as u64,
        "{books:?}"
    );
}

#[test]
fn holds_until_the_oldest_has_waited_then_everything_leaves() {
    let mut batcher = connected(BatcherLimits::default());
    assert_eq!(batcher.poll_timeout(), None);
    batcher.handle_observation(heard(1, START_US));
    batcher.handle_observation(heard(2, START_US + 200_000));
    let deadline_us = START_US + 250_000;
    assert_eq!(batcher.poll_timeout(), Some(deadline_us));
    assert!(poll_all(&mut batcher, deadline_us - 1).is_empty());
    let batches = poll_all(&mut batcher, deadline_us);
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].1.len(), 2);
    assert_eq!(batches[0].0.sent_us, deadline_us);
    assert_eq!(batcher.poll_timeout(), None);
}

#[test]
fn a_full_burst_leaves_at_once_and_what_is_over_waits() {
    let mut batcher = connected(BatcherLimits::default());
    let rows = rows_max(limits::DATAGRAM_BYTES_MAX, false) as u64;
    for client in 0..10 * rows + 3 {
        batcher.handle_observation(heard(client, START_US));
    }
    assert_eq!(batcher.poll_timeout(), Some(0));
    let batches = poll_all(&mut batcher, START_US);
    assert_eq!(batches.len(), 10);
    assert!(
        batches
            .iter()
            .all(|(_, observations)| observations.len() as u64 == rows)
    );
    assert_eq!(batcher.waiting(), 3);
    assert_eq!(poll_all(&mut batcher, START_US + 250_000).len(), 1);
    assert_books_close(&batcher);
}

#[test]
fn a_recording_leaves_in_the_bursts_that_real_time_would_have_made() {
    let mut batcher = connected(BatcherLimits::default());
    for ms in (0..1_000).step_by(100) {
        batcher.handle_observation(heard(1, START_US + ms * 1_000));
    }
    let mut sizes = Vec::new();
    while let Some(deadline_us) = batcher.poll_timeout() {
        let batches = poll_all(&mut batcher, deadline_us);
        assert!(
            batches
                .iter()
                .all(|(header, _)| header.sent_us == deadline_us)
        );
        sizes.push(batches[0].1.len());
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
}

#[test]
fn a_flush_empties_the_queue_before_the_deadline() {
    let mut batcher = connected(BatcherLimits::default());
    batcher.handle_observation(heard(1, START_US));
    batcher.handle_flush();
    assert_eq!(poll_all(&mut batcher, START_US).len(), 1);
    batcher.handle_observation(heard(1, START_US));
    assert!(
        poll_all(&mut batcher, START_US).is_empty(),
        "a flush does not last"
    );
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_why() {
    let limits = BatcherLimits {
        queue_observations_max: 10,
        ..BatcherLimits::default()
    };
    let mut batcher = Batcher::new(limits);
    for client in 0..15 {
        batcher.handle_observation(heard(client, START_US));
    }
    assert_eq!(batcher.counters().dropped.disconnected, 5);
    batcher.handle_connected(Session(7), START_US);
    for client in 15..18 {
        batcher.handle_observation(heard(client, START_US));
    }
    assert_eq!(batcher.counters().dropped.queue_full, 3);
    let mut clients: Vec<u64> = poll_all(&mut batcher, START_US + 250_000)
        .iter()
        .flat_map(|(_, observations)| observations.iter().map(|o| o.client.0))
        .collect();
    clients.sort_unstable();
    assert_eq!(clients, (8..18).collect::<Vec<_>>());
    assert_books_close(&batcher);
}

#[test]
fn what_is_already_dealt_is_dropped_before_what_came_later() {
    let limits = BatcherLimits {
        queue_observations_max: 200,
        ..BatcherLimits::default()
    };
    let mut batcher = connected(limits);
    for client in 0..200 {
        batcher.handle_observation(heard(client, START_US));
    }
    let mut datagram = Vec::new();
    let left = batcher
        .poll_batch(START_US + 250_000, &mut datagram)
        .expect("due");
    for client in 0..left as u64 + 20 {
        batcher.handle_observation(heard(1_000 + client, START_US + 250_000));
    }
    assert_eq!(batcher.counters().dropped.queue_full, 20);
    let later = poll_all(&mut batcher, START_US + 600_000)
        .iter()
        .flat_map(|(_, observations)| observations.clone())
        .filter(|o| o.client.0 >= 1_000)
        .count();
    assert_eq!(later, left + 20);
    assert_books_close(&batcher);
}

#[test]
fn too_old_is_counted_by_what_made_it_wait() {
    let mut batcher = Batcher::new(BatcherLimits::default());
    batcher.handle_observation(heard(1, START_US));
    batcher.handle_observation(heard(2, START_US + 3_000_000));
    batcher.handle_connected(Session(7), START_US + 6_000_000);
    assert_eq!(batcher.counters().dropped.disconnected, 1);
    assert_eq!(batcher.waiting(), 1);
    assert!(poll_all(&mut batcher, START_US + 9_000_000).is_empty());
    assert_eq!(batcher.counters().dropped.too_old, 1);
    assert_books_close(&batcher);
}

#[test]
fn an_account_takes_what_waits_along_into_the_next() {
    let mut batcher = connected(BatcherLimits::default());
    for client in 0..5 {
        batcher.handle_observation(heard(client, START_US));
    }
    assert_eq!(poll_all(&mut batcher, START_US + 250_000).len(), 1);
    batcher.handle_observation(heard(9, START_US + 260_000));
    batcher.handle_disconnected(1, 5);
    batcher.handle_without_key(1);
    let closed = batcher.close_books();
    assert_eq!(closed.observations_offered, 6);
    assert_eq!((closed.observations_sent, closed.datagrams_unsent), (5, 1));
    assert_eq!((closed.dropped.unsent, closed.dropped.disconnected), (5, 1));
    let expected = Counters {
        observations_offered: 1,
        ..Counters::default()
    };
    assert_eq!(*batcher.counters(), expected);
    batcher.handle_give_up();
    assert_eq!(batcher.counters().dropped.disconnected, 1);
    assert_books_close(&batcher);
}

#[test]
fn numbers_follow_each_other_without_a_gap_whatever_is_dropped() {
    let limits = BatcherLimits {
        queue_observations_max: 300,
        ..BatcherLimits::default()
    };
    let mut batcher = connected(limits);
    let (mut sequence, mut first_observation) = (0, 0);
    for round in 0..20_u64 {
        let now_us = START_US + round * 250_000;
        for client in 0..round * 40 {
            batcher.handle_observation(heard(client, now_us));
        }
        for (header, observations) in poll_all(&mut batcher, now_us + 250_000) {
            assert_eq!(
                (header.sequence, header.first_observation),
                (sequence, first_observation)
            );
            sequence += 1;
            first_observation += observations.len() as u64;
        }
    }
    assert!(batcher.counters().dropped.queue_full > 0);
    assert_books_close(&batcher);
}

#[test]
fn a_path_that_shrinks_splits_batches_that_are_already_dealt() {
    let mut batcher = connected(BatcherLimits::default());
    for client in 0..180 {
        batcher.handle_observation(heard(client, START_US));
    }
    let mut datagram = Vec::new();
    batcher
        .poll_batch(START_US + 250_000, &mut datagram)
        .expect("due");
    batcher.handle_datagram_bytes_max(1_000);
    let mut rows = 0;
    while let Some(packed) = batcher.poll_batch(START_US + 250_000, &mut datagram) {
        assert!(datagram.len() <= 1_000);
        rows += packed;
    }
    assert_eq!(rows, 90);
}

#[test]
fn a_burst_of_short_rows_fills_as_many_datagrams() {
    let (mut batcher, mut known) = acquainted(BatcherLimits::default(), 0..2_500);
    let rows = batch::short_rows_max(limits::DATAGRAM_BYTES_MAX, false);
    // What the first burst was made of tells when the second is full.
    for round in 0..2 {
        for client in 0..10 * rows as u64 {
            if round == 1 {
                assert_eq!(batcher.poll_timeout().filter(|at_us| *at_us == 0), None);
            }
            batcher.handle_observation(heard(client, START_US));
        }
        assert_eq!(batcher.poll_timeout(), Some(0));
        let batches = known.poll_all(&mut batcher, START_US);
        let got: Vec<_> = batches.iter().map(|(_, [_, short])| short.len()).collect();
        assert_eq!(got, [rows; 10]);
        for (_, [full, short]) in batches {
            assert!(full.is_empty());
            assert!(short.iter().map(|o| o.client).is_sorted(), "as they came");
        }
    }
    assert_books_close(&batcher);
}

#[test]
fn what_leaves_long_after_it_was_dealt_goes_by_full_ids() {
    let patient = BatcherLimits {
        age_max: Duration::from_secs(60),
        ..BatcherLimits::default()
    };
    let (mut batcher, mut known) = acquainted(patient, 0..500);
    for client in 0..500 {
        batcher.handle_observation(heard(client, START_US));
    }
    batcher.handle_flush();
    let mut datagram = Vec::new();
    batcher.poll_batch(START_US, &mut datagram).expect("due");
    let first = batch::decode(&datagram).expect("our own batch");
    assert!(first.rows.is_empty() && first.short_rows.len() > 100);
    let late = known.poll_all(&mut batcher, START_US + 6_000_000);
    assert!(late.len() > 2 && known.short == 0);
    assert_books_close(&batcher);
}

#[test]
fn a_new_session_begins_with_full_ids_and_no_gap() {
    let (mut batcher, mut known) = acquainted(BatcherLimits::default(), 0..500);
    let offer = |batcher: &mut Batcher| {
        for client in 0..500 {
            batcher.handle_observation(heard(client, START_US));
        }
        batcher.handle_flush();
    };
    offer(&mut batcher);
    assert_eq!(known.poll_all(&mut batcher, START_US).len(), 3);
    assert_eq!(known.short, 500);

    // A burst that was dealt with short ids of the session that ends.
    offer(&mut batcher);
    let mut datagram = Vec::new();
    batcher.poll_batch(START_US, &mut datagram).expect("due");
    batcher.handle_disconnected(0, 0);
    batcher.handle_connected(Session(8), START_US);
    batcher.handle_short_ids(1_000, START_US);
    (known.clients, known.short) = (HashMap::new(), 0);
    batcher.handle_flush();
    let rest = known.poll_all(&mut batcher, START_US);
    assert!(!rest.is_empty() && known.short == 0);
    known.define(&mut batcher, START_US, usize::MAX);
    offer(&mut batcher);
    known.poll_all(&mut batcher, START_US);
    assert_eq!(known.short, 500);
    assert_books_close(&batcher);
}

#[test]
fn beacons_of_access_points_keep_their_ids() {
    let mut batcher = connected(BatcherLimits::default());
    batcher.handle_short_ids(1_000, START_US);
    for _ in 0..9 {
        batcher.handle_observation(Observation {
            kind: Kind::Beacon,
            ..heard(1, START_US)
        });
        batcher.handle_flush();
        poll_all(&mut batcher, START_US);
        assert_eq!(batcher.poll_define(START_US), None);
    }
}
