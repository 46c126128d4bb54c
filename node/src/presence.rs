//! Presence: from fixes and sessions to messages that must not be lost.
//!
//! Two threads. One takes fixes out of a bounded queue that the fan-out fills, asks the zones'
//! trackers (`locate::zone`) what follows, and keeps what the store does not know yet. The other waits
//! for the store: each change is one transaction of state and message, many share a commit. A store
//! that is slow or dead costs neither a fix nor an observation: what waits is the newest truth about
//! each client and zone, never a backlog, and when the store is back each zone's state there equals
//! its true state.
//!
//! - State survives a restart: who was inside is inside, unless nothing is heard of it for the zone's
//!   time of silence, or the key of its pseudonym did not survive.
//! - Positions never go to the store.
//! - [`Orders`] forgets clients; [`resources`] reads what the tables say.

mod aps;
mod core;
pub(crate) mod ended;
mod facts;
mod forgetting;
mod inbox;
pub mod limits;
mod orders;
mod paths;
mod pending;
pub mod resources;
mod surroundings;
mod tables;
mod write;
mod writer;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ingest::SentFix;
use outbox::Store;
use site::Calibration;
use wire::frame::PseudonymKey;

use self::core::{Core, Fate};
use self::inbox::{Inbox, Order, Waiting};
use self::limits::{PURGE_INTERVAL, STOP_TIMEOUT, TICK, tombstone_age};
use self::pending::Key;
use self::write::{EndReason, KeyId};
use self::writer::Writer;
use crate::sites::LoadedSite;

pub use self::inbox::{Counted, Counts};
pub use self::orders::{OrderError, Orders};
pub use self::surroundings::Surroundings;
pub use self::tables::COMPONENT;

/// Everything that presence is made of.
pub struct PresenceParts<'a> {
    /// Where state and messages go; opened with [`COMPONENT`].
    pub store: Store,
    /// The sites, in the order of their numbers.
    pub sites: &'a [LoadedSite],
    /// The pseudonym key in force at each.
    pub keys: Vec<PseudonymKey>,
    /// What was asked of it so far, and will be.
    pub orders: Orders,
    /// Fixes bear the time of a recording, which only they tell.
    pub is_recording: bool,
    /// What it looks at.
    pub surroundings: Surroundings,
}

impl std::fmt::Debug for PresenceParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresenceParts")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// Presence, running. It ends when this is dropped, with what it knows stored if the store answers.
#[derive(Debug)]
pub struct Presence {
    orders: Orders,
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
}

impl Presence {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: PresenceParts<'_>) -> std::io::Result<Self> {
        let (orders, inbox) = (parts.orders.clone(), parts.orders.inbox.clone());
        let sites: Vec<_> = parts
            .sites
            .iter()
            .map(|loaded| loaded.site.clone())
            .collect();
        let real_us = parts.surroundings.now_us();
        let facts = parts.sites.iter().map(|loaded| facts::of(loaded, real_us));
        let facts: Vec<_> = facts.collect();
        let keys: Vec<_> = parts.keys.iter().map(KeyId::of).collect();
        let calibrations = (parts.sites.iter())
            .map(|loaded| (loaded.site.clone(), loaded.calibration.clone()))
            .collect();
        let now_us = if parts.is_recording { 0 } else { real_us };
        let tombstone_age = tombstone_age(parts.store.retention());
        let writer = Writer::start(parts.store, inbox.clone())?;
        let thread = Thread {
            core: Core::new(&sites, facts, &keys, orders.names.clone(), now_us),
            writer,
            is_writing: false,
            inbox: inbox.clone(),
            surroundings: parts.surroundings,
            is_recording: parts.is_recording,
            tombstone_age,
            calibrations,
            tokens: None,
            answers: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("presence".into())
            .spawn(move || thread.run())?;
        Ok(Self {
            orders,
            inbox,
            thread: Some(thread),
        })
    }

    /// What the fan-out hands each portion of fixes to; it never waits.
    pub fn feed(&self) -> Feed {
        Feed(self.inbox.clone())
    }

    /// Where orders are given.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there was told by the thread itself.
            let _ = thread.join();
        }
    }
}

/// The way of fixes into presence.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Inbox>);

impl Feed {
    /// Takes a portion; sites without zones cost a look at the first fixes.
    pub fn give(&self, fixes: &[SentFix]) {
        self.0.offer(fixes);
    }
}

struct Thread {
    core: Core,
    writer: Writer,
    is_writing: bool,
    inbox: Arc<Inbox>,
    surroundings: Surroundings,
    is_recording: bool,
    tombstone_age: Duration,
    /// What each site's readers were last told of.
    calibrations: Vec<(Arc<site::Site>, Arc<Calibration>)>,
    /// Whose tokens the store was last told of.
    tokens: Option<Arc<[(String, String)]>>,
    /// Who waits until clients are forgotten.
    answers: HashMap<Key, Vec<std::sync::mpsc::SyncSender<bool>>>,
}

impl Thread {
    fn run(mut self) {
        let mut taken = Waiting::default();
        let mut next_tick = Instant::now();
        let mut next_purge = Instant::now();
        while !taken.stopping {
            self.inbox.take(
                next_tick.saturating_duration_since(Instant::now()),
                &mut taken,
            );
            self.core.handle_fixes(taken.fixes.drain(..));
            taken.orders.drain(..).for_each(|order| self.obey(order));
            let now = Instant::now();
            if now >= next_tick {
                next_tick = now + TICK;
                self.tick();
            }
            if now >= next_purge {
                next_purge = now + PURGE_INTERVAL;
                let age_us = u64::try_from(self.tombstone_age.as_micros()).unwrap_or(u64::MAX);
                let now_us = self.surroundings.now_us();
                self.core.handle_purge(now_us.saturating_sub(age_us));
            }
            self.hand_over();
            self.count();
        }
        self.finish(&mut taken);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Rotate { site, key } => {
                self.surroundings.rotated(site);
                self.core.handle_rotation(site, key);
            }
            Order::End {
                site,
                clients,
                reason,
                answer,
            } => {
                for client in clients {
                    match reason {
                        // Agents repeat it in each session.
                        EndReason::OptedOut if self.core.is_held(site, client.0) => continue,
                        EndReason::OptedOut => self.surroundings.silence(site, client),
                        EndReason::Erased => self.surroundings.forget(site, client),
                    }
                    let is_taken = self.core.handle_end(site, client.0, reason);
                    if !is_taken {
                        tracing::error!(
                            "presence: too many clients are to be forgotten while the store does \
                             not answer; one is not, its agent tells again at its next session"
                        );
                    }
                    match (&answer, is_taken) {
                        (Some(answer), true) => {
                            let key = Key::End {
                                site: site as u32,
                                client: client.0,
                            };
                            self.answers.entry(key).or_default().push(answer.clone());
                        }
                        (Some(answer), false) => drop(answer.try_send(false)),
                        (None, _) => {}
                    }
                }
                self.surroundings.hand_over();
            }
            Order::Stored { site, stored } => self.core.handle_stored(site, stored),
            #[cfg(test)]
            Order::Truth(answer) => {
                let _ = answer.try_send(self.core.truth(0));
            }
            Order::Written(written) => {
                self.is_writing = false;
                for (key, _, fate) in &written {
                    for answer in self.answers.remove(key).unwrap_or_default() {
                        // Who waited may have given up.
                        let _ = answer.try_send(*fate == Fate::Done);
                    }
                }
                self.core.handle_written(written);
            }
        }
    }

    fn tick(&mut self) {
        self.surroundings.tick();
        let real_us = self.surroundings.now_us();
        if !self.is_recording {
            self.core.handle_tick(real_us);
        }
        let tokens = self.surroundings.tokens();
        if self.tokens.as_deref() != Some(&tokens) {
            let tokens: Arc<[_]> = tokens.into();
            self.core.handle_tokens(tokens.clone(), real_us);
            self.tokens = Some(tokens);
        }
        let agents = self.surroundings.agents();
        for index in 0..self.calibrations.len() {
            let here = agents.iter().filter(|(site, _)| *site == index);
            let here: HashSet<&str> = here.map(|(_, agent)| agent.as_str()).collect();
            self.core.handle_sessions(index, &here, real_us);
            let in_force = self.surroundings.calibration(index);
            let (site, known) = &mut self.calibrations[index];
            if !Arc::ptr_eq(known, &in_force) {
                if **known != *in_force {
                    let hash = facts::calibration_hash(site, &in_force);
                    self.core.handle_calibration(index, hash);
                }
                *known = in_force;
            }
        }
    }

    /// Gives the writer the next round, if it has none.
    fn hand_over(&mut self) {
        if self.is_writing {
            return;
        }
        let round = self.core.take_round();
        if round.is_empty() {
            return;
        }
        match self.writer.give(round) {
            Ok(()) => self.is_writing = true,
            Err(round) => {
                let again = round
                    .into_iter()
                    .map(|(key, write)| (key, write, Fate::Again));
                self.core.handle_written(again.collect());
            }
        }
    }

    fn count(&self) {
        let counts = &self.inbox.counts;
        let set = |count: &std::sync::atomic::AtomicU64, value: usize| {
            count.store(value as u64, Ordering::Relaxed);
        };
        set(&counts.clients, self.core.clients());
        counts
            .not_tracked
            .store(self.core.refused(), Ordering::Relaxed);
        set(&counts.waiting, self.core.waiting());
    }

    /// The last rounds, as long as the store answers.
    fn finish(mut self, taken: &mut Waiting) {
        let until = Instant::now() + STOP_TIMEOUT;
        while self.is_writing || self.core.waiting() > 0 {
            self.hand_over();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.inbox.take(left.min(Duration::from_millis(5)), taken);
            taken.fixes.clear();
            taken.orders.drain(..).for_each(|order| self.obey(order));
        }
        self.writer
            .stop(until.saturating_duration_since(Instant::now()));
    }
}
