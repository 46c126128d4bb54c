//! Messages as rows, and the pieces of statements that several share.

use super::FailureGroup;
use crate::value::SqlErrorKind;
use crate::{Dialect, KindPattern, Message, Row, SqlError, Time, Tx, Value};

/// The message in the columns `id, time_us, kind, resource` that begin at `first`.
pub(super) fn message(row: &Row, first: usize) -> Result<Message, SqlError> {
    let bad = |what: &str, column: usize| {
        let text = format!("column {column} of an inbox's row is no {what}");
        SqlError::new(SqlErrorKind::Shape, text)
    };
    Ok(Message {
        id: row.text(first)?.parse().map_err(|_| bad("id", first))?,
        time: Time::from_micros(row.integer(first + 1)?),
        kind: row
            .text(first + 2)?
            .parse()
            .map_err(|_| bad("kind", first + 2))?,
        resource: row
            .text(first + 3)?
            .parse()
            .map_err(|_| bad("resource", first + 3))?,
    })
}

/// A number of times; a row that says otherwise says none.
pub(super) fn count(row: &Row, column: usize) -> Result<u32, SqlError> {
    Ok(u32::try_from(row.integer(column)?).unwrap_or(0))
}

/// The name of a failure.
pub(super) fn group(row: &Row, column: usize) -> Result<FailureGroup, SqlError> {
    let text = format!("column {column} of an inbox's row is no failure group");
    FailureGroup::parse(row.text(column)?).ok_or(SqlError::new(SqlErrorKind::Shape, text))
}

/// A whole number, or nothing.
pub(super) fn optional_integer(row: &Row, column: usize) -> Result<Option<i64>, SqlError> {
    if row.is_null(column) {
        return Ok(None);
    }
    row.integer(column).map(Some)
}

/// A text, or nothing.
pub(super) fn optional_text(row: &Row, column: usize) -> Result<Option<&str>, SqlError> {
    if row.is_null(column) {
        return Ok(None);
    }
    row.text(column).map(Some)
}

/// `(?3, ?4), (?5, ?6)`: placeholders for rows of `width` values after `used` others.
pub(super) fn tuples(rows: usize, width: usize, used: usize) -> String {
    let tuple = |row: usize| {
        let first = used + row * width + 1;
        let places: Vec<String> = (first..first + width)
            .map(|place| format!("?{place}"))
            .collect();
        format!("({})", places.join(","))
    };
    let all: Vec<String> = (0..rows).map(tuple).collect();
    all.join(",")
}

/// `(?3,?4)`: placeholders for a list after `used` others.
pub(super) fn list(items: usize, used: usize) -> String {
    tuples(1, items, used)
}

/// A condition on `kind` that any of the patterns is met; its values are appended.
pub(super) fn of_kinds(kinds: &[KindPattern], values: &mut Vec<Value>) -> String {
    if kinds.is_empty() {
        return String::new();
    }
    let mut any = Vec::with_capacity(kinds.len());
    for pattern in kinds {
        match pattern {
            KindPattern::Exactly(kind) => {
                values.push(Value::from(kind.as_str()));
                any.push(format!("kind = ?{}", values.len()));
            }
            KindPattern::Below(words) => {
                let prefix = format!("{words}.");
                // Kinds are ASCII, so letters are bytes in both databases; a length as text in the
                // statement, since only few lengths exist.
                let length = prefix.len();
                values.push(Value::Text(prefix));
                any.push(format!("substr(kind, 1, {length}) = ?{}", values.len()));
            }
        }
    }
    format!(" AND ({})", any.join(" OR "))
}

/// What makes a choice of rows safe beside other consumers: on PostgreSQL rows that another holds
/// are left to it; SQLite has one writer.
pub(super) fn skip_locked(tx: &Tx<'_>) -> &'static str {
    match tx.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(tuples(2, 3, 1), "(?2,?3,?4),(?5,?6,?7)");
        assert_eq!(list(3, 2), "(?3,?4,?5)");
    }

    #[test]
    fn kinds_become_a_condition_with_values_apart() {
        let kinds = ["ap.online", "zone.*"].map(|text| text.parse().unwrap());
        let mut values = vec![Value::Null];
        let condition = of_kinds(&kinds, &mut values);
        assert_eq!(condition, " AND (kind = ?2 OR substr(kind, 1, 5) = ?3)");
        assert_eq!(values.len(), 3);
        assert_eq!(of_kinds(&[], &mut values), "");
    }
}
