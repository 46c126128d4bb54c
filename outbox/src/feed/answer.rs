//! What a consumer gets: status, headers, body.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::json;

use super::query::{BadParameter, encoded};
use super::{Ask, Feed, Format};
use crate::{Cursor, Message, Page};

/// An answer, for any HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values: visible ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// The body, as `content-type` says.
    pub body: Vec<u8>,
}

impl Answer {
    pub(super) fn bad_parameter(bad: &BadParameter) -> Self {
        let body = json!({"error": {
            "parameter": bad.parameter,
            "what": format!("{}: {}", bad.parameter, bad.what),
            "what_to_do": bad.what_to_do,
        }});
        Self::json(400, &body)
    }

    pub(super) fn not_acceptable() -> Self {
        let offered = Format::MEDIA_TYPES.join(", ");
        Self::json(
            406,
            &json!({"error": {
                "what": "no format that the Accept header allows is available here",
                "what_to_do": format!("accept one of {offered}"),
            }}),
        )
    }

    pub(super) fn unavailable() -> Self {
        let mut answer = Self::json(
            503,
            &json!({"error": {
                "what": "the store of messages does not answer",
                "what_to_do": "ask again with the same cursor; nothing is lost",
            }}),
        );
        answer.headers.push(("retry-after", "2".to_owned()));
        answer
    }

    fn json(status: u16, body: &impl Serialize) -> Self {
        Self::new(status, Format::Json, body)
    }

    fn new(status: u16, format: Format, body: &impl Serialize) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", format.media_type().to_owned()),
                ("cache-control", "no-store".to_owned()),
                ("vary", "accept, authorization".to_owned()),
            ],
            body: serde_json::to_vec(body).expect("keys are strings and depth is finite"),
        }
    }
}

/// RFC 9110 has no status that says it better: the past is gone, and the way on is in the body.
pub(super) fn gone(feed: &Feed, oldest: &Cursor) -> Answer {
    let (oldest, resync) = (oldest.to_string(), &feed.resync);
    let mut answer = Answer::json(
        410,
        &json!({
            "error": {
                "what": "messages after this cursor have been purged, or it is of another store",
                "what_to_do": format!(
                    "read the state below {resync} again: its lists tell the cursor to go on from; or \
                     go on from oldest and miss what is gone"
                ),
            },
            "oldest": oldest,
            "resync": resync,
        }),
    );
    answer
        .headers
        .push(("link", format!("<{resync}>; rel=\"collection\"")));
    answer
}

#[derive(Serialize)]
struct Body<'a> {
    messages: &'a [Message],
    next: &'a str,
    more: bool,
}

/// CloudEvents 1.0, JSON batch format: attributes only.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: String,
}

pub(super) fn page(feed: &Feed, ask: &Ask, page: Page) -> Answer {
    let mut messages = page.messages;
    if ask.coalesce {
        coalesce(&mut messages);
    }
    let next = page.next.to_string();
    let mut answer = match ask.format {
        Format::Json => Answer::json(
            200,
            &Body {
                messages: &messages,
                next: &next,
                more: page.more,
            },
        ),
        Format::CloudEvents => {
            let events: Vec<_> = messages
                .iter()
                .map(|message| event(feed, message))
                .collect();
            Answer::new(200, Format::CloudEvents, &events)
        }
    };
    let (path, filters) = (&feed.path, &ask.filters);
    let link = format!("<{path}?after={}{filters}>; rel=\"next\"", encoded(&next));
    answer.headers.extend([
        ("link", link),
        ("feed-next", next),
        ("feed-more", page.more.to_string()),
        ("retention-days", feed.retention_days.to_string()),
    ]);
    answer
}

fn event<'a>(feed: &'a Feed, message: &Message) -> CloudEvent<'a> {
    CloudEvent {
        specversion: "1.0",
        id: message.id.to_string(),
        source: &feed.source,
        kind: message.kind.to_string(),
        subject: message.resource.to_string(),
        time: message.time.to_string(),
    }
}

/// Keeps the newest message of each resource, in the order of the page.
fn coalesce(messages: &mut Vec<Message>) {
    let mut seen = HashSet::new();
    let mut kept: Vec<bool> = messages
        .iter()
        .rev()
        .map(|message| seen.insert(message.resource.to_string()))
        .collect();
    messages.retain(|_| kept.pop().unwrap_or(true));
}
