//! The example consumer in plain Python, against a feed over a real store.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use outbox::{Message, Publish as _, PublishError, Store, StoreConfig};

use crate::feed_server::{Answer, Request, Server};

type Resources = Arc<Mutex<std::collections::BTreeMap<String, u64>>>;

/// Changes a resource and publishes that, as one.
fn change(store: &Store, resources: &Resources, resource: &str, version: Option<u64>) {
    let mut resources = resources.lock().unwrap();
    match version {
        Some(version) => resources.insert(resource.to_owned(), version),
        None => resources.remove(resource),
    };
    let message = Message::new("thing.changed".parse().unwrap(), resource.parse().unwrap());
    store
        .transact::<_, PublishError>(move |tx| tx.publish(&message))
        .unwrap();
}

fn resource(resources: &Resources, request: &Request) -> Answer {
    let resources = resources.lock().unwrap();
    let Some(version) = resources.get(&request.path) else {
        return Answer::status("404 Not Found", "{}");
    };
    let tag = format!("\"{version}\"");
    if request.header("if-none-match") == Some(&tag) {
        return Answer::status("304 Not Modified", "");
    }
    Answer::ok(format!("{{\"version\":{version}}}")).with(format!("etag: {tag}"))
}

/// Runs the consumer until there is nothing more.
fn consume(url: &str, database: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/consumer.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(url).arg(database).arg("--once");
    // The loopback is nobody's proxy.
    command
        .env("no_proxy", "*")
        .env("TRILOBITE_TOKEN", "secret");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(text)
}

/// What the consumer knows, read by the library that it does without.
fn known(database: &Path) -> Vec<(String, String)> {
    let mut database =
        outbox::inbox::Database::open(outbox::Place::Sqlite(database.into())).unwrap();
    let read = |tx: &mut outbox::Tx<'_>| {
        let rows = tx.query("SELECT resource, body FROM state ORDER BY resource", &[])?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
            .collect::<Result<Vec<_>, outbox::SqlError>>()
    };
    database.transact(read).unwrap()
}

fn state(pairs: &[(&str, u64)]) -> Vec<(String, String)> {
    let body = |version: &u64| format!("{{\"version\":{version}}}");
    pairs
        .iter()
        .map(|(name, version)| ((*name).to_owned(), body(version)))
        .collect()
}

#[test]
fn a_consumer_in_plain_python_follows_a_feed() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: no python3 on this machine");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("consumer.sqlite");
    let open =
        |name: &str| Store::open(StoreConfig::sqlite(folder.path().join(name)), &[]).unwrap();
    let (store, resources) = (open("outbox.db"), Resources::default());
    let reading = Arc::clone(&resources);
    let server = Server::feed(store.clone(), move |request| resource(&reading, request));

    for number in 0..5 {
        change(&store, &resources, "/things/a", Some(number));
        change(&store, &resources, "/things/b", Some(number));
    }
    consume(&server.url, &database).unwrap();
    assert_eq!(
        known(&database),
        state(&[("/things/a", 4), ("/things/b", 4)])
    );
    {
        let asked = server.asked.lock().unwrap();
        let reads = asked
            .iter()
            .filter(|request| request.path == "/things/a")
            .count();
        assert_eq!(reads, 1, "five changes, one read");
        assert!(
            asked
                .iter()
                .all(|one| one.header("authorization") == Some("Bearer secret"))
        );
    }

    // One goes, one is told of without having changed: nothing is read twice.
    change(&store, &resources, "/things/b", None);
    change(&store, &resources, "/things/a", Some(4));
    server.asked.lock().unwrap().clear();
    consume(&server.url, &database).unwrap();
    assert_eq!(known(&database), state(&[("/things/a", 4)]));
    let read = |path: &str| {
        let asked = server.asked.lock().unwrap();
        asked.iter().find(|request| request.path == path).cloned()
    };
    assert_eq!(
        read("/things/a").unwrap().header("if-none-match"),
        Some("\"4\"")
    );

    // Another history of the store: what is known is looked at again, and the feed goes on.
    drop(server);
    let store = open("other.db");
    let reading = Arc::clone(&resources);
    let server = Server::feed(store.clone(), move |request| resource(&reading, request));
    change(&store, &resources, "/things/c", Some(7));
    resources.lock().unwrap().insert("/things/a".to_owned(), 5);
    consume(&server.url, &database).unwrap();
    assert_eq!(
        known(&database),
        state(&[("/things/a", 5), ("/things/c", 7)])
    );

    // A feed that does not answer changes nothing.
    drop(server);
    let gone = Server::start(|_| Answer::status("500 Internal Server Error", "<html>"));
    let trouble = consume(&gone.url, &database).unwrap_err();
    assert!(trouble.contains("HTTP 500"), "{trouble}");
    assert_eq!(known(&database).len(), 2);
}
