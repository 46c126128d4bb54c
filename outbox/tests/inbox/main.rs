//! The inbox against real databases and over real HTTP.
//!
//! What holds for every database runs over SQLite as a test of its own, and over PostgreSQL one case
//! after the other in one cluster, each in a new database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod competing;
mod failures;
mod feed_server;
mod http;
mod python;
mod receiving;
mod rig;
mod shuffled;

use outbox::Place;
use rig::Rig;

macro_rules! suite {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[test]
                fn $case() {
                    super::$module::$case(&super::Rig::sqlite());
                }
            )*
        }

        const CASES: &[(&str, fn(&Rig))] = &[$((stringify!($case), $module::$case)),*];
    };
}

suite!(
    receiving::a_page_that_comes_again_changes_nothing,
    receiving::large_pages_are_stored_whole,
    receiving::the_cursor_comes_with_the_page_and_an_overlap_leaves_it,
    receiving::inboxes_of_one_database_do_not_know_each_other,
    receiving::unwanted_types_are_ignored_and_subscribers_take_their_own,
    receiving::a_crash_between_receiving_and_handling_loses_nothing_and_repeats_nothing,
    receiving::only_the_newest_of_a_resource_waits_where_that_is_wanted,
    receiving::what_is_being_handled_makes_no_message_superfluous,
    receiving::ids_are_forgotten_when_both_clocks_call_them_old,
    receiving::what_waits_or_is_dead_stays_known,
    receiving::a_clock_that_was_ahead_delays_nothing_for_ever,
    failures::a_failure_leaves_no_effect_and_is_tried_ever_more_seldom_until_dead,
    failures::panics_and_broken_statements_are_failures_like_others,
    failures::a_handler_that_overlooks_an_error_has_a_whole_effect_or_none,
    failures::poison_stops_nobody,
    failures::dead_letters_are_listed_replayed_and_dropped_by_failure_or_id,
    failures::what_is_lent_is_nobody_elses_until_its_lease_ends,
    failures::a_lent_message_is_done_or_undone_or_given_back,
    failures::a_subscription_handles_all_and_tells_what_failed,
    competing::competing_consumers_and_receivers_handle_each_message_once,
    competing::a_consumer_that_fails_its_transaction_leaves_the_message_to_others,
    shuffled::whatever_the_network_does_the_end_state_is_right,
);

#[test]
fn on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = outbox::testing::PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    for (name, case) in CASES {
        // A panic below is told with the case that it came from.
        eprintln!("on PostgreSQL: {name}");
        case(&Rig::at(Place::Postgres(server.database().unwrap())));
    }
}
