//! Values to and from PostgreSQL, by the type that the server states.

use std::error::Error;

use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::value::{Row, SqlError, Value};

type Anything = Box<dyn Error + Sync + Send>;

pub(super) fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

pub(super) fn row(row: &postgres::Row) -> Result<Row, SqlError> {
    let values = (0..row.len()).map(|column| Ok(row.try_get::<_, Value>(column)?));
    Ok(Row(values.collect::<Result<_, SqlError>>()?))
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Anything> {
        match (self, kind) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(value), &Type::BOOL) => (*value != 0).to_sql(kind, out),
            (Self::Integer(value), &Type::INT2) => i16::try_from(*value)?.to_sql(kind, out),
            (Self::Integer(value), &Type::INT4) => i32::try_from(*value)?.to_sql(kind, out),
            #[expect(
                clippy::cast_precision_loss,
                reason = "as SQLite does in a column of reals"
            )]
            (Self::Integer(value), &Type::FLOAT8) => (*value as f64).to_sql(kind, out),
            (Self::Integer(value), &Type::INT8) => value.to_sql(kind, out),
            #[expect(clippy::cast_possible_truncation, reason = "the column holds no more")]
            (Self::Real(value), &Type::FLOAT4) => (*value as f32).to_sql(kind, out),
            (Self::Real(value), &Type::FLOAT8) => value.to_sql(kind, out),
            (Self::Text(value), kind) if <&str as ToSql>::accepts(kind) => {
                value.as_str().to_sql(kind, out)
            }
            (Self::Blob(value), &Type::BYTEA) => value.to_sql(kind, out),
            (value, kind) => Err(format!("{value:?} does not fit {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Anything> {
        Ok(match *kind {
            Type::BOOL => bool::from_sql(kind, raw)?.into(),
            Type::INT2 => Self::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => i32::from_sql(kind, raw)?.into(),
            Type::INT8 => i64::from_sql(kind, raw)?.into(),
            Type::FLOAT4 => f32::from_sql(kind, raw)?.into(),
            Type::FLOAT8 => f64::from_sql(kind, raw)?.into(),
            Type::BYTEA => <&[u8]>::from_sql(kind, raw)?.into(),
            Type::VOID => Self::Null,
            _ if <&str as FromSql>::accepts(kind) => <&str>::from_sql(kind, raw)?.into(),
            _ => return Err(format!("columns of type {kind} cannot be read; cast it").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Anything> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
