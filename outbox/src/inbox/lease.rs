//! Messages lent out without a transaction, for effects that no transaction can hold: commands.
//!
//! A lease counts as a try when it begins, so that a command that takes its caller down with it is
//! not tried for ever. Its effect happens at least once: who dies between the effect and
//! [`Inbox::done`] has it again when the lease ends.

use std::time::Duration;

use super::{Delivery, Failed, FailureGroup, Inbox};
use crate::{KindPattern, SqlError, Time, Tx, Value};

/// Longest lease; a longer one is taken as this.
pub(super) const LEASE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Inbox {
    /// Lends out the message that has been due for longest; commit before using it.
    ///
    /// Until `lease` is over nobody else gets it. A message whose tries ended without a word often
    /// enough goes to the dead letters here.
    ///
    /// # Errors
    /// [`SqlError`] when the database refuses; the transaction has to be rolled back.
    pub fn lend(
        &self,
        tx: &mut Tx<'_>,
        kinds: &[KindPattern],
        lease: Duration,
        now: Time,
    ) -> Result<Option<Delivery>, SqlError> {
        loop {
            let mut values = self.due_values(now);
            let due = self.due(tx, kinds, &mut values);
            values.push(Value::Integer(now.plus(lease.min(LEASE_MAX)).as_micros()));
            let sql = format!(
                "UPDATE inbox_waiting SET attempts = attempts + 1, taken = 1, due_us = ?{}
                 WHERE inbox = ?1 AND id = ({due})
                 RETURNING id, time_us, kind, resource, attempts - 1, replays",
                values.len()
            );
            let Some(delivery) = self.delivery(tx, &sql, &values)? else {
                return Ok(None);
            };
            if delivery.attempts < self.config.attempts_max {
                return Ok(Some(delivery));
            }
            let error = "no try came to an end: killed, or longer than its lease";
            let group = FailureGroup::of(error, &delivery.message);
            self.forget_waiting(tx, &delivery)?;
            self.bury(tx, &delivery, delivery.attempts, &group, error, now)?;
        }
    }

    /// The lent message has had its effect.
    ///
    /// # Errors
    /// As [`Inbox::lend`].
    pub fn done(&self, tx: &mut Tx<'_>, delivery: &Delivery) -> Result<(), SqlError> {
        self.forget_waiting(tx, delivery)?;
        Ok(())
    }

    /// The lent message's effect failed; `None` if the lease was over and another has it now.
    ///
    /// # Errors
    /// As [`Inbox::lend`].
    pub fn undone(
        &self,
        tx: &mut Tx<'_>,
        delivery: &Delivery,
        error: &str,
        now: Time,
    ) -> Result<Option<Failed>, SqlError> {
        let sql = "DELETE FROM inbox_waiting
            WHERE inbox = ?1 AND id = ?2 AND attempts = ?3 AND taken = 1";
        let [inbox, id, attempts] = self.lease_values(delivery);
        if tx.execute(sql, &[inbox, id, attempts])? == 0 {
            return Ok(None);
        }
        self.failed(tx, delivery, error, now).map(Some)
    }

    /// The lent message was not tried: it is due at once, and the try does not count.
    ///
    /// # Errors
    /// As [`Inbox::lend`].
    pub fn give_back(
        &self,
        tx: &mut Tx<'_>,
        delivery: &Delivery,
        now: Time,
    ) -> Result<(), SqlError> {
        let sql = "UPDATE inbox_waiting SET attempts = attempts - 1, taken = 0, due_us = ?4
            WHERE inbox = ?1 AND id = ?2 AND attempts = ?3 AND taken = 1";
        let [inbox, id, attempts] = self.lease_values(delivery);
        tx.execute(sql, &[inbox, id, attempts, now.into()])?;
        Ok(())
    }

    /// What tells a lease from a later one of the same message: the count of tries it began.
    fn lease_values(&self, delivery: &Delivery) -> [Value; 3] {
        let id = Value::Text(delivery.message.id.to_string());
        [self.name(), id, (i64::from(delivery.attempts) + 1).into()]
    }

    fn forget_waiting(&self, tx: &mut Tx<'_>, delivery: &Delivery) -> Result<u64, SqlError> {
        let sql = "DELETE FROM inbox_waiting WHERE inbox = ?1 AND id = ?2";
        tx.execute(
            sql,
            &[self.name(), Value::Text(delivery.message.id.to_string())],
        )
    }
}
