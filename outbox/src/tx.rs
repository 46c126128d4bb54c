//! Transactions under way, and publishing in them.

use std::fmt;

use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};
use crate::{Message, schema};

/// A transaction under way: what is done here is committed as a whole or not at all.
///
/// [`Store::transact`](crate::Store::transact) gives one; a service with a database connection of
/// its own makes one from its transaction, on a database that a [`Store`](crate::Store) was opened
/// on before.
pub struct Tx<'a> {
    pub(crate) session: &'a mut (dyn Session + 'a),
}

/// A connection with a transaction under way, or one that can have one.
pub(crate) trait Session {
    fn dialect(&self) -> Dialect;
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError>;
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError>;
    /// Several statements without values.
    fn batch(&mut self, sql: &str) -> Result<(), SqlError>;
}

/// What became of a message that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is stored, and sent once the transaction commits.
    New,
    /// A message with this id was stored before; nothing is stored twice.
    Already,
}

/// A message is not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The day of its id was purged, so nobody knows whether it was published before.
    #[error(
        "message {0} is of a day that was purged, so nobody knows whether it was published before; \
         publish the change as a new message"
    )]
    Purged(crate::MessageId),
    /// The store knows too many types already.
    #[error(
        "message type {0} would be one type more than a store takes ({max}); types are names in \
         code, not data",
        max = crate::limits::KINDS_MAX
    )]
    TooManyKinds(crate::Kind),
    /// The database refused.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Stores messages; only a transaction does.
///
/// ```compile_fail
/// # fn wants(store: outbox::Store, message: outbox::Message) {
/// use outbox::Publish as _;
/// store.publish(&message); // no transaction, no message
/// # }
/// ```
///
/// ```
/// # fn wants(tx: &mut outbox::Tx<'_>, message: outbox::Message) -> Result<(), outbox::PublishError> {
/// use outbox::Publish as _;
/// tx.publish(&message)?;
/// # Ok(()) }
/// ```
pub trait Publish {
    /// Stores a message in this transaction; the same id again stores nothing twice.
    ///
    /// # Errors
    /// [`PublishError`]; the transaction should then be rolled back, since the state it changed
    /// would not be told.
    fn publish(&mut self, message: &Message) -> Result<Published, PublishError>;
}

impl<'a> Tx<'a> {
    pub(crate) const fn new(session: &'a mut (dyn Session + 'a)) -> Self {
        Self { session }
    }

    /// Runs a statement; the count of rows it changed.
    ///
    /// # Errors
    /// What the database says. In PostgreSQL the transaction is then of no more use.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        self.session.execute(sql, values)
    }

    /// The rows that a statement gives.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.session.query(sql, values)
    }

    /// What the database speaks.
    pub fn dialect(&self) -> Dialect {
        self.session.dialect()
    }
}

impl Publish for Tx<'_> {
    fn publish(&mut self, message: &Message) -> Result<Published, PublishError> {
        schema::publish(self.session, message)
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("dialect", &self.dialect())
            .finish_non_exhaustive()
    }
}

/// The transaction begins `IMMEDIATE`: one that first reads cannot write once another has written.
/// Its connection keeps the setting `synchronous` at `FULL`.
impl<'a> From<&'a mut rusqlite::Transaction<'_>> for Tx<'a> {
    fn from(transaction: &'a mut rusqlite::Transaction<'_>) -> Self {
        Self::new(transaction)
    }
}

/// Its connection keeps the setting `synchronous_commit` at `on`.
#[cfg(feature = "postgres")]
impl<'a> From<&'a mut postgres::Transaction<'_>> for Tx<'a> {
    fn from(transaction: &'a mut postgres::Transaction<'_>) -> Self {
        Self::new(transaction)
    }
}

/// The one row of an answer that has one by its nature.
pub(crate) fn one_row(
    session: &mut dyn Session,
    sql: &str,
    values: &[Value],
) -> Result<Row, SqlError> {
    let row = session.query(sql, values)?.into_iter().next();
    row.ok_or_else(|| SqlError::new(SqlErrorKind::Shape, format!("no row from: {sql}")))
}
