use proptest::prelude::*;

use super::*;

const LEN: u64 = 10;

fn report(sent: u64, last: bool) -> Report {
    let counters = Counters {
        observations_offered: sent * LEN,
        observations_sent: sent * LEN,
        datagrams_sent: sent,
        ..Counters::default()
    };
    Report {
        counters,
        clock_us: 0,
        last,
        counted: None,
    }
}

fn arrive(account: &mut Account, sequence: u64) {
    if account.handle_datagram(sequence, sequence * LEN, LEN) {
        account.fold_datagram(LEN);
    }
}

fn tally(datagrams: u64) -> Tally {
    Tally {
        observations: datagrams * LEN,
        datagrams,
    }
}

#[test]
fn a_session_without_loss_closes() {
    let mut account = Account::default();
    (0..5).for_each(|sequence| arrive(&mut account, sequence));
    account.handle_report(&report(5, true), 5);
    let books = account.books();
    assert_eq!(
        (books.offered, books.folded, books.lost),
        (tally(5), tally(5), tally(0))
    );
    assert_eq!(books.residual(), Tally::default());
}

#[test]
fn a_report_leaves_its_own_interval_to_arrive() {
    let mut account = Account::default();
    arrive(&mut account, 0);
    account.handle_report(&report(3, false), 1);
    assert_eq!(
        account.books().lost,
        tally(0),
        "one and two may be on their way"
    );
    account.handle_report(&report(4, false), 1);
    assert_eq!(
        account.books().lost,
        tally(2),
        "a second later they are lost"
    );
    arrive(&mut account, 2);
    assert_eq!(account.books().lost, tally(1), "or not");
}

#[test]
fn duplicates_and_strangers_keep_the_books_closed() {
    let mut account = Account::default();
    arrive(&mut account, 0);
    arrive(&mut account, 0);
    account.handle_stranger(LEN);
    account.handle_datagram(u64::MAX, 0, LEN);
    account.handle_report(&report(1, true), 4);
    let books = account.books();
    assert_eq!(books.folded, tally(1), "never twice");
    assert_eq!(books.dropped_node.total(), tally(3));
    assert_eq!(books.residual(), Tally::default());
}

#[test]
fn what_was_seen_explains_a_gap() {
    let mut account = Account::default();
    arrive(&mut account, 0);
    arrive(&mut account, 5);
    account.handle_undecodable();
    account.handle_report(&report(6, true), 4);
    let books = account.books();
    assert_eq!(
        books.lost,
        tally(2),
        "four missing, one undecodable, one overflowed"
    );
    assert_eq!(books.dropped_node[DropReason::ReceiveBuffer], tally(1));
    assert_eq!(books.dropped_node[DropReason::Undecodable], tally(1));
    assert_eq!(books.residual(), Tally::default());
}

#[test]
fn what_the_transport_never_sent_is_dropped_at_the_agent() {
    let mut account = Account::default();
    arrive(&mut account, 0);
    account.handle_closed(1);
    let mut ended = report(3, false).counters;
    ended.datagrams_unsent = 1;
    ended.dropped.unsent = LEN;
    ended.dropped.disconnected = 7;
    ended.observations_offered += 7;
    account.settle(&ended);
    let books = account.books();
    assert_eq!((books.lost, books.dropped_agent.unsent), (tally(1), LEN));
    assert_eq!(books.residual(), Tally::default());
}

#[test]
fn a_dead_node_hides_what_came_after_the_last_report() {
    let reported = report(10, false).counters;
    let mut ended = report(14, false).counters;
    ended.datagrams_unsent = 1;
    ended.dropped.unsent = LEN;
    ended.dropped.disconnected = 5;
    ended.observations_offered += 5;
    let end = SessionEnd {
        session: Session(1),
        reported,
        ended,
    };
    let mut account = Account::default();
    account.carry(&end);
    account.carry(&end);
    assert!(account.carries(Session(1)));
    let books = account.books();
    assert_eq!(books.unknown, tally(3), "told twice, booked once");
    assert_eq!(
        books.offered,
        Tally {
            observations: 45,
            datagrams: 4
        }
    );
    assert_eq!(books.residual(), Tally::default());
}

#[test]
fn what_a_dead_agent_still_held_is_unknown() {
    let mut account = Account::default();
    arrive(&mut account, 0);
    let mut holding = report(1, false);
    holding.counters.observations_offered += 7;
    account.handle_report(&holding, 1);
    assert_eq!(
        account.books().residual(),
        Tally {
            observations: 7,
            datagrams: 0
        },
        "under way"
    );
    account.handle_closed(1);
    let books = account.books();
    assert_eq!(
        books.unknown,
        Tally {
            observations: 7,
            datagrams: 0
        }
    );
    assert_eq!(books.residual(), Tally::default());
}

proptest! {
    /// Any order, any loss, any repetition: after the last report the books close and the loss is
    /// the number of sequence numbers that never came.
    #[test]
    fn books_close(arrivals in prop::collection::vec(0u64..300, 0..600), sent in 300u64..400) {
        let mut account = Account::default();
        let mut seen = std::collections::HashSet::new();
        for &sequence in &arrivals {
            arrive(&mut account, sequence);
            seen.insert(sequence);
        }
        account.handle_report(&report(sent, true), arrivals.len() as u64);
        let books = account.books();
        prop_assert_eq!(books.residual(), Tally::default());
        prop_assert_eq!(books.lost, tally(sent - seen.len() as u64));
        prop_assert_eq!(books.folded, tally(seen.len() as u64));
    }
}
