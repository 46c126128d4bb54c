//! Zones, who is in them, access points; and the order to forget a client.
//!
//! Lists hold state and the cursor it was taken at: whoever polls messages from that cursor on misses
//! nothing. The cursor moves while the list stays the same, so it has no part in the list's tag, and
//! stands in the header [`CURSOR`] as well, which comes with 304 too. What ended answers with its reason as long as its row is kept.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use outbox::{Reading, SqlError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::etag::{tagged, tagged_by};
use super::sites::bad_path;
use super::state::HttpState;
use crate::presence::resources::{self, PAGE_LEN_MAX};
use crate::presence::{OrderError, Orders};

/// The header with the cursor of a list.
const CURSOR: HeaderName = HeaderName::from_static("messages-cursor");

/// What may stand behind the `?` of a list of clients.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientsQuery {
    /// At most this many.
    limit: Option<usize>,
    /// Only clients above this one.
    after: Option<String>,
}

pub(super) async fn zones(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(site) = path.map_err(bad_path)?;
    let body = read(&state, site, |reading, site| {
        let zones = resources::zones(reading, site)?;
        let body = json!({ "site": site, "zones": zones });
        Ok((body, reading.cursor().to_string()))
    });
    Ok(answer_at(&headers, body.await?))
}

pub(super) async fn zone(
    State(state): State<HttpState>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((site, zone)) = path.map_err(bad_path)?;
    let body = read(&state, site, move |reading, site| {
        resources::zone(reading, site, &zone)
    });
    let what_to_do = "take an id from /api/v1/sites/{site}/zones";
    let body = body.await?.ok_or_else(|| unknown("zone", what_to_do))?;
    Ok(answer(&headers, &body))
}

pub(super) async fn clients(
    State(state): State<HttpState>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<ClientsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((site, zone)) = path.map_err(bad_path)?;
    let Query(query) = query.map_err(|rejection| {
        ApiError::bad_request(
            format!(
                "the query cannot be read: {}",
                rejection.body_text().to_lowercase()
            ),
            "use limit=<count>, after=<client>",
        )
    })?;
    let limit = query.limit.unwrap_or(PAGE_LEN_MAX);
    if limit == 0 || limit > PAGE_LEN_MAX {
        return Err(ApiError::bad_request(
            format!("the limit {limit} is out of range"),
            format!("use 1 to {PAGE_LEN_MAX} and ask for the rest with after=<next>"),
        ));
    }
    let body = read(&state, site, move |reading, site| {
        if resources::zone(reading, site, &zone)?.is_none() {
            return Ok(None);
        }
        let after = query.after.as_deref();
        let clients = resources::clients_inside(reading, site, &zone, after, limit)?;
        let last = clients.last().filter(|_| clients.len() == limit);
        let next = last.map(|last| last.client.clone());
        let body = json!({ "site": site, "zone": zone, "clients": clients, "next": next });
        Ok(Some((body, reading.cursor().to_string())))
    });
    let what_to_do = "take an id from /api/v1/sites/{site}/zones";
    let body = body.await?.ok_or_else(|| unknown("zone", what_to_do))?;
    Ok(answer_at(&headers, body))
}

pub(super) async fn visit(
    State(state): State<HttpState>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((site, zone, client)) = path.map_err(bad_path)?;
    let body = read(&state, site, move |reading, site| {
        resources::visit(reading, site, &zone, &client)
    });
    let what_to_do = "it never was in this zone, or left before the oldest message that is kept";
    let body = body.await?.ok_or_else(|| unknown("client", what_to_do))?;
    Ok(answer(&headers, &body))
}

pub(super) async fn aps(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(site) = path.map_err(bad_path)?;
    let body = read(&state, site, |reading, site| {
        let aps = resources::aps(reading, site)?;
        let body = json!({ "site": site, "aps": aps });
        Ok((body, reading.cursor().to_string()))
    });
    Ok(answer_at(&headers, body.await?))
}

pub(super) async fn ap(
    State(state): State<HttpState>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((site, ap)) = path.map_err(bad_path)?;
    let body = read(&state, site, move |reading, site| {
        resources::ap(reading, site, &ap)
    });
    let what_to_do = "take an id from /api/v1/sites/{site}/aps; one that never came is not there";
    let body = body
        .await?
        .ok_or_else(|| unknown("access point", what_to_do))?;
    Ok(answer(&headers, &body))
}

/// Forgets a client, and tells consumers to.
pub(super) async fn erase(
    State(state): State<HttpState>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path((site, client)) = path.map_err(bad_path)?;
    state.site(&site)?;
    let orders: Orders = state.orders()?;
    let erased = tokio::task::spawn_blocking(move || orders.erase(&site, &client));
    match erased.await {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Err(error @ (OrderError::Site | OrderError::Client))) => Err(ApiError::not_found(
            error.to_string(),
            "nothing was forgotten",
        )),
        Ok(Err(error)) => Err(ApiError::unavailable(error.to_string(), "ask again later")),
        Err(_) => Err(ApiError::unavailable("the node stops", "ask again later")),
    }
}

pub(super) async fn consumer(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(name) = path.map_err(bad_path)?;
    let found = read_store(&state, move |reading| resources::consumer(reading, &name));
    let found = found.await?.ok_or_else(|| {
        ApiError::not_found(
            "no consumer of this name had a token lately",
            "see \"trilobite token list\" where the node runs",
        )
    })?;
    Ok(answer(&headers, &found))
}

/// A client as messages told of it: 410 and why, once it ended.
pub(super) async fn client(
    state: &HttpState,
    site: &str,
    client: &str,
    headers: &HeaderMap,
) -> Result<Option<Response>, ApiError> {
    if state.presence().is_none() {
        return Ok(None);
    }
    let client = client.to_owned();
    let found = read(state, site.to_owned(), move |reading, site| {
        resources::client(reading, site, &client)
    });
    Ok(found.await?.map(|client| match client.state.as_str() {
        "here" => answer(headers, &client),
        _ => {
            let headers = [(header::CACHE_CONTROL, "no-store")];
            (StatusCode::GONE, headers, Json(client)).into_response()
        }
    }))
}

/// Reads a site's tables.
async fn read<T: Send + 'static>(
    state: &HttpState,
    site: String,
    job: impl FnOnce(&mut Reading<'_>, &str) -> Result<T, SqlError> + Send + 'static,
) -> Result<T, ApiError> {
    state.site(&site)?;
    read_store(state, move |reading| job(reading, &site)).await
}

/// Reads tables, on a thread that may wait.
async fn read_store<T: Send + 'static>(
    state: &HttpState,
    job: impl FnOnce(&mut Reading<'_>) -> Result<T, SqlError> + Send + 'static,
) -> Result<T, ApiError> {
    let store = state.store()?;
    match tokio::task::spawn_blocking(move || store.read(job)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => {
            tracing::warn!("state of zones, access points and consumers: {error}");
            Err(ApiError::unavailable(
                "the store does not answer",
                "ask again later",
            ))
        }
        Err(_) => Err(ApiError::unavailable("the node stops", "ask again later")),
    }
}

fn answer(headers: &HeaderMap, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("maps with text keys, numbers and texts serialise");
    tagged(headers, "application/json", body.into())
}

/// A list and the cursor that it was taken at.
fn answer_at(headers: &HeaderMap, (mut body, cursor): (Value, String)) -> Response {
    let matter = body.to_string();
    // A cursor is of digits and dashes: it always is a header.
    let header = HeaderValue::from_str(&cursor);
    body["cursor"] = cursor.into();
    let bytes = body.to_string().into();
    let mut response = tagged_by(matter.as_bytes(), headers, "application/json", bytes);
    if let Ok(header) = header {
        response.headers_mut().insert(CURSOR, header);
    }
    response
}

fn unknown(what: &str, what_to_do: &str) -> ApiError {
    ApiError::not_found(format!("this site has no such {what}"), what_to_do)
}
