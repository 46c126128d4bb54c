//! A consumer's own database: one connection, one transaction at a time.

use std::fmt;

use crate::Tx;
use crate::store::{Link, Place, StoreConfig, TransactError, writer};
use crate::value::SqlError;

/// A connection to the database in which a consumer keeps its inbox and its effects.
///
/// A service with a connection of its own needs none: it makes a [`Tx`] from its transaction.
/// A connection that broke is made again at the next transaction.
pub struct Database {
    config: StoreConfig,
    link: Option<Box<dyn Link>>,
}

/// A database that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{place:?}: {source}")]
#[non_exhaustive]
pub struct DatabaseError {
    place: Place,
    source: SqlError,
}

impl Database {
    /// Opens a database; a file of SQLite is made where it is missing, and written durably.
    ///
    /// # Errors
    /// [`DatabaseError`] with the place and the reason.
    pub fn open(place: Place) -> Result<Self, DatabaseError> {
        let config = StoreConfig::new(place);
        match writer(&config) {
            Ok(link) => Ok(Self {
                config,
                link: Some(link),
            }),
            Err(source) => Err(DatabaseError {
                place: config.place,
                source,
            }),
        }
    }

    /// Runs a job in a transaction, and commits unless the job refuses.
    ///
    /// # Errors
    /// [`TransactError::Refused`] when the job did and it was rolled back, [`TransactError::Sql`] when
    /// nothing was committed, [`TransactError::Unknown`] when nobody knows.
    pub fn transact<T, E>(
        &mut self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, TransactError<E>> {
        // Taken out, so that a job that panics leaves no connection in the middle of a transaction.
        let mut link = self.connected().map_err(TransactError::Sql)?;
        link.begin().map_err(TransactError::Sql)?;
        let result = job(&mut Tx::new(link.as_mut()));
        let value = match result {
            Ok(value) => value,
            Err(refusal) => {
                self.roll_back(link);
                return Err(TransactError::Refused(refusal));
            }
        };
        if let Some(error) = link.trouble() {
            self.roll_back(link);
            return Err(TransactError::Sql(error));
        }
        match link.commit() {
            Ok(()) => {
                self.link = Some(link);
                Ok(value)
            }
            // The connection goes, and with it what it may have held.
            Err(error) if error.answers_commit() => Err(TransactError::Sql(error)),
            Err(error) => Err(TransactError::Unknown(error)),
        }
    }

    /// Keeps the connection if it could roll back; one that could not goes, which does it too.
    fn roll_back(&mut self, mut link: Box<dyn Link>) {
        if !link.in_transaction() || link.roll_back().is_ok() {
            self.link = Some(link);
        }
    }

    fn connected(&mut self) -> Result<Box<dyn Link>, SqlError> {
        match self.link.take().filter(|link| link.is_open()) {
            Some(link) => Ok(link),
            None => writer(&self.config),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.config.place).finish()
    }
}
