//! A tiny HTTP server whose answers a test chooses, and a feed over a real store.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use outbox::feed::Feed;
use outbox::{Message, PageError, Store};

/// What a server was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// The path without query.
    pub(crate) path: String,
    /// The query as it came.
    pub(crate) raw_query: String,
    /// The query's pairs, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// Header lines, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status line behind `HTTP/1.1 `.
    pub(crate) status: String,
    /// Header lines beside the length.
    pub(crate) headers: Vec<String>,
    /// The body; its length is told truly unless a header here tells another.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(other, _)| other == name)?;
        Some(&pair.1)
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pair = self.headers.iter().find(|(other, _)| other == name)?;
        Some(&pair.1)
    }
}

impl Answer {
    /// 200 with this body.
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status("200 OK", body)
    }

    /// Another status with this body.
    pub(crate) fn status(status: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: status.to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// One more header line.
    #[must_use]
    pub(crate) fn with(mut self, header: impl Into<String>) -> Self {
        self.headers.push(header.into());
        self
    }
}

/// A server on a port of its own, until it is dropped.
pub(crate) struct Server {
    /// Its URL, without path.
    pub(crate) url: String,
    /// What it was asked, in order.
    pub(crate) asked: Arc<Mutex<Vec<Request>>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each request, one after the other, as the function says.
    pub(crate) fn start(mut answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ending = Arc::new(AtomicBool::new(false));
        let (asking, ended) = (Arc::clone(&asked), Arc::clone(&ending));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let Some((request, mut stream)) = stream.ok().and_then(read) else {
                    continue;
                };
                asking.lock().unwrap().push(request.clone());
                let answer = answer(&request);
                let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", answer.status);
                if !answer
                    .headers
                    .iter()
                    .any(|line| line.starts_with("content-length"))
                {
                    head += &format!("content-length: {}\r\n", answer.body.len());
                }
                for line in &answer.headers {
                    head += &format!("{line}\r\n");
                }
                // Who hangs up has had enough.
                let _ = stream.write_all((head + "\r\n").as_bytes());
                let _ = stream.write_all(&answer.body);
            }
        });
        Self {
            url,
            asked,
            ending,
            thread: Some(thread),
        }
    }

    /// A feed over a store; other paths are resources of this function's.
    pub(crate) fn feed(
        store: Store,
        mut resource: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        Self::start(move |request| match request.path.as_str() {
            "/messages" => page(&store, request),
            _ => resource(request),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // Wakes the thread from waiting for the next one.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn read(stream: TcpStream) -> Option<(Request, TcpStream)> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let line = lines.next()?.ok()?;
    let target = line.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        path: path.to_owned(),
        raw_query: query.to_owned(),
        ..Request::default()
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        request.query.push((decoded(name), decoded(value)));
    }
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some((request, stream));
        }
        let (name, value) = line.split_once(':')?;
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    None
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The crate's own feed, as the node's listener answers it, without waiting for news.
fn page(store: &Store, request: &Request) -> Answer {
    let feed = Feed {
        path: "/messages".to_owned(),
        site_prefix: "/api/v1/sites/".to_owned(),
        resync: "/api/v1/sites".to_owned(),
        source: "/messages".to_owned(),
        retention_days: 5,
    };
    let answer = match feed.ask(Some(&request.raw_query), request.header("accept")) {
        Err(refusal) => refusal,
        Ok(ask) => match store.page(&ask.page) {
            Ok(page) => feed.answer(&ask, page),
            Err(PageError::Gone { oldest }) => feed.gone(&oldest),
            Err(_) => feed.unavailable(),
        },
    };
    Answer {
        status: format!("{} as the feed says", answer.status),
        headers: answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect(),
        body: answer.body,
    }
}

/// A page as JSON.
pub(crate) fn body(messages: &[Message], next: &str, more: bool) -> String {
    serde_json::json!({"messages": messages, "next": next, "more": more}).to_string()
}
