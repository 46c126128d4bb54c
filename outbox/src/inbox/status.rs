//! How an inbox is doing.

use super::{FeedCursor, Inbox, rows};
use crate::{SqlError, Time, Tx};

/// Counts and times of an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxStatus {
    /// Where it goes on; nothing before the first page.
    pub cursor: Option<FeedCursor>,
    /// Time of the newest message that it was given.
    pub newest: Option<Time>,
    /// When it last stored a page.
    pub stored: Option<Time>,
    /// Ids that it knows.
    pub seen: u64,
    /// Messages that wait, those that failed before among them.
    pub waiting: u64,
    /// Waiting messages that failed before.
    pub failing: u64,
    /// Time of the oldest message that waits.
    pub oldest_waiting: Option<Time>,
    /// Messages that failed too often.
    pub dead: u64,
}

impl Inbox {
    /// Counts; takes time in proportion to the rows.
    ///
    /// # Errors
    /// [`SqlError`] when the database does not answer.
    pub fn status(&self, tx: &mut Tx<'_>) -> Result<InboxStatus, SqlError> {
        let sql = "SELECT cursor, newest_us, stored_us FROM inbox_place WHERE inbox = ?1";
        let place = tx.query(sql, &[self.name()])?;
        let sql = "SELECT
            (SELECT COUNT(*) FROM inbox_seen WHERE inbox = ?1),
            (SELECT COUNT(*) FROM inbox_waiting WHERE inbox = ?1),
            (SELECT COUNT(*) FROM inbox_waiting WHERE inbox = ?1 AND error IS NOT NULL),
            (SELECT MIN(time_us) FROM inbox_waiting WHERE inbox = ?1),
            (SELECT COUNT(*) FROM inbox_dead WHERE inbox = ?1)";
        let counts = tx.query(sql, &[self.name()])?;
        let count = |column: usize| {
            let count = counts.first().map_or(Ok(0), |row| row.integer(column))?;
            Ok::<u64, SqlError>(u64::try_from(count).unwrap_or(0))
        };
        let time = |found: Option<&crate::Row>, column: usize| {
            let micros = found
                .map(|row| rows::optional_integer(row, column))
                .transpose()?;
            Ok::<_, SqlError>(micros.flatten().map(Time::from_micros))
        };
        let cursor = place
            .first()
            .map(|row| rows::optional_text(row, 0))
            .transpose()?;
        Ok(InboxStatus {
            cursor: cursor.flatten().and_then(|text| text.parse().ok()),
            newest: time(place.first(), 1)?,
            stored: time(place.first(), 2)?,
            seen: count(0)?,
            waiting: count(1)?,
            failing: count(2)?,
            oldest_waiting: time(counts.first(), 3)?,
            dead: count(4)?,
        })
    }
}
