//! What tests of several modules share.

/// Runs cases, functions of the place of a store: over SQLite each as a test of its own, over
/// PostgreSQL one after the other in one server, each in a new database.
macro_rules! over_both_stores {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[test]
                fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    super::$case(&outbox::Place::Sqlite(folder.path().join("outbox.sqlite")));
                }
            )*
        }

        #[test]
        fn on_postgres() {
            let folder = tempfile::tempdir().unwrap();
            let server = outbox::testing::PostgresServer::start_below(folder.path()).unwrap();
            // Where there is none, that has been said.
            let Some(server) = server else { return };
            let cases: &[(&str, fn(&outbox::Place))] = &[$((stringify!($case), $case)),*];
            for (name, case) in cases {
                // A panic below is told with the case that it came from.
                eprintln!("on PostgreSQL: {name}");
                case(&outbox::Place::Postgres(server.database().unwrap()));
            }
        }
    };
}

pub(crate) use over_both_stores;
