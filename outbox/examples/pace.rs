//! How fast is a store of SQLite here: messages committed per second, the wait for a commit, the
//! time of a page in a full store, and what a purge does to pages meanwhile.
//!
//! ```text
//! cargo run --release -p trilobite-outbox --example pace -- FOLDER commits [SECONDS [PER_SECOND]]
//! cargo run --release -p trilobite-outbox --example pace -- FOLDER fill [ROWS]
//! cargo run --release -p trilobite-outbox --example pace -- FOLDER pages
//! ```
//!
//! A tenth of the rows lie on the first day, which `pages` purges.

#![expect(clippy::print_stdout, reason = "a measurement is told on stdout")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use outbox::{Message, PageQuery, Publish as _, PublishError, Start, Store, StoreConfig, Time};

/// Types as a site has them: few of many, most often entered and left.
const KINDS: [&str; 8] = [
    "zone.entered",
    "zone.left",
    "zone.dwell",
    "zone.occupancy",
    "ap.online",
    "ap.offline",
    "client.gone",
    "client.identity",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| {
        arguments
            .get(index)
            .map(|text| text.parse::<u64>())
            .transpose()
    };
    let folder = arguments
        .first()
        .ok_or("give a folder on the disk to measure")?;
    let folder = Path::new(folder);
    match arguments.get(1).map(String::as_str) {
        Some("commits") => commits(
            folder,
            Duration::from_secs(number(2)?.unwrap_or(10)),
            number(3)?,
        ),
        Some("fill") => fill(folder, number(2)?.unwrap_or(10_000_000)),
        Some("pages") => pages(folder),
        _ => Err("say what: commits, fill or pages".into()),
    }
}

fn message(time: Time, number: u64) -> Message {
    let kind = KINDS[(number.wrapping_mul(2_654_435_761) >> 7) as usize % KINDS.len()];
    let resource = format!(
        "/api/v1/sites/hq/zones/z{}/clients/{:016x}",
        number % 50,
        number % 9_973
    );
    Message::at(
        time,
        kind.parse().expect("a type"),
        resource.parse().expect("a path"),
    )
}

/// One thread gives jobs of one message each, as fast as tickets come back or so many per second.
fn commits(
    folder: &Path,
    duration: Duration,
    per_second: Option<u64>,
) -> Result<(), Box<dyn Error>> {
    let store = Store::open(StoreConfig::sqlite(folder.join("pace.db")), &[])?;
    let (sender, receiver) = std::sync::mpsc::sync_channel(4_000);
    let waits = std::thread::spawn(move || {
        let mut waits: Vec<Duration> = Vec::new();
        for (given, ticket) in receiver {
            let (given, ticket): (Instant, outbox::Ticket<_, PublishError>) = (given, ticket);
            if ticket.wait().is_ok() {
                waits.push(given.elapsed());
            }
        }
        waits
    });
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < duration {
        if let Some(per_second) = per_second {
            let due = Duration::from_secs_f64(number as f64 / per_second as f64);
            if let Some(early) = due.checked_sub(began.elapsed()) {
                std::thread::sleep(early);
            }
        }
        let message = message(Time::now(), number);
        number += 1;
        sender.send((
            Instant::now(),
            store.transact_later(move |tx| tx.publish(&message)),
        ))?;
    }
    drop(sender);
    let mut waits = waits.join().map_err(|_| "a waiting thread ended")?;
    let took = began.elapsed();
    waits.sort_unstable();
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
    println!(
        "{} messages in {took:.1?}: {:.0} per second; wait p50 {:.1?}, p99 {:.1?}, max {:.1?}",
        waits.len(),
        waits.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
    println!("{:?}", store.health());
    store.close();
    Ok(())
}

/// The first moment of the messages that pages are read from.
const NOON: Time = Time::from_micros(1_766_059_200_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// The store that pages are read from; nothing is purged by itself.
fn open(folder: &Path) -> Result<Store, Box<dyn Error>> {
    let config = StoreConfig {
        purge_interval: Duration::ZERO,
        ..StoreConfig::sqlite(folder.join("pages.db"))
    };
    Ok(Store::open(config, &[])?)
}

fn fill(folder: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    let store = open(folder)?;
    let began = Instant::now();
    for chunk in 0..rows / 10_000 {
        store.transact(move |tx| {
            for number in chunk * 10_000..(chunk + 1) * 10_000 {
                let spread = DAY.mul_f64(5.0 * number as f64 / rows as f64);
                tx.publish(&message(NOON.plus(spread), number))?;
            }
            Ok::<_, PublishError>(())
        })?;
    }
    println!("{rows} rows over six days made in {:.1?}", began.elapsed());
    store.close();
    Ok(())
}

/// Pages behind a cursor, one after the other from the second day on, alone and while a day is
/// purged.
fn pages(folder: &Path) -> Result<(), Box<dyn Error>> {
    let store = open(folder)?;
    let first = PageQuery {
        kinds: vec!["zone.entered".parse()?, "zone.left".parse()?],
        ..PageQuery::new(Start::Since(NOON.plus(DAY)))
    };
    let measure = |what: &str, goes_on: &dyn Fn(usize) -> bool| -> Result<(), Box<dyn Error>> {
        let mut times = Vec::new();
        let mut query = first.clone();
        query.after = Start::Cursor(store.page(&query)?.next);
        let mut given = 0;
        while goes_on(times.len()) {
            let began = Instant::now();
            let page = store.page(&query)?;
            times.push(began.elapsed());
            given += page.messages.len();
            query.after = match page.more {
                true => Start::Cursor(page.next),
                false => first.after,
            };
        }
        times.sort_unstable();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        println!(
            "{what}: {given} messages in {} pages: p50 {:.2?}, p99 {:.2?}, max {:.2?}",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0),
        );
        Ok(())
    };
    let so_many = |count: usize| count < 1_000;
    measure("pages of 1,000 by cursor and two types", &so_many)?;
    measure("once more", &so_many)?;
    store.accept_clock(NOON.plus(DAY * 6))?;
    let purging = std::thread::spawn({
        let store = store.clone();
        move || {
            let began = Instant::now();
            (store.purge(NOON.plus(DAY * 6)), began.elapsed())
        }
    });
    measure("the same while a day is purged", &|_| {
        !purging.is_finished()
    })?;
    let (purged, took) = purging.join().map_err(|_| "the purge ended")?;
    println!("purged {:?} in {took:.1?}", purged?.days);
    measure("and afterwards", &so_many)
}
