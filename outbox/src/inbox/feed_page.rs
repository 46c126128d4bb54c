//! A feed's answer, from the bytes to checked messages.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::limits::{BODY_BYTES_MAX, CURSOR_BYTES_MAX, PAGE_MESSAGES_MAX};
use super::poller::Gone;
use crate::Message;

/// A place in a feed, in the feed's own words: kept and given back, never looked into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FeedCursor(String);

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a cursor: one is 1 to {CURSOR_BYTES_MAX} visible ASCII characters, as the feed gave it"
)]
pub struct FeedCursorError;

/// A page of a feed, as a consumer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// The messages, in the feed's order, which promises nothing.
    pub messages: Vec<Message>,
    /// Where the next page begins.
    pub next: FeedCursor,
    /// There is more already.
    pub more: bool,
}

/// An answer that is no page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedPageError {
    /// Longer than [`BODY_BYTES_MAX`].
    #[error("answer of more than {BODY_BYTES_MAX} bytes; is this the address of a message feed?")]
    TooLong,
    /// More than [`PAGE_MESSAGES_MAX`].
    #[error("page of {0} messages, more than {PAGE_MESSAGES_MAX}; ask for fewer with limit")]
    TooMany(usize),
    /// Not JSON of the right shape, or a field that is not what it should be.
    #[error("answer is no page of messages; is this the address of a message feed?")]
    Shape(#[source] serde_json::Error),
    /// A cursor that is none.
    #[error("page with a bad cursor")]
    Cursor(#[source] FeedCursorError),
}

#[derive(Deserialize)]
struct Body {
    messages: Vec<Message>,
    next: String,
    more: bool,
}

/// What a feed says with 410; unknown and missing fields are no mistake.
#[derive(Deserialize, Default)]
struct GoneBody {
    #[serde(default)]
    oldest: Option<String>,
    #[serde(default)]
    resync: Option<String>,
}

impl FeedPage {
    /// Reads a body of `application/json`. All of it is right, or nothing of it is used.
    ///
    /// # Errors
    /// Says why this is no page.
    pub fn parse(body: &[u8]) -> Result<Self, FeedPageError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(FeedPageError::TooLong);
        }
        let Body {
            messages,
            next,
            more,
        } = serde_json::from_slice(body).map_err(FeedPageError::Shape)?;
        if messages.len() > PAGE_MESSAGES_MAX {
            return Err(FeedPageError::TooMany(messages.len()));
        }
        Ok(Self {
            messages,
            next: next.parse().map_err(FeedPageError::Cursor)?,
            more,
        })
    }
}

impl Gone {
    /// Reads the body of a 410; one that says nothing usable still is a 410.
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        let body: GoneBody = serde_json::from_slice(body).unwrap_or_default();
        Self {
            oldest: body.oldest.and_then(|text| text.parse().ok()),
            resync: body.resync.filter(|text| is_visible(text)),
        }
    }
}

impl FeedCursor {
    /// The text as the feed gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FeedCursor {
    type Err = FeedCursorError;

    fn from_str(text: &str) -> Result<Self, FeedCursorError> {
        if text.len() > CURSOR_BYTES_MAX || !is_visible(text) {
            return Err(FeedCursorError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not empty, and nothing that moves a terminal or a log line.
fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
