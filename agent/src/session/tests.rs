use proptest::prelude::*;
use wire::frame::{Configure, Welcome};
use wire::{Kind, Observation};

use super::*;
use crate::batcher::BatcherLimits;

const SECOND_US: u64 = 1_000_000;

/// A session with its batcher and a transport that can be cut.
struct Rig {
    session: AgentSession,
    batcher: Batcher,
    now_us: u64,
    next_session: u64,
    /// Observations in each datagram of the link.
    handed_over: Vec<u64>,
    /// All that every account told, as a node would book it: by session.
    booked: Vec<(Session, Counters)>,
}

impl Rig {
    fn new(queue_observations_max: usize) -> Self {
        let limits = BatcherLimits {
            queue_observations_max,
            ..BatcherLimits::default()
        };
        Self {
            session: AgentSession::new("test".to_owned(), Vec::new(), Clock::Monotonic),
            batcher: Batcher::new(limits),
            now_us: SECOND_US,
            next_session: 1,
            handed_over: Vec::new(),
            booked: Vec::new(),
        }
    }

    fn offer(&mut self, count: u64) {
        for client in 0..count {
            self.batcher.handle_observation(Observation {
                client: ClientId(client),
                heard_at_us: self.now_us,
                radio: 0,
                rssi_dbm: Some(-60),
                noise_dbm: None,
                channel: 1,
                kind: Kind::Probe,
                randomised: false,
                associated: false,
                range: None,
            });
        }
    }

    fn frame(&mut self, frame: Frame) -> Vec<Order> {
        let now_us = self.now_us;
        self.session
            .handle_frame(frame, &mut self.batcher, now_us, now_us);
        std::iter::from_fn(|| self.session.poll_order()).collect()
    }

    fn hello(&mut self) -> Hello {
        self.handed_over.clear();
        match self.session.handle_linked(&mut self.batcher) {
            Frame::Hello(hello) => hello,
            frame => panic!("hello expected, got {frame:?}"),
        }
    }

    /// `hello` and `welcome`; books what the agent says about its last session.
    fn connect(&mut self) -> Hello {
        let hello = self.hello();
        self.book(hello.previous.clone());
        let session = Session(self.next_session);
        self.next_session += 1;
        let orders = self.frame(welcome(session));
        let none = Order::KnowAccessPoints(Vec::new());
        assert_eq!(orders, [Order::UseKey(key(1)), none, Order::Begin(session)]);
        hello
    }

    fn book(&mut self, previous: Option<SessionEnd>) {
        if let Some(SessionEnd { session, ended, .. }) = previous {
            self.booked.retain(|(other, _)| *other != session);
            self.booked.push((session, ended));
        }
    }

    fn hand_over(&mut self) {
        self.batcher.handle_flush();
        let mut datagram = Vec::new();
        while let Some(rows) = self.batcher.poll_batch(self.now_us, &mut datagram) {
            self.session.handle_handed_over(rows);
            self.handed_over.push(rows as u64);
        }
    }

    /// Cuts the link after so many datagrams; returns the observations in the others.
    fn cut(&mut self, datagrams_sent: usize) -> u64 {
        self.session
            .handle_link_lost(&mut self.batcher, datagrams_sent as u64);
        self.handed_over.iter().skip(datagrams_sent).sum()
    }

    /// A report that the node acknowledges.
    fn report(&mut self) -> Report {
        let report = self.report_unheard();
        self.session.handle_received(1_000);
        self.session.handle_received(1_100);
        report
    }

    /// A report to a node that may be dead.
    fn report_unheard(&mut self) -> Report {
        match self.session.report(&self.batcher, self.now_us, self.now_us) {
            Some(Frame::Report(report)) => report,
            frame => panic!("report expected, got {frame:?}"),
        }
    }
}

fn key(period: u32) -> PseudonymKey {
    PseudonymKey {
        period,
        key: [7; 32],
    }
}

fn welcome(session: Session) -> Frame {
    Frame::Welcome(Welcome {
        time_unix_s: 0,
        access_points: Vec::new(),
        session,
        agent: "ap-1".parse().expect("name"),
        report_interval_ms: 1_000,
        configure: Configure {
            pseudonym_key: key(1),
        },
        short_ids: 0,
    })
}

fn assert_closed(counters: &Counters) {
    let Counters {
        observations_offered,
        observations_sent,
        dropped,
        ..
    } = *counters;
    assert_eq!(
        observations_offered + dropped.unsent,
        observations_sent + dropped.total()
    );
}

#[test]
fn what_was_dropped_before_the_first_session_counts_in_it() {
    let mut rig = Rig::new(10);
    rig.offer(15);
    assert_eq!(rig.hello().previous, None);
    rig.session.handle_link_lost(&mut rig.batcher, 0);
    rig.offer(1);
    assert_eq!(rig.connect().previous, None);
    rig.hand_over();
    let counters = rig.report().counters;
    assert_eq!(counters.observations_offered, 16);
    assert_eq!(
        (counters.dropped.disconnected, counters.observations_sent),
        (6, 10)
    );
}

#[test]
fn reports_to_a_dead_node_do_not_count_as_told() {
    let mut rig = Rig::new(1_000);
    rig.connect();
    rig.offer(200);
    rig.hand_over();
    let heard = rig.report().counters;
    rig.offer(150);
    rig.hand_over();
    rig.report_unheard();
    rig.offer(150);
    rig.hand_over();
    rig.report_unheard();
    rig.session.handle_received(2_000);
    rig.session.handle_received(2_000);
    rig.cut(rig.handed_over.len());
    assert_eq!(
        rig.hello().previous.expect("a session ended").reported,
        heard
    );
}

#[test]
fn a_lost_link_leaves_books_that_close() {
    let mut rig = Rig::new(1_000);
    rig.connect();
    rig.offer(250);
    rig.hand_over();
    let reported = rig.report().counters;
    rig.offer(150);
    rig.hand_over();
    rig.offer(5);
    assert_eq!(rig.handed_over.len(), 5);
    let unsent = rig.cut(3);
    let hello = rig.hello();
    let previous = hello.previous.expect("a session ended");
    assert_eq!(
        (previous.session, previous.reported),
        (Session(1), reported)
    );
    assert_eq!(
        (
            previous.ended.datagrams_sent,
            previous.ended.datagrams_unsent
        ),
        (5, 2)
    );
    assert_eq!(previous.ended.dropped.unsent, unsent);
    assert_eq!(previous.ended.observations_offered, 400);
    assert_closed(&previous.ended);
    assert_eq!(rig.batcher.counters().observations_offered, 5);
}

#[test]
fn a_hello_without_answer_is_repeated_with_larger_numbers() {
    let mut rig = Rig::new(10);
    rig.connect();
    rig.offer(4);
    rig.hand_over();
    rig.cut(1);
    rig.offer(12);
    let first = rig.hello().previous.expect("a session ended");
    assert_eq!(
        (
            first.ended.observations_offered,
            first.ended.dropped.disconnected
        ),
        (6, 2)
    );
    rig.cut(0);
    rig.offer(3);
    let second = rig.hello().previous.expect("a session ended");
    assert_eq!(
        (second.session, second.reported),
        (first.session, first.reported)
    );
    assert_eq!(
        (
            second.ended.observations_offered,
            second.ended.dropped.disconnected
        ),
        (9, 5)
    );
    assert_closed(&second.ended);
}

#[test]
fn leaving_in_good_order_settles_everything() {
    let mut rig = Rig::new(100);
    rig.connect();
    rig.offer(8);
    rig.hand_over();
    assert!(rig.session.owes(&rig.batcher));
    let last = rig.session.leave(&mut rig.batcher, 1, rig.now_us);
    let Some(Frame::Report(Report {
        counters,
        last: true,
        ..
    })) = last
    else {
        panic!("final report expected, got {last:?}");
    };
    assert_eq!(
        (counters.observations_offered, counters.observations_sent),
        (8, 8)
    );
    assert_closed(&counters);
    assert_eq!(rig.frame(Frame::Settled {}), [Order::Close]);
    assert!(!rig.session.owes(&rig.batcher));
    rig.cut(1);
    let previous = rig.hello().previous.expect("a session ended");
    assert_eq!(previous.reported, previous.ended);
    assert_eq!(rig.session.total(&rig.batcher), counters);
}

#[test]
fn reports_follow_the_interval_and_name_what_still_waits() {
    let mut rig = Rig::new(100);
    assert_eq!(rig.session.report_due_us(), None);
    rig.connect();
    assert!(!rig.session.is_report_due(rig.now_us + SECOND_US - 1, 0));
    assert!(rig.session.is_report_due(rig.now_us + SECOND_US, 0));
    rig.offer(1);
    let heard_at_us = rig.now_us;
    rig.now_us += SECOND_US;
    let report = rig.report();
    assert_eq!((report.clock_us, report.last), (heard_at_us, false));
    rig.hand_over();
    assert_eq!(rig.report().clock_us, rig.now_us);
    assert_eq!(rig.session.report_due_us(), Some(rig.now_us + SECOND_US));
    rig.now_us += SECOND_US;
    rig.session.skip_report(rig.now_us, rig.now_us);
    assert_eq!(rig.session.report_due_us(), Some(rig.now_us + SECOND_US));
}

#[test]
fn a_recording_reports_by_its_own_clock() {
    let mut rig = Rig::new(100);
    rig.session = AgentSession::new("test".to_owned(), Vec::new(), Clock::Recording);
    rig.connect();
    assert!(
        !rig.session
            .is_report_due(rig.now_us, rig.now_us + SECOND_US - 1)
    );
    assert!(
        rig.session
            .is_report_due(rig.now_us, rig.now_us + SECOND_US)
    );
}

#[test]
fn frames_become_orders_only_when_they_make_sense() {
    let mut rig = Rig::new(10);
    assert_eq!(rig.frame(welcome(Session(9))), []);
    rig.hello();
    assert_eq!(rig.frame(Frame::Settled {}), []);
    let configure = Frame::Configure(Configure {
        pseudonym_key: key(2),
    });
    assert_eq!(rig.frame(configure.clone()), []);
    rig.connect();
    assert_eq!(rig.frame(configure), [Order::UseKey(key(2))]);
    assert_eq!(rig.frame(welcome(Session(9))), [], "a session begins once");
    assert_eq!(rig.frame(Frame::Drain {}), [Order::Leave]);
    let redirect = Frame::Redirect {
        address: ":1".to_owned(),
    };
    assert_eq!(rig.frame(redirect), [Order::GoTo(":1".to_owned())]);
    let reject = Frame::Reject {
        reason: "no".to_owned(),
    };
    assert_eq!(rig.frame(reject), [Order::Refused("no".to_owned())]);
    assert_eq!(rig.frame(Frame::Unknown), []);
}

#[test]
fn names_never_make_a_frame_too_long() {
    let name = |i: u64| {
        (
            ClientId(u64::MAX - i),
            format!("{i:063}").parse().expect("name"),
        )
    };
    let frames: Vec<_> = names_frames((0..1_000).map(name)).collect();
    let mut bytes = Vec::new();
    for frame in &frames {
        wire::control::encode_frame(frame, &mut bytes).expect("short enough");
    }
    let told = |frame: &Frame| {
        if let Frame::Names { names } = frame {
            names.len()
        } else {
            0
        }
    };
    assert_eq!(frames.iter().map(told).sum::<usize>(), 1_000);
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u64),
    HandOver,
    Report,
    Wait(u64),
    /// Cut after this share of the datagrams, then maybe one `hello` in vain.
    Reconnect(u8, bool),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u64..300).prop_map(Step::Offer),
        3 => Just(Step::HandOver),
        1 => Just(Step::Report),
        2 => (0_u64..8 * SECOND_US).prop_map(Step::Wait),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(share, vain)| Step::Reconnect(share, vain)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn every_observation_stands_in_exactly_one_session(
        steps in any_steps(),
        queue_observations_max in 1_usize..500,
    ) {
        let mut rig = Rig::new(queue_observations_max);
        let (mut offered, mut sent, mut connected) = (0, 0, false);
        for step in steps {
            match step {
                Step::Offer(count) => {
                    rig.offer(count);
                    offered += count;
                }
                Step::HandOver => rig.hand_over(),
                Step::Report if connected => drop(rig.report()),
                Step::Report => {}
                Step::Wait(us) => rig.now_us += us,
                Step::Reconnect(share, vain) => {
                    if connected {
                        let datagrams = rig.handed_over.len() * usize::from(share) / 255;
                        let unsent = rig.cut(datagrams);
                        sent += rig.handed_over.iter().sum::<u64>() - unsent;
                    }
                    if vain {
                        let previous = rig.hello().previous;
                        rig.book(previous);
                        rig.cut(0);
                        rig.offer(3);
                        offered += 3;
                    }
                    rig.connect();
                    connected = true;
                }
            }
        }
        if !connected {
            rig.connect();
        }
        rig.hand_over();
        sent += rig.handed_over.iter().sum::<u64>();
        let datagrams = rig.handed_over.len() as u64;
        let last = rig.session.leave(&mut rig.batcher, datagrams, rig.now_us);
        let Some(Frame::Report(Report { counters, .. })) = last else { panic!("no final report") };
        rig.booked.push((Session(u64::MAX), counters));
        let mut books = Counters::default();
        for (_, counters) in &rig.booked {
            assert_closed(counters);
            counters::add(&mut books, counters);
        }
        prop_assert_eq!(books.observations_offered, offered);
        prop_assert_eq!(books.observations_sent - books.dropped.unsent, sent);
        prop_assert_eq!(rig.session.total(&rig.batcher), books);
    }
}
