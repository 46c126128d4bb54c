//! `/alerts`.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::state::HttpState;
use crate::alerts::body::AlertsBody;

pub(super) async fn show(State(state): State<HttpState>) -> Result<Response, ApiError> {
    let Some(board) = &state.board else {
        return Err(ApiError::not_found(
            "this node watches no messages",
            "start it with `trilobite serve` or `trilobite demo`",
        ));
    };
    let body = Json(AlertsBody::new(board));
    Ok(([(header::CACHE_CONTROL, "no-store")], body).into_response())
}
