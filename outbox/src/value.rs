//! One small SQL face for both databases.

/// A value that goes into a statement or comes out of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; truth values are 0 and 1.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A row of an answer, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub(crate) Vec<Value>);

/// What a database speaks; placeholders are `?1`, `?2` in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What kind of trouble a database had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlErrorKind {
    /// Another process held a lock for longer than this one waits.
    Busy,
    /// No space is left.
    Full,
    /// The server cannot be reached, or the connection broke.
    Disconnected,
    /// A table does not exist.
    NoSuchTable,
    /// A constraint of a table refused a row.
    Constraint,
    /// A row does not have what was asked of it.
    Shape,
    /// Anything else: the text tells.
    Other,
}

/// A statement did not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct SqlError {
    pub(crate) kind: SqlErrorKind,
    pub(crate) text: String,
}

impl SqlError {
    pub(crate) fn new(kind: SqlErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// What kind of trouble it was.
    pub const fn kind(&self) -> SqlErrorKind {
        self.kind
    }

    /// Whether an error of a commit says that nothing was committed. Otherwise the commit may
    /// have reached the disk before the error came.
    pub(crate) const fn answers_commit(&self) -> bool {
        matches!(
            self.kind,
            SqlErrorKind::Busy | SqlErrorKind::Full | SqlErrorKind::Constraint
        )
    }

    /// The same once more, for another who waits for the same commit.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind, self.text.clone())
    }

    fn shape(column: usize, wanted: &str, row: &Row) -> Self {
        let found = match row.0.get(column) {
            None => "no such column",
            Some(Value::Null) => "null",
            Some(Value::Integer(_)) => "an integer",
            Some(Value::Real(_)) => "a real",
            Some(Value::Text(_)) => "a text",
            Some(Value::Blob(_)) => "a blob",
        };
        Self::new(
            SqlErrorKind::Shape,
            format!("column {column} is {found}, not {wanted}"),
        )
    }
}

impl Row {
    /// Count of columns.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no columns.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a column, counted from 0.
    pub fn value(&self, column: usize) -> Option<&Value> {
        self.0.get(column)
    }

    /// Whether a column is null or missing.
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), None | Some(Value::Null))
    }

    /// A whole number.
    ///
    /// # Errors
    /// If the column holds something else.
    pub fn integer(&self, column: usize) -> Result<i64, SqlError> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Ok(*value),
            _ => Err(SqlError::shape(column, "an integer", self)),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// If the column holds something else.
    pub fn real(&self, column: usize) -> Result<f64, SqlError> {
        match self.0.get(column) {
            Some(Value::Real(value)) => Ok(*value),
            #[expect(
                clippy::cast_precision_loss,
                reason = "SQLite keeps 1.0 as the integer 1"
            )]
            Some(Value::Integer(value)) => Ok(*value as f64),
            _ => Err(SqlError::shape(column, "a real", self)),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// If the column holds something else.
    pub fn text(&self, column: usize) -> Result<&str, SqlError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(SqlError::shape(column, "a text", self)),
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// If the column holds something else.
    pub fn blob(&self, column: usize) -> Result<&[u8], SqlError> {
        match self.0.get(column) {
            Some(Value::Blob(value)) => Ok(value),
            _ => Err(SqlError::shape(column, "a blob", self)),
        }
    }
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

value_from!(
    i64 => Integer, i32 => Integer, u32 => Integer, u16 => Integer, u8 => Integer, bool => Integer,
    f64 => Real, f32 => Real, String => Text, &str => Text, Vec<u8> => Blob, &[u8] => Blob
);

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<crate::Time> for Value {
    /// Microseconds since 1970.
    fn from(time: crate::Time) -> Self {
        Self::Integer(time.as_micros())
    }
}

impl From<crate::MessageId> for Value {
    /// Its sixteen bytes.
    fn from(id: crate::MessageId) -> Self {
        Self::Blob(id.as_bytes().to_vec())
    }
}

impl From<&crate::Kind> for Value {
    fn from(kind: &crate::Kind) -> Self {
        Self::Text(kind.as_str().to_owned())
    }
}

impl From<&crate::Resource> for Value {
    fn from(resource: &crate::Resource) -> Self {
        Self::Text(resource.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_what_it_has_and_says_what_it_has_not() {
        let row = Row(vec![
            1.into(),
            "a".into(),
            2.5.into(),
            Value::Null,
            vec![7_u8].into(),
        ]);
        assert_eq!(row.integer(0).unwrap(), 1);
        assert_eq!(row.text(1).unwrap(), "a");
        assert_eq!(row.real(2).unwrap(), 2.5);
        assert_eq!(row.real(0).unwrap(), 1.0);
        assert_eq!(row.blob(4).unwrap(), [7]);
        assert!(row.is_null(3) && row.is_null(9) && !row.is_null(0));
        let error = row.integer(1).unwrap_err();
        assert_eq!(error.kind(), SqlErrorKind::Shape);
        assert_eq!(error.to_string(), "column 1 is a text, not an integer");
        assert_eq!(
            row.text(9).unwrap_err().to_string(),
            "column 9 is no such column, not a text"
        );
    }
}
