//! One mistake in a file: where, what, and what to do.

use std::ops::Range;

use crate::limits;

/// A mistake in a site or calibration file.
///
/// `Display` gives `line 14: floor "2", wall 3: unknown material "brik"; use one of glass, ...`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; {what_to_do}")]
#[non_exhaustive]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, beginning with the part of the building concerned.
    pub what: String,
    /// What the author can do about it.
    pub what_to_do: String,
}

/// Gathers the problems of one text and knows its lines.
pub(crate) struct Problems<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let behind_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let line_starts = std::iter::once(0).chain(behind_newlines).collect();
        Self {
            text,
            line_starts,
            found: Vec::new(),
        }
    }

    /// Notes a problem at a place in the text; what comes after the limit is not kept.
    pub(crate) fn add(
        &mut self,
        span: Range<usize>,
        what: impl Into<String>,
        what_to_do: impl Into<String>,
    ) {
        if !self.is_full() {
            let (line, column) = self.line_and_column(span.start);
            let (what, what_to_do) = (what.into(), what_to_do.into());
            self.found.push(Problem {
                line,
                column,
                what,
                what_to_do,
            });
        }
    }

    /// Whether further search is in vain.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= limits::PROBLEMS_MAX
    }

    /// `value` if nothing was wrong, else all problems in the order of the text.
    pub(crate) fn into_result<T>(mut self, value: Option<T>) -> Result<T, Vec<Problem>> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => {
                assert!(
                    !self.found.is_empty(),
                    "a value is withheld only for a told problem"
                );
                self.found
                    .sort_by_key(|problem| (problem.line, problem.column));
                Err(self.found)
            }
        }
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let line_start = self.line_starts[line - 1];
        let before = self
            .text
            .get(line_start..offset.min(self.text.len()))
            .unwrap_or("");
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_column_in_characters() {
        let check = |text: &str, offset: usize, expected: (usize, usize)| {
            assert_eq!(
                Problems::new(text).line_and_column(offset),
                expected,
                "{text:?} {offset}"
            );
        };
        check("", 0, (1, 1));
        check("ab", 1, (1, 2));
        check("ab\ncd", 3, (2, 1));
        check("ab\ncd", 5, (2, 3));
        check("äö\nüx", 6, (2, 1));
        check("äöx", 4, (1, 3));
        check("x", 99, (1, 2));
    }

    #[test]
    fn a_file_of_noise_is_told_up_to_the_limit() {
        let mut problems = Problems::new("");
        for _ in 0..limits::PROBLEMS_MAX + 5 {
            problems.add(0..0, "", "");
        }
        let told = problems.into_result(Some(())).unwrap_err();
        assert_eq!(told.len(), limits::PROBLEMS_MAX);
    }
}
