//! Places in the stream of committed messages.

use std::fmt;
use std::str::FromStr;

use crate::limits::TEXT_BYTES_MAX;

/// A place behind a committed message; opaque text for those who keep it.
///
/// It holds the epoch of its store, drawn when the store is made and again when it is restored
/// from a backup, so that a cursor is never read in another history than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub(crate) epoch: u64,
    pub(crate) at: Position,
}

/// Where a message stands in the order of commits. SQLite has one writer, so its sequence is the
/// order of commits; PostgreSQL orders by transaction and sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) transaction: i64,
    pub(crate) sequence: i64,
}

/// A text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor; use `next` of an earlier answer unchanged, or leave it out")]
#[non_exhaustive]
pub struct CursorError;

impl Position {
    /// Before everything.
    pub(crate) const START: Self = Self {
        transaction: 0,
        sequence: 0,
    };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position {
            transaction,
            sequence,
        } = self.at;
        write!(f, "{:x}-{transaction:x}-{sequence:x}", self.epoch)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    /// Takes the canonical text only, so that equal cursors are equal texts.
    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CursorError);
        }
        let mut parts = text.split('-');
        let mut part = || hex(parts.next()?);
        let (Some(epoch), Some(transaction), Some(sequence)) = (part(), part(), part()) else {
            return Err(CursorError);
        };
        let place = |number: u64| i64::try_from(number).map_err(|_| CursorError);
        let at = Position {
            transaction: place(transaction)?,
            sequence: place(sequence)?,
        };
        if parts.next().is_some() {
            Err(CursorError)
        } else {
            Ok(Self { epoch, at })
        }
    }
}

fn hex(text: &str) -> Option<u64> {
    let digits = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    canonical
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for (epoch, transaction, sequence) in [(0, 0, 0), (u64::MAX, i64::MAX, i64::MAX), (7, 0, 9)]
        {
            let cursor = Cursor {
                epoch,
                at: Position {
                    transaction,
                    sequence,
                },
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn hostile_text_is_no_cursor() {
        let long = "1-".repeat(100_000);
        let bad = [
            "",
            "-",
            "--",
            "1-2",
            "1-2-3-4",
            "1-2-3-",
            "-1-2-3",
            "+1-2-3",
            "1-2-G",
            "01-2-3",
            "1-2-A",
            "1-2- 3",
            "1-2-8000000000000000",
            "1-2-10000000000000000",
            "é-1-2",
            "1-2-3'; DROP",
            &long,
        ];
        for text in bad {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text:?}");
        }
    }
}
