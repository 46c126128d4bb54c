//! Alerts: who looks after what is counted, and tells what is unusual.
//!
//! A thread of its own takes the counts every ten seconds (messages from the store, polls from the
//! listener's [`Tallies`]), hands them to the core `outbox::alerts`, and shows what that says on the
//! [`Board`], which `/alerts` and `/metrics` read. What begins or ends is also logged and, where the
//! configuration names one, posted to a webhook. Nothing waits for this thread.

mod board;
pub mod body;
mod tallies;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use outbox::alerts::{AlertRules, Alerts, Counts, Notice};
use outbox::{Store, Time};

use crate::http::Door;

pub use board::{Board, View};
pub use tallies::{Tallied, Tallies};
pub use webhook::{Hook, HookError};

use webhook::Webhook;

/// How often counts are taken, and how old a figure in `/metrics` may be.
const LOOK: Duration = Duration::from_secs(10);

/// How long a stop waits for a store that does not answer.
const STOP_MAX: Duration = Duration::from_secs(3);

/// What alerts are made of.
#[derive(Debug, Default)]
pub struct AlertsParts {
    /// When something counts as unusual.
    pub rules: AlertRules,
    /// Whom to tell.
    pub hook: Option<Hook>,
}

/// The running thread; dropping it stops it.
#[derive(Debug)]
pub struct Lookout {
    board: Arc<Board>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Starts it over a store that was opened with `outbox::alerts::COMPONENT`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: AlertsParts, store: Store, door: Arc<Door>) -> std::io::Result<Self> {
        let board = Arc::<Board>::default();
        let mut watch = Watch::new(parts, store, door, board.clone())?;
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("alerts".into())
            .spawn(move || watch.run(&stopped))?;
        Ok(Self {
            board,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What it shows, and where polls are counted.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.stop = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        let until = Instant::now() + STOP_MAX;
        while !thread.is_finished() {
            if Instant::now() >= until {
                // It waits for the store, and what it would write can be learned again.
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A panic there was told when it happened.
        let _ = thread.join();
    }
}

/// What the thread has.
struct Watch {
    alerts: Alerts,
    store: Store,
    door: Arc<Door>,
    board: Arc<Board>,
    webhook: Option<Webhook>,
    began: Instant,
    /// What was published at the last look.
    published: Option<u64>,
    /// Whether what was learned before was read.
    is_restored: bool,
}

impl Watch {
    fn new(
        parts: AlertsParts,
        store: Store,
        door: Arc<Door>,
        board: Arc<Board>,
    ) -> std::io::Result<Self> {
        let webhook = parts.hook.map(Webhook::start).transpose()?;
        Ok(Self {
            alerts: Alerts::new(parts.rules),
            store,
            door,
            board,
            webhook,
            began: Instant::now(),
            published: None,
            is_restored: false,
        })
    }

    fn run(&mut self, stopped: &Receiver<()>) {
        loop {
            self.look(Time::now(), self.began.elapsed());
            match stopped.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One look at everything that is counted.
    fn look(&mut self, now: Time, running: Duration) {
        if !self.is_restored {
            match self.store.read(outbox::alerts::load) {
                Ok(kept) => {
                    self.alerts.restore(&kept);
                    self.is_restored = true;
                }
                Err(error) => tracing::warn!("alerts: what was learned cannot be read: {error}"),
            }
        }
        let figures = self.store.figures();
        let published = figures.as_ref().ok().map(|figures| figures.published);
        let counts = Counts {
            messages: match (published, self.published) {
                (Some(now), Some(before)) => now.saturating_sub(before),
                _ => 0,
            },
            polls: self.board.tallies.take(),
        };
        self.published = published.or(self.published);
        self.alerts.handle_counts(&counts, now, running);
        let names = self.door.names();
        let is_known = |name: &str| names.iter().any(|known| known == name);
        self.alerts.handle_consumers(is_known, now);
        while let Some(notice) = self.alerts.poll_notice() {
            self.tell(&notice);
        }
        let failed = self.webhook.as_ref().map(Webhook::failed);
        self.board.show(View {
            at: now,
            active: self.alerts.active(),
            hours_learned: self.alerts.hours_learned(),
            figures: figures.map_err(|error| error.to_string()),
            health: self.store.health(),
            webhook_failed: failed,
        });
        self.keep();
    }

    fn tell(&mut self, notice: &Notice) {
        let alert = &notice.alert;
        let (kind, consumer) = (
            alert.kind.word(),
            alert.consumer.as_deref().unwrap_or("all"),
        );
        match notice.ended {
            None => tracing::warn!(
                consumer,
                count = alert.count,
                usual = alert.usual,
                "alert {kind} begins"
            ),
            Some(_) => tracing::info!(consumer, "alert {kind} ends"),
        }
        self.board.note(notice.clone());
        if let Some(webhook) = &self.webhook {
            webhook.give(notice);
        }
    }

    /// Keeps what was learned; what cannot be kept now is kept an hour later.
    fn keep(&mut self) {
        let changes = self.alerts.take_changes();
        if changes.is_empty() {
            return;
        }
        let rows = changes.clone();
        let kept = self
            .store
            .transact(move |tx| outbox::alerts::save(tx, &rows));
        if let Err(error) = kept {
            tracing::warn!("alerts: what was learned is not kept yet: {error}");
            self.alerts.keep_again(&changes);
        }
    }
}
