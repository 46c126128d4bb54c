//! A TOML document walked key by key, so that one pass reports every problem with its line.
//!
//! Deriving a deserialiser would be shorter, but it stops at the first mistake.

pub(crate) mod number;
pub(crate) mod place;
pub(crate) mod problem;
pub(crate) mod table;
pub(crate) mod word;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::limits;
use crate::reader::problem::Problems;

/// A value with its place in the text.
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// Parses a text as TOML; what is no TOML is told as problems, and nothing is then read of it.
pub(crate) fn parse_document<'t>(
    text: &'t str,
    problems: &mut Problems,
) -> Option<Spanned<DeTable<'t>>> {
    if text.len() > limits::TEXT_BYTES_MAX {
        let what = format!("the file has {} bytes", text.len());
        problems.add(
            0..0,
            what,
            format!("keep it below {} bytes", limits::TEXT_BYTES_MAX),
        );
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // Spans of unclosed pieces may end behind the text; the start is what a reader needs.
        let span = error.span().unwrap_or(0..0);
        let what = format!("not valid TOML: {}", error.message());
        problems.add(span, what, "correct the syntax, see https://toml.io");
    }
    errors.is_empty().then_some(document)
}
