//! Schemas: one version to the next, over tables that the previous one made.

use outbox::testing::PostgresServer;
use outbox::{
    Component, MigrateError, Migrated, Migration, OpenError, Place, Publish as _, PublishError,
    Store, Value, migrate_store,
};

use crate::support::{config, from_oldest, messages, open, publish};

/// A store as the program with schema 1 left it, with three messages in two days.
const SCHEMA_1_SQLITE: &str = include_str!("../fixtures/schema_1_sqlite.sql");
const SCHEMA_1_POSTGRES: &str = include_str!("../fixtures/schema_1_postgres.sql");

const ROOMS_1: Migration = Migration {
    version: 1,
    sqlite: "CREATE TABLE room (name TEXT PRIMARY KEY)",
    postgres: "CREATE TABLE room (name text PRIMARY KEY)",
};
const ROOMS_2: Migration = Migration {
    version: 2,
    sqlite: "ALTER TABLE room ADD COLUMN seats INTEGER NOT NULL DEFAULT 4",
    postgres: "ALTER TABLE room ADD COLUMN seats bigint NOT NULL DEFAULT 4",
};
const OLD: Component = Component {
    name: "rooms",
    migrations: &[ROOMS_1],
};
const NEW: Component = Component {
    name: "rooms",
    migrations: &[ROOMS_1, ROOMS_2],
};

/// Runs a case over a store of schema 1 in both databases.
fn over_schema_1(case: fn(&Place)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(SCHEMA_1_SQLITE)
        .unwrap();
    case(&Place::Sqlite(path));
    let Some(server) = PostgresServer::start_below(folder.path()).unwrap() else {
        return;
    };
    let address = server.database().unwrap();
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    client.batch_execute(SCHEMA_1_POSTGRES).unwrap();
    drop(client);
    case(&Place::Postgres(address));
}

#[test]
fn a_store_of_the_previous_schema_keeps_its_messages_and_gains_what_is_new() {
    over_schema_1(|place| {
        let versions = outbox::inspect(&config(place)).unwrap().versions;
        assert_eq!(versions, [("outbox".to_owned(), 1)]);
        let done = migrate_store(&config(place), &[NEW]).unwrap();
        let step = |component: &str, from, to| Migrated {
            component: component.to_owned(),
            from,
            to,
        };
        assert_eq!(done, [step("outbox", 1, 2), step("rooms", 0, 2)]);
        assert!(migrate_store(&config(place), &[NEW]).unwrap().is_empty());

        let store = open(place);
        let old = from_oldest(&store);
        let resources: Vec<_> = old
            .iter()
            .map(|message| message.resource.as_str())
            .collect();
        assert_eq!(resources, ["/old/1", "/old/2", "/old/3"]);
        // What schema 2 added works beside old messages.
        store.put_kv(old[0].id, "nats", "acked", "1").unwrap();
        assert_eq!(store.kv(old[0].id, "nats").unwrap().len(), 1);
        publish(&store, &old);
        publish(&store, &messages(2));
        assert_eq!(from_oldest(&store).len(), 5);
    });
}

#[test]
fn opening_migrates_as_well_and_components_keep_their_rows() {
    over_schema_1(|place| {
        let store = Store::open(config(place), &[OLD]).unwrap();
        let message = messages(1).remove(0);
        store
            .transact(move |tx| {
                tx.execute(
                    "INSERT INTO room (name) VALUES (?1)",
                    &[Value::from("blue")],
                )?;
                tx.publish(&message)?;
                Ok::<_, PublishError>(())
            })
            .unwrap();
        store.close();
        let store = Store::open(config(place), &[NEW]).unwrap();
        let rows = store
            .read(|reading| reading.query("SELECT name, seats FROM room", &[]))
            .unwrap();
        assert_eq!(
            (rows[0].text(0).unwrap(), rows[0].integer(1).unwrap()),
            ("blue", 4)
        );
    });
}

#[test]
fn tables_of_a_newer_program_are_refused_and_not_touched() {
    over_schema_1(|place| {
        Store::open(config(place), &[NEW]).unwrap().close();
        let Err(OpenError::Migrate { source, .. }) = Store::open(config(place), &[OLD]) else {
            panic!("a newer schema was opened");
        };
        assert!(matches!(
            source,
            MigrateError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ));
        assert!(
            source.to_string().contains("run the newer program"),
            "{source}"
        );

        let store = open(place);
        store
            .transact(|tx| tx.execute("UPDATE outbox_version SET version = 99", &[]))
            .unwrap();
        store.close();
        let Err(error) = Store::open(config(place), &[]) else {
            panic!("opened")
        };
        assert!(
            error
                .to_string()
                .contains("the tables of outbox have version 99"),
            "{error}"
        );
    });
}

#[test]
fn a_step_that_fails_changes_nothing() {
    const BROKEN: Migration = Migration {
        version: 2,
        sqlite: "CREATE TABLE half (n INTEGER); INSERT INTO nowhere VALUES (1)",
        postgres: "CREATE TABLE half (n bigint); INSERT INTO nowhere VALUES (1)",
    };
    const MISNUMBERED: Component = Component {
        name: "rooms",
        migrations: &[ROOMS_2],
    };
    const TAKEN: Component = Component {
        name: "outbox",
        migrations: &[ROOMS_1],
    };
    over_schema_1(|place| {
        let broken = Component {
            name: "rooms",
            migrations: &[ROOMS_1, BROKEN],
        };
        assert!(Store::open(config(place), &[broken]).is_err());
        for wrong in [MISNUMBERED, TAKEN] {
            let refused = Store::open(config(place), &[wrong]);
            assert!(matches!(
                refused,
                Err(OpenError::Migrate {
                    source: MigrateError::Steps(_),
                    ..
                })
            ));
        }
        let versions = outbox::inspect(&config(place)).unwrap().versions;
        assert_eq!(versions, [("outbox".to_owned(), 1)]);
        Store::open(config(place), &[NEW]).unwrap();
    });
}
