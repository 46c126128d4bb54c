//! The client against feeds that work, that lie, and that no longer have what was missed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use outbox::inbox::client::{ClientConfig, ClientError, InboxClient, Token, Watch};
use outbox::inbox::limits::BODY_BYTES_MAX;
use outbox::inbox::{After, Bell, BoxError, Filter, Gone, Inbox, PollerConfig, Until};
use outbox::{Message, Publish as _, PublishError, Store, StoreConfig, Time};

use crate::feed_server::{Answer, Request, Server, body};
use crate::rig::{Rig, drain, effects, inbox, message};

/// Notes what it hears, and goes on from the oldest.
#[derive(Default)]
struct Notes {
    troubles: Vec<String>,
    resyncs: Vec<Gone>,
}

impl Watch for Notes {
    fn trouble(&mut self, what: &str) {
        self.troubles.push(what.to_owned());
    }

    fn resync(&mut self, gone: &Gone) -> Result<After, BoxError> {
        self.resyncs.push(gone.clone());
        Ok(gone.oldest.clone().map_or(After::Oldest, After::Cursor))
    }
}

fn config(url: &str) -> ClientConfig {
    ClientConfig {
        url: url.to_owned(),
        token: None,
        authorities_pem: Vec::new(),
        filter: Filter::default(),
        poller: PollerConfig::default(),
        beginning: After::Oldest,
    }
}

fn client(url: &str, inbox: &Inbox) -> InboxClient {
    InboxClient::new(config(url), inbox.clone()).unwrap()
}

/// Polls until there is nothing more.
fn poll(rig: &Rig, client: &InboxClient, notes: &mut Notes) -> Result<(), ClientError> {
    client.run(&mut rig.database(), Until::Idle, &Bell::new(), notes)
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig::sqlite(folder.path().join("outbox.db")), &[]).unwrap();
    (folder, store)
}

fn publish(store: &Store, messages: &[Message]) {
    let messages = messages.to_vec();
    let publish = move |tx: &mut outbox::Tx<'_>| {
        messages
            .iter()
            .try_for_each(|message| tx.publish(message).map(|_| ()))
    };
    store.transact::<_, PublishError>(publish).unwrap();
}

fn new(kind: &str, resource: &str) -> Message {
    Message::new(kind.parse().unwrap(), resource.parse().unwrap())
}

fn nothing(_: &Request) -> Answer {
    Answer::status("404 Not Found", "{}")
}

#[test]
fn a_feed_is_read_to_its_end_and_once_more_without_effect() {
    let (_folder, store) = store();
    let all: Vec<Message> = (0..2_500)
        .map(|n| new("zone.entered", &format!("/r/{n}")))
        .collect();
    publish(&store, &all);
    let server = Server::feed(store.clone(), nothing);
    let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
    let mut database = rig.ready(&inbox);
    let client = client(&server.url, &inbox);
    poll(&rig, &client, &mut Notes::default()).unwrap();
    assert_eq!(drain(&mut database, &inbox, Time::now()), 2_500);
    server.asked.lock().unwrap().clear();
    // A new process: an overlap by time first, then on by cursor; everything is known already.
    let late = new("zone.left", "/r/1");
    publish(&store, std::slice::from_ref(&late));
    poll(&rig, &client, &mut Notes::default()).unwrap();
    let asked = server.asked.lock().unwrap().clone();
    assert!(asked[0].parameter("since").is_some(), "{asked:?}");
    assert!(
        asked.last().unwrap().parameter("after").is_some(),
        "{asked:?}"
    );
    assert_eq!(drain(&mut database, &inbox, Time::now()), 1);
    assert_eq!(effects(&mut database).len(), 2_501);
}

#[test]
fn what_is_wanted_is_asked_for_with_the_token() {
    let server = Server::start(|_| Answer::ok(body(&[], "c1", false)));
    let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
    rig.ready(&inbox);
    let config = ClientConfig {
        token: Some(Token::new("s3cret\n").unwrap()),
        filter: Filter {
            kinds: vec!["zone.*".into()],
            sites: vec!["h q".into()],
            coalesce: true,
        },
        beginning: After::Head,
        ..config(&server.url)
    };
    let client = InboxClient::new(config, inbox).unwrap();
    poll(&rig, &client, &mut Notes::default()).unwrap();
    let asked = server.asked.lock().unwrap().clone();
    let request = &asked[0];
    assert_eq!(request.path, "/messages");
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
    let expected = [
        ("after", "head"),
        ("type", "zone.*"),
        ("site", "h q"),
        ("coalesce", "resource"),
    ];
    for (name, value) in expected {
        assert_eq!(request.parameter(name), Some(value), "{name}");
    }
}

/// Answers that are none, each refused whole; after it the same client takes a good page.
#[test]
fn a_server_that_lies_is_not_believed_and_stores_nothing() {
    let good = message(1, "zone.entered", "/a");
    let page = |message: &str| format!(r#"{{"messages":[{message}],"next":"c","more":false}}"#);
    let whole = serde_json::to_string(&good).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        // A good message first: nothing of a page that is wrong in part is stored either.
        Answer::ok(page(&format!("{whole},{}", whole.replace(from, to))))
    };
    let huge = vec![b' '; BODY_BYTES_MAX + 2];
    let many = vec![whole.as_str(); 10_001].join(",");
    let lies: Vec<(&str, Answer)> = vec![
        ("nothing", Answer::ok("")),
        ("no JSON", Answer::ok("<html>hello</html>")),
        ("half of it", Answer::ok(&page(&whole).as_bytes()[..40])),
        ("another shape", Answer::ok("[1,2,3]")),
        ("no cursor", Answer::ok(r#"{"messages":[],"more":false}"#)),
        (
            "a long cursor",
            Answer::ok(body(&[], &"c".repeat(300), false)),
        ),
        (
            "a cursor that breaks lines",
            Answer::ok(body(&[], "a\nb", false)),
        ),
        (
            "wrong types",
            Answer::ok(r#"{"messages":{},"next":1,"more":"no"}"#),
        ),
        ("a fifth field", changed(r#""id""#, r#""payload":1,"id""#)),
        (
            "an id that is none",
            changed("00000000-0000-7000", "00000000-0000-1000"),
        ),
        (
            "a type that is none",
            changed("zone.entered", "Zone Entered"),
        ),
        ("a resource that climbs", changed(r#""/a""#, r#""/a/../b""#)),
        (
            "a time that is none",
            changed(&good.time.to_string(), "yesterday"),
        ),
        ("too many messages", Answer::ok(page(&many))),
        ("a huge body", Answer::ok(huge)),
        ("deep JSON", Answer::ok("[".repeat(1_000_000))),
        (
            "a body cut short",
            Answer::ok(page(&whole)).with("content-length: 100000"),
        ),
        ("bytes that are no text", Answer::ok(vec![0xff; 1_000])),
        (
            "an error",
            Answer::status("500 Internal Server Error", "sorry"),
        ),
        (
            "a way elsewhere",
            Answer::status("302 Found", "").with("location: http://127.0.0.1:1/"),
        ),
        ("no token", Answer::status("401 Unauthorized", "{}")),
        ("a status that is none", Answer::status("999 Strange", "{}")),
    ];
    for (name, lie) in lies {
        let count = Arc::new(AtomicUsize::new(0));
        let (counting, truth) = (Arc::clone(&count), page(&whole));
        let server = Server::start(move |_| match counting.fetch_add(1, Ordering::SeqCst) {
            0 => lie.clone(),
            _ => Answer::ok(truth.clone()),
        });
        let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
        let mut database = rig.ready(&inbox);
        let client = client(&server.url, &inbox);
        let refused = poll(&rig, &client, &mut Notes::default());
        assert!(
            matches!(refused, Err(ClientError::NoPage(_))),
            "{name}: {refused:?}"
        );
        let status = database.transact(|tx| inbox.status(tx)).unwrap();
        assert_eq!(
            (status.seen, status.waiting, status.cursor),
            (0, 0, None),
            "{name}"
        );
        poll(&rig, &client, &mut Notes::default()).unwrap();
        let status = database.transact(|tx| inbox.status(tx)).unwrap();
        assert_eq!((status.seen, status.waiting), (1, 1), "{name}");
        assert_eq!(count.load(Ordering::SeqCst), 2, "{name}");
    }
}

#[test]
fn failures_are_told_and_tried_again_until_stopped() {
    let answers = Arc::new(Mutex::new(vec![
        Answer::ok(body(&[message(1, "a", "/a")], "c1", false)),
        Answer::status("429 Too Many Requests", "{}").with("retry-after: 0"),
        Answer::status("500 Internal Server Error", "{}"),
    ]));
    let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
    rig.ready(&inbox);
    let bell = Bell::new();
    let stopping = bell.clone();
    let server = Server::start(move |_| match answers.lock().unwrap().pop() {
        Some(answer) => answer,
        None => {
            stopping.stop();
            Answer::ok(body(&[], "c2", false))
        }
    });
    let mut notes = Notes::default();
    let client = client(&server.url, &inbox);
    client
        .run(&mut rig.database(), Until::Stopped, &bell, &mut notes)
        .unwrap();
    assert_eq!(notes.troubles.len(), 2, "{:?}", notes.troubles);
    assert!(notes.troubles[0].contains("500") && notes.troubles[1].contains("429"));
    assert!(bell.rings() > 0, "what was stored rings");
    let resume = rig
        .database()
        .transact(|tx| inbox.resume(tx, After::Oldest))
        .unwrap();
    assert_eq!(resume.after, After::Cursor("c2".parse().unwrap()));
}

#[test]
fn a_gap_asks_for_the_state_and_then_goes_on() {
    let (_folder, store) = store();
    let server = Server::feed(store.clone(), nothing);
    let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
    let mut database = rig.ready(&inbox);
    publish(&store, &[new("a", "/a")]);
    let client = client(&server.url, &inbox);
    // A place in another history of the store, as after it was restored from a backup.
    let other = After::Cursor("1-0-5".parse().unwrap());
    database
        .transact(|tx| inbox.go_on_from(tx, &other))
        .unwrap();
    let mut notes = Notes::default();
    poll(&rig, &client, &mut notes).unwrap();
    assert_eq!(notes.resyncs.len(), 1, "{:?}", notes.troubles);
    assert_eq!(notes.resyncs[0].resync.as_deref(), Some("/api/v1/sites"));
    assert_eq!(drain(&mut database, &inbox, Time::now()), 1);
    let mut notes = Notes::default();
    poll(&rig, &client, &mut notes).unwrap();
    assert_eq!(notes.resyncs, []);
}

#[test]
fn a_gap_that_nobody_can_mend_ends_the_run_and_comes_again() {
    struct Stubborn;
    impl Watch for Stubborn {
        fn trouble(&mut self, _: &str) {}
        fn resync(&mut self, _: &Gone) -> Result<After, BoxError> {
            Err("cannot read the state".into())
        }
    }
    let server = Server::start(|_| Answer::status("410 Gone", "no JSON"));
    let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
    rig.ready(&inbox);
    let client = client(&server.url, &inbox);
    for until in [Until::Idle, Until::Stopped] {
        let ended = client.run(&mut rig.database(), until, &Bell::new(), &mut Stubborn);
        assert!(matches!(ended, Err(ClientError::Resync(_))), "{ended:?}");
    }
}

#[test]
fn a_feed_that_keeps_messages_for_longer_than_ids_are_known_is_refused() {
    let server = Server::start(|_| {
        Answer::ok(body(&[message(1, "a", "/a")], "c1", false)).with("retention-days: 7")
    });
    let (rig, small) = (Rig::sqlite(), inbox(|_| {}));
    let mut database = rig.ready(&small);
    let refused = poll(&rig, &client(&server.url, &small), &mut Notes::default());
    let Err(error @ ClientError::Window(_)) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("at least 8 days"), "{error}");
    let status = database.transact(|tx| small.status(tx)).unwrap();
    assert_eq!(status.seen, 0);
    let large = inbox(|config| config.window_days = 8);
    poll(&rig, &client(&server.url, &large), &mut Notes::default()).unwrap();
}

#[test]
fn what_a_broker_brought_is_known_when_it_is_polled() {
    let (_folder, store) = store();
    let some = [new("a", "/a"), new("a", "/b")];
    publish(&store, &some);
    let server = Server::feed(store, nothing);
    let (rig, inbox) = (Rig::sqlite(), inbox(|_| {}));
    let mut database = rig.ready(&inbox);
    let client = client(&server.url, &inbox);
    let brought = |tx: &mut outbox::Tx<'_>| client.receive_from_broker(tx, &some[1], Time::now());
    assert_eq!(database.transact(brought).unwrap().stored, 1);
    assert_eq!(database.transact(brought).unwrap().stored, 0);
    poll(&rig, &client, &mut Notes::default()).unwrap();
    assert_eq!(drain(&mut database, &inbox, Time::now()), 2);
}
