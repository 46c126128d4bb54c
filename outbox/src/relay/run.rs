//! The relay's thread: one turn after the other, each from what the store knows.
//!
//! A turn keeps nothing in memory that the next one needs, so a restart is a turn like any other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::config::Wanted;
use super::health::{Watched, words};
use super::limits::{BATCH_MAX, LOOK_EVERY, PLACE_EVERY, REFUSALS_MAX, RETRY_MAX, RETRY_MIN};
use super::stop::Stop;
use super::table::{self, ACKED, ATTEMPTED, DELIVERY, Marks, REFUSED};
use super::transport::{Delivery, Sent, Transport};
use crate::inbox::Backoff;
use crate::page;
use crate::{Cursor, Message, MessageId, PageError, PageQuery, SqlError, Start, Store, Time};

/// Longest value that is kept beside a message.
const VALUE_CHARS_MAX: usize = 1_000;

/// What a relay's thread works with.
pub(super) struct Runner {
    store: Store,
    name: String,
    wanted: Wanted,
    transport: Box<dyn Transport>,
    health: Arc<Watched>,
    stop: Stop,
    /// Where to go on, as far as this thread knows; the store may know less, never more.
    place: Option<Cursor>,
    place_stored: Instant,
    /// Number of the message at which it stands.
    base: i64,
}

/// What a turn found.
enum Turn {
    /// Something; there may be more.
    Busy,
    /// Nothing behind this place.
    Idle(Cursor),
}

/// The messages of a turn.
struct Batch {
    messages: Vec<Message>,
    /// Somebody asked for them again, so it does not count that they were acknowledged.
    is_again: bool,
    /// Where to go on once none of them waits.
    onward: Option<Cursor>,
}

impl Runner {
    pub(super) fn new(
        store: Store,
        wanted: Wanted,
        transport: Box<dyn Transport>,
        health: Arc<Watched>,
        stop: Stop,
    ) -> Self {
        let name = health.now().name;
        Self {
            store,
            name,
            wanted,
            transport,
            health,
            stop,
            place: None,
            place_stored: Instant::now(),
            base: 0,
        }
    }

    /// Until it is stopped.
    pub(super) fn run(mut self) {
        // Without entropy relays only come back together.
        let seed = getrandom::u64().unwrap_or(0);
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, seed);
        let mut failures = 0_u32;
        while !self.stop.is_set() {
            match self.turn() {
                Ok(turn) => {
                    failures = 0;
                    self.health.change(|health| health.is_well = true);
                    if let Turn::Idle(place) = turn {
                        self.wait(&place);
                    }
                }
                Err(_) if self.stop.is_set() => return,
                Err(trouble) => {
                    failures = failures.saturating_add(1);
                    self.health.trouble(&trouble);
                    self.stop.pause(backoff.after(failures));
                }
            }
        }
    }

    /// Sends one batch: what was asked for again before what comes next.
    fn turn(&mut self) -> Result<Turn, String> {
        let again = self
            .store
            .read(|reading| reading.asked_again(&self.name, BATCH_MAX))
            .map_err(told)?;
        if !again.is_empty() {
            self.send(Batch {
                messages: again,
                is_again: true,
                onward: None,
            })?;
            return Ok(Turn::Busy);
        }
        let place = match self.place {
            Some(place) => Some(place),
            None => Some(self.first_place()?),
        };
        let query = PageQuery {
            kinds: self.wanted.kinds.clone(),
            resources: self.wanted.resources.clone(),
            limit: BATCH_MAX,
            ..PageQuery::new(place.map_or(Start::Oldest, Start::Cursor))
        };
        let page = match self.store.page(&query) {
            Ok(page) => page,
            Err(PageError::Gone { oldest }) => {
                // From the oldest that is kept: what was acknowledged is known and not sent again.
                self.place = Some(oldest);
                self.health.change(|health| health.gaps += 1);
                return Err(
                    "messages were purged, or the store was restored, before all were \
                            sent; going on with the oldest that is kept"
                        .to_owned(),
                );
            }
            Err(error) => return Err(told(error)),
        };
        self.tell_behind(place);
        if !page.messages.is_empty() {
            self.send(Batch {
                messages: page.messages,
                is_again: false,
                onward: Some(page.next),
            })?;
        } else if place != Some(page.next) && self.place_stored.elapsed() >= PLACE_EVERY {
            self.keep_place(page.next)?;
        }
        self.place = Some(page.next);
        if !page.more {
            self.health.change(|health| health.oldest_waiting = None);
        }
        self.tell_behind(self.place);
        Ok(if page.more {
            Turn::Busy
        } else {
            Turn::Idle(page.next)
        })
    }

    /// The place that the store knows; a relay that has none yet begins with the oldest message, and
    /// says so at once, so that a purge of what it never sent is a gap.
    fn first_place(&mut self) -> Result<Cursor, String> {
        let (known, oldest) = self
            .store
            .read(|reading| {
                let state = *reading.state();
                let known = table::place(reading, &self.name)?;
                Ok::<_, SqlError>((known, state.cursor(state.purged)))
            })
            .map_err(told)?;
        match known {
            Some(place) => Ok(place),
            None => self.keep_place(oldest).map(|()| oldest),
        }
    }

    /// Sends a batch and keeps what came of it; an error if any of it still waits.
    fn send(&mut self, batch: Batch) -> Result<(), String> {
        let ids: Vec<MessageId> = batch.messages.iter().map(|message| message.id).collect();
        let marks = self
            .store
            .read(|reading| table::marks(reading, &self.name, &ids))
            .map_err(told)?;
        let known = |id: &MessageId| marks.get(id).copied().unwrap_or_default();
        let (mut waiting, mut unwanted) = (Vec::new(), Vec::new());
        for message in batch.messages {
            let marks = known(&message.id);
            if !self.wanted.wants(&message) {
                unwanted.push(message.id);
            } else if batch.is_again || !marks.is_settled() {
                waiting.push(message);
            }
        }
        if !batch.is_again {
            let oldest = waiting.iter().map(|message| message.time).min();
            self.health.change(|health| health.oldest_waiting = oldest);
        }
        self.attempt(&waiting, &marks)?;
        let sent = match waiting.is_empty() {
            true => Sent::default(),
            false => self.transport.send(&waiting, &self.stop),
        };
        let settled = self.settle(
            &sent,
            &waiting,
            &marks,
            unwanted,
            batch.is_again,
            batch.onward,
        )?;
        let left = waiting.len() - settled;
        match (left, sent.trouble) {
            (0, _) => Ok(()),
            (_, Some(trouble)) => Err(trouble),
            (left, None) => Err(format!(
                "{left} of {} messages were not acknowledged",
                waiting.len()
            )),
        }
    }

    /// Says beside each message that it is about to be sent.
    fn attempt(
        &self,
        waiting: &[Message],
        marks: &HashMap<MessageId, Marks>,
    ) -> Result<(), String> {
        if waiting.is_empty() {
            return Ok(());
        }
        let now = Time::now();
        let attempts = |id: &MessageId| marks.get(id).map_or(0, |marks| marks.attempts);
        let values: Vec<_> = waiting
            .iter()
            .map(|message| (message.id, format!("{} {now}", attempts(&message.id) + 1)))
            .collect();
        let name = self.name.clone();
        self.store
            .transact(move |tx| table::put(tx, &name, ATTEMPTED, &values))
            .map_err(told)?;
        self.health
            .change(|health| health.attempted += waiting.len() as u64);
        Ok(())
    }

    /// Keeps what came of a batch, with the place behind it if nothing of it waits any more, in one
    /// transaction. Returns how many are settled.
    fn settle(
        &mut self,
        sent: &Sent,
        waiting: &[Message],
        marks: &HashMap<MessageId, Marks>,
        mut unwanted: Vec<MessageId>,
        is_again: bool,
        onward: Option<Cursor>,
    ) -> Result<usize, String> {
        let now = Time::now();
        let known = |id: &MessageId| marks.get(id).copied().unwrap_or_default();
        let was_sent = |id: &MessageId| waiting.iter().any(|message| message.id == *id);
        let mut acked: Vec<_> = (sent.acked.iter())
            .filter(|(id, _)| was_sent(id))
            .map(|(id, called)| (*id, clip(&format!("{now} {called}"))))
            .collect();
        acked.sort_unstable_by_key(|(id, _)| *id);
        acked.dedup_by_key(|(id, _)| *id);
        let mut given_up = Vec::new();
        let mut refused = Vec::new();
        for (id, why) in sent.refused.iter().filter(|(id, _)| was_sent(id)) {
            let times = known(id).refusals.saturating_add(1);
            refused.push((*id, clip(&format!("{times} {now} {}", words(why)))));
            if times >= REFUSALS_MAX {
                given_up.push(*id);
            }
        }
        let log: Vec<_> = (sent.log.iter())
            .filter(|(id, _)| was_sent(id))
            .map(|(id, line)| (*id, line.json(known(id).attempts + 1)))
            .collect();
        let settled = acked.len() + given_up.len();
        let onward = onward.filter(|_| settled == waiting.len());
        if settled == 0 && refused.is_empty() && log.is_empty() && unwanted.is_empty() {
            if let Some(place) = onward {
                self.keep_place(place)?;
            }
            return Ok(0);
        }
        if is_again {
            unwanted.extend(acked.iter().map(|(id, _)| *id));
            unwanted.extend(&given_up);
        } else {
            unwanted.clear();
        }
        let (acks, given_up) = (acked.len() as u64, given_up.len() as u64);
        let name = self.name.clone();
        self.store
            .transact(move |tx| {
                for (key, values) in [(ACKED, &acked), (REFUSED, &refused), (DELIVERY, &log)] {
                    table::put(tx, &name, key, values)?;
                }
                table::forget_again(tx, &name, &unwanted)?;
                match &onward {
                    Some(place) => table::keep_place(tx, &name, place, now),
                    None => Ok::<_, SqlError>(()),
                }
            })
            .map_err(told)?;
        self.place_stored = Instant::now();
        self.health.change(|health| {
            health.acked += acks;
            health.refused += given_up;
            if acks > 0 {
                health.last_ack = Some(now);
            }
        });
        Ok(settled)
    }

    fn keep_place(&mut self, place: Cursor) -> Result<(), String> {
        let name = self.name.clone();
        self.store
            .transact(move |tx| table::keep_place(tx, &name, &place, Time::now()))
            .map_err(told)?;
        self.place_stored = Instant::now();
        Ok(())
    }

    /// Waits for messages, or until it is time to look for others.
    fn wait(&self, place: &Cursor) {
        let follow = self.store.follow();
        let until = Instant::now() + LOOK_EVERY;
        while !self.stop.is_set() && Instant::now() < until {
            let slice = Instant::now() + LOOK_EVERY / 4;
            if follow.wait(place, slice.min(until)) {
                return;
            }
        }
    }

    /// Tells how much is still to be looked at behind a place, by the numbers that messages bear.
    fn tell_behind(&mut self, place: Option<Cursor>) {
        let read = self.store.read(|reading| {
            let state = *reading.state();
            let newest = page::head(reading.link(), &state)?;
            Ok::<_, SqlError>((newest, state.purged))
        });
        // A store that does not answer is told by whoever needs its answer.
        let Ok((newest, purged)) = read else { return };
        let at = place.map_or(purged, |place| place.at);
        if at >= newest {
            self.base = newest.sequence;
        } else if at.sequence != i64::MAX {
            // PostgreSQL's places behind everything have no number of their own.
            self.base = at.sequence;
        }
        let behind = u64::try_from(newest.sequence.saturating_sub(self.base)).unwrap_or(0);
        self.health.change(|health| health.behind = behind);
    }
}

impl Delivery {
    fn json(&self, attempts: u32) -> String {
        serde_json::json!({
            "status": self.status,
            "attempts": attempts,
            "error": self.error.as_deref().map(words),
        })
        .to_string()
    }
}

fn clip(value: &str) -> String {
    value.chars().take(VALUE_CHARS_MAX).collect()
}

fn told(error: impl std::fmt::Display) -> String {
    format!("store: {error}")
}
