//! What holds for every database: each case runs over SQLite as a test of its own, and over
//! PostgreSQL one after the other in one cluster, each in a new database.

mod commits;
mod ends;
mod pages;
mod pairs;
mod purges;

use outbox::Place;

macro_rules! suite {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[test]
                fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    let place = outbox::Place::Sqlite(folder.path().join("messages.db"));
                    super::$module::$case(&place);
                }
            )*
        }

        const CASES: &[(&str, fn(&Place))] = &[$((stringify!($case), $module::$case)),*];
    };
}

suite!(
    commits::what_is_committed_is_read_in_the_order_of_commits,
    commits::the_same_id_again_stores_nothing_twice,
    commits::a_job_that_refuses_is_rolled_back_alone,
    commits::a_job_that_goes_on_after_an_error_is_kept_only_where_that_is_sound,
    commits::a_closed_store_takes_nothing,
    commits::two_stores_on_one_database_lose_and_repeat_nothing,
    commits::followers_and_hooks_wake,
    commits::nothing_that_a_caller_does_ends_the_writer,
    commits::state_and_cursor_are_of_one_moment,
    commits::the_database_keeps_values_of_every_kind,
    ends::a_store_that_is_dropped_commits_what_waits_and_ends_its_threads,
    ends::the_last_clone_may_go_on_the_writers_own_thread,
    ends::a_writer_that_dies_answers_everybody_who_waits,
    pages::pages_join_without_gap_or_repetition,
    pages::types_and_resources_are_chosen,
    pages::what_the_policy_hides_is_absent,
    pages::members_share_all_resources,
    pages::a_page_looks_at_so_many_rows_and_goes_on,
    pages::since_begins_with_the_first_of_that_time,
    pages::cursors_of_other_histories_are_gone,
    pages::hostile_texts_change_nothing,
    purges::whole_days_go_and_their_cursors_with_them,
    purges::a_late_commit_keeps_its_day_while_younger_ones_lie_before_it,
    purges::a_message_of_a_clock_that_leapt_keeps_no_day,
    purges::a_clock_that_leaps_purges_nothing_until_it_is_accepted,
    purges::a_purged_day_takes_no_message,
    purges::a_purge_that_fails_is_told_until_one_ends_well,
    pairs::pairs_are_kept_beside_messages_and_go_with_them,
    pairs::a_replay_asks_one_transport_again,
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
        case(&Place::Postgres(server.database().unwrap()));
    }
}
