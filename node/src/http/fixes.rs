//! `/api/v1/sites/{site}/fixes` and `/api/v1/sites/{site}/clients/{client}`.

use std::time::Instant;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use site::{FloorIndex, Site};
use wire::ClientId;

use super::accept::Format;
use super::door::Caller;
use super::error::ApiError;
use super::limits::PAGE_FIXES_MAX;
use super::policy::POSITIONS;
use super::presence;
use super::sites::bad_path;
use super::state::{Face, HttpState};
use super::stream;
use crate::body::fix::{FixBody, FixesBody};
use crate::body::time::{now_us, rfc3339};

/// What may stand behind the `?`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixesQuery {
    /// Only fixes on this floor.
    floor: Option<String>,
    /// At most this many fixes; of a snapshot only.
    limit: Option<usize>,
    /// Only clients above this one; of a snapshot only.
    after: Option<String>,
}

pub(super) async fn list(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<FixesQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let Query(query) = query.map_err(|rejection| {
        ApiError::bad_request(
            format!(
                "the query cannot be read: {}",
                rejection.body_text().to_lowercase()
            ),
            "use floor=<floor id>, limit=<count>, after=<client>",
        )
    })?;
    let (index, site) = state.site(&id)?;
    let floor = query
        .floor
        .as_deref()
        .map(|floor| floor_index(site, floor))
        .transpose()?;
    let offered = match state.face {
        Face::Map => &Format::ALL[..],
        Face::Messages => &[Format::Json],
    };
    let mut response = match Format::wanted(&headers, offered) {
        Some(Format::Json) => snapshot(&state, index, floor, &query)?,
        Some(Format::Ndjson) => stream::ndjson(&state, index, floor)?,
        Some(Format::Events) => stream::events(&state, index, floor)?,
        None => {
            let offered: Vec<_> = offered.iter().map(|format| format.media_type()).collect();
            return Err(ApiError::not_acceptable(&offered.join(", ")));
        }
    };
    let headers = response.headers_mut();
    headers.insert(
        header::VARY,
        header::HeaderValue::from_static("accept, accept-encoding"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    Ok(response)
}

/// Its latest fix, for who may have positions; else what messages told of it.
pub(super) async fn client(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((id, client)) = path.map_err(bad_path)?;
    let (index, site) = state.site(&id)?;
    let may_locate = caller.grant().meets(POSITIONS);
    let known = state.names.find(&client).filter(|_| may_locate);
    let Some(published) = known.and_then(|known| state.hub.latest(index, known)) else {
        let told = presence::client(&state, &site.id, &client, &headers).await?;
        return told.ok_or_else(|| {
            ApiError::not_found(
                "this client has no fix at this site",
                "use 16 hexadecimal digits or the name of a named client; \
                 a client is forgotten ten minutes after its last fix",
            )
        });
    };
    let body = FixBody::new(&published, site, &state.names, Instant::now());
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

fn snapshot(
    state: &HttpState,
    index: usize,
    floor: Option<FloorIndex>,
    query: &FixesQuery,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_FIXES_MAX);
    if limit == 0 || limit > PAGE_FIXES_MAX {
        return Err(ApiError::bad_request(
            format!("the limit {limit} is out of range"),
            format!("use 1 to {PAGE_FIXES_MAX} and ask for the rest with after=<next>"),
        ));
    }
    let after = query
        .after
        .as_deref()
        .map(|text| client_id(state, text))
        .transpose()?;
    let mut page = state.hub.page(index, after, limit + 1, floor);
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| last.sent.client.to_string());
    let site = &state.sites[index].site;
    let now = Instant::now();
    let body = FixesBody {
        site: &site.id,
        time: rfc3339(now_us()),
        fixes: page
            .iter()
            .map(|fix| FixBody::new(fix, site, &state.names, now))
            .collect(),
        next,
    };
    Ok(Json(body).into_response())
}

fn floor_index(site: &Site, id: &str) -> Result<FloorIndex, ApiError> {
    let index = site.floors.iter().position(|floor| floor.id == id);
    let index = index.and_then(|index| u8::try_from(index).ok());
    index.map(FloorIndex).ok_or_else(|| {
        let floors: Vec<_> = site.floors.iter().map(|floor| floor.id.as_str()).collect();
        ApiError::bad_request(
            "this site has no such floor",
            format!("use one of {}", floors.join(", ")),
        )
    })
}

fn client_id(state: &HttpState, text: &str) -> Result<ClientId, ApiError> {
    state.names.find(text).ok_or_else(|| {
        ApiError::bad_request(
            "after is not a client",
            "use 16 hexadecimal digits, as in the answer's next",
        )
    })
}
