//! Which format an `Accept` header asks for.

use axum::http::{HeaderMap, header};
use outbox::feed::accept::choose;

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

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    /// The format of `offered` that the request wants most; `None` when it allows none of them.
    pub(super) fn wanted(request: &HeaderMap, offered: &[Self]) -> Option<Self> {
        let values = request.get_all(header::ACCEPT).iter();
        let media_types: Vec<&str> = offered.iter().map(|format| format.media_type()).collect();
        let values = values.map(|value| value.to_str().unwrap_or_default());
        choose(values, &media_types).map(|index| offered[index])
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
