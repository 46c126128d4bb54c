//! Fixes as they come: newline-delimited JSON and server-sent events.
//!
//! The body is made while the peer reads it. A peer that stops reading stops its body, falls behind
//! in the hub's ring and is told how many fixes it lost; nobody else notices.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::json;
use site::FloorIndex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use wire::ClientId;

use super::error::ApiError;
use super::limits::{EVENT_FIXES_MAX, EVENT_INTERVAL, HEARTBEAT_INTERVAL, STREAMS_MAX};
use super::state::HttpState;
use crate::body::fix::FixBody;
use crate::latest::{Feed, News, Published};

/// Every fix, one per line; `{"lagged":n}` where fixes were lost; an empty line as heartbeat.
pub(super) fn ndjson(
    state: &HttpState,
    site: usize,
    floor: Option<FloorIndex>,
) -> Result<Response, ApiError> {
    let follower = Follower::new(state, site, floor)?;
    let lines = stream::unfold(follower, |mut follower| async {
        let line = match timeout(HEARTBEAT_INTERVAL, follower.next()).await {
            Ok(news) => follower.lines(news?),
            Err(_) => b"\n".to_vec(),
        };
        Some((Ok::<_, Infallible>(Bytes::from(line)), follower))
    });
    let body = Body::from_stream(lines.take_until(closing(state)));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// The newest fix of each client that moved, five times a second.
pub(super) fn events(
    state: &HttpState,
    site: usize,
    floor: Option<FloorIndex>,
) -> Result<Response, ApiError> {
    let gathered = Gathered {
        follower: Follower::new(state, site, floor)?,
        fixes: HashMap::new(),
        lagged: 0,
        tick: ticks(),
    };
    let events = stream::unfold(gathered, |mut gathered| async {
        let event = gathered.event().await?;
        Some((Ok::<_, Infallible>(event), gathered))
    });
    Ok(sse(state, events))
}

/// Events with a heartbeat, until the node stops.
pub(super) fn sse(
    state: &HttpState,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let heartbeat = KeepAlive::new().interval(HEARTBEAT_INTERVAL);
    Sse::new(events.take_until(closing(state)))
        .keep_alive(heartbeat)
        .into_response()
}

/// One of the node's streams, free again when it is dropped.
pub(super) fn admit(state: &HttpState) -> Result<OwnedSemaphorePermit, ApiError> {
    state.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable(
            format!("all {STREAMS_MAX} streams of this node are taken"),
            "try again later, or poll without streaming",
        )
    })
}

/// The beat of a stream of events.
pub(super) fn ticks() -> Interval {
    let mut ticks = interval_at(Instant::now() + EVENT_INTERVAL, EVENT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Resolves when the node stops, so that endless bodies end.
fn closing(state: &HttpState) -> impl Future<Output = ()> + Send + use<> {
    let mut closing = state.closing.subscribe();
    async move {
        // An error means that the state is gone, which also ends the stream.
        let _ = closing.wait_for(|closing| *closing).await;
    }
}

/// A feed of one site's fixes, as the reader wants them.
struct Follower {
    state: HttpState,
    site: usize,
    floor: Option<FloorIndex>,
    feed: Feed,
    _admitted: OwnedSemaphorePermit,
}

impl Follower {
    fn new(state: &HttpState, site: usize, floor: Option<FloorIndex>) -> Result<Self, ApiError> {
        let admitted = admit(state)?;
        let feed = state.hub.follow(site).ok_or_else(|| {
            ApiError::unavailable("this site has no fixes yet", "try again later")
        })?;
        Ok(Self {
            state: state.clone(),
            site,
            floor,
            feed,
            _admitted: admitted,
        })
    }

    async fn next(&mut self) -> Option<News> {
        self.feed.next().await
    }

    fn wanted(&self, published: &Published) -> bool {
        self.floor
            .is_none_or(|floor| published.sent.fix.floor == floor)
    }

    fn bodies(&self, fixes: impl Iterator<Item = Published>) -> Vec<FixBody<'_>> {
        let now = Instant::now().into_std();
        let site = &self.state.sites[self.site].site;
        fixes
            .map(|fix| FixBody::new(&fix, site, &self.state.names, now))
            .collect()
    }

    fn lines(&self, news: News) -> Vec<u8> {
        let fixes = match news {
            News::Lagged(lagged) => return format!("{}\n", json!({"lagged": lagged})).into_bytes(),
            News::Fixes(fixes) => fixes,
        };
        let mut lines = Vec::new();
        for body in self.bodies(fixes.into_iter().filter(|fix| self.wanted(fix))) {
            serde_json::to_writer(&mut lines, &body).expect("a fix has string keys");
            lines.push(b'\n');
        }
        lines
    }
}

/// News gathered between two events: of each client only the newest fix.
struct Gathered {
    follower: Follower,
    fixes: HashMap<ClientId, Published>,
    lagged: u64,
    tick: Interval,
}

impl Gathered {
    async fn event(&mut self) -> Option<Event> {
        loop {
            if self.lagged > 0 {
                let lagged = std::mem::take(&mut self.lagged);
                return Some(
                    Event::default()
                        .event("lagged")
                        .data(json!({"lagged": lagged}).to_string()),
                );
            }
            if self.fixes.len() >= EVENT_FIXES_MAX {
                return Some(self.fixes_event());
            }
            let news = {
                let news = pin!(self.follower.next());
                tokio::select! {
                    biased;
                    _ = self.tick.tick() => None,
                    news = news => Some(news?),
                }
            };
            match news {
                Some(news) => self.gather(news),
                None if self.fixes.is_empty() => {}
                None => return Some(self.fixes_event()),
            }
        }
    }

    fn gather(&mut self, news: News) {
        match news {
            News::Lagged(lagged) => self.lagged += lagged,
            News::Fixes(fixes) => {
                for published in fixes {
                    let client = published.sent.client;
                    if self.follower.wanted(&published) {
                        self.fixes.insert(client, published);
                    } else {
                        self.fixes.remove(&client);
                    }
                }
            }
        }
    }

    fn fixes_event(&mut self) -> Event {
        let fixes = std::mem::take(&mut self.fixes);
        let bodies = self.follower.bodies(fixes.into_values());
        Event::default()
            .event("fixes")
            .json_data(bodies)
            .expect("fixes have string keys")
    }
}
