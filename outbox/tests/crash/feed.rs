//! The feed: an HTTP server over the store, as small as it can be, around the core of the feed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Instant;

use outbox::feed::{Answer, Ask, Feed};
use outbox::{PageError, Start, Store};

use crate::folder::Folder;

/// Serves on the socket that the rig bound and keeps: the port stays the same over all deaths.
pub(crate) fn run(folder: &Folder) {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let listener = TcpListener::from(socket);
    let store = folder.open_store();
    let serving = store.clone();
    let given = folder.file("given");
    // Ended with the process: a thread in `accept` cannot be told.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (store, given) = (serving.clone(), given.clone());
            let Ok(stream) = stream else { continue };
            // Whoever hangs up has had enough; the consumer has one connection at a time.
            std::thread::spawn(move || serve(&store, stream, &given));
        }
    });
    while !folder.is_told_to_stop("feed") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    store.close();
}

fn serve(store: &Store, mut stream: TcpStream, given: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let line = lines.next()?.ok()?;
    let (path, query) = line.split(' ').nth(1)?.split_once('?')?;
    while !lines.next()?.ok()?.is_empty() {}
    assert_eq!(path, "/messages");
    let (answer, count) = answer(store, query);
    let mut head = format!(
        "HTTP/1.1 {} Answer\r\nconnection: close\r\ncontent-length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).ok()?;
    stream.write_all(&answer.body).ok()?;
    let mut log = File::options().create(true).append(true).open(given).ok()?;
    log.write_all(format!("{count}\n").as_bytes()).ok()
}

/// The answer, and how many messages are in it.
fn answer(store: &Store, query: &str) -> (Answer, usize) {
    let feed = Feed {
        path: "/messages".to_owned(),
        site_prefix: "/".to_owned(),
        resync: "/things".to_owned(),
        source: "/messages".to_owned(),
        retention_days: 5,
    };
    let mut ask = match feed.ask(Some(query), []) {
        Ok(ask) => ask,
        Err(refusal) => return (refusal, 0),
    };
    match look(store, &mut ask) {
        Ok(page) => {
            let count = page.messages.len();
            (feed.answer(&ask, page), count)
        }
        Err(PageError::Gone { oldest }) => (feed.gone(&oldest), 0),
        Err(_) => (feed.unavailable(), 0),
    }
}

fn look(store: &Store, ask: &mut Ask) -> Result<outbox::Page, PageError> {
    let until = Instant::now() + ask.wait;
    let page = store.page(&ask.page)?;
    if !page.messages.is_empty() || !store.follow().wait(&page.next, until) {
        return Ok(page);
    }
    ask.page.after = Start::Cursor(page.next);
    store.page(&ask.page)
}
