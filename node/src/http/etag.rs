//! Answers that need not be sent again: `ETag` and `304 Not Modified`.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// `body` with its tag, or 304 without it when the reader has the same.
///
/// The tag is weak, since the same body may travel compressed (RFC 9110, section 8.8.1).
pub(super) fn tagged(request: &HeaderMap, content_type: &'static str, body: Bytes) -> Response {
    tagged_by(&body.clone(), request, content_type, body)
}

/// As [`tagged`], by what of the body matters to a reader who has it.
pub(super) fn tagged_by(
    matter: &[u8],
    request: &HeaderMap,
    content_type: &'static str,
    body: Bytes,
) -> Response {
    let mut hasher = DefaultHasher::new();
    matter.hash(&mut hasher);
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    let known = matches(request, &tag);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::VARY,
            HeaderValue::from_static("accept, accept-encoding"),
        ),
        (
            header::ETAG,
            HeaderValue::from_str(&tag).expect("the tag is made of printable characters"),
        ),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, body).into_response()
}

/// RFC 9110, section 13.1.2: a list of tags, compared weakly, or `*`.
fn matches(request: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}
