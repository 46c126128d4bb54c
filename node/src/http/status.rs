//! The ledger, the probes, the metrics and the description of this interface.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::error::ApiError;
use super::etag::tagged;
use super::state::HttpState;
use crate::body::ledger::LedgerBody;
use crate::body::time::now_us;
use crate::metrics::{self, MessageFigures};

/// The whole interface, in OpenAPI 3.1.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

/// What a ledger without agents and one agent take as text, mostly: with a thousand agents, a buffer
/// that grew from nothing would be copied, and the system would clear pages for it, again and again.
const LEDGER_BYTES: usize = 8 * 1024;
const AGENT_BYTES: usize = 1_536;

/// What of the ledger is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerQuery {
    /// Also each agent by itself: most of it where there are many.
    #[serde(default = "yes")]
    agents: bool,
}

fn yes() -> bool {
    true
}

pub(super) async fn ledger(
    State(state): State<HttpState>,
    query: Result<Query<LedgerQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|rejection| {
        ApiError::bad_request(
            format!(
                "the query cannot be read: {}",
                rejection.body_text().to_lowercase()
            ),
            "use agents=false or no query",
        )
    })?;
    let status = state.status();
    let agents = match query.agents {
        true => &status.ledger.agents[..],
        false => &[],
    };
    let body = LedgerBody::new(&status, agents, &state.counts(), now_us());
    let mut text = Vec::with_capacity(LEDGER_BYTES + agents.len() * AGENT_BYTES);
    serde_json::to_writer(&mut text, &body).map_err(|_| ApiError::broken())?;
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    Ok((headers, text).into_response())
}

pub(super) async fn livez() -> Response {
    Json(json!({"status": "alive"})).into_response()
}

pub(super) async fn startupz(State(state): State<HttpState>) -> Result<Response, ApiError> {
    if !state.health.started() {
        return Err(ApiError::unavailable(
            "the node is starting",
            "ask again in a moment",
        ));
    }
    Ok(Json(json!({"status": "started"})).into_response())
}

pub(super) async fn readyz(State(state): State<HttpState>) -> Result<Response, ApiError> {
    if !state.health.ready() {
        return Err(ApiError::unavailable(
            "the node is starting or stopping",
            "ask again in a moment, or use another node",
        ));
    }
    let mut body = json!({"status": "ready"});
    if let Some(store) = state.health.store() {
        body["store"] = store.into();
    }
    Ok(Json(body).into_response())
}

pub(super) async fn metrics(State(state): State<HttpState>) -> Response {
    let text = metrics::exposition(
        &state.status(),
        &state.counts(),
        state.presence(),
        state.board.as_deref().map(MessageFigures::of),
    );
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    tagged(&headers, "application/json", OPENAPI.into())
}
