//! Sending again what a transport or a broker lost: only the transport's key-value pairs change,
//! so ids stay and whoever has seen a message sees that it is the same. Unless it is to be a new one.

use crate::kv::KV_AGAIN;
use crate::limits::{KV_NAME_BYTES_MAX, PAGE_CHUNK_ROWS, PAGE_MESSAGES_MAX};
use crate::page;
use crate::schema;
use crate::time::Day;
use crate::value::{SqlError, Value};
use crate::{
    KindPattern, Message, PageError, PageQuery, Publish as _, PublishError, Start, Store, Time,
    TransactError,
};

/// What is to be sent again.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Messages of this time or later.
    pub from: Time,
    /// Messages before this time.
    pub to: Time,
    /// Types; empty: all.
    pub kinds: Vec<KindPattern>,
    /// The transport that is asked.
    pub transport: String,
}

/// What is to be published once more.
#[derive(Debug, Clone)]
pub struct ReplayAsNew {
    /// Messages of this time or later.
    pub from: Time,
    /// Messages before this time.
    pub to: Time,
    /// Types; empty: all.
    pub kinds: Vec<KindPattern>,
}

/// Not everything was published once more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AsNewError {
    /// The messages cannot be read.
    #[error("replay: {0}")]
    Page(#[from] PageError),
    /// The database refused.
    #[error("replay: {0}")]
    Sql(#[from] SqlError),
    /// A transaction was not committed.
    #[error("replay: {0}")]
    Transact(#[from] TransactError<PublishError>),
}

/// Not everything was asked for again; to ask once more does no harm.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The transport's name cannot be one.
    #[error("transport {0:?}: names have 1 to {KV_NAME_BYTES_MAX} bytes")]
    Transport(String),
    /// The database refused.
    #[error("replay: {0}")]
    Sql(#[from] SqlError),
    /// A transaction was not committed.
    #[error("replay: {0}")]
    Transact(#[from] TransactError<SqlError>),
}

impl Store {
    /// Asks a transport to send messages again; the count of messages asked for.
    ///
    /// Goes day by day and piece by piece, so that nobody waits for long.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(&self, replay: &Replay) -> Result<u64, ReplayError> {
        if !(1..=KV_NAME_BYTES_MAX).contains(&replay.transport.len()) {
            return Err(ReplayError::Transport(
                replay.transport.chars().take(80).collect(),
            ));
        }
        let (days, kinds) = self.read(|reading| {
            let days = schema::days(reading.link())?;
            Ok::<_, SqlError>((days, page::kinds(reading.link())?))
        })?;
        let wanted = |kind| {
            replay.kinds.is_empty() || replay.kinds.iter().any(|pattern| pattern.matches(kind))
        };
        let mut numbers: Vec<String> = kinds
            .iter()
            .filter(|(_, kind)| wanted(kind))
            .map(|(number, _)| number.to_string())
            .collect();
        numbers.sort_unstable();
        let mut asked = 0;
        for day in days {
            asked += self.replay_day(replay, day, &numbers.join(", "))?;
        }
        Ok(asked)
    }

    /// Publishes messages once more under new ids: for consumers that know the old ones and are to
    /// act again. Whoever polls gets them, and each transport; the count of them.
    ///
    /// What is published meanwhile is not repeated. It goes piece by piece, so an error leaves some
    /// published and some not; to ask once more repeats those that were.
    ///
    /// # Errors
    /// [`AsNewError`].
    pub fn replay_as_new(&self, replay: &ReplayAsNew) -> Result<u64, AsNewError> {
        let end = self.head()?;
        let mut query = PageQuery {
            kinds: replay.kinds.clone(),
            limit: PAGE_MESSAGES_MAX,
            ..PageQuery::new(Start::Since(replay.from))
        };
        let mut published = 0;
        loop {
            let page = self.page(&query)?;
            let wanted = |message: &Message| (replay.from..replay.to).contains(&message.time);
            let some: Vec<Message> = page.messages.into_iter().filter(wanted).collect();
            published += some.len() as u64;
            self.transact(move |tx| {
                for Message { kind, resource, .. } in some {
                    tx.publish(&Message::new(kind, resource))?;
                }
                Ok::<_, PublishError>(())
            })?;
            if !page.more || page.next.at >= end.at {
                return Ok(published);
            }
            query.after = Start::Cursor(page.next);
        }
    }

    fn replay_day(&self, replay: &Replay, day: Day, kinds: &str) -> Result<u64, ReplayError> {
        if kinds.is_empty() {
            return Ok(0);
        }
        let mut asked = 0;
        // Walks along the ids, which are indexed.
        let mut behind: Vec<u8> = Vec::new();
        loop {
            let find = format!(
                "SELECT id FROM outbox_message_{} WHERE id > ?1 AND time >= ?2 AND time < ?3 \
                 AND kind IN ({kinds}) ORDER BY id LIMIT {PAGE_CHUNK_ROWS}",
                day.0
            );
            let values = [behind.clone().into(), replay.from.into(), replay.to.into()];
            let found = self.read(|reading| reading.query(&find, &values))?;
            let Some(last) = found.last() else {
                return Ok(asked);
            };
            behind = last.blob(0)?.to_vec();
            let first = found[0].blob(0)?.to_vec();
            let ask = format!(
                "INSERT INTO outbox_kv_{day} (message, transport, key, value) \
                 SELECT id, CAST(?1 AS text), '{KV_AGAIN}', '' FROM outbox_message_{day} \
                 WHERE id >= ?2 AND id <= ?3 AND time >= ?4 AND time < ?5 AND kind IN ({kinds}) \
                 ON CONFLICT (message, transport, key) DO NOTHING",
                day = day.0
            );
            let values = [
                Value::from(replay.transport.as_str()),
                first.into(),
                behind.clone().into(),
                replay.from.into(),
                replay.to.into(),
            ];
            self.transact(move |tx| tx.execute(&ask, &values))?;
            asked += found.len() as u64;
        }
    }
}
