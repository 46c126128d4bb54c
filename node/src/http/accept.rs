//! Which format an `Accept` header asks for.

use axum::http::{HeaderMap, header};

/// Formats of a resource that is also a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON document.
    Json,
    /// One JSON document per line, without end.
    Ndjson,
    /// Server-sent events.
    Events,
}

impl Format {
    /// All, in order of preference.
    pub(super) const ALL: [Self; 3] = [Self::Json, Self::Ndjson, Self::Events];

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    /// The format of `offered` that the request wants most: RFC 9110, section 12.5.1, without
    /// parameters other than `q`; the first of equals. `None` when it allows none of them.
    pub(super) fn wanted(request: &HeaderMap, offered: &[Self]) -> Option<Self> {
        let mut ranges = Vec::new();
        for value in request.get_all(header::ACCEPT) {
            ranges.extend(
                value
                    .to_str()
                    .unwrap_or_default()
                    .split(',')
                    .filter_map(MediaRange::parse),
            );
        }
        if ranges.is_empty() {
            return offered.first().copied();
        }
        let wanted = |format: &Self| -> f32 {
            let fitting = ranges.iter().filter(|range| range.fits(*format));
            let closest = fitting.max_by_key(|range| range.closeness());
            closest.map_or(0.0, |range| range.weight)
        };
        // `max_by` keeps the last of equals, so the least preferred comes first.
        let allowed = offered
            .iter()
            .rev()
            .copied()
            .filter(|format| wanted(format) > 0.0);
        allowed.max_by(|a, b| wanted(a).total_cmp(&wanted(b)))
    }
}

struct MediaRange<'a> {
    kind: &'a str,
    subkind: &'a str,
    weight: f32,
}

impl<'a> MediaRange<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subkind) = parts.next()?.split_once('/')?;
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(Some(1.0), |q| q.parse().ok())?;
        (0.0..=1.0).contains(&weight).then_some(Self {
            kind,
            subkind,
            weight,
        })
    }

    fn fits(&self, format: Format) -> bool {
        let media_type = format.media_type();
        let Some((kind, subkind)) = media_type.split_once('/') else {
            return false;
        };
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subkind == "*" || self.subkind.eq_ignore_ascii_case(subkind))
    }

    fn closeness(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subkind != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: Option<&str>, expected: Option<Format>) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        assert_eq!(
            Format::wanted(&headers, &Format::ALL),
            expected,
            "{accept:?}"
        );
    }

    #[test]
    fn the_accept_header_chooses_the_format() {
        check(None, Some(Format::Json));
        check(Some("*/*"), Some(Format::Json));
        check(
            Some("text/html, application/*;q=0.9, */*;q=0.1"),
            Some(Format::Json),
        );
        check(Some("application/x-ndjson"), Some(Format::Ndjson));
        check(
            Some("Application/X-NDJSON ; q=0.5, text/event-stream;q=0.6"),
            Some(Format::Events),
        );
        check(Some("text/event-stream"), Some(Format::Events));
        check(Some("application/json;q=0, */*"), Some(Format::Ndjson));
        check(Some("text/html"), None);
        check(Some("*/*;q=0"), None);
        check(Some("nonsense"), Some(Format::Json));
        check(Some("a/b;q=7"), Some(Format::Json));
    }
}
