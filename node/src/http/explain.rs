//! `/api/v1/sites/{site}/clients/{client}/explain`.

use std::time::Instant;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ingest::{ClientWindow, SentFix};
use locate::explain::Case;
use wire::ClientId;

use super::error::ApiError;
use super::sites::bad_path;
use super::state::HttpState;
use super::workers::unanswered;
use crate::body::explain::{Evidence, ExplainBody};
use crate::body::fix::FixBody;
use crate::latest::Published;

pub(super) async fn explain(
    State(state): State<HttpState>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path((id, client)) = path.map_err(bad_path)?;
    let (index, _) = state.site(&id)?;
    let client = state.names.find(&client).ok_or_else(|| {
        ApiError::not_found(
            "this is no client",
            "use 16 hexadecimal digits or the name of a named client",
        )
    })?;
    let workers = state.workers()?;
    let turn = state.explaining.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable(
            "too many explanations are being made",
            "try again in some seconds",
        )
    })?;
    let explained = tokio::task::spawn_blocking(move || {
        // Held by the work, not by who asked for it: whoever asks and leaves frees no thread.
        let _turn = turn;
        let window = workers.window(index, client).map_err(unanswered)?;
        answer(&state, index, client, &window)
    });
    explained.await.map_err(|_| ApiError::broken())?
}

fn answer(
    state: &HttpState,
    index: usize,
    client: ClientId,
    window: &ClientWindow,
) -> Result<Response, ApiError> {
    let site = &state.sites[index].site;
    let (published, evidence) = match window.fix {
        Some(fix) => {
            let sent = SentFix {
                site: index,
                client,
                fix,
                sent_at_us: window.at_us,
            };
            let at = Instant::now();
            (Published { sent, at }, Evidence::Exact)
        }
        None => {
            let published = state.hub.latest(index, client).ok_or_else(|| {
                ApiError::not_found(
                    "what was heard of this client was never enough for a fix",
                    "look whether its readings are dropped, at /api/v1/ledger",
                )
            })?;
            (published, Evidence::Held)
        }
    };
    let explanation = Case {
        site,
        model: &window.model,
        sightings: &window.sightings,
        older: &window.older,
        track_before: &window.track_before.unwrap_or_default(),
        track: &window.track,
        fix: &published.sent.fix,
        at_s: window.at_us as f64 * 1e-6,
    }
    .explain();
    let fix = FixBody::new(&published, site, &state.names, Instant::now());
    let body = ExplainBody::new(fix, evidence, site, &explanation);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
