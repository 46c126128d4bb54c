//! Types of messages, and patterns that choose among them.

use std::fmt;
use std::str::FromStr;

use crate::limits::KIND_BYTES_MAX;

/// Type of a message: words of `a-z`, `0-9` and `_`, joined by dots, such as `zone.entered`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Box<str>);

/// A text is no type of a message, and no pattern of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a type of message; types are words of a-z, 0-9 and _ with dots between, at most \
     {KIND_BYTES_MAX} bytes, such as zone.entered; a pattern may end in .*"
)]
#[non_exhaustive]
pub struct KindError;

/// Chooses one type (`zone.entered`) or all below a word (`zone.*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KindPattern {
    /// This type and no other.
    Exactly(Kind),
    /// Every type that begins with these words, but not the words alone.
    Below(Kind),
}

impl Kind {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KindPattern {
    /// Whether a type is among those chosen.
    pub fn matches(&self, kind: &Kind) -> bool {
        match self {
            Self::Exactly(exact) => exact == kind,
            Self::Below(words) => kind
                .as_str()
                .strip_prefix(words.as_str())
                .is_some_and(|rest| rest.starts_with('.')),
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let word = |word: &str| {
            let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            !word.is_empty() && word.bytes().all(allowed)
        };
        if text.len() <= KIND_BYTES_MAX && text.split('.').all(word) {
            Ok(Self(text.into()))
        } else {
            Err(KindError)
        }
    }
}

impl FromStr for KindPattern {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        match text.strip_suffix(".*") {
            Some(words) => words.parse().map(Self::Below),
            None => text.parse().map(Self::Exactly),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(kind) => kind.fmt(f),
            Self::Below(words) => write!(f, "{words}.*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_dots_are_kinds_and_nothing_else_is() {
        for good in [
            "a",
            "zone.entered",
            "client.opt_out2",
            &"a".repeat(KIND_BYTES_MAX),
        ] {
            assert_eq!(good.parse::<Kind>().unwrap().to_string(), good);
        }
        let long = "a".repeat(KIND_BYTES_MAX + 1);
        for bad in [
            "", ".", "a.", ".a", "a..b", "Zone", "a b", "a*", "zone.*", "ä", "a\n", &long,
        ] {
            assert_eq!(bad.parse::<Kind>(), Err(KindError), "{bad:?}");
        }
    }

    #[test]
    fn patterns_match_exactly_or_below() {
        let check = |pattern: &str, kind: &str, expected: bool| {
            let pattern: KindPattern = pattern.parse().unwrap();
            assert_eq!(
                pattern.matches(&kind.parse().unwrap()),
                expected,
                "{pattern} {kind}"
            );
        };
        check("zone.entered", "zone.entered", true);
        check("zone.entered", "zone.entered.late", false);
        check("zone.*", "zone.entered", true);
        check("zone.*", "zone.entered.late", true);
        check("zone.*", "zone", false);
        check("zone.*", "zones.entered", false);
        for bad in ["*", ".*", "zone*", "*.entered", "zone.*.*"] {
            assert_eq!(bad.parse::<KindPattern>(), Err(KindError), "{bad:?}");
        }
    }
}
