//! `/api/v1/demo/truth`: where simulated clients really are, when the node runs its own world.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::accept::Format;
use super::error::ApiError;
use super::state::HttpState;
use super::stream::{admit, sse, ticks};
use crate::body::time::now_us;
use crate::body::truth::TruthsBody;

pub(super) async fn list(
    State(state): State<HttpState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if state.truth.is_none() {
        return Err(ApiError::not_found(
            "this node locates real clients: nobody knows where they truly are",
            "start a simulated world with `trilobite demo`",
        ));
    }
    match Format::wanted(&headers, &[Format::Json, Format::Events]) {
        Some(Format::Events) => events(&state),
        Some(_) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            Ok((no_store, Json(truths(&state))).into_response())
        }
        None => Err(ApiError::not_acceptable(
            "application/json, text/event-stream",
        )),
    }
}

fn truths(state: &HttpState) -> TruthsBody {
    let truths = state
        .truth
        .as_ref()
        .map(|truth| truth())
        .unwrap_or_default();
    TruthsBody::new(truths, now_us())
}

fn events(state: &HttpState) -> Result<Response, ApiError> {
    let admitted = admit(state)?;
    let source = (state.clone(), ticks(), admitted);
    let events = stream::unfold(source, |(state, mut ticks, admitted)| async {
        ticks.tick().await;
        let event = Event::default().event("truth");
        let event = event
            .json_data(truths(&state))
            .expect("places have string keys");
        Some((Ok::<_, Infallible>(event), (state, ticks, admitted)))
    });
    Ok(sse(state, events))
}
