//! A transport that fails as it is told, over both databases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::relay::{Delivery, Relay, Sent, Stop, Transport, Wanted, limits};
use crate::testing::PostgresServer;
use crate::{MessageId, Replay};

const NAME: &str = "fake";

/// What the far side has seen, and what it does next.
#[derive(Default)]
struct Far {
    /// How often each arrived, and how often it was acknowledged.
    arrived: HashMap<MessageId, u32>,
    acked: HashMap<MessageId, u32>,
    /// How many of the next batches get which answer.
    plan: Vec<Answer>,
    poison: Option<MessageId>,
}

#[derive(Clone, Copy)]
enum Answer {
    /// Nothing arrives.
    Down,
    /// Everything arrives, and the connection breaks before the acknowledgements.
    Cut,
    /// Every second message is acknowledged.
    Half,
    /// It also acknowledges what it was never given, and some twice.
    Liar,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Far>>);

impl Transport for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn send(&mut self, messages: &[Message], _: &Stop) -> Sent {
        let mut far = self.0.lock().unwrap();
        let answer = far.plan.pop();
        let mut sent = Sent::default();
        for (n, message) in messages.iter().enumerate() {
            if matches!(answer, Some(Answer::Down)) {
                return Sent::none("down");
            }
            *far.arrived.entry(message.id).or_default() += 1;
            let error = match answer {
                Some(Answer::Cut) => continue,
                Some(Answer::Half) if n % 2 == 1 => continue,
                _ if far.poison == Some(message.id) => {
                    sent.refused.push((message.id, "HTTP 400\u{1b}".to_owned()));
                    Some("HTTP 400".to_owned())
                }
                _ => {
                    *far.acked.entry(message.id).or_default() += 1;
                    sent.acked.push((message.id, format!("far {n}")));
                    None
                }
            };
            sent.log.push((
                message.id,
                Delivery {
                    status: None,
                    error,
                },
            ));
        }
        if let Some(Answer::Liar) = answer {
            let stranger = Message::new("test.made".parse().unwrap(), "/x".parse().unwrap());
            sent.acked.push((stranger.id, "never sent".to_owned()));
            sent.acked.extend(sent.acked.first().cloned());
        }
        sent
    }
}

fn start(store: &Store, fake: &Fake) -> Relay {
    let transport = Box::new(fake.clone());
    Relay::start_with(store.clone(), NAME, Wanted::default(), transport).unwrap()
}

#[test]
fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    cases(&mut |n| Place::Sqlite(folder.path().join(n.to_string())));
}

#[test]
fn on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    cases(&mut |_| Place::Postgres(server.database().unwrap()));
}

fn cases(place: &mut dyn FnMut(usize) -> Place) {
    let all: [fn(Store); 4] = [
        whatever_fails_everything_is_acked_once_it_was_and_never_before,
        a_restart_sends_what_is_not_acked_and_nothing_else,
        a_message_that_is_refused_is_passed_over_and_told,
        unwanted_messages_are_not_sent_even_if_asked_for_again,
    ];
    for (n, case) in all.into_iter().enumerate() {
        case(open(place(n)));
    }
}

fn whatever_fails_everything_is_acked_once_it_was_and_never_before(store: Store) {
    let fake = Fake::default();
    let plan = [
        Answer::Liar,
        Answer::Half,
        Answer::Down,
        Answer::Cut,
        Answer::Half,
    ];
    fake.0.lock().unwrap().plan.extend(plan);
    let made = publish(&store, 0..600);
    let relay = start(&store, &fake);
    wait_for_acks(&store, &made, NAME);
    wait_until("catching up", || relay.health().behind == 0);
    let health = relay.health();
    drop(relay);
    let far = fake.0.lock().unwrap();
    assert!(far.plan.is_empty(), "every failure took place");
    assert!(health.failures >= 4, "{health:?}");
    assert_eq!((health.acked, health.refused, health.gaps), (600, 0, 0));
    for message in &made {
        // Acknowledged at the far side exactly as often as it is written here: once.
        assert_eq!(far.acked[&message.id], 1);
        let attempts = kv(&store, message, NAME, "attempted").unwrap();
        let attempts: u32 = attempts.split(' ').next().unwrap().parse().unwrap();
        assert!(
            attempts >= far.arrived[&message.id],
            "told before it was done"
        );
    }
    assert!(
        far.arrived.values().any(|times| *times >= 3),
        "the cut one came again"
    );
}

fn a_restart_sends_what_is_not_acked_and_nothing_else(store: Store) {
    let fake = Fake::default();
    let made = publish(&store, 0..100);
    // Half of them is acknowledged; then nothing arrives any more until we stop.
    let plan = std::iter::repeat_n(Answer::Down, 1_000).chain([Answer::Half]);
    fake.0.lock().unwrap().plan.extend(plan);
    let relay = start(&store, &fake);
    wait_until("failure", || relay.health().failures >= 2);
    drop(relay);
    let acked = |message: &&Message| kv(&store, message, NAME, "acked").is_some();
    assert_eq!(made.iter().filter(acked).count(), 50);
    fake.0.lock().unwrap().plan.clear();
    let relay = start(&store, &fake);
    wait_for_acks(&store, &made, NAME);
    wait_until("counting", || relay.health().acked == 50);
    let more = publish(&store, 100..110);
    wait_for_acks(&store, &more, NAME);
    drop(relay);
    assert!(
        fake.0
            .lock()
            .unwrap()
            .acked
            .values()
            .all(|times| *times == 1)
    );
    // Asked for again, all are sent again, also by a relay that starts only then.
    let replay = Replay {
        from: NOON,
        to: NOON.plus(PATIENCE),
        kinds: Vec::new(),
        transport: NAME.to_owned(),
    };
    assert_eq!(store.replay(&replay).unwrap(), 110);
    let relay = start(&store, &fake);
    wait_until("replay", || relay.health().acked == 110);
    assert!(
        fake.0
            .lock()
            .unwrap()
            .acked
            .values()
            .all(|times| *times == 2)
    );
    wait_until("forgetting what was asked", || {
        made.iter()
            .all(|message| kv(&store, message, NAME, "again").is_none())
    });
}

fn a_message_that_is_refused_is_passed_over_and_told(store: Store) {
    let fake = Fake::default();
    let made = publish(&store, 0..3);
    fake.0.lock().unwrap().poison = Some(made[1].id);
    let relay = start(&store, &fake);
    wait_until("giving up", || relay.health().refused == 1);
    let more = publish(&store, 3..6);
    wait_for_acks(&store, &more, NAME);
    assert!(kv(&store, &made[1], NAME, "acked").is_none());
    let refused = kv(&store, &made[1], NAME, "refused").unwrap();
    assert!(
        refused.starts_with(&format!("{} ", limits::REFUSALS_MAX)),
        "{refused}"
    );
    assert!(refused.ends_with("HTTP 400 "), "{refused}");
    let log = kv(&store, &made[1], NAME, "delivery").unwrap();
    assert!(log.contains("\"error\":\"HTTP 400\""), "{log}");
    let arrived = fake.0.lock().unwrap().arrived[&made[1].id];
    assert_eq!(arrived, limits::REFUSALS_MAX);
}

fn unwanted_messages_are_not_sent_even_if_asked_for_again(store: Store) {
    let fake = Fake::default();
    let made = publish(&store, 0..3);
    let wanted = Wanted {
        resources: vec!["/things/1".to_owned()],
        ..Wanted::default()
    };
    for message in &made {
        store.put_kv(message.id, NAME, "again", "").unwrap();
    }
    let transport = Box::new(fake.clone());
    let relay = Relay::start_with(store.clone(), NAME, wanted, transport).unwrap();
    wait_until("forgetting what was asked", || {
        made.iter()
            .all(|message| kv(&store, message, NAME, "again").is_none())
    });
    wait_for_acks(&store, &made[1..2], NAME);
    drop(relay);
    assert_eq!(
        fake.0.lock().unwrap().arrived.keys().collect::<Vec<_>>(),
        [&made[1].id]
    );
}
