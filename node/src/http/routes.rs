//! The table of routes, and what all answers share.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use super::error::ApiError;
use super::guard::guard;
use super::state::HttpState;
use super::{accuracy, calibration, explain, fixes, page, sites, status, survey, truth};

/// Every path and what answers there; `openapi.json` describes the same ones.
pub(super) fn table() -> Vec<(&'static str, MethodRouter<HttpState>)> {
    vec![
        ("/", get(page::index)),
        ("/page/{file}", get(page::file)),
        ("/api/v1/sites", get(sites::list)),
        ("/api/v1/sites/{site}", get(sites::one)),
        ("/api/v1/sites/{site}/fixes", get(fixes::list)),
        ("/api/v1/sites/{site}/clients/{client}", get(fixes::client)),
        (
            "/api/v1/sites/{site}/clients/{client}/explain",
            get(explain::explain),
        ),
        ("/api/v1/sites/{site}/accuracy", get(accuracy::show)),
        (
            "/api/v1/sites/{site}/calibration",
            get(calibration::show).post(calibration::order),
        ),
        (
            "/api/v1/sites/{site}/survey",
            get(survey::list).post(survey::take),
        ),
        (
            "/api/v1/sites/{site}/survey/{point}",
            delete(survey::remove),
        ),
        ("/api/v1/ledger", get(status::ledger)),
        ("/api/v1/demo/truth", get(truth::list)),
        ("/livez", get(status::livez)),
        ("/readyz", get(status::readyz)),
        ("/startupz", get(status::startupz)),
        ("/metrics", get(status::metrics)),
        ("/openapi.json", get(status::openapi)),
    ]
}

/// The routes over `state`, for a listener or to be nested elsewhere.
pub fn router(state: HttpState) -> Router {
    // Compression gathers bytes before it lets them go: no good for a stream of lines or events.
    let compressed = DefaultPredicate::new()
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("application/x-ndjson"));
    let unrouted = Router::new();
    table()
        .into_iter()
        .fold(unrouted, |router, (path, methods)| {
            router.route(path, methods)
        })
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(map_response(never_sniffed))
        .with_state(state)
}

async fn unknown_route() -> ApiError {
    ApiError::not_found(
        "there is nothing at this path",
        "see /openapi.json for all paths",
    )
}

async fn wrong_method() -> ApiError {
    ApiError::method()
}

async fn never_sniffed(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
