//! Questions to a worker, and the beacons that it keeps.

use crossbeam::channel::{Receiver, TryRecvError, bounded};
use wire::{ClientName, named_client_id};

use super::*;
use crate::beacons::BeaconReading;
use crate::limits::{QUESTIONS_WAITING_MAX, WATCHES_MAX};
use std::time::Duration;

use crate::question::{Answer, Ask, AskError, Asker, ClientWindow, ReplaceError, Replaced};

fn beacon_of(ap: &str, rssi_dbm: i8) -> Observation {
    let name = ClientName::new(ap).unwrap();
    Observation {
        client: named_client_id(&name),
        kind: Kind::Beacon,
        ..heard(0, rssi_dbm, BEGAN)
    }
}

pub(super) type Answered<A> = Receiver<Result<A, AskError>>;

impl Rig {
    fn ask<A>(&mut self, ask: impl FnOnce(Answer<A>) -> Ask, now_us: u64) -> Answered<A> {
        let (answer, answered) = bounded(1);
        let question = Question {
            site: 0,
            ask: ask(answer),
        };
        self.worker.handle_question(question, now_us);
        answered
    }

    pub(super) fn ask_client(&mut self, client: u64, now_us: u64) -> Answered<ClientWindow> {
        self.ask(|answer| Ask::Client(ClientId(client), answer), now_us)
    }

    fn beacons(&mut self) -> Vec<BeaconReading> {
        self.ask(Ask::Beacons, BEGAN).try_recv().unwrap().unwrap()
    }
}

#[test]
fn beacons_of_anchors_are_folded_and_no_client() {
    let mut rig = Rig::live(2);
    rig.worker.handle_tick(BEGAN);
    rig.deliver(0, &[beacon_of("ap-1", -60), beacon_of("ap-1", -62)], BEGAN);
    rig.deliver(
        0,
        &[beacon_of("ap-0", -30), beacon_of("neighbour", -70)],
        BEGAN,
    );
    rig.deliver(1, &[beacon_of("ap-0", -59), heard(7, -50, BEGAN)], BEGAN);
    for agent in 0..2 {
        rig.report(agent, BEGAN, true);
    }
    let books = rig.books();
    assert_eq!(books.folded.observations, 4);
    assert_eq!(books.dropped_node[DropReason::Beacon].observations, 2);
    assert_eq!(books.residual(), Tally::default());
    let links: Vec<_> = rig
        .beacons()
        .iter()
        .map(|b| (b.receiver.0, b.transmitter.0, b.mean_dbm, b.count))
        .collect();
    assert_eq!(links, [(0, 1, -61.0, 2), (1, 0, -59.0, 1)]);
    rig.tick_through(BEGAN);
    let clients: Vec<_> = rig.take_fixes().iter().map(|sent| sent.client.0).collect();
    assert_eq!(clients, [7]);
    assert_eq!(rig.worker.snapshot().clients_by_site, [(0, 1)]);
}

#[test]
fn a_recordings_beacons_are_folded_too() {
    let config = WorkerConfig {
        recording_agents: Some(1),
        ..WorkerConfig::default()
    };
    let mut rig = Rig::new(1, config);
    rig.deliver(
        0,
        &[beacon_of("ap-1", -60), beacon_of("neighbour", -60)],
        BEGAN,
    );
    assert_eq!(rig.books().folded.observations, 1);
    assert_eq!(rig.beacons().len(), 1);
}

#[test]
fn a_replay_answers_on_the_recordings_clock() {
    let config = WorkerConfig {
        recording_agents: Some(1),
        ..WorkerConfig::default()
    };
    let mut rig = Rig::new(1, config);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    rig.report(0, BEGAN + 10 * SECOND, false);
    assert_eq!(rig.take_fixes().len(), 1);
    // The node's clock is years ahead of the recording's.
    let today = 1_000_000 * BEGAN;
    let answered = rig.ask_client(7, today);
    rig.worker.handle_tick(today + 3 * SECOND);
    let window = answered.try_recv().unwrap().unwrap();
    assert_eq!(window.sightings.len(), 1);
    assert!(window.at_us.abs_diff(BEGAN) < 40_000, "{}", window.at_us);
}

#[test]
fn a_window_is_what_the_next_fix_was_made_of() {
    let mut rig = Rig::live(3);
    rig.worker.handle_tick(BEGAN);
    for agent in 0..3 {
        rig.deliver(agent, &[heard(7, -50 - agent as i8, BEGAN)], BEGAN);
    }
    let answered = rig.ask_client(7, BEGAN);
    assert_eq!(
        answered.try_recv().err(),
        Some(TryRecvError::Empty),
        "no fix yet"
    );
    rig.tick_through(BEGAN);
    let window = answered.try_recv().unwrap().unwrap();
    let sent = rig.take_fixes()[0];
    assert_eq!((window.client, window.fix), (ClientId(7), Some(sent.fix)));
    assert_eq!(window.at_us, sent.sent_at_us);
    let heard: Vec<_> = window
        .sightings
        .iter()
        .map(|s| (s.radio.0, s.rssi_dbm, s.count))
        .collect();
    let expected = [
        (0, Some(-50.0), 1),
        (1, Some(-51.0), 1),
        (2, Some(-52.0), 1),
    ];
    assert_eq!(heard, expected);
    // The same evidence gives the same fix again.
    let mut track = window.track_before.unwrap();
    let mut locator = locate::Locator::new(window.model.clone());
    let now_s = window.at_us as f64 * 1e-6;
    let again = locator.locate(&window.sightings, &mut track, now_s);
    assert_eq!(again.unwrap().position_in_site, sent.fix.position_in_site);
    assert_eq!(track, window.track);
}

#[test]
fn what_is_too_old_for_the_fix_is_told_apart() {
    let mut rig = Rig::live(2);
    rig.worker.handle_tick(BEGAN);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    rig.tick_through(BEGAN);
    let later = BEGAN + 10 * SECOND;
    rig.deliver(1, &[heard(7, -60, later)], later);
    let answered = rig.ask_client(7, later);
    rig.tick_through(later);
    let window = answered.try_recv().unwrap().unwrap();
    let radios = |sightings: &[locate::Sighting]| -> Vec<u16> {
        sightings.iter().map(|s| s.radio.0).collect()
    };
    assert_eq!(radios(&window.sightings), [1]);
    assert_eq!(radios(&window.older), [0]);
    assert!((9.0..11.5).contains(&window.older[0].age_s));
}

#[test]
fn without_a_fix_in_time_the_line_answers() {
    let mut rig = Rig::live(2);
    rig.worker.handle_tick(BEGAN);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    rig.deliver(1, &[heard(7, -60, BEGAN - SECOND)], BEGAN);
    rig.tick_through(BEGAN);
    assert_eq!(rig.take_fixes().len(), 1);
    let answered = rig.ask_client(7, BEGAN + SECOND);
    rig.tick_through(BEGAN + SECOND);
    assert_eq!(answered.try_recv().err(), Some(TryRecvError::Empty));
    rig.tick_through(BEGAN + 2 * SECOND);
    assert!(rig.take_fixes().is_empty());
    let window = answered.try_recv().unwrap().unwrap();
    assert_eq!((window.fix, window.track_before), (None, None));
    assert!(window.at_us.abs_diff(BEGAN) < 40_000, "{}", window.at_us);
    let ages: Vec<_> = window.sightings.iter().map(|s| s.age_s.round()).collect();
    assert_eq!(ages, [0.0, 1.0]);
    assert!(window.track.offsets_db().is_some());
}

#[test]
fn what_a_worker_does_not_know_is_refused_at_once() {
    let mut rig = Rig::live(1);
    let answered = rig.ask_client(7, BEGAN);
    assert_eq!(answered.try_recv().unwrap().err(), Some(AskError::Unknown));
    let (answer, answered) = bounded(1);
    let question = Question {
        site: 9,
        ask: Ask::Beacons(answer),
    };
    rig.worker.handle_question(question, BEGAN);
    assert_eq!(answered.try_recv(), Ok(Err(AskError::Unknown)));
}

#[test]
fn with_too_many_watching_a_further_one_hears_that_the_worker_is_busy() {
    let mut rig = Rig::live(1);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    let waiting: Vec<_> = (0..WATCHES_MAX).map(|_| rig.ask_client(7, BEGAN)).collect();
    let samples: Vec<_> = (0..WATCHES_MAX)
        .map(|_| rig.ask(|answer| Ask::Sample(1, answer), BEGAN))
        .collect();
    let refused = rig.ask_client(7, BEGAN).try_recv().unwrap();
    assert_eq!(refused.err(), Some(AskError::Busy));
    let refused = rig.ask(|answer| Ask::Sample(1, answer), BEGAN).try_recv();
    assert_eq!(refused.unwrap().err(), Some(AskError::Busy));
    assert!(waiting.iter().all(|answered| answered.is_empty()));
    assert!(samples.iter().all(|answered| answered.is_empty()));
}

#[test]
fn a_sample_holds_the_next_fixes_and_no_more() {
    let mut rig = Rig::live(1);
    rig.worker.handle_tick(BEGAN);
    let everyone = (1..=9).map(|client| heard(client << 56, -50, BEGAN));
    rig.deliver(0, &everyone.collect::<Vec<_>>(), BEGAN);
    let few = rig.ask(|answer| Ask::Sample(4, answer), BEGAN);
    let more = rig.ask(|answer| Ask::Sample(100, answer), BEGAN);
    rig.tick_through(BEGAN);
    assert_eq!(few.try_recv().unwrap().unwrap().len(), 4);
    assert_eq!(more.try_recv().err(), Some(TryRecvError::Empty));
    rig.tick_through(BEGAN + SECOND);
    let windows = more.try_recv().unwrap().unwrap();
    assert_eq!(windows.len(), 9);
    assert!(windows.iter().all(|window| window.fix.is_some()));
}

#[test]
fn a_new_model_is_used_and_tracks_survive_it() {
    let mut rig = Rig::live(2);
    rig.worker.handle_tick(BEGAN);
    rig.deliver(0, &[heard(7, -50, BEGAN)], BEGAN);
    rig.tick_through(BEGAN);
    assert_eq!(rig.take_fixes().len(), 1);
    let track = *rig.worker.shards[0].track_of(7).unwrap();

    let options = ModelOptions {
        carrying_height_m: 2.0,
        ..ModelOptions::default()
    };
    let model = Arc::new(Model::new(&hall(), &Calibration::default(), &options));
    let locator = Box::new(locate::Locator::new(model.clone()));
    let later = BEGAN + SECOND;
    let replaced = rig.ask(|answer| Ask::Replace(locator, answer), later);
    assert_eq!(replaced.try_recv().unwrap().unwrap().outcome, Ok(()));
    assert_eq!(*rig.worker.shards[0].track_of(7).unwrap(), track);
    rig.deliver(0, &[heard(7, -50, later)], later);
    rig.tick_through(later);
    assert_eq!(rig.take_fixes()[0].fix.position_in_site.z, 2.0);
    let in_use = rig.ask(Ask::Model, later).try_recv().unwrap().unwrap();
    assert!(Arc::ptr_eq(&in_use, &model));
}

#[test]
fn the_old_model_comes_back_to_who_replaced_it_and_is_freed_there() {
    let mut rig = Rig::live(1);
    let in_use = rig.ask(Ask::Model, BEGAN).try_recv().unwrap().unwrap();
    let old = Arc::downgrade(&in_use);
    drop(in_use);
    let model = Model::new(&hall(), &Calibration::default(), &ModelOptions::default());
    let locator = Box::new(locate::Locator::new(Arc::new(model)));
    let answered = rig.ask(|answer| Ask::Replace(locator, answer), BEGAN);
    let Replaced { outcome, unused } = answered.try_recv().unwrap().unwrap();
    assert_eq!(outcome, Ok(()));
    assert!(std::ptr::eq(old.as_ptr(), Arc::as_ptr(unused.model())));
    drop(unused);
    assert_eq!(
        old.strong_count(),
        0,
        "the worker still holds the old model"
    );
}

#[test]
fn a_model_of_another_building_is_refused() {
    let mut rig = Rig::live(1);
    let mut other = hall();
    other.anchors.pop();
    let model = Model::new(&other, &Calibration::default(), &ModelOptions::default());
    let locator = Box::new(locate::Locator::new(Arc::new(model)));
    let replaced = rig.ask(|answer| Ask::Replace(locator, answer), BEGAN);
    let expected = ReplaceError::Shape {
        radios: 4,
        offered_radios: 3,
        floors: 1,
        offered_floors: 1,
    };
    assert_eq!(replaced.try_recv().unwrap().unwrap().outcome, Err(expected));
}

#[test]
fn each_worker_is_asked_about_its_sites_and_a_stopped_one_says_so() {
    let (asker, ends) = Asker::new(2);
    let [_, end] = &ends[..] else { panic!() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let question = end.recv().unwrap();
            assert_eq!(question.site, 3);
            let Ask::Beacons(answer) = question.ask else {
                panic!()
            };
            answer.try_send(Ok(Vec::new())).unwrap();
            // And dies with the next one in its hands.
            drop(end.recv().unwrap());
        });
        assert_eq!(asker.ask(3, Ask::Beacons), Ok(Vec::new()));
        assert_eq!(asker.ask(3, Ask::Beacons), Err(AskError::Stopped));
    });
    drop(ends);
    assert_eq!(asker.ask(3, Ask::Beacons), Err(AskError::Stopped));
}

#[test]
fn a_worker_that_does_not_come_to_a_question_is_busy_and_so_is_a_full_queue() {
    let (asker, _ends) = Asker::new(1);
    for _ in 0..QUESTIONS_WAITING_MAX {
        let told = asker.ask_within(Duration::ZERO, 0, Ask::Beacons);
        assert_eq!(told, Err(AskError::Busy));
    }
    // The queue is full: this one does not even wait.
    assert_eq!(asker.ask(0, Ask::Beacons), Err(AskError::Busy));
}

#[test]
fn an_order_that_nobody_answered_yet_is_not_called_void() {
    let told = |why| ReplaceError::unanswered(2, why);
    assert_eq!(told(AskError::Busy), ReplaceError::Silent);
    assert!(
        told(AskError::Busy)
            .to_string()
            .contains("may come into use later")
    );
    assert_eq!(told(AskError::Stopped), ReplaceError::Stopped);
    assert_eq!(told(AskError::Unknown), ReplaceError::Site(2));
}

#[test]
fn who_is_forgotten_leaves_no_line_and_no_track() {
    let mut rig = Rig::live(3);
    rig.worker.handle_tick(BEGAN);
    for agent in 0..3 {
        rig.deliver(agent, &[heard(7, -50, BEGAN), heard(8, -50, BEGAN)], BEGAN);
    }
    rig.tick_through(BEGAN);
    assert_eq!(rig.take_fixes().len(), 2);
    let question = Question {
        site: 0,
        ask: Ask::Forget(vec![ClientId(7), ClientId(99)]),
    };
    rig.worker.handle_question(question, BEGAN);
    assert_eq!(rig.worker.snapshot().clients_by_site, [(0, 1)]);
    let unknown = rig.ask_client(7, BEGAN).try_recv().unwrap();
    assert_eq!(unknown.err(), Some(AskError::Unknown));
    // Heard again, it is somebody new: with no memory of where it was.
    let later = BEGAN + 2 * SECOND;
    rig.deliver(0, &[heard(7, -50, later)], later);
    let answered = rig.ask_client(7, later);
    rig.tick_through(later);
    let window = answered.try_recv().unwrap().unwrap();
    assert_eq!(window.track_before, Some(locate::Track::default()));
    assert_eq!(window.sightings.len(), 1);
}
