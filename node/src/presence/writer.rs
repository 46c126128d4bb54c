//! The thread that waits for the store, so that presence never does.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use outbox::{SqlError, Store, TransactError};

use super::core::{Fate, Stored};
use super::inbox::{Inbox, Order};
use super::limits::RETRY_PAUSE;
use super::pending::Key;
use super::tables::{self, Progress, WriteError};
use super::{resources, write::Write};

type Round = Vec<(Key, Write)>;

/// The running writer.
#[derive(Debug)]
pub(super) struct Writer {
    rounds: Option<SyncSender<Round>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(store: Store, inbox: Arc<Inbox>) -> std::io::Result<Self> {
        let (rounds, to_write) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name("presence-writer".into())
            .spawn(move || run(&store, &to_write, &inbox, &told))?;
        Ok(Self {
            rounds: Some(rounds),
            stop,
            thread: Some(thread),
        })
    }

    /// Hands a round to the writer; gives it back when that has one already, or has ended.
    pub(super) fn give(&self, round: Round) -> Result<(), Round> {
        match &self.rounds {
            None => Err(round),
            Some(rounds) => rounds.try_send(round).map_err(|error| match error {
                TrySendError::Full(round) | TrySendError::Disconnected(round) => round,
            }),
        }
    }

    /// Ends the thread; one that waits for a dead store longer than this is left behind.
    pub(super) fn stop(&mut self, at_most: Duration) {
        self.stop.store(true, Ordering::Release);
        self.rounds = None;
        let until = Instant::now() + at_most;
        let Some(thread) = self.thread.take() else {
            return;
        };
        while !thread.is_finished() {
            if Instant::now() >= until {
                tracing::warn!(
                    "presence: the store does not answer; its last changes are not stored"
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A panic there was told when it happened.
        let _ = thread.join();
    }
}

fn run(store: &Store, rounds: &Receiver<Round>, inbox: &Inbox, stop: &AtomicBool) {
    let mut pause = RETRY_PAUSE.0;
    let mut loaded = HashSet::new();
    while let Ok(round) = rounds.recv() {
        let mut written = write_round(store, round);
        for site in load_new(&mut written, &mut loaded, |name| {
            store.read(|reading| resources::stored(reading, name))
        }) {
            inbox.order(site);
        }
        let is_trouble = written.iter().any(|(.., fate)| *fate == Fate::Again);
        let done = written.iter().filter(|(.., fate)| *fate == Fate::Done);
        let done_len = done.count();
        let counts = &inbox.counts;
        counts.written.fetch_add(done_len as u64, Ordering::Relaxed);
        let failed = (written.len() - done_len) as u64;
        counts.failed.fetch_add(failed, Ordering::Relaxed);
        if is_trouble {
            // Then what waits is one round of the newest truth.
            rest(pause, stop);
            pause = (2 * pause).min(RETRY_PAUSE.1);
        } else {
            pause = RETRY_PAUSE.0;
        }
        inbox.order(Order::Written(written));
    }
}

/// One transaction for each write, all in as few commits as it takes.
pub(super) fn write_round(store: &Store, round: Round) -> Vec<(Key, Write, Fate)> {
    let tickets: Vec<_> = round
        .into_iter()
        .map(|(key, write)| {
            let job = write.clone();
            let ticket = store.transact_later(move |tx| tables::apply(tx, &job));
            (key, write, ticket)
        })
        .collect();
    let waited = tickets.into_iter().map(|(key, write, ticket)| {
        let mut outcome = ticket.wait();
        while matches!(outcome, Ok(Progress::More)) {
            let job = write.clone();
            outcome = store.transact(move |tx| tables::apply(tx, &job));
        }
        let fate = match &outcome {
            Ok(_) => Fate::Done,
            Err(error) => fate_of(&write, error),
        };
        (key, write, fate)
    });
    waited.collect()
}

fn fate_of(write: &Write, error: &TransactError<WriteError>) -> Fate {
    if let TransactError::Refused(WriteError::Path(error)) = error {
        let site = write.site().unwrap_or_default();
        tracing::error!("presence, site {site}: a change is not told: {error}");
        return Fate::Dropped;
    }
    tracing::debug!("presence: not stored: {error}");
    Fate::Again
}

/// After the first writes about a site: what the store knows of it. Nothing else is written before
/// that is known, so a write whose read failed is done again, and the read with it.
fn load_new(
    written: &mut [(Key, Write, Fate)],
    loaded: &mut HashSet<u32>,
    read: impl Fn(&str) -> Result<Stored, SqlError>,
) -> Vec<Order> {
    let mut orders = Vec::new();
    for (key, write, fate) in written {
        // The rotation comes after the comparison, and ends those whose key is gone.
        let (Key::Rotate { site }, Some(name), Fate::Done) = (*key, write.site(), *fate) else {
            continue;
        };
        if loaded.contains(&site) {
            continue;
        }
        match read(name) {
            Ok(stored) => {
                loaded.insert(site);
                let site = site as usize;
                orders.push(Order::Stored { site, stored });
            }
            Err(error) => {
                tracing::warn!("presence, site {name}: {error}; it is tried again");
                *fate = Fate::Again;
            }
        }
    }
    orders
}

/// Waits, but not for a stop.
fn rest(pause: Duration, stop: &AtomicBool) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !stop.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use outbox::{Reading, StoreConfig};

    use super::*;
    use crate::presence::write::KeyId;

    #[test]
    fn a_site_whose_first_read_fails_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::sqlite(folder.path().join("outbox.sqlite"));
        let store = Store::open(config, &[crate::presence::COMPONENT]).unwrap();
        let rotate = Write::Rotate {
            site: "hall".into(),
            key: KeyId(7),
            at_us: 1,
        };
        let done = (Key::Rotate { site: 0 }, rotate, Fate::Done);
        let mut loaded = HashSet::new();
        let mut load = |written: &mut Vec<_>, table: &str| {
            let orders = load_new(written, &mut loaded, |_| {
                store.read(|reading: &mut Reading<'_>| {
                    reading.query(&format!("SELECT 1 FROM {table}"), &[])?;
                    Ok(Stored::default())
                })
            });
            orders.len()
        };
        let mut written = vec![done.clone()];
        assert_eq!(load(&mut written, "no_such_table"), 0);
        assert_eq!(written[0].2, Fate::Again);
        let mut written = vec![done.clone()];
        assert_eq!(load(&mut written, "presence_visit"), 1);
        assert_eq!(written[0].2, Fate::Done);
        assert_eq!(load(&mut vec![done], "no_such_table"), 0, "read once");
    }
}
