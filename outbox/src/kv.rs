//! Key-value pairs that a transport keeps beside a message: attempted, acknowledged, asked for
//! again. They are in no answer to a consumer.

use crate::limits::{KV_NAME_BYTES_MAX, KV_VALUE_BYTES_MAX, PAGE_MESSAGES_MAX};
use crate::schema;
use crate::store::Reading;
use crate::tx::{Session, Tx};
use crate::value::{SqlError, Value};
use crate::{Message, MessageId, Store, TransactError};

/// The key that asks a transport to send a message again; the transport deletes it when it has.
pub const KV_AGAIN: &str = "again";

/// A key-value pair is not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// A name or a value is too long, or a name is empty.
    #[error(
        "key-value pair {transport:?} {key:?}: names have 1 to {KV_NAME_BYTES_MAX} bytes, values \
         at most {KV_VALUE_BYTES_MAX}"
    )]
    TooLong {
        /// Which transport.
        transport: String,
        /// Which key.
        key: String,
    },
    /// The store has no message of that day any more, or never had.
    #[error("message {0} is not in the store; it may have been purged")]
    NoMessage(MessageId),
    /// The database refused.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

impl Tx<'_> {
    /// Keeps a pair; a pair with the same key is replaced.
    ///
    /// # Errors
    /// [`KvError`].
    pub fn put_kv(
        &mut self,
        message: MessageId,
        transport: &str,
        key: &str,
        value: &str,
    ) -> Result<(), KvError> {
        let name = |text: &str| (1..=KV_NAME_BYTES_MAX).contains(&text.len());
        if !name(transport) || !name(key) || value.len() > KV_VALUE_BYTES_MAX {
            let clip = |text: &str| text.chars().take(KV_NAME_BYTES_MAX).collect();
            return Err(KvError::TooLong {
                transport: clip(transport),
                key: clip(key),
            });
        }
        let day = message.day().0;
        if !has_day(self.session, message)? {
            return Err(KvError::NoMessage(message));
        }
        // Nothing is kept beside a message that is not there. PostgreSQL wants the types of what
        // is selected stated.
        let sql = format!(
            "INSERT INTO outbox_kv_{day} (message, transport, key, value)
             SELECT id, CAST(?2 AS text), CAST(?3 AS text), CAST(?4 AS text) FROM outbox_message_{day} WHERE id = ?1
             ON CONFLICT (message, transport, key) DO UPDATE SET value = excluded.value"
        );
        let values = [message.into(), transport.into(), key.into(), value.into()];
        match self.session.execute(&sql, &values)? {
            0 => Err(KvError::NoMessage(message)),
            _ => Ok(()),
        }
    }

    /// Forgets a pair; whether there was one.
    ///
    /// # Errors
    /// What the database says.
    pub fn delete_kv(
        &mut self,
        message: MessageId,
        transport: &str,
        key: &str,
    ) -> Result<bool, SqlError> {
        if !has_day(self.session, message)? {
            return Ok(false);
        }
        let sql = format!(
            "DELETE FROM outbox_kv_{} WHERE message = ?1 AND transport = ?2 AND key = ?3",
            message.day().0
        );
        let values = [message.into(), transport.into(), key.into()];
        Ok(self.session.execute(&sql, &values)? > 0)
    }
}

impl Reading<'_> {
    /// The pairs of a transport beside a message, by key.
    ///
    /// # Errors
    /// What the database says.
    pub fn kv(
        &mut self,
        message: MessageId,
        transport: &str,
    ) -> Result<Vec<(String, String)>, SqlError> {
        if !has_day(self.link(), message)? {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT key, value FROM outbox_kv_{} WHERE message = ?1 AND transport = ?2 \
             ORDER BY key",
            message.day().0
        );
        let rows = self.query(&sql, &[message.into(), transport.into()])?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
            .collect()
    }

    /// Messages that a transport is asked to send again ([`KV_AGAIN`]), at most `limit` of them,
    /// older days first.
    ///
    /// # Errors
    /// What the database says.
    pub fn asked_again(&mut self, transport: &str, limit: usize) -> Result<Vec<Message>, SqlError> {
        let limit = limit.clamp(1, PAGE_MESSAGES_MAX);
        let mut messages = Vec::new();
        for day in schema::days(self.link())? {
            let left = i64::try_from(limit - messages.len()).unwrap_or(0);
            let sql = format!(
                "SELECT m.id, m.time, k.name, m.resource FROM outbox_kv_{day} AS kv \
                 JOIN outbox_message_{day} AS m ON m.id = kv.message \
                 JOIN outbox_kind AS k ON k.number = m.kind \
                 WHERE kv.key = 'again' AND kv.transport = ?1 ORDER BY kv.message LIMIT ?2",
                day = day.0
            );
            for row in self.query(&sql, &[transport.into(), Value::Integer(left)])? {
                messages.push(schema::message(&row)?);
            }
            if messages.len() >= limit {
                break;
            }
        }
        Ok(messages)
    }
}

impl Store {
    /// Keeps a pair beside a message, in a transaction of its own.
    ///
    /// # Errors
    /// [`TransactError`].
    pub fn put_kv(
        &self,
        message: MessageId,
        transport: &str,
        key: &str,
        value: &str,
    ) -> Result<(), TransactError<KvError>> {
        let (transport, key, value) = (transport.to_owned(), key.to_owned(), value.to_owned());
        self.transact(move |tx| tx.put_kv(message, &transport, &key, &value))
    }

    /// The pairs of a transport beside a message, by key.
    ///
    /// # Errors
    /// What the database says.
    pub fn kv(
        &self,
        message: MessageId,
        transport: &str,
    ) -> Result<Vec<(String, String)>, SqlError> {
        self.read(|reading| reading.kv(message, transport))
    }
}

/// Whether the day of a message has tables: PostgreSQL aborts a transaction that asks in vain.
fn has_day(session: &mut dyn Session, message: MessageId) -> Result<bool, SqlError> {
    let sql = "SELECT 1 FROM outbox_day WHERE day = ?1";
    Ok(!session.query(sql, &[message.day().0.into()])?.is_empty())
}
