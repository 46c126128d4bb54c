//! The consumer: an inbox client and a subscription, each message's effect a row without a key, so
//! that one that came twice would be seen.

use std::time::Duration;

use outbox::inbox::client::{ClientConfig, InboxClient, Watch};
use outbox::inbox::{
    After, Bell, BoxError, Database, Filter, Gone, Inbox, PollerConfig, Until, subscribe,
};
use outbox::{Message, SqlError, Tx, Value};

use crate::folder::{Folder, again};

/// A page small enough that several are under way when the consumer dies.
const PAGE_MESSAGES: usize = 40;

struct Says;

impl Watch for Says {
    fn trouble(&mut self, what: &str) {
        eprintln!("feed: {what}");
    }

    fn resync(&mut self, gone: &Gone) -> Result<After, BoxError> {
        // Nothing is purged here: a gap is a fault.
        Err(format!("messages are gone: {gone:?}").into())
    }
}

pub(crate) fn run(folder: &Folder) {
    let inbox = Folder::inbox();
    let bell = Bell::new();
    let place = folder.consumer_place();
    let mut database = again(|| Database::open(place.clone()));
    again(|| database.transact(|tx| prepare(tx, &inbox)));
    let handling = std::thread::spawn({
        let (inbox, bell) = (inbox.clone(), bell.clone());
        move || {
            let mut database = again(|| Database::open(place.clone()));
            let mut trouble = |what: &str| eprintln!("subscription: {what}");
            subscribe(
                &mut database,
                &inbox,
                &[],
                Until::Stopped,
                &bell,
                &mut effect,
                &mut trouble,
            );
        }
    });
    let polling = std::thread::spawn({
        let (bell, url) = (bell.clone(), folder.feed_url());
        move || {
            let client = InboxClient::new(config(url), inbox).unwrap();
            while !bell.is_stopped() {
                // A database that is down ends it; as a service would, it begins again.
                if let Err(error) = client.run(&mut database, Until::Stopped, &bell, &mut Says) {
                    eprintln!("polling: {error}");
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    });
    while !folder.is_told_to_stop("consumer") {
        assert!(!handling.is_finished() && !polling.is_finished());
        std::thread::sleep(Duration::from_millis(10));
    }
    bell.stop();
    handling.join().unwrap();
    polling.join().unwrap();
}

fn config(url: String) -> ClientConfig {
    ClientConfig {
        url,
        token: None,
        authorities_pem: Vec::new(),
        filter: Filter::default(),
        poller: PollerConfig {
            wait: Duration::from_secs(1),
            limit: PAGE_MESSAGES,
            pace: Duration::from_millis(20),
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_millis(500),
            ..PollerConfig::default()
        },
        beginning: After::Oldest,
    }
}

fn prepare(tx: &mut Tx<'_>, inbox: &Inbox) -> Result<(), outbox::inbox::SchemaError> {
    inbox.create(tx)?;
    let sql = "CREATE TABLE IF NOT EXISTS effect (id TEXT NOT NULL, resource TEXT NOT NULL)";
    tx.execute(sql, &[])?;
    Ok(())
}

fn effect(tx: &mut Tx<'_>, message: &Message) -> Result<(), BoxError> {
    let values = [
        Value::Text(message.id.to_string()),
        Value::from(message.resource.as_str()),
    ];
    tx.execute("INSERT INTO effect (id, resource) VALUES (?1, ?2)", &values)?;
    Ok(())
}

/// The ids that had an effect, as often as they had it.
pub(crate) fn effects(database: &mut Database) -> Vec<String> {
    let read = |tx: &mut Tx<'_>| -> Result<Vec<String>, SqlError> {
        let rows = tx.query("SELECT id FROM effect", &[])?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    };
    again(|| database.transact(read))
}
