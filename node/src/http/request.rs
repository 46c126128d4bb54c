//! Bodies that come in: bounded, JSON, and said to be.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::limits::{BODY_BYTES_MAX, BODY_TIME_MAX};

/// Reads a body as JSON; `wanted` tells what to send instead of what cannot be read.
///
/// The content type must say JSON: a page of another origin cannot set it without asking, and nobody
/// answers it.
pub(super) async fn json_body<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    wanted: &str,
) -> Result<T, ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let is_json = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(ApiError::unsupported(
            "the body is not said to be JSON",
            "send the header content-type: application/json",
        ));
    }
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX);
    let bytes = tokio::time::timeout(BODY_TIME_MAX, read)
        .await
        .map_err(|_| ApiError::bad_request("the body does not come to an end", wanted))?
        .map_err(|_| {
            ApiError::too_large(
                format!("the body breaks off or has more than {BODY_BYTES_MAX} bytes"),
                wanted,
            )
        })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}"), wanted))
}
