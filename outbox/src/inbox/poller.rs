//! When a consumer asks the feed, and for what: a state machine without IO.
//!
//! Its owner asks [`Poller::poll_request`], sends the request, stores what came, and then tells:
//! [`Poller::handle_page`] or [`Poller::handle_failure`]. Until the answer is told there is no next
//! request. `now` is the time since any fixed start and never goes back.
//!
//! - Onward by cursor, and held by the feed until there is news (long poll).
//! - After a restart, after doubt, and now and then, once more what the last minute before the
//!   newest known message brought ([`Purpose::Overlap`]). That pass never moves the cursor: a
//!   message that was committed late may have an old time and a new place.
//! - Ten times slower while a broker delivers, at once again when it is caught missing something.
//! - Failures back off with jitter; a feed that says when to come back is believed.
//! - A feed that no longer has what lies after the cursor leads to [`Event::Resync`], and nothing
//!   is asked before [`Poller::handle_resynced`].

mod request;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::request::{After, Filter, PollRequest, Purpose};
use super::backoff::Backoff;
use super::feed_page::{FeedCursor, FeedPage};
use super::limits::{
    BROKER_LAG, BROKER_SLOWER, FRUITLESS_PAGES_MAX, GATHER, OVERLAP_PAGES_MAX, RETRY_AFTER_MAX,
};
use crate::Time;

/// How a consumer polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollerConfig {
    /// How long the feed may hold a request while it has no news; zero polls without waiting.
    pub wait: Duration,
    /// Most messages asked for at once.
    pub limit: usize,
    /// Longest pause between polls where the feed does not hold requests.
    pub pace: Duration,
    /// How far before the newest known message an overlap begins; zero never overlaps.
    pub overlap: Duration,
    /// How often to overlap without a cause.
    pub overlap_every: Duration,
    /// How long one message from a broker vouches for the broker's path.
    pub broker_fresh: Duration,
    /// Wait after the first failure.
    pub retry_min: Duration,
    /// Longest wait after failures.
    pub retry_max: Duration,
}

impl Default for PollerConfig {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(30),
            limit: 1_000,
            pace: Duration::from_secs(2),
            overlap: Duration::from_secs(60),
            overlap_every: Duration::from_secs(15 * 60),
            broker_fresh: Duration::from_secs(30),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(60),
        }
    }
}

/// Where a consumer was when it last stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Up to where it has stored everything.
    pub after: After,
    /// Time of the newest message that it has stored.
    pub newest: Option<Time>,
}

/// What storing a page came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// How many messages were new.
    pub stored: usize,
    /// Time of the oldest of them.
    pub oldest: Option<Time>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No answer, a broken one, one that is no page, or an error of the feed's own.
    Broken,
    /// The feed asks to come back later (429, 503).
    Busy {
        /// When, if it says so.
        retry_after: Option<Duration>,
    },
    /// The feed does not like the request or the token (other 4xx); a person has to look.
    Refused,
    /// The feed no longer has what lies after the cursor (410).
    Gone(Gone),
    /// The page came but could not be stored, or it is not known whether it was.
    NotStored,
}

/// What a feed says that no longer has what lies after a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// The oldest place from which it can go on.
    pub oldest: Option<FeedCursor>,
    /// Where to read the state instead: a path or URL.
    pub resync: Option<String>,
}

/// Something that the poller's owner has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Messages were missed: read the state itself, where this says, then tell
    /// [`Poller::handle_resynced`] from where to go on.
    Resync(Gone),
}

/// Decides when to ask and for what.
#[derive(Debug)]
pub struct Poller {
    config: PollerConfig,
    after: After,
    newest: Option<Time>,
    overlap: Overlap,
    overlap_due: Duration,
    asked: Option<Asked>,
    due: Due,
    failures: u32,
    fruitless_pages: u32,
    broker: Option<Broker>,
    event: Option<Event>,
    resyncing: bool,
    backoff: Backoff,
}

/// The pass over what may have been missed.
#[derive(Debug)]
enum Overlap {
    Resting,
    Wanted,
    Passing {
        next: After,
        until: Time,
        pages: u32,
    },
}

/// The request whose answer is awaited.
#[derive(Debug)]
struct Asked {
    purpose: Purpose,
    after: After,
    held: Duration,
    at: Duration,
}

/// When to ask next.
#[derive(Debug, Clone, Copy)]
struct Due {
    since: Duration,
    pause: Duration,
    /// Nothing is known to wait at the feed, so that a fresh broker may make the pause longer.
    idle: bool,
}

/// What a broker last brought.
#[derive(Debug, Clone, Copy)]
struct Broker {
    heard: Duration,
    newest: Time,
}

impl Poller {
    /// A poller that goes on where a consumer stopped; the first request is due at once.
    #[must_use]
    pub fn new(config: PollerConfig, resume: Resume, seed: u64, now: Duration) -> Self {
        let backoff = Backoff::new(config.retry_min, config.retry_max, seed);
        let overlap_due = now + config.overlap_every;
        let mut poller = Self {
            after: resume.after,
            newest: resume.newest,
            overlap: Overlap::Resting,
            overlap_due,
            asked: None,
            due: Due::at_once(now),
            failures: 0,
            fruitless_pages: 0,
            broker: None,
            event: None,
            resyncing: false,
            backoff,
            config,
        };
        poller.handle_doubt();
        poller
    }

    /// The next request, when it is time and none is under way.
    pub fn poll_request(&mut self, now: Duration) -> Option<PollRequest> {
        if self.asked.is_some() || now < self.poll_timeout()? {
            return None;
        }
        if now >= self.overlap_due {
            self.handle_doubt();
            self.overlap_due = now + self.config.overlap_every;
        }
        self.begin_overlap();
        let (purpose, after) = match &self.overlap {
            Overlap::Passing { next, .. } => (Purpose::Overlap, next.clone()),
            Overlap::Resting | Overlap::Wanted => (Purpose::Onward, self.after.clone()),
        };
        // A feed that holds requests would make a slow poll as costly as a fast one.
        let holds = purpose == Purpose::Onward && !self.is_broker_fresh(now);
        let held = if holds {
            self.config.wait
        } else {
            Duration::ZERO
        };
        self.asked = Some(Asked {
            purpose,
            after: after.clone(),
            held,
            at: now,
        });
        Some(PollRequest {
            purpose,
            after,
            wait: held,
            limit: self.config.limit,
        })
    }

    /// When to ask [`Poller::poll_request`] again; `None` while an answer or a resync is awaited.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.asked.is_some() || self.resyncing {
            return None;
        }
        let usual = self.due.since + self.due.pause;
        let Some(broker) = self.broker.filter(|_| self.due.idle) else {
            return Some(usual);
        };
        let slow = self.due.since + self.config.pace.saturating_mul(BROKER_SLOWER);
        let stale = broker.heard + self.config.broker_fresh;
        Some(slow.min(stale).max(usual))
    }

    /// What the owner has to do, if anything.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// A page came and is stored durably, with the cursor if the request's purpose said so.
    pub fn handle_page(&mut self, page: &FeedPage, received: Received, now: Duration) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let onward = After::Cursor(page.next.clone());
        if page.more && onward == asked.after && page.messages.is_empty() {
            // It says that there is more and does not go there: asked again at once, it would
            // say so for ever.
            return self.rest_after_failure(None, now);
        }
        self.failures = 0;
        self.distrust_broker(received);
        let newest = page.messages.iter().map(|message| message.time).max();
        self.newest = self.newest.max(newest);
        if received.stored > 0 || !page.more {
            self.fruitless_pages = 0;
        } else {
            self.fruitless_pages = self.fruitless_pages.saturating_add(1);
        }
        match asked.purpose {
            Purpose::Overlap => self.pass_on(page, onward, now),
            Purpose::Onward => {
                self.after = onward;
                self.rest_after_page(page, &asked, now);
            }
        }
    }

    /// There is no page, or it is not known to be stored.
    pub fn handle_failure(&mut self, failure: Failure, now: Duration) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        match failure {
            // The overlap's start may be purged while the cursor is still good: it tells itself.
            Failure::Gone(_) if asked.purpose == Purpose::Overlap => {
                self.overlap = Overlap::Resting;
                self.due = Due::at_once(now);
            }
            Failure::Gone(gone) => {
                self.resyncing = true;
                self.event = Some(Event::Resync(gone));
            }
            Failure::Busy { retry_after } => self.rest_after_failure(retry_after, now),
            Failure::NotStored => {
                self.handle_doubt();
                self.rest_after_failure(None, now);
            }
            Failure::Refused => {
                // Asking faster does not help: go to the longest wait.
                self.failures = self.failures.max(30);
                self.rest_after_failure(None, now);
            }
            Failure::Broken => self.rest_after_failure(None, now),
        }
    }

    /// The state was read anew as of this place.
    pub fn handle_resynced(&mut self, after: After, now: Duration) {
        self.after = after;
        self.resyncing = false;
        self.event = None;
        self.asked = None;
        self.failures = 0;
        self.overlap = Overlap::Resting;
        self.due = Due::at_once(now);
    }

    /// A broker brought a message of this time: its path works.
    pub fn handle_broker_message(&mut self, time: Time, now: Duration) {
        let newest = self.broker.map_or(time, |broker| broker.newest.max(time));
        self.broker = Some(Broker { heard: now, newest });
    }

    /// Something may have been missed: overlap before going on.
    pub fn handle_doubt(&mut self) {
        if self.config.overlap > Duration::ZERO && matches!(self.overlap, Overlap::Resting) {
            self.overlap = Overlap::Wanted;
        }
    }

    /// Up to where everything was stored, as far as the poller was told.
    #[must_use]
    pub fn after(&self) -> &After {
        &self.after
    }

    fn is_broker_fresh(&self, now: Duration) -> bool {
        self.broker
            .is_some_and(|broker| now < broker.heard + self.config.broker_fresh)
    }

    /// A message that only polling brought, while the broker had brought much newer ones, shows
    /// that the broker misses some.
    fn distrust_broker(&mut self, received: Received) {
        if let (Some(broker), Some(oldest)) = (self.broker, received.oldest)
            && oldest.plus(BROKER_LAG) < broker.newest
        {
            self.broker = None;
        }
    }

    /// Begins a wanted overlap, where there is something before which to begin.
    fn begin_overlap(&mut self) {
        if !matches!(self.overlap, Overlap::Wanted) {
            return;
        }
        self.overlap = match (self.newest, &self.after) {
            (Some(until), After::Cursor(_)) => Overlap::Passing {
                next: After::Since(until.minus(self.config.overlap)),
                until,
                pages: 0,
            },
            _ => Overlap::Resting,
        };
    }

    /// Goes on with the overlap until it is past what was known when it began.
    fn pass_on(&mut self, page: &FeedPage, onward: After, now: Duration) {
        self.due = Due::at_once(now);
        let Overlap::Passing { next, until, pages } = &mut self.overlap else {
            return;
        };
        *pages += 1;
        let past =
            !page.messages.is_empty() && page.messages.iter().all(|message| message.time > *until);
        if !page.more || past || *pages >= OVERLAP_PAGES_MAX {
            self.overlap = Overlap::Resting;
        } else {
            *next = onward;
        }
    }

    fn rest_after_page(&mut self, page: &FeedPage, asked: &Asked, now: Duration) {
        self.due = if page.more {
            let hurry = self.fruitless_pages < FRUITLESS_PAGES_MAX;
            let pause = if hurry { Duration::ZERO } else { GATHER };
            Due {
                since: now,
                pause,
                idle: false,
            }
        } else {
            let was_held = !asked.held.is_zero() && now.saturating_sub(asked.at) >= asked.held / 2;
            // What comes within a moment comes in one page.
            let pause = if !page.messages.is_empty() || was_held {
                GATHER
            } else {
                self.due.pause.max(GATHER / 2).saturating_mul(2)
            };
            Due {
                since: now,
                pause: pause.min(self.config.pace.max(GATHER)),
                idle: true,
            }
        };
    }

    fn rest_after_failure(&mut self, retry_after: Option<Duration>, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        let pause = match retry_after {
            Some(asked) => {
                let asked = asked.min(RETRY_AFTER_MAX);
                // Not earlier than asked, and not with everybody else who was asked the same.
                asked + self.backoff.share_of(asked / 10 + self.config.retry_min)
            }
            None => self.backoff.after(self.failures),
        };
        self.due = Due {
            since: now,
            pause,
            idle: false,
        };
    }
}

impl Due {
    fn at_once(now: Duration) -> Self {
        Self {
            since: now,
            pause: Duration::ZERO,
            idle: false,
        }
    }
}
