//! What a consumer may do: with which resources, and because of which types.

use crate::{Kind, KindPattern};

/// Most prefixes, and most patterns, of one grant.
pub const PATTERNS_MAX: usize = 64;

/// What a consumer may do with what it reaches. Each includes those before it: whoever hears of a
/// resource may read it, else the message would be good for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum May {
    /// Read resources.
    ReadResources,
    /// And poll messages about them.
    ReadMessages,
    /// And give orders.
    Admin,
}

impl May {
    /// All, the least first, with their words.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::ReadResources, "resources"),
        (Self::ReadMessages, "messages"),
        (Self::Admin, "admin"),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(may, _)| *may == self);
        found.map_or("", |(_, word)| word)
    }
}

impl std::str::FromStr for May {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let found = Self::ALL.into_iter().find(|(_, word)| *word == text);
        found.map(|(may, _)| may).ok_or(GrantError::May)
    }
}

/// Why something is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// A prefix is no path.
    #[error("\"{0}\" is no prefix of resources; use an absolute path such as /api/v1/sites/hq")]
    Prefix(String),
    /// A pattern is no pattern.
    #[error("\"{0}\" is no type; use one such as zone.entered, zone.* for all that begin so, or *")]
    Pattern(String),
    /// Neither prefix nor pattern: it would grant nothing.
    #[error("it reaches nothing; name at least one prefix and one type")]
    Nothing,
    /// Too many of them.
    #[error(
        "more than {PATTERNS_MAX} prefixes or types; use shorter prefixes and patterns such as zone.*"
    )]
    TooMany,
    /// No such word.
    #[error("no such right; use resources, messages or admin")]
    May,
}

/// A grant: what it may do, below which prefixes, for which types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    may: May,
    under: Vec<String>,
    kinds: Vec<Pattern>,
}

/// A pattern, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(String);

impl Pattern {
    fn parse(text: &str) -> Result<Self, GrantError> {
        if text != "*" {
            let parsed = text.parse::<KindPattern>();
            parsed.map_err(|_| GrantError::Pattern(text.chars().take(64).collect()))?;
        }
        Ok(Self(text.to_owned()))
    }

    fn takes(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => self.0 == kind,
        }
    }

    /// Whether some type fits both.
    fn meets(&self, other: &str) -> bool {
        match (self.0.strip_suffix('*'), other.strip_suffix('*')) {
            (_, None) => self.takes(other),
            (None, Some(beginning)) => self.0.starts_with(beginning),
            (Some(one), Some(two)) => one.starts_with(two) || two.starts_with(one),
        }
    }
}

impl Grant {
    /// A grant; `kinds` holds types, patterns such as `zone.*`, or `*` for all.
    ///
    /// # Errors
    /// [`GrantError`] tells what is no prefix or pattern.
    pub fn new<'a>(
        may: May,
        under: impl IntoIterator<Item = &'a str>,
        kinds: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, GrantError> {
        let under: Vec<String> = under
            .into_iter()
            .map(|prefix| match is_prefix(prefix) {
                true => Ok(prefix.to_owned()),
                false => Err(GrantError::Prefix(prefix.chars().take(64).collect())),
            })
            .collect::<Result<_, _>>()?;
        let kinds: Vec<Pattern> = kinds
            .into_iter()
            .map(Pattern::parse)
            .collect::<Result<_, _>>()?;
        if under.is_empty() || kinds.is_empty() {
            return Err(GrantError::Nothing);
        }
        if under.len() > PATTERNS_MAX || kinds.len() > PATTERNS_MAX {
            return Err(GrantError::TooMany);
        }
        Ok(Self { may, under, kinds })
    }

    /// All of everything: where nobody is asked for a token.
    pub fn everything() -> Self {
        Self {
            may: May::Admin,
            under: vec!["/".to_owned()],
            kinds: vec![Pattern("*".to_owned())],
        }
    }

    /// What it may do.
    pub fn may(&self) -> May {
        self.may
    }

    /// The prefixes.
    pub fn under(&self) -> impl Iterator<Item = &str> {
        self.under.iter().map(String::as_str)
    }

    /// The types and patterns.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(|pattern| pattern.0.as_str())
    }

    /// Whether a path is one of the prefixes or below it.
    pub fn reaches(&self, path: &str) -> bool {
        self.under.iter().any(|prefix| is_under(path, prefix))
    }

    /// Whether messages of this type are for it.
    pub fn takes(&self, kind: &Kind) -> bool {
        let kind = kind.as_str();
        self.kinds.iter().any(|pattern| pattern.takes(kind))
    }

    /// Whether some type fits both it and one of `kinds`, which are types or patterns.
    pub fn meets(&self, kinds: &[&str]) -> bool {
        let mut pairs = self
            .kinds
            .iter()
            .flat_map(|own| kinds.iter().map(move |other| (own, *other)));
        pairs.any(|(own, other)| own.meets(other))
    }
}

/// An absolute path without anything that two readers could read in two ways.
fn is_prefix(text: &str) -> bool {
    let segments = || text.split('/').skip(1);
    let is_plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    let odd = |c: char| c.is_control() || ['?', '#', '%', '\\'].contains(&c);
    text == "/"
        || (text.starts_with('/')
            && text.len() <= 512
            && segments().all(is_plain)
            && !text.contains(odd))
}

fn is_under(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(under: &[&str], kinds: &[&str]) -> Grant {
        let (under, kinds) = (under.iter().copied(), kinds.iter().copied());
        Grant::new(May::ReadMessages, under, kinds).unwrap()
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        let hq = grant(&["/api/v1/sites/hq"], &["*"]);
        for path in ["/api/v1/sites/hq", "/api/v1/sites/hq/zones/lobby"] {
            assert!(hq.reaches(path), "{path}");
        }
        for path in [
            "/api/v1/sites/hq2",
            "/api/v1/sites",
            "/api/v1/site",
            "",
            "/",
        ] {
            assert!(!hq.reaches(path), "{path}");
        }
        assert!(Grant::everything().reaches("/anything"));
        assert!(grant(&["/api/v1/sites"], &["*"]).reaches("/api/v1/sites/hq2"));
    }

    #[test]
    fn types_fit_exactly_or_by_their_beginning() {
        let zones = grant(&["/"], &["zone.*", "ap.offline"]);
        for kind in ["zone.entered", "zone.left", "ap.offline"] {
            assert!(zones.takes(&kind.parse().unwrap()), "{kind}");
        }
        for kind in ["zones.entered", "ap.online", "zone"] {
            assert!(!zones.takes(&kind.parse().unwrap()), "{kind}");
        }
    }

    #[test]
    fn patterns_meet_where_some_type_fits_both() {
        let check = |own: &str, other: &str, expected: bool| {
            assert_eq!(
                grant(&["/"], &[own]).meets(&[other]),
                expected,
                "{own} {other}"
            );
        };
        check("zone.*", "zone.*", true);
        check("zone.entered", "zone.*", true);
        check("zone.*", "zone.entered", true);
        check("*", "ap.*", true);
        check("ap.*", "zone.*", false);
        check("zone.entered", "zone.left", false);
        check("zone.entered", "zone.entered", true);
        assert!(!grant(&["/"], &["*"]).meets(&[]));
    }

    #[test]
    fn what_is_no_grant_is_refused() {
        let check = |under: &[&str], kinds: &[&str], expected: fn(&GrantError) -> bool| {
            let (under, kinds) = (under.iter().copied(), kinds.iter().copied());
            let error = Grant::new(May::ReadMessages, under, kinds).unwrap_err();
            assert!(expected(&error), "{error}");
        };
        for prefix in [
            "", "hq", "/a/", "/a//b", "/a/../b", "/a?b", "/a%2f", "/a\nb", "//",
        ] {
            check(&[prefix], &["*"], |e| matches!(e, GrantError::Prefix(_)));
        }
        for kind in ["", "Zone.*", "zone*x", "zone.**", "a b", "*.zone"] {
            check(&["/a"], &[kind], |e| matches!(e, GrantError::Pattern(_)));
        }
        check(&[], &["*"], |e| *e == GrantError::Nothing);
        check(&["/a"], &[], |e| *e == GrantError::Nothing);
    }
}
