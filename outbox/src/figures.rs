//! Figures of a store that cost little, for who looks several times a minute.

use crate::schema;
use crate::time::Day;
use crate::tx::Session;
use crate::value::{Dialect, SqlError};
use crate::{Store, Time, page};

/// How much there is, and how old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Messages published since the store was made; with PostgreSQL also numbers of transactions
    /// that were rolled back, and nothing while all messages are purged.
    pub published: u64,
    /// Days with messages, oldest first, and about how many each has.
    pub rows: Vec<(Day, u64)>,
    /// Time of the first message that is kept.
    pub oldest: Option<Time>,
    /// Time of the newest message that can be read.
    pub newest: Option<Time>,
}

impl Store {
    /// How much there is, and how old.
    ///
    /// # Errors
    /// What the database says.
    pub fn figures(&self) -> Result<Figures, SqlError> {
        self.read(|reading| {
            let state = *reading.state();
            let newest = page::head(reading.link(), &state)?;
            let newest_time = page::newest_time(reading.link(), &state)?;
            let session = reading.link();
            let published = match session.dialect() {
                Dialect::Sqlite => state.horizon.sequence,
                Dialect::Postgres => newest.sequence,
            };
            let days = schema::days(session)?;
            let mut rows = Vec::with_capacity(days.len());
            let mut oldest = None;
            for day in days {
                let (count, first) = of_day(session, day)?;
                rows.push((day, count));
                oldest = oldest.or(first);
            }
            Ok(Figures {
                published: u64::try_from(published).unwrap_or_default(),
                rows,
                oldest,
                newest: newest_time,
            })
        })
    }
}

/// About how many messages a day has, and the time of its first one. Counting rows would read them all.
fn of_day(session: &mut dyn Session, day: Day) -> Result<(u64, Option<Time>), SqlError> {
    let (count, order) = match session.dialect() {
        // Numbers have gaps only where messages of two days were committed in turn.
        Dialect::Sqlite => (
            "SELECT coalesce((SELECT max(sequence) FROM outbox_message_{day}) \
             - (SELECT min(sequence) FROM outbox_message_{day}) + 1, 0)",
            "sequence",
        ),
        Dialect::Postgres => (
            "SELECT coalesce((SELECT n_live_tup FROM pg_stat_user_tables \
             WHERE relname = 'outbox_message_{day}' AND schemaname = current_schema()), 0)::bigint",
            "xid, sequence",
        ),
    };
    let rows = session.query(&schema::tables::for_day(count, day), &[])?;
    let count = rows.first().map_or(Ok(0), |row| row.integer(0))?;
    let first = format!(
        "SELECT time FROM outbox_message_{} ORDER BY {order} LIMIT 1",
        day.0
    );
    let rows = session.query(&first, &[])?;
    let first = rows.first().map(|row| row.integer(0)).transpose()?;
    let count = u64::try_from(count).unwrap_or_default();
    Ok((count, first.map(Time::from_micros)))
}
