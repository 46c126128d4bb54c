//! `/api/v1/sites` and `/api/v1/sites/{site}`.

use std::collections::HashSet;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::door::Caller;
use super::error::ApiError;
use super::etag::tagged;
use super::policy::SITES;
use super::state::{HttpState, SiteEntry};
use crate::body::site::{SiteBody, SiteEntryBody, SitesBody};

/// The sites that the caller may read; the others are not there.
pub(super) async fn list(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let sites = state.sites.iter().enumerate();
    let sites = sites
        .filter(|(_, SiteEntry { site })| caller.grant().reaches(&href(&site.id)))
        .map(|(index, SiteEntry { site })| SiteEntryBody {
            site: &site.id,
            name: &site.name,
            floors: site.floors.len(),
            anchors: site.anchors.len(),
            clients: state.hub.counts(index).clients,
            href: href(&site.id),
        });
    Json(SitesBody {
        sites: sites.collect(),
    })
    .into_response()
}

fn href(site: &str) -> String {
    format!("{SITES}/{site}")
}

pub(super) async fn one(
    State(state): State<HttpState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(id) = path.map_err(bad_path)?;
    let (_, site) = state.site(&id)?;
    let status = state.status();
    let agents = status.ledger.agents.iter();
    let connected: HashSet<&str> = agents
        .filter(|view| view.connected && view.site == id)
        .map(|view| view.agent.as_str())
        .collect();
    let body = SiteBody::new(site, |agent| connected.contains(agent));
    Ok(tagged(&headers, "application/json", json_bytes(&body)))
}

/// A path that is not UTF-8 once decoded.
pub(super) fn bad_path(_: PathRejection) -> ApiError {
    ApiError::bad_request("the path cannot be read", "use percent-encoded UTF-8")
}

/// `body` as JSON.
pub(super) fn json_bytes(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body)
        .expect("bodies have string keys and finite depth")
        .into()
}
