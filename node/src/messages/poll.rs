//! One poll: what the store has for whom, now or as soon as it comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use outbox::consumer::CONSUMERS_MAX;
use outbox::feed::{Answer, Ask, Feed};
use outbox::{Page, PageError, PageQuery, Start, Store};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::held::{Held, NoRoom};
use super::limits::{
    LOOK_AGAIN, LOOKS_MAX, LOOKS_PER_CONSUMER_MAX, LOOKS_PER_S_MAX, READ_TIME_MAX,
};
use crate::http::ApiError;
use crate::http::door::{Caller, Door};
use crate::http::policy;

/// What the route `/messages` needs: the store, its bell, and the bounds of all polls together.
pub struct Messages {
    store: Store,
    feed: Feed,
    door: Arc<Door>,
    /// Rung by the store at each commit.
    bell: watch::Receiver<()>,
    looks: Semaphore,
    /// Of each consumer with a token, so that none takes all turns.
    looks_of: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// Consumers that wait for a commit.
    waiting: AtomicU32,
    held: Arc<Held>,
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

impl Messages {
    /// Over a store, for whom the door lets in.
    pub fn new(store: Store, door: Arc<Door>) -> Self {
        let (ringing, bell) = watch::channel(());
        store.on_commit(Box::new(move || {
            ringing.send_replace(());
        }));
        let days = store.retention().as_secs().div_ceil(86_400);
        let retention_days = u32::try_from(days).unwrap_or(u32::MAX);
        Self {
            store,
            feed: Feed {
                path: "/messages".to_owned(),
                site_prefix: format!("{}/", policy::SITES),
                resync: policy::SITES.to_owned(),
                source: "/messages".to_owned(),
                retention_days,
            },
            door,
            bell,
            looks: Semaphore::new(LOOKS_MAX),
            looks_of: Mutex::default(),
            waiting: AtomicU32::new(0),
            held: Arc::default(),
        }
    }

    /// How it fares.
    pub fn counts(&self) -> MessagesCounts {
        MessagesCounts {
            waiting: self.waiting.load(Ordering::Relaxed),
            held_bytes: self.held.bytes(),
        }
    }

    /// Answers a poll. Only messages about resources that are `served` are there; `closing` ends a
    /// wait at once.
    pub(crate) async fn poll<'a>(
        &self,
        caller: &Caller,
        query: Option<&str>,
        accept: impl IntoIterator<Item = &'a str>,
        served: impl Fn(&str) -> bool + Send + Sync + 'static,
        closing: watch::Receiver<bool>,
    ) -> Result<Response, ApiError> {
        let mut ask = match self.feed.ask(query, accept) {
            Ok(ask) => ask,
            Err(refusal) => return self.response(caller, refusal),
        };
        if let Some(other) = ask
            .page
            .resources
            .iter()
            .find(|site| !caller.grant().reaches(site))
        {
            let site = other.rsplit('/').next().unwrap_or_default();
            return Err(ApiError::forbidden(
                format!("this token is not for the site {site}"),
                "leave site out, or ask for a token for it",
            ));
        }
        let grant = caller.grant().clone();
        ask.page.sees = Some(Arc::new(move |message| {
            served(message.resource.as_str()) && policy::sees(&grant, message)
        }));
        let page = self.wait(caller, &ask, closing).await?;
        // It may have waited for a minute; nothing of what came meanwhile is for a token that is over.
        if !self.door.still_admits(caller) {
            return Err(ApiError::unauthorized(
                "this token was revoked or is over, or the node asks for one now",
                "ask whoever runs this node for a token: \"trilobite token create\"",
            ));
        }
        let answer = match page {
            Ok(page) => self.feed.answer(&ask, page),
            Err(PageError::Gone { oldest }) => self.feed.gone(&oldest),
            Err(error) => {
                tracing::warn!(%error, "the store of messages does not answer a poll");
                self.feed.unavailable()
            }
        };
        self.response(caller, answer)
    }

    /// The first page that has something, or the last one that had nothing when the time is over.
    async fn wait(
        &self,
        caller: &Caller,
        ask: &Ask,
        mut closing: watch::Receiver<bool>,
    ) -> Result<Result<Page, PageError>, ApiError> {
        let until = Instant::now() + ask.wait;
        let mut query = ask.page.clone();
        let mut bell = self.bell.clone();
        loop {
            // What comes from now on rings; what came before is seen by the look.
            bell.mark_unchanged();
            let looked = Instant::now();
            let page = match self.look(caller, &query).await? {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let is_over = || Instant::now() >= until || *closing.borrow();
            if !page.messages.is_empty() || is_over() {
                return Ok(Ok(page));
            }
            if !self.door.still_admits(caller) {
                return Ok(Ok(page));
            }
            query.after = Start::Cursor(page.next);
            if page.more {
                continue;
            }
            let rung = async {
                tokio::select! {
                    rung = bell.changed() => rung.is_ok(),
                    _ = closing.wait_for(|closing| *closing) => false,
                }
            };
            let waiting = Waiting::new(&self.waiting);
            match timeout_at(until, rung).await {
                Ok(true) => sleep_until((looked + waiting.pause()).min(until)).await,
                // The time is over, the store is closed, or the node stops.
                Ok(false) | Err(_) => return Ok(Ok(page)),
            }
        }
    }

    /// One look into the store, on a thread that may wait for it.
    async fn look(
        &self,
        caller: &Caller,
        query: &PageQuery,
    ) -> Result<Result<Page, PageError>, ApiError> {
        // They are never closed; if one were, a look too many does no harm.
        let own = self.looks_of(caller);
        let _own_turn = match &own {
            Some(own) => own.acquire().await.ok(),
            None => None,
        };
        let _turn = self.looks.acquire().await.ok();
        // Nothing is looked up for who does not read it; those before it had their turn meanwhile.
        self.held.check(caller.name()).map_err(no_room)?;
        let (store, query) = (self.store.clone(), query.clone());
        let looked = tokio::task::spawn_blocking(move || store.page(&query)).await;
        Ok(looked.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic())))
    }

    /// The turns of a consumer with a token; those without one share all turns.
    fn looks_of(&self, caller: &Caller) -> Option<Arc<Semaphore>> {
        let name = caller.name();
        if name.is_empty() {
            return None;
        }
        let mut all = self.looks_of.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > CONSUMERS_MAX {
            // Of consumers that came and went: nobody waits for one that only the table has.
            all.retain(|_, looks| Arc::strong_count(looks) > 1);
        }
        let new = || Arc::new(Semaphore::new(LOOKS_PER_CONSUMER_MAX));
        Some(all.entry(name.to_owned()).or_insert_with(new).clone())
    }

    fn response(&self, caller: &Caller, answer: Answer) -> Result<Response, ApiError> {
        let body = self.held.hold(caller.name(), answer.body);
        let body = body.map_err(no_room)?;
        let status = StatusCode::from_u16(answer.status);
        let mut response = (status.unwrap_or_default(), Body::from(body)).into_response();
        for (name, value) in answer.headers {
            // Both are visible ASCII: the core's promise.
            if let Ok(value) = HeaderValue::try_from(value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        Ok(response)
    }
}

/// How polls and their answers wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagesCounts {
    /// Consumers that wait for a commit now.
    pub waiting: u32,
    /// Bytes of answers that wait for slow readers now.
    pub held_bytes: usize,
}

fn no_room(why: NoRoom) -> ApiError {
    match why {
        NoRoom::Consumer => ApiError::too_many(READ_TIME_MAX),
        NoRoom::All => ApiError::unavailable(
            "too many answers wait for slow readers",
            "ask again in a moment with the same cursor; nothing is lost",
        ),
    }
}

/// One of those that wait, until it is dropped.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// Time between two looks: the more wait, the longer.
    fn pause(&self) -> Duration {
        let waiting = self.0.load(Ordering::Relaxed);
        LOOK_AGAIN.max(Duration::from_secs(1) * waiting / LOOKS_PER_S_MAX)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
