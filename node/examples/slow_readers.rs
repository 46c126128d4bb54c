//! What do slow readers cost the others? Polls of a consumer that reads, alone and beside so many
//! connections that ask for a whole page and read a byte a second. Each asks anew after twelve seconds:
//! the listener has cut it by then, though what the system had taken is still there to be read.
//!
//! `cargo run --release -p trilobite-node --example slow_readers -- [READERS [SECONDS]]`

#![expect(clippy::print_stdout, reason = "a measurement is told on stdout")]

use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use node::http::{Door, HttpState, SiteEntry, Unlisted};
use node::latest::Hub;
use node::messages::{Listening, MessagesParts};
use node::status::StatusView;
use outbox::consumer::{ConsumerFile, Grant, May, NewConsumer, Pace};
use outbox::{Message, Publish as _, PublishError, Store, StoreConfig};
use site::Site;

type Failure = Box<dyn Error + Send + Sync>;

const OFFICE: &str = include_str!("../../sites/office.toml");
const SITE: &str = "/api/v1/sites/office";

/// Consumers that the slow readers belong to; each has its own bounds.
const SLOW_CONSUMERS: usize = 10;

/// After it a reader asks anew.
const ASK_AGAIN: Duration = Duration::from_secs(12);

/// Polls after which a line is written.
const POLLS: usize = 2_000;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let readers: usize = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(25), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let slow = (0..SLOW_CONSUMERS)
        .map(|number| token(folder.path(), &format!("slow-{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    let other = token(folder.path(), "other")?;
    let listening = listen(folder.path())?;
    let address = listening.address();

    // Connections, threads and statements are warm then.
    polls(address, &other)?;
    let idle = polls(address, &other)?;
    println!("idle: {idle}");
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| -> Result<(), Failure> {
        scope.spawn(|| read_slowly(address, &slow, readers, &stop, &asked));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            let took = polls(address, &other);
            let held = listening.messages().counts().held_bytes;
            let (at, asked) = (began.elapsed(), asked.load(Ordering::Relaxed));
            match took {
                Ok(took) => println!(
                    "beside {readers} slow readers, to {at:.1?}: {took}; p99 {:.2} times idle; \
                     {held} bytes held, asked for {asked} pages",
                    took.p99.as_secs_f64() / idle.p99.as_secs_f64()
                ),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    println!("idle again: {}", polls(address, &other)?);
    Ok(())
}

/// A listener over a store with a full page of messages, each nearly as long as they get.
fn listen(folder: &Path) -> Result<Listening, Failure> {
    let store = Store::open(StoreConfig::sqlite(folder.join("outbox.sqlite")), &[])?;
    let long = "x".repeat(400);
    store.transact(move |tx| {
        for client in 0..1_000 {
            let resource = format!("{SITE}/clients/{client}-{long}");
            let resource = resource.parse().expect("a path");
            tx.publish(&Message::new(
                "client.gone".parse().expect("a type"),
                resource,
            ))?;
        }
        Ok::<_, PublishError>(())
    })?;
    let site = Site::parse(OFFICE).map_err(|problems| format!("{problems:?}"))?;
    let status = Arc::new(StatusView::default());
    let sites = Arc::new(vec![SiteEntry { site }]);
    let state = HttpState::new(sites, Arc::new(Hub::new(1)), move || status.clone());
    let door = Door::listed(ConsumerFile::in_dir(folder).watch()?, Unlisted::Refused);
    let parts = MessagesParts {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        otherwise: None,
        tls: None,
        // What is measured is not the pace.
        pace: Pace {
            per_s: 1e6,
            burst: 1e6,
        },
    };
    Ok(Listening::start(
        parts,
        store,
        &state.with_door(Arc::new(door)),
    )?)
}

/// The header line with the token of a new consumer.
fn token(folder: &Path, name: &str) -> Result<String, Failure> {
    let new = NewConsumer {
        name: name.to_owned(),
        grant: Grant::new(May::ReadMessages, [SITE], ["*"])?,
        valid: Duration::from_secs(3_600),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let token = ConsumerFile::in_dir(folder).create(new, now.as_secs())?;
    Ok(format!("authorization: Bearer {}\r\n", token.reveal()))
}

/// A connection on which a page was asked for.
fn ask(address: SocketAddr, path: &str, header: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// Times of short polls.
struct Took {
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { p50, p99, max } = self;
        write!(f, "p50 {p50:.2?}, p99 {p99:.2?}, max {max:.1?}")
    }
}

fn polls(address: SocketAddr, header: &str) -> Result<Took, Failure> {
    let mut times = Vec::with_capacity(POLLS);
    let mut answer = Vec::new();
    for _ in 0..POLLS {
        let began = Instant::now();
        answer.clear();
        ask(address, "/messages?limit=20", header)?.read_to_end(&mut answer)?;
        times.push(began.elapsed());
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(String::from_utf8_lossy(&answer).into());
        }
    }
    times.sort_unstable();
    Ok(Took {
        p50: times[POLLS / 2],
        p99: times[POLLS * 99 / 100],
        max: times[POLLS - 1],
    })
}

/// Each reads a byte a second, one after the other over that second; whoever is refused asks again
/// a second after its answer.
fn read_slowly(
    address: SocketAddr,
    tokens: &[String],
    count: usize,
    stop: &AtomicBool,
    asked: &AtomicU64,
) {
    let mut readers: Vec<Option<(TcpStream, Instant)>> = (0..count).map(|_| None).collect();
    let pause = Duration::from_secs(1) / u32::try_from(count).unwrap_or(u32::MAX);
    while !stop.load(Ordering::Relaxed) {
        for (index, reader) in readers.iter_mut().enumerate() {
            let due = Instant::now() + pause;
            let goes_on = match reader {
                Some((_, since)) if since.elapsed() >= ASK_AGAIN => false,
                Some((stream, _)) => match stream.read(&mut [0]) {
                    Ok(read) => read > 0,
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                },
                None => false,
            };
            if !goes_on {
                let stream = ask(address, "/messages", &tokens[index % tokens.len()]);
                let stream = stream
                    .ok()
                    .filter(|stream| stream.set_nonblocking(true).is_ok());
                *reader = stream.map(|stream| (stream, Instant::now()));
                asked.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}
