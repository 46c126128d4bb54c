//! Messages that failed too often: by failure, to look at, to try again, to give up.

use super::{Delivery, FailureGroup, Inbox, rows};
use crate::{Message, MessageId, SqlError, Time, Tx, Value};

/// Dead letters with the same failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadGroup {
    /// Their failure's name.
    pub group: FailureGroup,
    /// How many there are.
    pub count: u64,
    /// When the first and the last of them died.
    pub failed: [Time; 2],
    /// The error of one of them.
    pub error: String,
}

/// A message that failed too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message.
    pub message: Message,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it came back from the dead letters before.
    pub replays: u32,
    /// When it failed for the last time.
    pub failed: Time,
    /// Its failure's name.
    pub group: FailureGroup,
    /// Its last error.
    pub error: String,
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those with this failure.
    Group(FailureGroup),
    /// This one.
    Id(MessageId),
}

impl Which {
    fn condition(&self, values: &mut Vec<Value>) -> &'static str {
        match self {
            Self::All => "",
            Self::Group(group) => {
                values.push(Value::from(group.as_str()));
                " AND failure_group = ?2"
            }
            Self::Id(id) => {
                values.push(Value::Text(id.to_string()));
                " AND id = ?2"
            }
        }
    }
}

impl Inbox {
    /// The dead letters by failure, the most frequent first.
    ///
    /// # Errors
    /// [`SqlError`] when the database does not answer.
    pub fn dead_groups(&self, tx: &mut Tx<'_>, limit: u32) -> Result<Vec<DeadGroup>, SqlError> {
        let sql = format!(
            "SELECT failure_group, COUNT(*), MIN(failed_us), MAX(failed_us), MIN(error)
             FROM inbox_dead WHERE inbox = ?1 GROUP BY failure_group
             ORDER BY COUNT(*) DESC, failure_group LIMIT {limit}"
        );
        let found = tx.query(&sql, &[self.name()])?;
        let group = |row| {
            Ok(DeadGroup {
                group: rows::group(row, 0)?,
                count: u64::try_from(row.integer(1)?).unwrap_or(0),
                failed: [
                    Time::from_micros(row.integer(2)?),
                    Time::from_micros(row.integer(3)?),
                ],
                error: row.text(4)?.to_owned(),
            })
        };
        found.iter().map(group).collect()
    }

    /// Dead letters, the last first.
    ///
    /// # Errors
    /// [`SqlError`] when the database does not answer.
    pub fn dead_letters(
        &self,
        tx: &mut Tx<'_>,
        which: &Which,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, SqlError> {
        let mut values = vec![self.name()];
        let condition = which.condition(&mut values);
        let sql = format!(
            "SELECT id, time_us, kind, resource, attempts, replays, failed_us, failure_group, error
             FROM inbox_dead WHERE inbox = ?1{condition} ORDER BY failed_us DESC, id LIMIT {limit}"
        );
        let found = tx.query(&sql, &values)?;
        let letter = |row| {
            Ok(DeadLetter {
                message: rows::message(row, 0)?,
                attempts: rows::count(row, 4)?,
                replays: rows::count(row, 5)?,
                failed: Time::from_micros(row.integer(6)?),
                group: rows::group(row, 7)?,
                error: row.text(8)?.to_owned(),
            })
        };
        found.iter().map(letter).collect()
    }

    /// Lets dead letters wait again, with all their tries before them; how many.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses; the transaction has to be rolled back.
    pub fn replay_dead(&self, tx: &mut Tx<'_>, which: &Which, now: Time) -> Result<u64, SqlError> {
        let mut values = vec![self.name()];
        let condition = which.condition(&mut values);
        values.push(now.into());
        let sql = format!(
            "INSERT INTO inbox_waiting
                (inbox, id, time_us, kind, resource, attempts, replays, due_us, taken, error)
             SELECT inbox, id, time_us, kind, resource, 0, replays + 1,
                CAST(?{} AS BIGINT), 0, error
             FROM inbox_dead WHERE inbox = ?1{condition}",
            values.len()
        );
        let replayed = tx.execute(&sql, &values)?;
        let dropped = self.drop_dead(tx, which)?;
        if dropped != replayed {
            // Another consumer buried one between the two statements: as in the message of the error.
            let text =
                format!("{replayed} dead letters wait again, {dropped} were taken; repeat it");
            return Err(SqlError::new(crate::value::SqlErrorKind::Busy, text));
        }
        Ok(replayed)
    }

    /// Gives dead letters up; how many. Their ids stay known, so they do not come back.
    ///
    /// # Errors
    /// As [`Inbox::replay_dead`].
    pub fn drop_dead(&self, tx: &mut Tx<'_>, which: &Which) -> Result<u64, SqlError> {
        let mut values = vec![self.name()];
        let condition = which.condition(&mut values);
        let sql = format!("DELETE FROM inbox_dead WHERE inbox = ?1{condition}");
        tx.execute(&sql, &values)
    }

    pub(super) fn bury(
        &self,
        tx: &mut Tx<'_>,
        delivery: &Delivery,
        attempts: u32,
        group: &FailureGroup,
        error: &str,
        now: Time,
    ) -> Result<(), SqlError> {
        let mut values = self.message_values(&delivery.message);
        values.extend([
            Value::from(i64::from(attempts)),
            Value::from(i64::from(delivery.replays)),
            now.into(),
            Value::from(group.as_str()),
            Value::from(error),
        ]);
        let sql = "INSERT INTO inbox_dead
            (inbox, id, time_us, kind, resource, attempts, replays, failed_us, failure_group, error)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        tx.execute(sql, &values)?;
        Ok(())
    }
}
