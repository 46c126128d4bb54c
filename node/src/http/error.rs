//! What a request gets when it cannot be answered: a status, what is wrong, what to do.

use std::time::Duration;

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
    retry_after: Option<Duration>,
}

impl ApiError {
    /// The status that goes with it.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

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
    pub(crate) fn forbidden(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
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

    /// 401: without a token, or with one that opens nothing.
    pub(crate) fn unauthorized(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, what, what_to_do)
    }

    /// 429: this consumer asks more than it may.
    pub(crate) fn too_many(retry_after: Duration) -> Self {
        let what_to_do = "wait as long as Retry-After says; ask for larger pages, or with wait";
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "this consumer asks too often, or reads its answers too slowly",
                what_to_do,
            )
        }
    }

    /// 503: not now.
    pub(crate) fn unavailable(what: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(2)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, what, what_to_do)
        }
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
            retry_after: None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"what": self.what, "what_to_do": self.what_to_do}});
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            // Whole seconds, and never too early.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // A browser asks a person for the second.
            for scheme in ["Bearer", "Basic"] {
                let challenge = format!("{scheme} realm=\"trilobite\"");
                let challenge = HeaderValue::try_from(challenge).expect("visible ASCII");
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}
