//! The query string: every parameter known, given once, and parsed into a type that cannot be wrong.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use super::limits::{
    FILTERS_MAX, GROUP_BYTES_MAX, MEMBERS_MAX, PAGE_MESSAGES_MAX, QUERY_BYTES_MAX, WAIT_MAX,
};
use crate::{Cursor, KindPattern, PageQuery, Resource, Share, Start, Time};

/// A parameter that cannot be used. It never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {what}; {what_to_do}")]
#[non_exhaustive]
pub struct BadParameter {
    /// Which.
    pub parameter: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub what_to_do: String,
}

/// The names that a query may have.
const NAMES: [&str; 10] = [
    "after", "since", "type", "site", "limit", "wait", "coalesce", "group", "member", "of",
];

/// Those that may stand more than once.
const REPEATED: [&str; 2] = ["type", "site"];

/// Longest piece of a stranger's name that is told back.
const SHOWN_CHARS_MAX: usize = 24;

pub(super) struct Asked {
    pub(super) page: PageQuery,
    pub(super) wait: Duration,
    pub(super) coalesce: bool,
    pub(super) filters: String,
}

fn bad(parameter: &str, what: &str, what_to_do: impl Into<String>) -> BadParameter {
    BadParameter {
        parameter: parameter.to_owned(),
        what: what.to_owned(),
        what_to_do: what_to_do.into(),
    }
}

/// `site_prefix` and the value of `site` make a prefix of resources.
pub(super) fn parse(site_prefix: &str, query: &str) -> Result<Asked, BadParameter> {
    let pairs = Pairs::read(query)?;
    let kinds = pairs.all("type").map(|text| {
        let hint = "use a type such as zone.entered, or zone.* for all that begin so";
        parsed::<KindPattern>("type", text, "no type", hint)
    });
    let resources = pairs.all("site").map(|site| resource_of(site_prefix, site));
    let (kinds, resources) = (
        kinds.collect::<Result<Vec<_>, _>>()?,
        resources.collect::<Result<Vec<_>, _>>()?,
    );
    let (limit, wait) = (limit(&pairs)?, wait(&pairs)?);
    let coalesce = match pairs.one("coalesce") {
        None => false,
        Some("resource") => true,
        Some(_) => {
            return Err(bad(
                "coalesce",
                "no such way",
                "use resource, or leave it out",
            ));
        }
    };
    let page = PageQuery {
        after: start(&pairs)?,
        kinds,
        resources,
        limit,
        sees: None,
        share: share(&pairs)?,
    };
    Ok(Asked {
        page,
        wait,
        coalesce,
        filters: pairs.filters(),
    })
}

/// Where to begin: `after` or `since`, the oldest message without both.
fn start(pairs: &Pairs) -> Result<Start, BadParameter> {
    match (pairs.one("after"), pairs.one("since")) {
        (None, None) => Ok(Start::Oldest),
        (Some(_), Some(_)) => Err(bad(
            "since",
            "stands beside after",
            "use one of them: after with the last answer's next, since to begin at a time",
        )),
        (Some("head"), None) => Ok(Start::Head),
        (Some(text), None) => {
            let hint = "use the last answer's next as it was, head for what comes from now on, or \
                        leave it out for all there is";
            parsed::<Cursor>("after", text, "no cursor of this feed", hint).map(Start::Cursor)
        }
        (None, Some(text)) => {
            // A plus that nobody has encoded means a space in a query; no time has one there.
            let text = text.replace(' ', "+");
            let hint = "use RFC 3339, such as 2026-11-20T10:15:00Z";
            parsed::<Time>("since", &text, "no time", hint).map(Start::Since)
        }
    }
}

fn resource_of(prefix: &str, site: &str) -> Result<String, BadParameter> {
    let hint = "use the id of a site, such as hq";
    let is_segment = !site.is_empty() && !site.contains(['/', '\\', '%']) && site != ".";
    if !is_segment {
        return Err(bad("site", "no site", hint));
    }
    let path = format!("{prefix}{site}");
    parsed::<Resource>("site", &path, "no site", hint)?;
    Ok(path)
}

/// Too large a number is clamped: who wants more gets what there is in one answer.
fn limit(pairs: &Pairs) -> Result<usize, BadParameter> {
    let hint = || format!("use 1 to {PAGE_MESSAGES_MAX}");
    match pairs.number("limit", PAGE_MESSAGES_MAX as u64, &hint)? {
        None => Ok(PAGE_MESSAGES_MAX),
        Some(0) => Err(bad("limit", "0 is no number of messages", hint())),
        // At most the bound, so it fits.
        Some(count) => Ok(usize::try_from(count).unwrap_or(PAGE_MESSAGES_MAX)),
    }
}

fn wait(pairs: &Pairs) -> Result<Duration, BadParameter> {
    let hint = || format!("use seconds, 0 to {}", WAIT_MAX.as_secs());
    let seconds = pairs.number("wait", WAIT_MAX.as_secs(), &hint)?;
    Ok(Duration::from_secs(seconds.unwrap_or(0)))
}

/// The share of one member of a group: without a word between the members, each resource belongs to
/// one of them.
fn share(pairs: &Pairs) -> Result<Option<Share>, BadParameter> {
    let group = pairs.one("group");
    let most = u64::from(MEMBERS_MAX) + 1;
    let of_hint = || format!("use the number of members, 1 to {MEMBERS_MAX}");
    let of = pairs.number("of", most, &of_hint)?;
    let member_hint = || "use 0 for the first member, up to one less than of".to_owned();
    let member = pairs.number("member", most, &member_hint)?;
    if let Some(group) = group {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if group.is_empty() || group.len() > GROUP_BYTES_MAX || !group.bytes().all(known) {
            let hint =
                format!("use letters, digits, \"-\", \"_\" and \".\"; at most {GROUP_BYTES_MAX}");
            return Err(bad("group", "no name", hint));
        }
    }
    let (member, of) = match (group, member, of) {
        (None, None, None) => return Ok(None),
        (Some(_), Some(member), Some(of)) => (member, of),
        (None, ..) => {
            return Err(bad(
                "group",
                "is missing",
                "name the group beside member and of",
            ));
        }
        (_, None, _) => return Err(bad("member", "is missing", member_hint())),
        (.., None) => return Err(bad("of", "is missing", of_hint())),
    };
    if of == 0 || of >= most {
        return Err(bad("of", "out of range", of_hint()));
    }
    if member >= of {
        return Err(bad("member", "out of range", member_hint()));
    }
    // Both are below 2^32 by the checks above.
    let number = |value: u64| u32::try_from(value).unwrap_or(MEMBERS_MAX);
    Ok(Some(Share {
        member: number(member),
        of: number(of),
    }))
}

fn parsed<T: FromStr>(
    parameter: &str,
    text: &str,
    what: &str,
    hint: &str,
) -> Result<T, BadParameter> {
    text.parse().map_err(|_| bad(parameter, what, hint))
}

/// The decoded pairs of a query, with no name that is not known.
struct Pairs(Vec<(&'static str, String)>);

impl Pairs {
    fn read(query: &str) -> Result<Self, BadParameter> {
        if query.len() > QUERY_BYTES_MAX {
            let hint = format!("use at most {QUERY_BYTES_MAX} bytes");
            return Err(bad("query", "too long", hint));
        }
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known(&decoded("query", name)?)?;
            let value = decoded(name, value)?;
            let before = pairs.iter().filter(|(other, _)| *other == name).count();
            let most = if REPEATED.contains(&name) {
                FILTERS_MAX
            } else {
                1
            };
            if before >= most {
                let hint = format!("use it {most} times at most");
                return Err(bad(name, "given too often", hint));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter();
        pairs.filter_map(move |(other, value)| (*other == name).then_some(value.as_str()))
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// A number in decimal digits, `most` where it is larger.
    fn number(
        &self,
        name: &str,
        most: u64,
        hint: &dyn Fn() -> String,
    ) -> Result<Option<u64>, BadParameter> {
        let Some(text) = self.one(name) else {
            return Ok(None);
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad(name, "no number", hint()));
        }
        // Only digits: what does not fit is too large.
        Ok(Some(
            text.parse().map_or(most, |value: u64| value.min(most)),
        ))
    }

    /// All that stays the same from page to page.
    fn filters(&self) -> String {
        let mut text = String::new();
        let lasting = self.0.iter();
        for (name, value) in lasting.filter(|(name, _)| !["after", "since"].contains(name)) {
            // Writing to a string cannot fail.
            let _ = write!(text, "&{name}={}", encoded(value));
        }
        text
    }
}

fn known(name: &str) -> Result<&'static str, BadParameter> {
    let found = NAMES.into_iter().find(|known| *known == name);
    found.ok_or_else(|| {
        let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        let shown: String = name.chars().take(SHOWN_CHARS_MAX).map(plain).collect();
        bad(
            &shown,
            "no such parameter",
            format!("use {}", NAMES.join(", ")),
        )
    })
}

fn decoded(parameter: &str, text: &str) -> Result<String, BadParameter> {
    let hint = "use percent-encoded UTF-8";
    let illegible = || bad(parameter, "cannot be read", hint);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = rest.next().and_then(|byte| char::from(byte).to_digit(16));
                    // One hexadecimal digit.
                    digit
                        .and_then(|digit| u8::try_from(digit).ok())
                        .ok_or_else(illegible)
                };
                digit()? << 4 | digit()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| illegible())
}

/// As a value in a query; everything but unreserved characters of RFC 3986 is encoded.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
