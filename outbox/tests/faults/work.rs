//! What is done under each fault, and what must be there afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use outbox::inbox::{
    Bell, BoxError, Database, FeedPage, Inbox, InboxConfig, Purpose, Until, subscribe,
};
use outbox::{
    Component, Message, Migration, PageQuery, Place, Publish as _, PublishError, Published, Row,
    SqlError, Start, Store, StoreConfig, Time, TransactError, Tx, Value,
};

const STATE: Component = Component {
    name: "fault_rig",
    migrations: &[Migration {
        version: 1,
        sqlite: "CREATE TABLE state (id TEXT PRIMARY KEY, resource TEXT NOT NULL)",
        postgres: "CREATE TABLE state (id TEXT PRIMARY KEY, resource TEXT NOT NULL)",
    }],
};

/// Transactions of a run, and messages in each.
const ROUNDS: usize = 3;
const EACH: usize = 2;

/// Most tries of anything: one fault costs one or two.
const TRIES_MAX: usize = 20;

pub(crate) fn open(place: &Place) -> Result<Store, outbox::OpenError> {
    let config = StoreConfig {
        commit_window: Duration::ZERO,
        purge_interval: Duration::ZERO,
        look_interval: Duration::from_secs(3_600),
        headroom_bytes: 1 << 20,
        readers: 1,
        ..StoreConfig::new(place.clone())
    };
    Store::open(config, &[STATE])
}

/// Tries until it works, and that must be soon.
pub(crate) fn again<T, E: std::fmt::Display>(mut work: impl FnMut() -> Result<T, E>) -> T {
    let mut said = Vec::new();
    for _ in 0..TRIES_MAX {
        match work() {
            Ok(done) => return done,
            Err(error) => said.push(error.to_string()),
        }
    }
    panic!("it never works again: {said:?}");
}

pub(crate) fn messages() -> Vec<Vec<Message>> {
    let one = |number: usize| {
        let resource = format!("/things/{number}").parse().unwrap();
        Message::new("thing.made".parse().unwrap(), resource)
    };
    (0..ROUNDS)
        .map(|round| (0..EACH).map(|number| one(round * EACH + number)).collect())
        .collect()
}

/// State and messages in one transaction.
pub(crate) fn change(tx: &mut Tx<'_>, messages: &[Message]) -> Result<(), PublishError> {
    for message in messages {
        if tx.publish(message)? == Published::New {
            let values = [
                Value::Text(message.id.to_string()),
                Value::from(message.resource.as_str()),
            ];
            tx.execute("INSERT INTO state (id, resource) VALUES (?1, ?2)", &values)?;
        }
    }
    Ok(())
}

/// What happened to those who gave something.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Refused, and nothing was committed.
    pub(crate) not_committed: usize,
    /// Commits without an answer.
    pub(crate) unknown: usize,
}

/// Gives each round until it is acknowledged. What was refused must not be there.
pub(crate) fn write(place: &Place, rounds: &[Vec<Message>], told: &mut Told) {
    let store = again(|| open(place));
    for round in rounds {
        again(|| {
            let messages = round.clone();
            let given = store.transact(move |tx| change(tx, &messages));
            let Err(error) = given else { return Ok(()) };
            match error {
                TransactError::Unknown(_) => told.unknown += 1,
                _ => {
                    told.not_committed += 1;
                    let there = again(|| rows(&store, "SELECT id FROM state"));
                    let id = round[0].id.to_string();
                    assert!(!there.contains(&id), "{error}, and it is there");
                }
            }
            Err(error)
        });
    }
    store.close();
}

fn rows(store: &Store, sql: &str) -> Result<Vec<String>, SqlError> {
    store.read(|reading| texts(&reading.query(sql, &[])?))
}

fn texts(rows: &[Row]) -> Result<Vec<String>, SqlError> {
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

pub(crate) fn inbox() -> Inbox {
    Inbox::new(InboxConfig::new("faults")).unwrap()
}

/// The consumer's tables.
pub(crate) fn prepare(place: &Place) -> Database {
    let mut database = again(|| Database::open(place.clone()));
    again(|| {
        database.transact(|tx| -> Result<(), outbox::inbox::SchemaError> {
            inbox().create(tx)?;
            let sql = "CREATE TABLE IF NOT EXISTS effect (id TEXT NOT NULL)";
            tx.execute(sql, &[])?;
            Ok(())
        })
    });
    database
}

/// Receives all that the store has, in small pages, and handles it.
pub(crate) fn consume(store: &Place, place: &Place) {
    let store = again(|| open(store));
    let mut database = prepare(place);
    let inbox = inbox();
    let mut after = Start::Oldest;
    loop {
        let query = PageQuery {
            limit: 4,
            ..PageQuery::new(after)
        };
        let page = again(|| store.page(&query));
        let given = FeedPage {
            messages: page.messages,
            next: page.next.to_string().parse().unwrap(),
            more: page.more,
        };
        again(|| database.transact(|tx| inbox.receive(tx, &given, Purpose::Onward, Time::now())));
        if !page.more {
            break;
        }
        after = Start::Cursor(page.next);
    }
    handle(&mut database);
}

pub(crate) fn handle(database: &mut Database) {
    let effect = |tx: &mut Tx<'_>, message: &Message| -> Result<(), BoxError> {
        let values = [Value::Text(message.id.to_string())];
        tx.execute("INSERT INTO effect (id) VALUES (?1)", &values)?;
        Ok(())
    };
    subscribe(
        database,
        &inbox(),
        &[],
        Until::Idle,
        &Bell::new(),
        &mut { effect },
        &mut |_| {},
    );
    // A handler whose statement failed is tried again a second later: the retry is not waited for.
    let later = Time::now().plus(Duration::from_secs(3_600));
    let attempt = |database: &mut Database| {
        again(|| database.transact(|tx| inbox().attempt(tx, &[], later, &mut { effect })))
    };
    while !matches!(attempt(database), outbox::inbox::Attempt::Nothing(_)) {}
}

/// Everything once, in the store, in the state, in the consumer's effects.
pub(crate) fn check(store: &Place, consumer: &Place, rounds: &[Vec<Message>]) {
    let expected: BTreeSet<String> = rounds
        .iter()
        .flatten()
        .map(|message| message.id.to_string())
        .collect();
    let once = |what: &str, found: Vec<String>| {
        let set: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(set, expected, "{what}");
        assert_eq!(found.len(), expected.len(), "{what}: twice");
    };
    let store = open(store).unwrap();
    let page = store.page(&PageQuery::new(Start::Oldest)).unwrap();
    let ids = page.messages.iter().map(|message| message.id.to_string());
    once("messages", ids.collect());
    once("state", rows(&store, "SELECT id FROM state").unwrap());
    let mut database = Database::open(consumer.clone()).unwrap();
    let effects = database.transact(|tx| texts(&tx.query("SELECT id FROM effect", &[])?));
    once("effects", effects.unwrap());
    let status = database.transact(|tx| inbox().status(tx)).unwrap();
    assert_eq!((status.waiting, status.dead), (0, 0));
}
