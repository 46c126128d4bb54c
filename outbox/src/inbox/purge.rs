//! Ids that no feed gives any more are forgotten.

use std::time::Duration;

use super::Inbox;
use super::limits::PURGE_ROWS_MAX;
use super::rows;
use crate::{SqlError, Time, Tx};

impl Inbox {
    /// Forgets some ids older than the window, at most [`PURGE_ROWS_MAX`] of them; how many. Repeat
    /// it, in other transactions, while it gives that many.
    ///
    /// Old is what both clocks call old: received longer ago than the window by the consumer's own,
    /// and older by the window than the newest message by the feed's. So nothing is forgotten because
    /// one clock jumps, and nothing while no news comes. What waits or is dead stays known.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses; the transaction has to be rolled back.
    pub fn purge(&self, tx: &mut Tx<'_>, now: Time) -> Result<u64, SqlError> {
        let sql = "SELECT newest_us FROM inbox_place WHERE inbox = ?1";
        let found = tx.query(sql, &[self.name()])?;
        let newest = found
            .first()
            .map(|row| rows::optional_integer(row, 0))
            .transpose()?;
        let Some(newest) = newest.flatten() else {
            return Ok(0);
        };
        let window = Duration::from_secs(86_400) * self.config.window_days;
        let values = [
            self.name(),
            now.minus(window).into(),
            Time::from_micros(newest).minus(window).into(),
        ];
        let sql = format!(
            "DELETE FROM inbox_seen WHERE inbox = ?1 AND id IN (
                SELECT id FROM inbox_seen AS seen
                WHERE inbox = ?1 AND received_us < ?2 AND time_us < ?3
                AND NOT EXISTS (SELECT 1 FROM inbox_waiting AS other
                    WHERE other.inbox = seen.inbox AND other.id = seen.id)
                AND NOT EXISTS (SELECT 1 FROM inbox_dead AS other
                    WHERE other.inbox = seen.inbox AND other.id = seen.id)
                ORDER BY received_us LIMIT {PURGE_ROWS_MAX})"
        );
        tx.execute(&sql, &values)
    }
}
