//! The map page: plain files, embedded; nothing is loaded from elsewhere.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::error::ApiError;
use super::etag::tagged;
use super::sites::bad_path;

/// What a browser may do for this page: talk to this origin, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        (
            $name,
            $content_type,
            include_str!(concat!("../page/", $name)),
        )
    };
}

/// Name, content type, content.
pub(super) const FILES: [(&str, &str, &str); 18] = [
    file!("index.html", "text/html; charset=utf-8"),
    file!("style.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("app.js", JAVASCRIPT),
    file!("stream.js", JAVASCRIPT),
    file!("clients.js", JAVASCRIPT),
    file!("view.js", JAVASCRIPT),
    file!("theme.js", JAVASCRIPT),
    file!("plan.js", JAVASCRIPT),
    file!("dots.js", JAVASCRIPT),
    file!("ledger.js", JAVASCRIPT),
    file!("elements.js", JAVASCRIPT),
    file!("tiles.js", JAVASCRIPT),
    file!("floors.js", JAVASCRIPT),
    file!("legend.js", JAVASCRIPT),
    file!("card.js", JAVASCRIPT),
    file!("search.js", JAVASCRIPT),
    file!("input.js", JAVASCRIPT),
];

pub(super) async fn index(headers: HeaderMap) -> Result<Response, ApiError> {
    answer(&headers, "index.html")
}

pub(super) async fn file(
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(name) = path.map_err(bad_path)?;
    answer(&headers, &name)
}

fn answer(request: &HeaderMap, name: &str) -> Result<Response, ApiError> {
    let Some((_, content_type, content)) = FILES.into_iter().find(|(file, ..)| *file == name)
    else {
        return Err(ApiError::not_found(
            "the page has no such file",
            "start from /",
        ));
    };
    let mut response = tagged(request, content_type, content.into());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    Ok(response)
}
