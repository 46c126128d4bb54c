//! Pages: messages behind a cursor, in the order of commits.

mod rows;

pub(crate) use rows::kinds;

use std::fmt;
use std::sync::Arc;

use crate::cursor::Position;
use crate::limits::{PAGE_CHUNK_ROWS, PAGE_MESSAGES_MAX, PAGE_ROWS_LOOKED_MAX};
use crate::schema::{self, State};
use crate::store::Reading;
use crate::tx::Session;
use crate::value::{Dialect, SqlError};
use crate::{Cursor, KindPattern, Message, MessageId, Resource, Time};

/// Which messages are wanted.
#[derive(Clone)]
pub struct PageQuery {
    /// Where to begin.
    pub after: Start,
    /// Types; empty: all.
    pub kinds: Vec<KindPattern>,
    /// Resources and all below them; empty: all.
    pub resources: Vec<String>,
    /// Most messages wanted, from 1 to [`PAGE_MESSAGES_MAX`]; others are cut to that.
    pub limit: usize,
    /// What the asker may see; nothing: all. What it hides is simply absent.
    pub sees: Option<Sees>,
    /// A part of the resources, for consumers that share the work.
    pub share: Option<Share>,
}

/// Whether the asker may see a message; the owner of the policy says.
pub type Sees = Arc<dyn Fn(&Message) -> bool + Send + Sync>;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Behind a place.
    Cursor(Cursor),
    /// With the first message that was made at this time or later; some older ones may be among
    /// those that follow.
    Since(Time),
    /// With the oldest that is kept.
    Oldest,
    /// Behind the newest: only what is still to come.
    Head,
}

/// One of several consumers that share the work by resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which one, from 0.
    pub member: u32,
    /// Of how many.
    pub of: u32,
}

/// Messages in the order of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Where to go on; it stands behind all rows that were looked at, given or not.
    pub next: Cursor,
    /// Whether there may be more right now.
    pub more: bool,
}

/// A page cannot be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The answer would have a gap: what follows the cursor was purged, or the cursor belongs to
    /// another history of the store (it was restored from a backup), or is ahead of it.
    #[error(
        "what follows this cursor is not kept any more; read the resources you follow anew and \
         go on from the cursor that comes with them, or from {oldest}"
    )]
    Gone {
        /// The oldest place that can be answered from.
        oldest: Cursor,
    },
    /// The database refused.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl PageQuery {
    /// All messages behind a place.
    pub const fn new(after: Start) -> Self {
        Self {
            after,
            kinds: Vec::new(),
            resources: Vec::new(),
            limit: PAGE_MESSAGES_MAX,
            sees: None,
            share: None,
        }
    }

    fn wants(&self, message: &Message) -> bool {
        let resource = &message.resource;
        let under = |prefix: &String| resource.is_under(prefix);
        (self.resources.is_empty() || self.resources.iter().any(under))
            && self.share.is_none_or(|share| share.covers(resource))
            && self.sees.as_ref().is_none_or(|sees| sees(message))
    }
}

impl Share {
    /// Whether a resource falls to this member. The same in every version of this crate.
    pub fn covers(&self, resource: &Resource) -> bool {
        // FNV-1a, and its upper half, whose bits are mixed best.
        let hash = resource
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        (hash >> 32) % u64::from(self.of.max(1)) == u64::from(self.member)
    }
}

/// The page that `query` asks for, in the state that `reading` sees.
pub(crate) fn page(reading: &mut Reading<'_>, query: &PageQuery) -> Result<Page, PageError> {
    let state = *reading.state();
    let Some(start) = start(reading, &state, query.after)? else {
        let next = state.cursor(reading.head());
        return Ok(Page {
            messages: Vec::new(),
            next,
            more: false,
        });
    };
    let limit = query.limit.clamp(1, PAGE_MESSAGES_MAX);
    let source = rows::Source::new(reading.link(), &query.kinds)?;
    let mut messages = Vec::new();
    let mut at = start;
    let mut looked = 0;
    // The first chunk is what a page without filters needs, and one row more to tell the end.
    let mut chunk = (limit + 1).min(PAGE_CHUNK_ROWS);
    while looked < PAGE_ROWS_LOOKED_MAX {
        let wanted = chunk.min(PAGE_ROWS_LOOKED_MAX - looked);
        let rows = source.after(reading.link(), at, state.horizon, wanted)?;
        let end = rows.len() < wanted;
        for row in rows {
            if messages.len() == limit {
                return Ok(Page {
                    messages,
                    next: state.cursor(at),
                    more: true,
                });
            }
            looked += 1;
            at = row.at;
            if source.wants(&row.message) && query.wants(&row.message) {
                messages.push(row.message);
            }
        }
        if end {
            // Nothing will come before the newest any more, so the next page starts behind it.
            let next = state.cursor(reading.head().max(start));
            return Ok(Page {
                messages,
                next,
                more: false,
            });
        }
        chunk = PAGE_CHUNK_ROWS;
    }
    Ok(Page {
        messages,
        next: state.cursor(at),
        more: true,
    })
}

/// Where to begin; nothing: behind everything.
fn start(
    reading: &mut Reading<'_>,
    state: &State,
    start: Start,
) -> Result<Option<Position>, PageError> {
    let oldest = state.cursor(state.purged);
    match start {
        Start::Cursor(cursor) => {
            // A horizon never goes back, so a cursor beyond it was given by another history.
            let known = cursor.epoch == state.epoch
                && state.purged <= cursor.at
                && cursor.at <= state.horizon;
            if known {
                Ok(Some(cursor.at))
            } else {
                Err(PageError::Gone { oldest })
            }
        }
        Start::Since(time) if time.day() <= state.purged_day => Err(PageError::Gone { oldest }),
        Start::Since(time) => Ok(since(reading, state, time)?),
        Start::Oldest => Ok(Some(state.purged)),
        Start::Head => Ok(None),
    }
}

/// The place before the first message whose id is of `time` or later.
fn since(
    reading: &mut Reading<'_>,
    state: &State,
    time: Time,
) -> Result<Option<Position>, SqlError> {
    let least = MessageId::least_of(time);
    let mut first: Option<Position> = None;
    for day in schema::days(reading.link())? {
        if day < time.day() {
            continue;
        }
        let found = rows::first_from(reading.link(), day, least, state.horizon)?;
        first = match (first, found) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let before = |at: Position| Position {
        sequence: at.sequence - 1,
        ..at
    };
    Ok(first.map(before))
}

/// Whether anything can be read behind `cursor`, or the cursor cannot be answered.
pub(crate) fn has_after(reading: &mut Reading<'_>, cursor: &Cursor) -> Result<bool, SqlError> {
    let state = *reading.state();
    match start(reading, &state, Start::Cursor(*cursor)) {
        Ok(_) => Ok(cursor.at < reading.head()),
        Err(PageError::Gone { .. }) => Ok(true),
        Err(PageError::Sql(error)) => Err(error),
    }
}

/// The place behind all that can be read: cursors are given out up to here and no further.
///
/// The horizon of PostgreSQL may lie far behind the newest message, among transactions that wrote
/// no message, or were rolled back. The server need not have told its disk of those: after a crash
/// it gives their numbers out again, and a cursor beyond them would skip what they commit. The
/// number of a message that can be seen never comes again.
pub(crate) fn head(session: &mut dyn Session, state: &State) -> Result<Position, SqlError> {
    if session.dialect() == Dialect::Sqlite {
        // Its horizon is kept in the file, and so is as durable as the messages.
        return Ok(state.horizon);
    }
    let newest = rows::newest(session, state.horizon)?.map_or(Position::START, |(at, _)| at);
    Ok(newest.max(state.purged))
}

/// The time of the newest message that can be read.
pub(crate) fn newest_time(
    session: &mut dyn Session,
    state: &State,
) -> Result<Option<Time>, SqlError> {
    Ok(rows::newest(session, state.horizon)?.map(|(_, time)| time))
}

impl fmt::Debug for PageQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageQuery")
            .field("after", &self.after)
            .field("kinds", &self.kinds)
            .field("resources", &self.resources)
            .field("limit", &self.limit)
            .field("sees", &self.sees.as_ref().map(|_| ".."))
            .field("share", &self.share)
            .finish()
    }
}
