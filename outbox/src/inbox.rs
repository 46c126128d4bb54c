//! The consumer's side: what was received, once each, in the consumer's own database.
//!
//! A feed gives every message at least once and in no promised order. An [`Inbox`] stores what it
//! has not seen, together with the cursor, in one transaction ([`Inbox::receive`]), and hands out
//! each message in the transaction that holds its effect ([`Inbox::dequeue`], [`subscribe`]): effect
//! and mark are committed together or not at all, so a message has its effect exactly once.
//!
//! ```text
//!                       ┌──────────── handled: effect and mark in one transaction
//!  page ──► waiting ────┤
//!   (once, by id)  ▲    └─ failed ──► waiting, later ──► … ──► dead ──► dropped
//!                  └───────────────── replayed ◄─────────────────┘
//! ```
//!
//! Start with [`Inbox`] and [`Database`]; [`Poller`] decides when to ask a feed for what, without
//! IO; with the feature `client`, `InboxClient` asks over HTTP.
//!
//! # Invariants
//! - The cursor never passes a message that is not stored.
//! - An id is known again for the whole window, by the clock of the feed *and* by the consumer's own:
//!   if one of them jumps, nothing is forgotten.
//! - A message that fails does not stand in the way of others: it waits, then goes to the dead letters.
//! - What the feed sends is checked and bounded before anything of it is stored.

mod backoff;
mod bell;
#[cfg(feature = "client")]
pub mod client;
mod config;
mod database;
mod dead;
mod dequeue;
mod failure_group;
mod feed_page;
mod lease;
pub mod limits;
mod poller;
mod purge;
mod receive;
mod rows;
mod schema;
mod status;
mod subscribe;
#[cfg(test)]
mod testing;

#[cfg(feature = "relay")]
pub(crate) use self::backoff::Backoff;
pub use self::bell::Bell;
pub use self::config::{InboxConfig, InboxConfigError};
pub use self::database::{Database, DatabaseError};
pub use self::dead::{DeadGroup, DeadLetter, Which};
pub use self::dequeue::{Attempt, BoxError, Delivery, Failed};
pub use self::failure_group::FailureGroup;
pub use self::feed_page::{FeedCursor, FeedCursorError, FeedPage, FeedPageError};
pub use self::poller::{
    After, Event, Failure, Filter, Gone, PollRequest, Poller, PollerConfig, Purpose, Received,
    Resume,
};
pub use self::schema::SchemaError;
pub use self::status::InboxStatus;
pub use self::subscribe::{Handled, Until, subscribe};

use std::sync::Arc;

use crate::{SqlError, Tx};

/// An inbox: its name and rules. Its rows are where the transaction is.
#[derive(Debug, Clone)]
pub struct Inbox {
    config: Arc<InboxConfig>,
}

impl Inbox {
    /// An inbox with these rules.
    ///
    /// # Errors
    /// [`InboxConfigError`] for a rule that cannot be.
    pub fn new(config: InboxConfig) -> Result<Self, InboxConfigError> {
        config.check()?;
        let config = Arc::new(config);
        Ok(Self { config })
    }

    /// Its rules.
    #[must_use]
    pub fn config(&self) -> &InboxConfig {
        &self.config
    }

    /// Makes the tables where they are missing; safe to repeat.
    ///
    /// # Errors
    /// [`SchemaError`] for tables of a later version, or when the database refuses.
    pub fn create(&self, tx: &mut Tx<'_>) -> Result<(), SchemaError> {
        schema::create(tx)
    }

    /// Whether there is room for one more page of messages that wait.
    ///
    /// # Errors
    /// [`SqlError`] when the database does not answer.
    pub fn has_room(&self, tx: &mut Tx<'_>) -> Result<bool, SqlError> {
        Ok(self.waiting(tx)? < limits::WAITING_MAX)
    }
}
