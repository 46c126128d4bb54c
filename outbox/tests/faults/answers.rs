//! The n-th answer of the feed fails: it says so, it is cut off, or it never comes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use outbox::feed::{Answer, Feed};
use outbox::inbox::client::{ClientConfig, InboxClient, Watch};
use outbox::inbox::{After, Bell, BoxError, Filter, Gone, PollerConfig, Until};
use outbox::{PageError, Place, Store};

use crate::work::{Told, check, handle, inbox, messages, open, prepare, write};

/// What becomes of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// 503, come back.
    Unavailable,
    /// A page of somebody in between.
    Nonsense,
    /// Cut in the head, in the middle of the body, before the last byte.
    CutHead,
    CutBody,
    CutEnd,
    /// The connection ends without an answer.
    Nothing,
}

struct Says(Vec<String>);

impl Watch for Says {
    fn trouble(&mut self, what: &str) {
        self.0.push(what.to_owned());
    }

    fn resync(&mut self, gone: &Gone) -> Result<After, BoxError> {
        Err(format!("messages are gone: {gone:?}").into())
    }
}

/// A feed over the store whose answers fail from the n-th on, so many of them.
fn serve(store: Store, nth: i64, count: i64, how: How) -> (String, Arc<AtomicI64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&asked);
    // Ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let how = (nth..nth + count).contains(&number).then_some(how);
            // Whoever hangs up has had enough.
            let _ = answer(&store, stream, how);
        }
    });
    (url, asked)
}

fn answer(store: &Store, mut stream: TcpStream, how: Option<How>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let line = lines.next()?.ok()?;
    let (_, query) = line.split(' ').nth(1)?.split_once('?')?;
    while !lines.next()?.ok()?.is_empty() {}
    let answer = page(store, query);
    let mut bytes = format!(
        "HTTP/1.1 {} Answer\r\nconnection: close\r\ncontent-length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    let head = bytes.len() + 2;
    let mut bytes = (bytes + "\r\n").into_bytes();
    bytes.extend(&answer.body);
    match how {
        None => {}
        Some(How::Unavailable) => {
            bytes = b"HTTP/1.1 503 Later\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".into();
        }
        Some(How::Nonsense) => {
            bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 15\r\n\r\n<html>hi</html>".into();
        }
        Some(How::CutHead) => bytes.truncate(head / 2),
        Some(How::CutBody) => bytes.truncate(head + answer.body.len() / 2),
        Some(How::CutEnd) => bytes.truncate(bytes.len() - 1),
        Some(How::Nothing) => bytes.clear(),
    }
    stream.write_all(&bytes).ok()
}

fn page(store: &Store, query: &str) -> Answer {
    let feed = Feed {
        path: "/messages".to_owned(),
        site_prefix: "/".to_owned(),
        resync: "/things".to_owned(),
        source: "/messages".to_owned(),
        retention_days: 5,
    };
    let ask = match feed.ask(Some(query), []) {
        Ok(ask) => ask,
        Err(refusal) => return refusal,
    };
    match store.page(&ask.page) {
        Ok(page) => feed.answer(&ask, page),
        Err(PageError::Gone { oldest }) => feed.gone(&oldest),
        Err(_) => feed.unavailable(),
    }
}

/// Polls until there is nothing more, as a service does that starts again after each failure. How
/// often it was told of one, and how many answers there were.
fn poll(store: &Place, consumer: &Place, nth: i64, count: i64, how: How) -> (usize, i64) {
    let (url, asked) = serve(open(store).unwrap(), nth, count, how);
    let mut database = prepare(consumer);
    let config = ClientConfig {
        url,
        token: None,
        authorities_pem: Vec::new(),
        filter: Filter::default(),
        poller: PollerConfig {
            limit: 2,
            wait: Duration::ZERO,
            ..PollerConfig::default()
        },
        beginning: After::Oldest,
    };
    let client = InboxClient::new(config, inbox()).unwrap();
    let mut failures = 0;
    let mut says = Says(Vec::new());
    while let Err(error) = client.run(&mut database, Until::Idle, &Bell::new(), &mut says) {
        failures += 1;
        assert!(failures < 20, "it never works again: {error}");
        handle(&mut database);
    }
    handle(&mut database);
    (failures, asked.load(Ordering::SeqCst))
}

#[test]
fn an_answer_that_fails_or_is_cut_loses_and_repeats_nothing() {
    let ways = [
        How::Unavailable,
        How::Nonsense,
        How::CutHead,
        How::CutBody,
        How::CutEnd,
        How::Nothing,
    ];
    for how in ways {
        for count in [1, 3] {
            let mut nth = 1;
            loop {
                let folder = tempfile::tempdir().unwrap();
                let place = |name: &str| Place::Sqlite(folder.path().join(name));
                let (store, consumer) = (place("store.db"), place("consumer.db"));
                let rounds = messages();
                write(&store, &rounds, &mut Told::default());
                let (failures, answers) = poll(&store, &consumer, nth, count, how);
                check(&store, &consumer, &rounds);
                if answers < nth {
                    assert_eq!(failures, 0);
                    break;
                }
                assert!(failures > 0, "{how:?} at {nth} was not noticed");
                nth += 1;
            }
            assert!(nth > 3, "only {nth} answers");
        }
    }
}
