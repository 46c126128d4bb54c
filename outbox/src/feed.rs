//! The polling feed, without IO: what a query asks of the store, and how to answer.
//!
//! It knows no HTTP server: a query string and an `Accept` header go in, an [`Ask`] comes out; the
//! [`Page`] that the store gives for it goes in, and an [`Answer`] of status, headers and body comes
//! out. Between the two the owner looks into the store and waits, if nothing is there, for at most
//! [`Ask::wait`].
//!
//! # Invariants
//! - Nothing of a query reaches the store unparsed: each parameter becomes a type that cannot be wrong,
//!   or the query is refused with the parameter's name, and its value is never repeated.
//! - A cursor that cannot be answered without a gap is `410 Gone`, never a page.
//! - The answer holds the four fields of a message and the cursor, and nothing else of the store.

pub mod accept;
mod answer;
pub mod limits;
mod query;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{Page, PageQuery};

pub use answer::Answer;
pub use query::BadParameter;

/// A feed as its consumers see it: where it is, and what lies around it.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Path of the feed, for the link to the next page; `/messages`.
    pub path: String,
    /// What stands before the value of `site` to make it a prefix of resources.
    pub site_prefix: String,
    /// Where a consumer that has fallen behind reads the whole state, with the cursor to go on from.
    pub resync: String,
    /// `source` of CloudEvents: with the id it names a message in the whole world.
    pub source: String,
    /// Days for which the store keeps messages: consumers know ids again for longer.
    pub retention_days: u32,
}

/// How the messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"messages":[...],"next":"...","more":false}`.
    Json,
    /// An array of CloudEvents without data; the cursor is in the headers.
    CloudEvents,
}

impl Format {
    /// All media types, the preferred first.
    pub const MEDIA_TYPES: [&'static str; 2] =
        ["application/json", "application/cloudevents-batch+json"];

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => Self::MEDIA_TYPES[0],
            Self::CloudEvents => Self::MEDIA_TYPES[1],
        }
    }
}

/// What a consumer asks for, ready for the store.
///
/// [`PageQuery::sees`] is empty: who may see what is the owner's to say.
pub struct Ask {
    /// For the store.
    pub page: PageQuery,
    /// How long to wait for a first message where there is none.
    pub wait: Duration,
    /// Of each resource only its newest message of the page.
    pub coalesce: bool,
    /// How to write the answer.
    pub format: Format,
    /// The filters as a query string, for the link to the next page.
    filters: String,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("wait", &self.wait)
            .field("coalesce", &self.coalesce)
            .field("format", &self.format)
            .field("filters", &self.filters)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// Reads a query string, as it stands behind the `?`, and the values of all `Accept` headers.
    ///
    /// # Errors
    /// The answer that refuses it: 400 with the name of the parameter, or 406.
    pub fn ask<'a>(
        &self,
        query: Option<&str>,
        accept: impl IntoIterator<Item = &'a str>,
    ) -> Result<Ask, Answer> {
        let format = match accept::choose(accept, &Format::MEDIA_TYPES) {
            Some(0) => Format::Json,
            Some(_) => Format::CloudEvents,
            None => return Err(Answer::not_acceptable()),
        };
        let asked = query::parse(&self.site_prefix, query.unwrap_or_default());
        let asked = asked.map_err(|bad| Answer::bad_parameter(&bad))?;
        Ok(Ask {
            page: asked.page,
            wait: asked.wait,
            coalesce: asked.coalesce,
            format,
            filters: asked.filters,
        })
    }

    /// The page as the consumer wants it.
    pub fn answer(&self, ask: &Ask, page: Page) -> Answer {
        answer::page(self, ask, page)
    }

    /// 410: what follows the cursor is not all there any more.
    pub fn gone(&self, oldest: &crate::Cursor) -> Answer {
        answer::gone(self, oldest)
    }

    /// 503: the store does not answer; ask again.
    pub fn unavailable(&self) -> Answer {
        Answer::unavailable()
    }
}
