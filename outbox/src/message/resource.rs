//! Paths of resources.

use std::fmt;
use std::str::FromStr;

use crate::limits::RESOURCE_BYTES_MAX;

/// Absolute path of a resource, such as `/api/v1/sites/hq/zones/lobby`.
///
/// Starts with `/`, has no empty, `.` or `..` segment, no control character, white space, `?`, `#`
/// or `\`, and no slash at its end: one resource has one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(Box<str>);

/// A text is no path of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the path of a resource; paths start with / and have no empty, . or .. segment, no white \
     space, control character, ?, # or \\, and at most {RESOURCE_BYTES_MAX} bytes"
)]
#[non_exhaustive]
pub struct ResourceError;

impl Resource {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the resource `prefix` or one below it: `/api/v1/sites/hq` covers
    /// `/api/v1/sites/hq/zones/lobby`, but not `/api/v1/sites/hq2`.
    pub fn is_under(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        match self.0.strip_prefix(prefix) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl FromStr for Resource {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        let refused =
            |c: char| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\');
        let segment = |part: &str| !matches!(part, "" | "." | "..");
        let well_formed = text.len() <= RESOURCE_BYTES_MAX
            && !text.contains(refused)
            && text
                .strip_prefix('/')
                .is_some_and(|rest| rest.split('/').all(segment));
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(ResourceError)
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_plain_paths_are_resources() {
        for good in ["/a", "/api/v1/sites/hq", "/süd/1", "/a..b", "/%2e%2e"] {
            assert_eq!(good.parse::<Resource>().unwrap().as_str(), good);
        }
        let long = format!("/{}", "a".repeat(RESOURCE_BYTES_MAX));
        let bad = [
            "",
            "/",
            "a",
            "//",
            "/a/",
            "/a//b",
            "/../a",
            "/a/..",
            "/.",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\n",
            "/a\0",
            "/a\u{85}",
            "/a\u{2028}",
            "/a\\b",
            "http://a",
            &long,
        ];
        for text in bad {
            assert_eq!(text.parse::<Resource>(), Err(ResourceError), "{text:?}");
        }
    }

    #[test]
    fn under_means_itself_and_below() {
        let check = |resource: &str, prefix: &str, expected: bool| {
            let resource: Resource = resource.parse().unwrap();
            assert_eq!(resource.is_under(prefix), expected, "{resource} {prefix}");
        };
        check("/api/v1/sites/hq", "/api/v1/sites/hq", true);
        check("/api/v1/sites/hq/zones/a", "/api/v1/sites/hq", true);
        check("/api/v1/sites/hq/zones/a", "/api/v1/sites/hq/", true);
        check("/api/v1/sites/hq2", "/api/v1/sites/hq", false);
        check("/api/v1/sites", "/api/v1/sites/hq", false);
        check("/anything", "/", true);
        check("/anything", "", true);
    }
}
