//! Ids, names and the nearest known word to a mistyped one.

use std::collections::HashSet;

use toml::Spanned;

use crate::limits;
use crate::reader::place::Place;
use crate::reader::problem::Problems;

/// Why a text cannot be an id, if so: 1 to 63 of `a-zA-Z0-9-_.`.
pub(crate) fn id_fault(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() {
        Some("the id is empty".to_owned())
    } else if text.len() > limits::ID_BYTES_MAX {
        Some(format!("the id has {} bytes", text.len()))
    } else if !text.bytes().all(is_plain) {
        Some(format!(
            "the id {} has a character that no id may have",
            quoted(text)
        ))
    } else {
        None
    }
}

/// Ids of one kind seen so far: the second use of one is a problem.
#[derive(Default)]
pub(crate) struct Ids<'t> {
    seen: HashSet<&'t str>,
}

impl<'t> Ids<'t> {
    /// Notes an id; tells when the file has it already.
    pub(crate) fn note(
        &mut self,
        id: Spanned<&'t str>,
        place: &Place<'_>,
        problems: &mut Problems,
    ) {
        if !self.seen.insert(id.get_ref()) {
            let what = place.says("an earlier one has the same id");
            problems.add(id.span(), what, "give each an id of its own");
        }
    }
}

/// What to do about an unknown word: the nearest known one if any is near, else all of them.
pub(crate) fn hint(word: &str, known: &[&str]) -> String {
    near(word, known).unwrap_or_else(|| format!("use one of {}", known.join(", ")))
}

/// As [`hint`], for words too many to list.
pub(crate) fn near(word: &str, known: &[&str]) -> Option<String> {
    let nearest = known
        .iter()
        .map(|known| (edit_distance(word, known), known))
        .min();
    let (_, known) = nearest.filter(|(distance, known)| *distance <= known.len() / 3)?;
    Some(format!("did you mean `{known}`?"))
}

/// A word of the file in quotes, escaped; a long one is cut, for a message is one line.
pub(crate) fn quoted(word: &str) -> String {
    const CHARS_MAX: usize = 70;
    let shown: String = word.chars().take(CHARS_MAX).collect();
    let rest = if shown.len() < word.len() { "..." } else { "" };
    format!("{shown:?}{rest}")
}

/// Insertions, deletions and replacements of bytes between two words (Levenshtein).
///
/// Words over 64 bytes are cut: a known word is never that long.
fn edit_distance(one: &str, other: &str) -> usize {
    let one = &one.as_bytes()[..one.len().min(64)];
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, byte) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other_byte) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(*byte != other_byte);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        let check = |one, other, expected| {
            assert_eq!(edit_distance(one, other), expected, "{one} {other}");
            assert_eq!(edit_distance(other, one), expected, "{other} {one}");
        };
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("walls", "wall", 1);
        check("hieght_m", "height_m", 2);
        check("same", "same", 0);
    }

    #[test]
    fn a_near_word_is_offered_and_a_far_one_gets_the_list() {
        assert_eq!(hint("walls", &["wall", "zone"]), "did you mean `wall`?");
        assert_eq!(hint("colour", &["wall", "zone"]), "use one of wall, zone");
        assert_eq!(hint("", &["wall", "zone"]), "use one of wall, zone");
    }

    #[test]
    fn ids_are_short_and_plain() {
        let check = |text: &str, good: bool| assert_eq!(id_fault(text).is_none(), good, "{text:?}");
        check("ap-101", true);
        check("A.b_c-9", true);
        check(&"x".repeat(63), true);
        check("", false);
        check(&"x".repeat(64), false);
        check("two words", false);
        check("büro", false);
        check("a/b", false);
    }
}
