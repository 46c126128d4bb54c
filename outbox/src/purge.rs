//! Purging: whole days are dropped once all of their messages are past their age.

use crate::clock::Clock;
use crate::cursor::Position;
use crate::limits::CLOCK_STEP_MAX;
use crate::schema::{self, State, tables};
use crate::store::{Link, Shared, in_transaction};
use crate::time::Day;
use crate::tx::Session;
use crate::value::{Dialect, SqlError, SqlErrorKind};
use crate::{MessageId, Time, headroom};

/// What a purge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The days whose messages went, oldest first.
    pub days: Vec<Day>,
    /// Days that would have gone, but the clock is not believed.
    pub kept_for_clock: usize,
    /// Days past their age that stay for now: younger messages of another day were committed
    /// before their last one, and could not be given without a gap any more.
    pub kept_for_younger: usize,
    /// Days past their age that stay until the next purge, because somebody uses their tables.
    pub kept_in_use: usize,
    /// Days later than the clock and a day: the clock was ahead when they were published to.
    pub ahead_of_clock: usize,
    /// Whether the clock is believed.
    pub clock: Clock,
}

/// Nothing more was purged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// The database refused.
    #[error("purge: {0}")]
    Sql(#[from] SqlError),
}

impl Shared {
    pub(crate) fn purge(&self, now: Time) -> Result<Purged, PurgeError> {
        let retention = self.config.retention;
        let place = self.config.place.clone();
        let ballast = headroom::ballast_bytes(self.config.headroom_bytes);
        let purged = self.task(move |link| {
            let first = purge(link, now, retention);
            // Dropping a day writes some pages before it frees any.
            let purged = match first {
                Err(error) if error.kind() == SqlErrorKind::Full => {
                    headroom::give_back(&place);
                    purge(link, now, retention)?
                }
                first => first?,
            };
            headroom::keep_ballast(&place, ballast);
            Ok(purged)
        });
        let purged = purged.inspect_err(|error| self.counters.purge_failed(now, error))?;
        self.counters.purged(now, &purged);
        if let Some(last) = purged.days.last() {
            MessageId::no_new_before(last.next());
        }
        Ok(purged)
    }

    pub(crate) fn accept_clock(&self, now: Time) -> Result<(), PurgeError> {
        self.task(move |link| {
            let sql = "UPDATE outbox_state SET clock = ?1";
            link.execute(sql, &[now.into()]).map(|_| ())
        })?;
        self.counters.clock(Clock::Believed);
        Ok(())
    }
}

/// Drops what is past its age, one transaction for each day, so that nobody waits for long.
fn purge(
    link: &mut dyn Link,
    now: Time,
    retention: std::time::Duration,
) -> Result<Purged, SqlError> {
    let state = State::read(link)?;
    let clock = Clock::judge(Time::from_micros(state.clock_us), now);
    let oldest_kept = now.minus(retention);
    let all_days = schema::days(link)?;
    // Messages of a day are past their age when the next day's first moment is.
    let is_old = |day: &&Day| day.next().start() <= oldest_kept;
    let old = all_days.iter().take_while(is_old).count();
    if clock != Clock::Believed {
        return Ok(Purged {
            days: Vec::new(),
            kept_for_clock: old,
            kept_for_younger: 0,
            kept_in_use: 0,
            ahead_of_clock: 0,
            clock,
        });
    }
    if now.as_micros() > state.clock_us {
        link.execute("UPDATE outbox_state SET clock = ?1", &[now.into()])?;
    }
    // What was made while the clock was ahead would keep everything until that time comes.
    let young = Young {
        after: oldest_kept,
        until: now.plus(CLOCK_STEP_MAX),
    };
    let within = all_days.partition_point(|day| *day <= young.until.day());
    let mut days = Vec::new();
    let (mut kept_for_younger, mut kept_in_use) = (0, 0);
    for index in 0..old {
        let (day, later) = (all_days[index], &all_days[index + 1..within]);
        match in_transaction(link, |link| drop_day(link, day, later, young)) {
            Ok(true) => days.push(day),
            Ok(false) => {
                kept_for_younger = old - index;
                break;
            }
            // Its own lock was taken by SQLite with the patience of the store.
            Err(error)
                if error.kind() == SqlErrorKind::Busy && link.dialect() == Dialect::Postgres =>
            {
                kept_in_use = old - index;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if link.dialect() == Dialect::Postgres {
        // Whoever makes a day's tables holds others up until its commit: better now than then.
        for day in [now.day(), now.day().next()] {
            link.query("SELECT outbox_make_day(?1)", &[day.0.into()])?;
        }
    }
    Ok(Purged {
        days,
        kept_for_clock: 0,
        kept_for_younger,
        kept_in_use,
        ahead_of_clock: all_days.len() - within,
        clock,
    })
}

/// Times of messages that must be kept.
#[derive(Debug, Clone, Copy)]
struct Young {
    after: Time,
    until: Time,
}

/// Drops a day and remembers that cursors before its last message have a gap behind them. Whether
/// it did: a message of a later day that was committed before that last one is behind no cursor
/// any more, so the day stays until such a message is past its age too.
fn drop_day(link: &mut dyn Link, day: Day, later: &[Day], young: Young) -> Result<bool, SqlError> {
    tables::lock_day(link, day)?;
    let last = last_of(link, day)?;
    if let Some(last) = last {
        for other in later {
            if has_young_before(link, *other, last, young)? {
                return Ok(false);
            }
        }
    }
    tables::drop_day(link, day)?;
    let sql = "UPDATE outbox_state SET purged_day = CASE WHEN purged_day < ?1 THEN ?1 ELSE \
               purged_day END";
    link.execute(sql, &[day.0.into()])?;
    if let Some(last) = last {
        let sql = "UPDATE outbox_state SET purged_transaction = ?1, purged_sequence = ?2 \
                   WHERE purged_transaction < ?1 \
                   OR (purged_transaction = ?1 AND purged_sequence < ?2)";
        link.execute(sql, &[last.transaction.into(), last.sequence.into()])?;
    }
    Ok(true)
}

/// Whether a day has a message that was committed before a place and must be kept.
fn has_young_before(
    session: &mut dyn Session,
    day: Day,
    at: Position,
    young: Young,
) -> Result<bool, SqlError> {
    let before = match session.dialect() {
        Dialect::Sqlite => "sequence < ?2 AND ?1 = ?1",
        Dialect::Postgres => "(xid, sequence) < (?1, ?2)",
    };
    let sql = format!(
        "SELECT 1 FROM outbox_message_{} WHERE {before} AND time > ?3 AND time <= ?4 LIMIT 1",
        day.0
    );
    let values = [
        at.transaction.into(),
        at.sequence.into(),
        young.after.into(),
        young.until.into(),
    ];
    Ok(!session.query(&sql, &values)?.is_empty())
}

fn last_of(session: &mut dyn Session, day: Day) -> Result<Option<Position>, SqlError> {
    let day = day.0;
    let sql = match session.dialect() {
        Dialect::Sqlite => {
            format!("SELECT 0, sequence FROM outbox_message_{day} ORDER BY 2 DESC LIMIT 1")
        }
        Dialect::Postgres => format!(
            "SELECT xid, sequence FROM outbox_message_{day} \
             ORDER BY xid DESC, sequence DESC LIMIT 1"
        ),
    };
    let rows = session.query(&sql, &[])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Position {
        transaction: row.integer(0)?,
        sequence: row.integer(1)?,
    }))
}
