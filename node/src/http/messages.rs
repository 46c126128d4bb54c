//! `/messages`.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;

use super::door::Caller;
use super::error::ApiError;
use super::state::HttpState;

pub(super) async fn poll(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(messages) = state.messages.clone() else {
        return Err(ApiError::unavailable(
            "this node has no store of messages",
            "start it with `trilobite serve` or `trilobite demo`",
        ));
    };
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept = accept.map(|value| value.to_str().unwrap_or_default());
    let closing = state.closing.subscribe();
    let served = {
        let state = state.clone();
        move |resource: &str| state.serves(resource)
    };
    let answered = messages
        .poll(&caller, query.as_deref(), accept, served, closing)
        .await;
    if let Some(board) = &state.board {
        let status = answered
            .as_ref()
            .map_or_else(ApiError::status, |r| r.status());
        board.tallies().poll(caller.name(), status.as_u16());
    }
    answered
}
