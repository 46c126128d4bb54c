//! Messages leave the inbox: with their effect, or with an error to try again or be dead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::backoff::Backoff;
use super::failure_group::shortened;
use super::{FailureGroup, Inbox, rows};
use crate::{KindPattern, Message, SqlError, Time, Tx, Value};

/// What a handler says that failed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Held while a handler runs, so that its effects can be undone and its failure be kept.
const SAVEPOINT: &str = "inbox_handler";

/// A message that was taken out, and its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// How often it was tried before.
    pub attempts: u32,
    /// How often it came back from the dead letters.
    pub replays: u32,
}

/// What becomes of a message whose handler failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It waits, and is tried again from this time on.
    Again(Time),
    /// It was tried often enough.
    Dead(FailureGroup),
}

/// What one look into the inbox came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Nothing is due; the next is at this time, if anything waits.
    Nothing(Option<Time>),
    /// Handled: commit, and its effect and its mark are both there.
    Done(Message),
    /// Its handler failed, with this error, and left no effect; commit to keep that in mind.
    Failed(Message, Failed, String),
}

impl Inbox {
    /// Takes out the message that has been due for longest; `None` when none is.
    ///
    /// Commit it together with its effect. A transaction that is rolled back leaves it where it was;
    /// [`Inbox::failed`] makes it wait instead. Several consumers may do so at once: on PostgreSQL
    /// each takes another message, SQLite lets one in after the other.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses; the transaction has to be rolled back.
    pub fn dequeue(&self, tx: &mut Tx<'_>, now: Time) -> Result<Option<Delivery>, SqlError> {
        self.dequeue_of(tx, &[], now)
    }

    /// As [`Inbox::dequeue`], of these types only; none means all.
    ///
    /// # Errors
    /// As [`Inbox::dequeue`].
    pub fn dequeue_of(
        &self,
        tx: &mut Tx<'_>,
        kinds: &[KindPattern],
        now: Time,
    ) -> Result<Option<Delivery>, SqlError> {
        let mut values = self.due_values(now);
        let due = self.due(tx, kinds, &mut values);
        let sql = format!(
            "DELETE FROM inbox_waiting WHERE inbox = ?1 AND id = ({due})
             RETURNING id, time_us, kind, resource, attempts, replays"
        );
        self.delivery(tx, &sql, &values)
    }

    /// Says that a message's handler failed, in the transaction that took it out.
    ///
    /// # Errors
    /// As [`Inbox::dequeue`].
    pub fn failed(
        &self,
        tx: &mut Tx<'_>,
        delivery: &Delivery,
        error: &str,
        now: Time,
    ) -> Result<Failed, SqlError> {
        let attempts = delivery.attempts.saturating_add(1);
        let error = shortened(error);
        if attempts >= self.config.attempts_max {
            let group = FailureGroup::of(&error, &delivery.message);
            self.bury(tx, delivery, attempts, &group, &error, now)?;
            return Ok(Failed::Dead(group));
        }
        let again = now.plus(self.wait_after(&delivery.message, attempts));
        let mut values = self.message_values(&delivery.message);
        values.extend([
            Value::from(i64::from(attempts)),
            Value::from(i64::from(delivery.replays)),
            Value::Integer(again.as_micros()),
            Value::Text(error),
        ]);
        let sql = "INSERT INTO inbox_waiting
            (inbox, id, time_us, kind, resource, attempts, replays, due_us, error, taken)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)";
        tx.execute(sql, &values)?;
        Ok(Failed::Again(again))
    }

    /// Takes out the next message and runs its handler; the caller commits what came of it.
    ///
    /// A handler that fails or panics leaves nothing of what it did in the database.
    ///
    /// # Errors
    /// As [`Inbox::dequeue`]; the attempt then does not count, and comes again.
    pub fn attempt(
        &self,
        tx: &mut Tx<'_>,
        kinds: &[KindPattern],
        now: Time,
        handler: &mut dyn FnMut(&mut Tx<'_>, &Message) -> Result<(), BoxError>,
    ) -> Result<Attempt, SqlError> {
        let Some(delivery) = self.dequeue_of(tx, kinds, now)? else {
            return Ok(Attempt::Nothing(self.next_due(tx, kinds)?));
        };
        tx.execute(&format!("SAVEPOINT {SAVEPOINT}"), &[])?;
        // What the handler did to the database is undone below; what it did to itself is its own.
        let handled = catch_unwind(AssertUnwindSafe(|| handler(tx, &delivery.message)));
        let error = match handled {
            Ok(Ok(())) => match tx.execute(&format!("RELEASE SAVEPOINT {SAVEPOINT}"), &[]) {
                Ok(_) => return Ok(Attempt::Done(delivery.message)),
                // PostgreSQL keeps nothing of a handler that went on after a statement failed.
                Err(error) => format!("handler went on after an error of the database: {error}"),
            },
            Ok(Err(error)) => chain(&*error),
            Err(panic) => format!("handler panicked: {}", panic_text(&*panic)),
        };
        tx.execute(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}"), &[])?;
        tx.execute(&format!("RELEASE SAVEPOINT {SAVEPOINT}"), &[])?;
        let failed = self.failed(tx, &delivery, &error, now)?;
        Ok(Attempt::Failed(delivery.message, failed, error))
    }

    /// When the next waiting message is due.
    ///
    /// # Errors
    /// [`SqlError`] when the database does not answer.
    pub fn next_due(
        &self,
        tx: &mut Tx<'_>,
        kinds: &[KindPattern],
    ) -> Result<Option<Time>, SqlError> {
        let mut values = vec![self.name()];
        let of_kinds = rows::of_kinds(kinds, &mut values);
        let sql = format!("SELECT MIN(due_us) FROM inbox_waiting WHERE inbox = ?1{of_kinds}");
        let found = tx.query(&sql, &values)?;
        let due = found
            .first()
            .map(|row| rows::optional_integer(row, 0))
            .transpose()?;
        Ok(due.flatten().map(Time::from_micros))
    }

    /// `?1` to `?3` of [`Inbox::due`].
    pub(super) fn due_values(&self, now: Time) -> Vec<Value> {
        // No wait is longer than this: what is due later was written by a clock that was ahead.
        let never = now.plus(self.config.retry_max * 2 + super::lease::LEASE_MAX);
        vec![
            self.name(),
            Value::Integer(now.as_micros()),
            Value::Integer(never.as_micros()),
        ]
    }

    /// The statement that finds the id to take next.
    pub(super) fn due(
        &self,
        tx: &Tx<'_>,
        kinds: &[KindPattern],
        values: &mut Vec<Value>,
    ) -> String {
        format!(
            "SELECT id FROM inbox_waiting
             WHERE inbox = ?1 AND (due_us <= ?2 OR due_us > ?3){}
             ORDER BY due_us, id LIMIT 1{}",
            rows::of_kinds(kinds, values),
            rows::skip_locked(tx)
        )
    }

    pub(super) fn delivery(
        &self,
        tx: &mut Tx<'_>,
        sql: &str,
        values: &[Value],
    ) -> Result<Option<Delivery>, SqlError> {
        let found = tx.query(sql, values)?;
        let Some(row) = found.first() else {
            return Ok(None);
        };
        Ok(Some(Delivery {
            message: rows::message(row, 0)?,
            attempts: rows::count(row, 4)?,
            replays: rows::count(row, 5)?,
        }))
    }

    /// The values of `inbox, id, time_us, kind, resource`.
    pub(super) fn message_values(&self, message: &Message) -> Vec<Value> {
        vec![
            self.name(),
            Value::Text(message.id.to_string()),
            Value::Integer(message.time.as_micros()),
            Value::from(message.kind.as_str()),
            Value::from(message.resource.as_str()),
        ]
    }

    /// The wait before the next try; its jitter comes from the id, so that no generator is needed
    /// and messages that failed together do not come back together.
    pub(super) fn wait_after(&self, message: &Message, attempts: u32) -> Duration {
        let [.., a, b, c, d, e, f, g, h] = *message.id.as_bytes();
        let seed = u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ u64::from(attempts);
        Backoff::new(self.config.retry_min, self.config.retry_max, seed).after(attempts)
    }
}

/// An error with its causes, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}
