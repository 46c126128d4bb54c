//! Rows of several days and types, merged in the order of commits by the database.

use std::collections::HashMap;

use crate::cursor::Position;
use crate::limits::PAGE_RANGES_MAX;
use crate::schema;
use crate::time::Day;
use crate::tx::Session;
use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};
use crate::{Kind, KindPattern, Message, MessageId, Resource, Time};

/// A message and where it stands.
pub(super) struct Placed {
    pub(super) at: Position,
    pub(super) message: Message,
}

/// The days and types that rows come from.
pub(super) struct Source {
    /// One statement over all of them; nothing if there are none.
    sql: Option<String>,
    kinds: HashMap<i64, Kind>,
    /// Patterns that no index answers, because they match too many types.
    patterns: Vec<KindPattern>,
}

impl Source {
    /// Rows whose type matches one of `patterns`; all rows if there is none.
    pub(super) fn new(
        session: &mut dyn Session,
        patterns: &[KindPattern],
    ) -> Result<Self, SqlError> {
        let kinds = kinds(session)?;
        let days = schema::days(session)?;
        let matching = kinds
            .iter()
            .filter(|(_, kind)| patterns.iter().any(|pattern| pattern.matches(kind)));
        let mut numbers: Vec<i64> = matching.map(|(number, _)| *number).collect();
        // The same types give the same text, and so a statement that is ready.
        numbers.sort_unstable();
        let by_index =
            !patterns.is_empty() && numbers.len().saturating_mul(days.len()) <= PAGE_RANGES_MAX;
        let dialect = session.dialect();
        let ranges: Vec<String> = if by_index {
            let pairs = days
                .iter()
                .flat_map(|day| numbers.iter().map(move |kind| (day, kind)));
            pairs
                .map(|(day, kind)| range(dialect, *day, Some(*kind)))
                .collect()
        } else {
            days.iter().map(|day| range(dialect, *day, None)).collect()
        };
        let merged = ranges.join(" UNION ALL ");
        let sql = (!ranges.is_empty()).then(|| match dialect {
            // SQLite merges what an index gives in this very order, and would sort anything else.
            Dialect::Sqlite => format!("{merged} ORDER BY 2 LIMIT ?4"),
            Dialect::Postgres if ranges.len() == 1 => merged,
            Dialect::Postgres => format!("{merged} ORDER BY 1, 2 LIMIT ?4"),
        });
        let patterns = if by_index {
            Vec::new()
        } else {
            patterns.to_vec()
        };
        Ok(Self {
            sql,
            kinds,
            patterns,
        })
    }

    /// The first `count` rows behind `at` and not behind `horizon`.
    pub(super) fn after(
        &self,
        session: &mut dyn Session,
        at: Position,
        horizon: Position,
        count: usize,
    ) -> Result<Vec<Placed>, SqlError> {
        let Some(sql) = &self.sql else {
            return Ok(Vec::new());
        };
        let values = [
            at.transaction.into(),
            at.sequence.into(),
            horizon.transaction.into(),
            Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
        ];
        let rows = session.query(sql, &values)?;
        rows.iter().map(|row| self.placed(row)).collect()
    }

    pub(super) fn wants(&self, message: &Message) -> bool {
        self.patterns.is_empty()
            || self
                .patterns
                .iter()
                .any(|pattern| pattern.matches(&message.kind))
    }

    fn placed(&self, row: &Row) -> Result<Placed, SqlError> {
        let at = Position {
            transaction: row.integer(0)?,
            sequence: row.integer(1)?,
        };
        let broken = |what: &str| {
            let text = format!("row {} of the outbox has no valid {what}", at.sequence);
            SqlError::new(SqlErrorKind::Shape, text)
        };
        let id = row
            .blob(2)?
            .try_into()
            .ok()
            .and_then(|id| MessageId::from_bytes(id).ok());
        let resource: Result<Resource, _> = row.text(5)?.parse();
        let message = Message {
            id: id.ok_or_else(|| broken("id"))?,
            time: Time::from_micros(row.integer(3)?),
            kind: self
                .kinds
                .get(&row.integer(4)?)
                .ok_or_else(|| broken("type"))?
                .clone(),
            resource: resource.map_err(|_| broken("resource"))?,
        };
        Ok(Placed { at, message })
    }
}

/// All types that the store knows, by number.
pub(crate) fn kinds(session: &mut dyn Session) -> Result<HashMap<i64, Kind>, SqlError> {
    let rows = session.query("SELECT number, name FROM outbox_kind", &[])?;
    let known = rows.iter().map(|row| {
        let kind = row.text(1)?.parse();
        let kind = kind.map_err(|error| {
            SqlError::new(
                SqlErrorKind::Shape,
                format!("type {:?}: {error}", row.text(1)),
            )
        })?;
        Ok((row.integer(0)?, kind))
    });
    known.collect()
}

/// One day's rows, of one type or of all; each comes in the order of an index, so that the
/// database merges them without sorting.
fn range(dialect: Dialect, day: Day, kind: Option<i64>) -> String {
    let day = day.0;
    let kind = kind
        .map(|number| format!("kind = {number} AND "))
        .unwrap_or_default();
    match dialect {
        Dialect::Sqlite => format!(
            "SELECT 0, sequence, id, time, kind, resource FROM outbox_message_{day} \
             WHERE {kind}sequence > ?2"
        ),
        // Each range in order and no longer than the page: else the planner sorts all of them.
        Dialect::Postgres => format!(
            "(SELECT xid, sequence, id, time, kind, resource FROM outbox_message_{day} \
             WHERE {kind}(xid, sequence) > (?1, ?2) AND xid <= ?3 \
             ORDER BY xid, sequence LIMIT ?4)"
        ),
    }
}

/// The place of a day's first message whose id is `least` or greater.
pub(super) fn first_from(
    session: &mut dyn Session,
    day: Day,
    least: MessageId,
    horizon: Position,
) -> Result<Option<Position>, SqlError> {
    let number = day.0;
    let (sql, values) = match session.dialect() {
        // All ids of a later day are greater.
        Dialect::Sqlite if day > least.day() => (
            format!("SELECT 0, min(sequence) FROM outbox_message_{number}"),
            vec![],
        ),
        // A scan of one index over at most a day. Sequence and id are nearly in the same order,
        // but a late commit must not be lost for it. The plus keeps SQLite from walking along the
        // sequence from the start of the day instead.
        Dialect::Sqlite => (
            format!("SELECT 0, min(+sequence) FROM outbox_message_{number} WHERE id >= ?1"),
            vec![least.into()],
        ),
        // `OFFSET 0` keeps the planner from walking the order of commits in search of ids.
        Dialect::Postgres => (
            format!(
                "SELECT xid, sequence FROM (SELECT xid, sequence FROM outbox_message_{number} \
                 WHERE id >= ?1 AND xid <= ?2 OFFSET 0) AS later ORDER BY 1, 2 LIMIT 1"
            ),
            vec![least.into(), horizon.transaction.into()],
        ),
    };
    let rows = session.query(&sql, &values)?;
    match rows.first() {
        Some(row) if !row.is_null(1) => Ok(Some(Position {
            transaction: row.integer(0)?,
            sequence: row.integer(1)?,
        })),
        _ => Ok(None),
    }
}

/// The newest message up to the horizon: its place and its time.
pub(super) fn newest(
    session: &mut dyn Session,
    horizon: Position,
) -> Result<Option<(Position, Time)>, SqlError> {
    let dialect = session.dialect();
    let each_day = |Day(day): Day| match dialect {
        Dialect::Sqlite => format!(
            "SELECT * FROM (SELECT 0, sequence, time FROM outbox_message_{day} WHERE ?1 = ?1 \
             ORDER BY 2 DESC LIMIT 1) AS of_{day}"
        ),
        Dialect::Postgres => format!(
            "SELECT * FROM (SELECT xid, sequence, time FROM outbox_message_{day} \
             WHERE xid <= ?1 ORDER BY xid DESC, sequence DESC LIMIT 1) AS of_{day}"
        ),
    };
    let of_days: Vec<String> = schema::days(session)?.into_iter().map(each_day).collect();
    if of_days.is_empty() {
        return Ok(None);
    }
    // One statement for all days: each is a round trip.
    let sql = format!(
        "{} ORDER BY 1 DESC, 2 DESC LIMIT 1",
        of_days.join(" UNION ALL ")
    );
    let rows = session.query(&sql, &[horizon.transaction.into()])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let at = Position {
        transaction: row.integer(0)?,
        sequence: row.integer(1)?,
    };
    Ok(Some((at, Time::from_micros(row.integer(2)?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::store::{Link as _, SqliteLink, in_transaction};

    /// A page that sorts reads all that lies behind its cursor.
    #[test]
    fn days_and_types_are_merged_and_never_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.db");
        let mut link = SqliteLink::writer(&path, std::time::Duration::ZERO).unwrap();
        in_transaction(&mut link, |link| crate::migrate::migrate(link, &[])).unwrap();
        link.begin().unwrap();
        for day in 20_000..20_003 {
            for kind in ["a.b", "a.c", "d.e"] {
                let (kind, path) = (kind.parse().unwrap(), "/a".parse().unwrap());
                let message = Message::at(Day(day).start(), kind, path);
                schema::publish(&mut link, &message).unwrap();
            }
        }
        for patterns in [vec![], vec!["a.*"], vec!["a.b"], vec!["a.b", "d.e"]] {
            let patterns: Vec<_> = patterns.iter().map(|text| text.parse().unwrap()).collect();
            let sql = Source::new(&mut link, &patterns).unwrap().sql.unwrap();
            let values = [Value::Null, 1.into(), Value::Null, 5.into()];
            let plan = link
                .query(&format!("EXPLAIN QUERY PLAN {sql}"), &values)
                .unwrap();
            let plan: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            let searches = plan
                .iter()
                .filter(|line| line.starts_with("SEARCH"))
                .count();
            assert!(searches >= 3, "{plan:?}");
            let sorted = plan
                .iter()
                .any(|line| line.contains("TEMP") || line.starts_with("SCAN"));
            assert!(!sorted, "{plan:?}");
        }
    }
}
