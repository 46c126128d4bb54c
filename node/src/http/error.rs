//! What a request gets when it cannot be answered: a status, what is wrong, what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that is an error: `{"error":{"what":"...","what_to_do":"..."}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    what: String,
    what_to_do: String,
}

impl ApiError {
    /// 404: the path names nothing.
    pub(super) fn not_found(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what, what_to_do)
    }

    /// 400: path or query cannot be read.
    pub(super) fn bad_request(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what, what_to_do)
    }

    /// 406: the `Accept` header asks for a format that the route does not have.
    pub(super) fn not_acceptable(offered: &str) -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "no format that the Accept header allows is available here",
            format!("accept one of {offered}"),
        )
    }

    /// 405: the route exists, the method does not.
    pub(super) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path does not take that method",
            "see /openapi.json for the methods of all paths; nearly all are GET",
        )
    }

    /// 421: the request is for another host than this.
    pub(super) fn misdirected(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, what, what_to_do)
    }

    /// 403: whoever asks may not give this order.
    pub(super) fn forbidden(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, what, what_to_do)
    }

    /// 409: what is there does not allow it.
    pub(super) fn conflict(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, what, what_to_do)
    }

    /// 413: the body is longer than any that makes sense.
    pub(super) fn too_large(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, what, what_to_do)
    }

    /// 415: the body is of another kind.
    pub(super) fn unsupported(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what, what_to_do)
    }

    /// 503: not now.
    pub(super) fn unavailable(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, what, what_to_do)
    }

    /// 500: something here fails, and somebody must look.
    pub(super) fn failed(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, what, what_to_do)
    }

    /// 500: a mistake of ours.
    pub(super) fn broken() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the node could not compute this",
            "report it, with the node's log",
        )
    }

    fn new(status: StatusCode, what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self {
            status,
            what: what.into(),
            what_to_do: what_to_do.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"what": self.what, "what_to_do": self.what_to_do}});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
